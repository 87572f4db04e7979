# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --timeout 2400 --add tests/system/tests/guarded.sh:/root/guarded.sh --add tests/system/tests/av-marker.sh:/root/av-marker.sh
# only: soak
# The same as av-marker.sh over upstream's monitor ring, which nobody can take up again: so the broker is stopped in the
# midst of what it does, and not killed, and no vCPU is left behind.
# Guests are to stay guarded when it stops, and are set free all the same: there would be nobody to listen.
options="--host=xen:stock --at-exit guard" end=TERM
. /root/av-marker.sh
grep -q "has no channels" "$log" || fail "it does not say what it lacks: $(cat "$log")"

say "a second one is told that the ring is taken"
start
"$broker" --foreground --findings /root/second --run-directory /run/second $options > /root/second.log 2>&1 &
second=$!
wait_until 60 grep -q "another program monitors this domain" /root/second.log || fail "it says: $(cat /root/second.log)"
kill -TERM $second
wait $second || fail "the second one ended with status $?"
runs clean 0
runs bad 139
kill -TERM $pid
wait $pid || broker_dead "ended with status $?"
runs clean 0
echo "PASS: over upstream's ring, too"
