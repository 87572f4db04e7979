# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --timeout 900 --vcpus 3 --add tests/system/tests/pager.sh:/root/pager.sh
# Debian's kernel as a guest, which keeps checking a random file in its memory, at half of its memory.
. /root/pager.sh

guest_start l memory=160 vcpus=2 kernel=linux extra="workload=touch mib=48 interval=1"
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
guest_destroy l
