# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --timeout 3600 --guest-crash allow
# only: soak
# Event channels by two levels, FIFO and N levels of each depth: our own guest is both ends of many channels and
# checks what the hypervisor does (tests/guest/README.md says what).
. /usr/lib/xenhost/functions.sh
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
conforms fifo "$fifo_channels"
conforms n3 "$n3_channels"
