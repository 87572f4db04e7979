# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --timeout 2400 --add tests/system/tests/guarded.sh:/root/guarded.sh
# only: soak
# A Linux guest whose pages are executed only as they were judged: a program that holds a marker does not get to its first
# instruction, others run, and so does the guest. Then the broker is killed and comes back, and lets go in the end.
. /root/guarded.sh
# Other tests have this one run with the installed program, or where a broker must not be killed.
: "${broker=/usr/lib/xenhost/programs/marker-broker}" "${options=}" "${end=KILL}"
findings=/root/findings log=/root/broker.log
kills=3
[ "${1:-}" != soak ] || kills=20

guarded_start

found() { cat "$findings" 2> /dev/null | grep -c malicious; }
broker_dead() { tail -n 30 "$log" >&2; memeventctl av status l >&2; fail "the broker $*"; }

start()
{
    was=$(cat "$log" 2> /dev/null | grep -c "is protected")
    # shellcheck disable=SC2086
    "$broker" --foreground --findings "$findings" --deadline 20000 $options "$@" >> "$log" 2>&1 &
    pid=$!
    wait_until 300 eval '[ "$(grep -c "is protected" "$log")" -gt "$was" ]' || broker_dead "does not protect"
}

say "unprotected, the marker runs: the test would see it"
runs bad 0
[ "$(said INFECTED)" = 1 ] || fail "the program with the marker does not work"

say "protected by xenstore's key"
xenstore-write "/local/domain/$(guest_id l)/memory/av-protect" yes
start
runs clean 0
runs bad 139
[ "$(said INFECTED)" = 1 ] || fail "it was executed"
[ "$(found)" -ge 1 ] || broker_dead "found nothing"
cat "$findings"
runs clean 0

say "SIG$end, $kills times"
round=0
while [ $round -lt $kills ]; do
    round=$((round + 1))
    guest_tell l "for i in 1 2 3 4 5 6 7 8; do cp /clean /tmp/c\$i; chmod +x /tmp/c\$i; /tmp/c\$i > /dev/null; done; echo guest: load \$((2 * $round))"
    sleep "0.$(((seed + round * 37) % 90 + 10))"
    kill -s "$end" $pid
    wait $pid 2> /dev/null || [ "$end" = KILL ] || broker_dead "ended with status $?"
    start
    waits "guest: load $((2 * round))"
    runs bad 139
    runs clean 0
done
[ "$(said INFECTED)" = 1 ] || fail "it was executed"

memeventctl av status l || broker_dead "says nothing of itself"
say "let go"
kill -TERM $pid
wait $pid || broker_dead "ended with status $?"
runs bad 0
[ "$(said INFECTED)" = 2 ] || fail "it was not executed"
runs clean 0
! guest_says l "kernel BUG|BUG: unable|Oops|panic" || fail "the guest was hurt: $(tail -n 5 "$(guest_console l)")"
echo "PASS: what holds the marker was never executed while the guest was protected"
