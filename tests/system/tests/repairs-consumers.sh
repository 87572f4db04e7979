# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --timeout 900 --add tests/system/tests/pager.sh:/root/pager.sh
# Two consumers of one domain's events, one of which leaves again and again: an unrepaired Xen crashes at once.
. /root/pager.sh

guest_start l memory=128 vcpus=1 kernel=linux extra="workload=touch mib=16 interval=1"
guest_wait l "check 1 intact" 240
id=$(guest_id l)
/usr/lib/xenhost/programs/two-consumers "$id" 100 || fail "two-consumers ended with status $?"
pass "others came and went 100 times beside a consumer, and its events went on"
linux_goes_on l 2 400 "after its last consumer left"
pass "and the guest goes on without consumers"
