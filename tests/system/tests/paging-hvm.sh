# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --iommu --with-qemu --timeout 2400 --mem 2560 --add tests/system/tests/pager.sh:/root/pager.sh
# An HVM guest, parts of which QEMU in dom0 keeps mapped; and one with an IOMMU, which cannot be paged.
. /root/pager.sh

say "a domain with an IOMMU"
guest_start d type=hvm memory=64 extra="workload=idle" config='passthrough="sync_pt"'
id=$(guest_id d)
xl pause d
pager_target "$id" 16384
timeout 60 xenpaging -d "$id" > /tmp/refused.log 2>&1
status=$?
cat /tmp/refused.log
[ $status = 69 ] || fail "status $status, not 69"
grep -q "IOMMU" /tmp/refused.log || fail "it does not name the IOMMU"
[ "$(domain_kib "$id")" -ge 60000 ] || fail "it lost memory"
pass "a domain with an IOMMU is refused in words"
guest_destroy d

say "an HVM guest"
guest_start h type=hvm memory=160 vcpus=1 extra="workload=touch mib=48 interval=1"
guest_wait h "check 1 intact" 1000
linux_is_paged h 98304 240
guest_destroy h
