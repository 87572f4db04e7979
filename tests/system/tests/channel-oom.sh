# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --timeout 1200
# A host without memory, and guests that write to shared pages; a slow consumer that delays no other.
. /usr/lib/xenhost/functions.sh
programs=/usr/lib/xenhost/programs

# words NAME: domain, console and log of a guest
words()
{
    echo "$(guest_id "$1") $(xenstore-read "/local/domain/$(guest_id "$1")/console/tty") $(guest_console "$1")"
}

for name in a b; do
    guest_start $name kernel=tiny memory=32 vcpus=2 extra="mem=20 seed=4 slow=200 ${guest_words:-} run=fill,verify,wait"
    guest_wait $name "guest: ready" 120
done

say "a slow consumer"
# It takes 0.5 s for an answer; the other one is first alone, and then beside it.
# shellcheck disable=SC2046
{
    touch /tmp/stop-now
    "$programs/channel-serve" $(words b) 8192 rand:1000 0 /tmp/stop-now || fail "alone: status $?"
    "$programs/channel-serve" $(words a) 8192 storm:200 500 /tmp/stop > /tmp/slow.log 2>&1 &
    slow=$!
    wait_until 60 grep -q "are out" /tmp/slow.log || fail "the slow consumer does not begin"
    sleep 2
    "$programs/channel-serve" $(words b) 8192 rand:1000 0 /tmp/stop-now "$(guest_id a)" || fail "beside a slow one: status $?"
}
touch /tmp/stop
wait $slow || { cat /tmp/slow.log; fail "the slow consumer"; }
echo "PASS: nobody's slowness is anybody else's"
guest_destroy a
guest_destroy b

say "no memory"
for name in a b; do
    guest_start $name kernel=tiny memory=32 extra="mem=20 seed=5 slow=200 ${guest_words:-} run=fill,verify,wait"
    guest_wait $name "guest: ready" 120
done
guest_start hog kernel=tiny memory=8 extra="mem=1 run=fill,wait"
guest_wait hog "guest: ready" 120
# shellcheck disable=SC2046
"$programs/channel-oom" $(words a) $(words b) 8192 "$programs/eat-memory $(guest_id hog)" "xl destroy hog" ||
    fail "channel-oom: status $?"
guest_wait_gone hog
