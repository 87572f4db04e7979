# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --timeout 600 --add tests/system/tests/pager.sh:/root/pager.sh
# Pages that are out, or on their way, are given up: each drop is told, none is counted twice, no frame is lost.
. /root/pager.sh

tiny_start d 64 48 1
id=$(guest_id d)
/usr/lib/xenhost/programs/dropped-pages "$id" 0x1000 > /tmp/drops.log 2>&1 &
program=$!
wait_until 60 grep -q "^touch" /tmp/drops.log && guest_tell d "seq"
wait $program
status=$?
cat /tmp/drops.log
[ $status = 0 ] || fail "dropped-pages ended with status $status"
pass "drops are told and counted, and frames come back"
