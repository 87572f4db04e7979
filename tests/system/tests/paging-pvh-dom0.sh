# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --iommu --xen-option dom0=pvh --timeout 600 --add tests/system/tests/pager.sh:/root/pager.sh
# From a PVH dom0 a stock hypervisor pages nothing, and the pager says so.
. /root/pager.sh

guest_start p memory=32 kernel=tiny extra="mem=16 run=wait"
id=$(guest_id p)
pager_target "$id" 16384
timeout 60 xenpaging -d "$id" > /tmp/refused.log 2>&1
status=$?
cat /tmp/refused.log
[ $status = 69 ] || fail "status $status, not 69"
grep -q "PV dom0" /tmp/refused.log || fail "it does not name the PVH dom0"
pass "a PVH dom0 is refused in words"
xl destroy p
