# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --timeout 2400 --add tests/system/tests/pager.sh:/root/pager.sh
# Debian's kernel as a guest, which keeps checking a random file in its memory, at half of its memory.
# One vCPU: with two, this emulation of nested paging now and then breaks a Linux guest before anything is paged.
. /root/pager.sh

guest_start l memory=160 vcpus=1 kernel=linux extra="workload=touch mib=48 interval=1"
guest_wait l "check 1 intact" 240
linux_is_paged l 81920 240

say "save and restore"
id=$(guest_id l)
pager_start "$id"
pager_target "$id" 98304
pager_reaches "$id" 98304 240
xenpaging-hold l xl save l /tmp/l.save || fail "xl save under xenpaging-hold"
wait "$pager_pid" || pager_dead "$id" "ended with status $? when its domain was saved"
pass "the pager ends with status 0 when its domain was saved"
xl restore /tmp/l.save || fail "xl restore"
rm -f /tmp/l.save
id=$(guest_id l)
linux_goes_on l 2 400 "when it was saved with everything in, and restored"
pager_start "$id"
pager_target "$id" 98304
pager_reaches "$id" 98304 240
linux_goes_on l 2 400 "when it is paged again"

say "a suspension that nobody prepared"
xl save -c l /tmp/l.save > /tmp/save.log 2>&1
wait_until 60 grep -q "xenpaging-hold" "/tmp/pager-$id.log" || pager_dead "$id" "does not warn of a save with pages out"
pass "a save with pages out is warned of"
guest_destroy l
wait "$pager_pid" || pager_dead "$id" "ended with status $?"
