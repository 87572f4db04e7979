# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --cpu intel --timeout 2400 --mem 1024 --dom0-mem 640 --add tests/system/tests/pager.sh:/root/pager.sh
# The same pager on VMX with EPT: half of a small guest is out, it works on, and everything comes back.
. /root/pager.sh

tiny_start i 32 20 1
id=$(guest_id i)
pager_start "$id"
pager_target "$id" 16384
pager_reaches "$id" 16384 240
pass "EPT: 32 MiB are 16 MiB"
guest_ask i "rand:500" "guest: rand" 240
guest_verifies i "at 50 % on EPT" 400
guest_ask i "storm:200" "guest: storm" 400
pager_stop "$id"
[ "$(domain_kib "$id")" -ge 32768 ] || fail "not everything came back in: $(xl list "$id")"
guest_verifies i "after the pager on EPT" 240
echo "EPT: everything in"
guest_tell i stop
guest_wait i "guest: done status=ok" 60
