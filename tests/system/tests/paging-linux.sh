# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --timeout 1200 --add tests/system/tests/pager.sh:/root/pager.sh
# Debian's kernel as a guest, which keeps checking a random file in its memory, at half of its memory.
# One vCPU: with two, this emulation of nested paging now and then breaks a Linux guest before anything is paged.
. /root/pager.sh

guest_start l memory=160 vcpus=1 kernel=linux extra="workload=touch mib=48 interval=1"
guest_wait l "check 1 intact" 120
id=$(guest_id l)
pager_start "$id"
pager_target "$id" 81920
pager_reaches "$id" 81920 120
pass "a Linux guest of 160 MiB is at 80 MiB"
seen=$(grep -c intact "$(guest_console l)")
wait_until 300 guest_says_again l intact $((seen + 5)) || fail "the guest does not go on"
guest_says l CORRUPT && fail "the guest's file changed"
pass "the Linux guest works on at half of its memory, its file intact"
echo "out $(pager_value "$id" paged_out) in $(pager_value "$id" paged_in) faults $(pager_value "$id" faults)"
pager_stop "$id"
seen=$(grep -c intact "$(guest_console l)")
wait_until 60 guest_says_again l intact $((seen + 1)) || fail "the guest does not go on without the pager"
guest_says l CORRUPT && fail "the guest's file changed"
pass "and after the pager is gone"

say "save and restore"
pager_start "$id"
pager_target "$id" 98304
pager_reaches "$id" 98304 120
xenpaging-hold l xl save l /tmp/l.save || fail "xl save under xenpaging-hold"
wait "$pager_pid" || pager_dead "$id" "ended with status $? when its domain was saved"
pass "the pager ends with status 0 when its domain was saved"
xl restore /tmp/l.save || fail "xl restore"
rm -f /tmp/l.save
id=$(guest_id l)
seen=$(grep -c intact "$(guest_console l)")
wait_until 120 guest_says_again l intact $((seen + 2)) || fail "the guest does not go on after xl restore"
guest_says l CORRUPT && fail "the guest's file changed"
pass "saved with everything in, and restored: the guest's file is intact"
pager_start "$id"
pager_target "$id" 98304
pager_reaches "$id" 98304 120
seen=$(grep -c intact "$(guest_console l)")
wait_until 120 guest_says_again l intact $((seen + 2)) || fail "the guest does not go on when it is paged again"
pass "and paged again"

say "a suspension that nobody prepared"
xl save -c l /tmp/l.save > /tmp/save.log 2>&1
wait_until 20 grep -q "xenpaging-hold" "/tmp/pager-$id.log" || pager_dead "$id" "does not warn of a save with pages out"
pass "a save with pages out is warned of"
guest_destroy l
wait "$pager_pid" || pager_dead "$id" "ended with status $?"
