# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --timeout 1200 --guest-crash allow --add tests/system/tests/pager.sh:/root/pager.sh
# xenpaging-hold where things go wrong: a save that fails, a signal, two at a time, a pager that died.
. /root/pager.sh

state_of()
{
    xenstore-read "/tool/xen-memevent/paging/$1/state" 2> /dev/null
}

tiny_start a 64 48 1
id=$(guest_id a)

say "without a pager"
xenpaging-hold a sh -c 'exit 9'
[ $? = 9 ] || fail "the command's status is not handed on"
memeventctl paging
[ $? = 69 ] || fail "memeventctl does not say that no pager runs"
pass "a domain that was never paged needs no pager to be held"

xenpaging --foreground > "/tmp/pager-$id.log" 2>&1 &
pager_pid=$!
pager_target "$id" 32768
pager_reaches "$id" 32768 120
[ "$(state_of "$id")" = paged ] || fail "the state is $(state_of "$id")"
# The status file is written once a second.
wait_until 20 memeventctl paging a || fail "memeventctl paging a: status $?"
memeventctl paging a || fail "memeventctl paging a: status $?"
memeventctl paging || fail "memeventctl paging: status $?"

say "a save that fails"
if xenpaging-hold -t 120 a xl save a /nonexistent/a.save; then
    fail "that save cannot have worked"
fi
pager_reaches "$id" 32768 120
guest_verifies a "after a save that failed" 240
pass "paging goes on after a save that failed"

say "two at a time, and a signal"
xenpaging-hold a sh -c "touch /tmp/held; while [ ! -e /tmp/enough ]; do sleep 0.2; done" &
holding=$!
wait_until 120 test -e /tmp/held || fail "the domain is not brought in"
[ "$(domain_kib "$id")" -ge 65536 ] || fail "held, and not everything is in: $(xl list "$id")"
xenpaging-hold a true
[ $? = 75 ] || fail "a second hold was not refused"
kill -TERM $holding
wait_until 5 test ! -e "/proc/$holding" && fail "it let go while the command ran"
touch /tmp/enough
wait $holding
[ $? = 143 ] || fail "a signal is not in the status"
xenstore-exists "/tool/xen-memevent/paging/$id/hold" && fail "the key is still there"
pager_reaches "$id" 32768 120
pass "one hold at a time, until the command ends"

say "a pager that is killed"
kill -KILL $pager_pid
wait $pager_pid
xenpaging-hold a touch /tmp/ran
[ $? = 69 ] || fail "a domain that lost pages was not refused"
[ ! -e /tmp/ran ] || fail "the command was run"
memeventctl paging
[ $? = 69 ] || fail "memeventctl does not say that the pager died"
xenpaging --foreground > "/tmp/pager-$id.log" 2>&1 &
pager_pid=$!
# A stock hypervisor has no second chance; ours lets the next one attach, who was left nothing to go on with.
wait_until 20 grep -q -e "another pager is attached" -e "their bytes are nowhere" "/tmp/pager-$id.log" ||
    pager_dead "$id" "does not say what is lost"
xenpaging-hold a touch /tmp/ran
[ $? = 69 ] || fail "the next pager makes the loss forgotten"
pass "a domain that lost pages cannot be saved"
guest_destroy a
wait_until 20 sh -c "! xenstore-exists /tool/xen-memevent/paging/$id" || fail "keys of a domain that is gone are left"
pager_stop "$id"
[ ! -e /run/xen-memevent/xenpaging.json ] || fail "the status file outlives an end in order"
pass "nothing is left behind"
