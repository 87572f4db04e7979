# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --timeout 900 --add tests/system/tests/pager.sh:/root/pager.sh
# Hypercalls whose argument lies in a page that is out: they wait for it, and never say -EFAULT.
. /root/pager.sh

tiny_start h 64 48 2
id=$(guest_id h)
pager_start "$id"
pager_target "$id" 24576
pager_reaches "$id" 24576 60
guest_ask h "call:2000" "guest: call" 240
line=$(guest_ask h "report" "kind=total" 60)
echo "$line"
case $line in
    *" efault=0 "*) pass "no hypercall ran into a page that is out" ;;
    *) fail "hypercalls were told -EFAULT" ;;
esac
guest_verifies h "after 2000 hypercalls"
pager_stop "$id"
