# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --timeout 3600 --add tests/system/tests/guarded.sh:/root/guarded.sh
# only: soak
# soak: --timeout 7200
# Broker, loader and workers are killed at random while a guest executes what is new to it all the time. It goes on after
# each kill; what is clean always runs, and what holds the string of the rule never does.
. /root/guarded.sh
findings=/root/findings log=/root/broker.log
kills=6
[ "${1:-}" != soak ] || kills=50

broker_dead() { tail -n 30 "$log" >&2; memeventctl av status l >&2; fail "the broker $*"; }

start()
{
    # Nobody is let run unjudged, however slow this host is.
    av-introspect --foreground --findings $findings --deadline 60000 --unjudged waits --plugin yara:rules=/etc/eicar.yar,timeout=60 >> $log 2>&1 &
    pid=$!
}

# protects: this broker has gone over all of the guest's memory
protects()
{
    memeventctl av status | grep -q "^Broker, process id $pid$" &&
        memeventctl av status l | grep -qE '^State +protected$'
}

turns() { grep -c "guest: turn" "$(guest_console l)"; }
turned() { [ "$(turns)" -ge "$1" ]; }

# goes_on WHEN: the guest has got through two more turns; one may have been nearly over
goes_on()
{
    wait_until 400 turned $(($(turns) + 2)) || { tail -n 10 "$(guest_console l)" >&2; broker_dead "stops the guest $1"; }
    ! guest_says l "guest: (broken|escaped) 2|INFECTED|kernel BUG|BUG: unable|Oops|panic" ||
        { tail -n 10 "$(guest_console l)" >&2; broker_dead "let the wrong one run $1"; }
    kill -0 $pid || broker_dead "ended $1"
}

# milliseconds FROM TO: waits so long, as the seed and the round say
milliseconds()
{
    draw=$(((draw * 1103515245 + 12345) % 2147483648))
    usleep $((($1 + draw / 65536 % ($2 - $1)) * 1000))
}

cat > /etc/eicar.yar <<'RULES'
rule EICAR { strings: $a = "EICAR-STANDARD-ANTIVIRUS-TEST-FILE" condition: $a }
RULES
guarded_start
xenstore-write "/local/domain/$(guest_id l)/memory/av-protect" yes
draw=$seed
start
wait_until 300 protects || broker_dead "does not protect"
# The page of each program is another one, so that no verdict on it is known; words that are shown are not what is typed.
guest_tell l 'n=0; while [ ! -e /tmp/stop ]; do n=$((n + 1)); { cat /clean; echo $n; } > /tmp/c; { cat /bad; echo $n; } > /tmp/b; chmod +x /tmp/c /tmp/b; [ "$(/tmp/c)" = CLEANRAN ] || echo "guest: broken $((1 + 1))"; /tmp/b; [ $? = 139 ] || echo "guest: escaped $((1 + 1))"; rm /tmp/c /tmp/b; echo "guest: turn $n"; done &'
goes_on "before anybody was killed"

say "killed $kills times each"
round=0
while [ $round -lt $kills ]; do
    round=$((round + 1))
    milliseconds 0 1500
    # One of them, the loader among them; the broker has no part in who it is.
    # shellcheck disable=SC2046
    set -- $(pidof av-worker)
    [ $# -ge 1 ] || broker_dead "has neither loader nor worker"
    shift $((draw / 65536 % $#))
    kill -9 "$1"
    goes_on "after a worker was killed for the $round. time"
    milliseconds 0 1500
    kill -9 $pid
    wait $pid 2> /dev/null
    start
    # Every other one is killed before it has gone over the guest's memory, if this host is slow enough.
    [ $((round % 2)) = 0 ] || { goes_on "after the broker was killed for the $round. time"; continue; }
    milliseconds 0 3000
    kill -9 $pid
    wait $pid 2> /dev/null
    start
    goes_on "after two brokers were killed in round $round"
    [ $((round % 10)) != 0 ] || say "$round rounds, $(turns) turns of the guest"
done
wait_until 300 protects || broker_dead "does not protect at the end"
[ "$(grep -c '"rule":".*EICAR' $findings)" -ge "$kills" ] || broker_dead "found less than was there"
grep -qE ", in plugin .* was killed|the loader of plugins has ended" $log || broker_dead "did not say that a worker was killed"
[ "$(grep -c "nobody guarded l for .*nothing was executed then" $log)" -ge 1 ] ||
    broker_dead "did not say for how long nobody guarded"
memeventctl av status l || broker_dead "says nothing of itself"
memeventctl av status l | grep "Nobody guarded it before" || broker_dead "does not show for how long nobody guarded"
kill -TERM $pid
wait $pid || broker_dead "ended with status $?"
! pidof av-worker || fail "workers are still there"
guest_tell l "touch /tmp/stop"
echo "PASS: $((kills + kills / 2)) brokers and $kills workers were killed, $(turns) turns of the guest, and none saw the wrong one run"
