# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --stock --timeout 900 --guest-crash allow --add tests/system/tests/pager.sh:/root/pager.sh
# The pager on a hypervisor without channels: upstream's ring, with what it can and what it cannot.
. /root/pager.sh

tiny_start a 64 48 4
id=$(guest_id a)
pager_start "$id"
pager_target "$id" 32768
pager_reaches "$id" 32768 60
grep -q "vm_event ring" "/tmp/pager-$id.log" || pager_dead "$id" "does not say that it uses upstream's ring"
pass "it says which transport it has"
guest_verifies a "at half of it"
guest_ask a "storm:5s" "guest: storm" 120
guest_verifies a "after a storm at half of it"
pager_target "$id" 0
wait_until 60 sh -c "[ \$(xl list $id | awk 'NR == 2 { print \$3 }') -ge 64 ]" || pager_dead "$id" "left something out"
guest_verifies a "with everything in"
pager_target "$id" 32768
pager_reaches "$id" 32768 60
pager_stop "$id"
guest_verifies a "when the pager is gone"

say "a pager that is killed"
pager_start "$id"
pager_target "$id" 32768
pager_reaches "$id" 32768 60
kill -KILL "$pager_pid"
wait "$pager_pid"
xenpaging-hold a touch /tmp/ran
[ $? = 69 ] || fail "a domain that lost pages was not refused"
[ ! -e /tmp/ran ] || fail "the command was run"
if xenpaging -d "$id" > /tmp/next.log 2>&1; then
    fail "a second consumer of upstream's ring was accepted"
fi
cat /tmp/next.log
grep -q "another pager is attached" /tmp/next.log || fail "the next pager does not say what is lost"
pass "what cannot be gone on with is said"
guest_destroy a
