# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --timeout 2400
# only: soak
# A guest of 16 vCPUs, each of which writes code and executes it: all of them wait for their verdicts at once and get them; and
# while a scan of one of them takes long, the others go on. Its memory is as it was.
. /usr/lib/xenhost/functions.sh
log=/root/broker.log vcpus=16 pages=256

broker_dead() { tail -n 30 "$log" >&2; memeventctl av status m >&2; tail -n 5 "$(guest_console m)" >&2; fail "the broker $*"; }
value() { memeventctl av status m | sed -n "s/^ *$1  *//p"; }
# Of this broker: the status of a former one may still be there.
is_protected() { memeventctl av status | grep -q "^Broker, process id $pid$" && [ "$(value State)" = protected ]; }
waiting() { [ "$(value 'vCPUs that wait')" = "$1" ]; }
judged() { [ "$(value 'Pages judged')" -ge "$1" ]; }

# start OPTIONS_OF_THE_PLUGIN
start()
{
    # Nobody is let run unjudged, and the guest's pages, which are written and executed in turn, are stopped each time.
    av-introspect --foreground --findings /root/findings --flips 65535 --unjudged waits --worker-hang 300000 \
        --plugin "/usr/lib/xenhost/plugins/bad.so:$1" >> $log 2>&1 &
    pid=$!
    wait_until 300 eval 'is_protected || ! kill -0 $pid' && is_protected || broker_dead "does not protect"
}
stop()
{
    kill -TERM $pid
    wait $pid || broker_dead "ended with status $?"
}

# executed COUNT: the guest has done so often what was asked of it
executed()
{
    wait_until 400 eval "[ \$(grep -c 'guest: exec .* bad=0 vcpus=$vcpus' \"\$(guest_console m)\") -ge $1 ]" || broker_dead "lets the guest wait"
    grep "guest: exec" "$(guest_console m)" | tail -n 1
}
# figure NAME: of the guest's last line about it
figure() { grep "guest: exec" "$(guest_console m)" | tail -n 1 | sed "s/.* $1=\([0-9]*\).*/\1/"; }

guest_start m kernel=tiny vcpus=$vcpus memory=32 extra="mem=1 slow=1000000 run=fill,wait,verify" config='shadow_memory=16'
guest_wait m "guest: ready" 300
guest_tell m exec
executed 1
[ "$(figure touches)" = $pages ] || fail "it does not execute $pages pages"
xenstore-write "/local/domain/$(guest_id m)/memory/av-protect" yes

say "all $vcpus wait at once"
# Each of the processes sleeps over its first page.
start hold=6,below=$vcpus
guest_tell m exec
wait_until 120 waiting $vcpus || broker_dead "never has all $vcpus wait at once"
executed 2
wait_until 60 waiting 0 || broker_dead "lets somebody wait"
wait_until 60 judged $pages || broker_dead "did not judge all of it"
echo "$(value 'Pages judged') pages were judged"
stop
echo "PASS: $vcpus vCPUs wait at once, and each gets its verdict"

say "one waits for long"
start hold=15,below=1
guest_tell m exec
executed 3
# Who waited for it would have executed one page then, and another one was perhaps just behind it.
[ "$(figure meanwhile)" -ge $((3 * (vcpus - 1))) ] || broker_dead "lets the others wait for one"
stop
echo "PASS: while one vCPU waited for its verdict the others executed $(figure meanwhile) pages"

guest_tell m stop
guest_wait m "guest: verify .* bad=0" 120
guest_wait m "guest: done status=ok" 60
echo "PASS: the guest's memory is as it was"
