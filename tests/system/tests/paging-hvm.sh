# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --iommu --with-qemu --timeout 2400 --mem 2560 --add tests/system/tests/pager.sh:/root/pager.sh
# An HVM guest, parts of which QEMU in dom0 keeps mapped; and one with an IOMMU, which cannot be paged.
. /root/pager.sh

say "a domain with an IOMMU"
guest_start d type=hvm memory=64 extra="workload=idle" config='passthrough="sync_pt"'
id=$(guest_id d)
xl pause d
pager_target "$id" 16384
timeout 20 xenpaging -d "$id" > /tmp/refused.log 2>&1
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
id=$(guest_id h)
pager_start "$id"
pager_target "$id" 98304
pager_reaches "$id" 98304 240
pass "an HVM guest of 160 MiB is at 96 MiB"
seen=$(grep -c intact "$(guest_console h)")
wait_until 300 guest_says_again h intact $((seen + 4)) || fail "the guest does not go on"
guest_says h CORRUPT && fail "the guest's file changed"
pass "the HVM guest works on, its file intact"
echo "out $(pager_value "$id" paged_out) in $(pager_value "$id" paged_in) refused $(pager_value "$id" refused)"
pager_stop "$id"
seen=$(grep -c intact "$(guest_console h)")
wait_until 120 guest_says_again h intact $((seen + 1)) || fail "the guest does not go on without the pager"
guest_says h CORRUPT && fail "the guest's file changed"
pass "and after the pager is gone"
guest_destroy h
