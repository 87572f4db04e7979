# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --timeout 3000 --add tests/system/tests/pager.sh:/root/pager.sh
# soak: --timeout 7200
# The pager of a domain with 4 vCPUs is killed at random instants under a write storm, and started again each time: it goes on
# with the pages that are out, no vCPU is left waiting, and in the end every word of the guest is what it was.
. /root/pager.sh

kills=20
[ "${1:-}" != soak ] || kills=500
storm_seconds=30

# What a killed pager leaves is on a tmpfs.
mkdir -p /run/xen-memevent
mount -t tmpfs -o mode=0755 tmpfs /run/xen-memevent || fail "no tmpfs"

tiny_start a 64 48 4
id=$(guest_id a)
log=/tmp/pager-$id.log

# How often one has gone on with what another left
more_went_on()
{
    [ "$(grep -c "going on with" "$log")" -gt "$1" ]
}

# Started again whenever it died of a kill, as a service manager does.
(
    status=137
    while [ $status = 137 ]; do
        xenpaging -d "$id" >> "$log" 2>&1
        status=$?
    done
    echo "ended with status $status" >> "$log"
) &
keeper=$!

wait_until 30 grep -q "a vm_event ring\|a .*channel" "$log" || sleep 5
pager_target "$id" 24576
pager_reaches "$id" 24576 120
grep -q "vm_event" "$log" && fail "this hypervisor has no channels: nothing outlives a pager there"
pass "at 24576 KiB: $(grep -m 1 paging "$log")"

storms=$(grep -c "guest: storm" "$(guest_console a)")
guest_tell a "storm:${storm_seconds}s"
dead=0
tries=0
went_on=0
while [ $dead -lt $kills ]; do
    # Every second one has begun its work; the others die when they come to it, or before.
    [ $((tries % 2)) = 0 ] || wait_until 60 more_went_on $went_on || fail "the next one does not go on after $dead kills"
    # From a tenth of a second to two: some have done much, some are still taking over.
    sleep "$((tries / 2 % 2)).$((1 + tries * 13 % 9))"
    went_on=$(grep -c "going on with" "$log")
    tries=$((tries + 1))
    [ $tries -lt $((kills * 20)) ] || fail "only $dead pagers could be killed in $tries attempts"
    if grep -q "ended with status" "$log"; then
        tail -n 20 "$log"
        fail "the pager ended by itself after $dead kills"
    fi
    # shellcheck disable=SC2046  # the one number
    kill -KILL $(pidof xenpaging) 2> /dev/null && dead=$((dead + 1))
    if guest_says_again a "guest: storm" "$storms"; then
        storms=$((storms + 1))
        guest_tell a "storm:${storm_seconds}s"
    fi
    [ $((tries % 10)) != 0 ] || say "$dead killed; $(grep -c "going on with" "$log") went on; $(domain_kib "$id") KiB"
done
say "killed $dead times, $(grep -c "going on with" "$log") went on with what was out"
grep "going on with" "$log" | tail -n 3
[ "$(grep -c "going on with" "$log")" -ge $((kills / 3)) ] || fail "few went on"
grep -E "state-damaged|damaged|cannot be given back" "$log" && fail "something was lost"

wait_until $((storm_seconds * 10)) guest_says_again a "guest: storm" "$storms" || fail "a vCPU is left waiting: the storm does not end"
grep "guest: storm" "$(guest_console a)" | tail -n 2
pass "no vCPU is left waiting"
guest_verifies a "after $dead kills, with pages out" 400
pager_reaches "$id" 24576 120
pass "the last one brings it to its target"

pager_pid=$(pidof xenpaging)
kill -TERM "$pager_pid"
wait $keeper
grep -q "ended with status 0" "$log" || { tail -n 20 "$log"; fail "the stop was not clean"; }
[ "$(domain_kib "$id")" -ge 65536 ] || fail "not everything came back in: $(xl list "$id")"
guest_verifies a "when all of it is in" 240
[ -z "$(ls /run/xen-memevent/paging-"$id" 2> /dev/null)" ] || fail "it leaves something behind"
pass "SIGTERM brings everything in, and nothing is left behind"
guest_tell a stop
guest_wait a "guest: done status=ok" 60
