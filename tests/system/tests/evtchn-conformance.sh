# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --timeout 3600 --guest-crash allow
# only: soak
# Event channels by two levels, FIFO and N levels of each depth: our own guest is both ends of many channels and
# checks what the hypervisor does (tests/guest/README.md says what), up to nearly the last channel of FIFO and to
# 200,000 of three levels.  Among them a guest that is saved while it uses N levels, and goes on.
. /usr/lib/xenhost/functions.sh
# An emulated Intel host has less of everything.
n3_channels=${n3_channels:-200000}
n4_channels=${n4_channels:-20000}
fifo_channels=${fifo_channels:-131000}
vcpus=${vcpus:-3}

# verdict NAME SECONDS: the guest's last word on its event channels
verdict()
{
    wait_until "$2" guest_says "$1" "guest: (done|panic|error)" ||
        { tail -n 20 "$(guest_console "$1")"; fail "$1 does not end"; }
    grep -E "guest: (events|bad|panic|error|done)" "$(guest_console "$1")"
    guest_says "$1" "guest: events .*check=all .* bad=0" || fail "$1: not all was as it has to be"
    guest_says "$1" "guest: done status=ok" || fail "$1: did not end well"
}

# conforms ABI CHANNELS
conforms()
{
    say "$1, $2 channels"
    guest_start "$1" kernel=tiny memory=24 vcpus="$vcpus" extra="mem=1 events=$1 slow=100000 run=events:$2" \
        config="max_event_channels=$(($2 + 2000))"
    verdict "$1" 900
    guest_wait_gone "$1"
    echo "PASS: $1: $2 channels, each delivered once; masks, order, races, errors, reset"
}

conforms 2l 3800
conforms n2 3800
conforms n4 "$n4_channels"

say "saved and restored with N levels"
guest_start s kernel=tiny memory=24 extra="mem=1 events=n3 slow=100000 run=events:6000,wait" \
    config="max_event_channels=8000"
guest_wait s "guest: (ready|done)" 300
guest_says s "guest: ready" || { cat "$(guest_console s)"; fail "not all was as it has to be before the save"; }
xl save s /tmp/s.save > /tmp/save.log 2>&1 &
save=$!
control=/local/domain/$(guest_id s)/control/shutdown
# The guest does not read xenstore: what the toolstack asks for is told to it, and acknowledged for it.
asked()
{
    [ "$(xenstore-read "$control")" = suspend ]
}
wait_until 60 asked || { cat /tmp/save.log; fail "xl save does not ask for a suspend"; }
guest_tell s suspend
guest_wait s "guest: suspend" 60
xenstore-write "$control" ""
wait $save || { cat /tmp/save.log; fail "xl save"; }
guest_wait_gone s
xl restore /tmp/s.save || fail "xl restore"
guest_wait s "guest: resumed" 120
grep "check=refusals" "$(guest_console s)" | tail -n 1
guest_ask s events:6000 "guest: events .*check=all" 600 > /tmp/after || exit 1
cat /tmp/after
grep -q " bad=0" /tmp/after || fail "not all was as it has to be after the restore"
! grep "guest: bad" "$(guest_console s)" || fail "something was wrong"
guest_tell s stop
guest_wait s "guest: done status=ok" 60
echo "PASS: after a restore it has two levels, and can register anew"

conforms fifo "$fifo_channels"
conforms n3 "$n3_channels"
