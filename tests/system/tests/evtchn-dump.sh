# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --timeout 3600 --guest-crash allow --vcpus 2 --dom0-vcpus 2 --xen-option conring_size=32m
# only: soak
# Xen's dump of a guest with very many event channels that are in use: who asks is not held, nobody else waits for long,
# the guest gets each event once, no line comes twice, and a guest may go in the midst of it.
. /usr/lib/xenhost/functions.sh
programs=${programs:-/usr/lib/xenhost/programs}
channels=${channels:-200000}
# A dump that holds the lock makes these waits thousands of times as long; its lines take half of a processor as it is.
MOST=20

# guest_with NAME CHANNELS: a guest that has bound them all and begins to use them
guest_with()
{
    guest_start "$1" kernel=tiny memory=24 vcpus=3 extra="mem=1 events=n3 slow=100000 run=events:$2" \
        config="max_event_channels=$(($2 + 2000))"
    guest_wait "$1" "guest: events abi=n3 bound=$2" 900
}

# dumping: presses the key while a dump goes on; prints the domain and the port that it has come to
dumping()
{
    xl debug-keys e || return
    xl dmesg > /tmp/dmesg
    sed -n "s/.*'e' pressed -> .* dumped already, at port \([0-9]*\) of domain \([0-9]*\)/\2 \1/p" /tmp/dmesg | tail -n 1
}

dump_over()
{
    xl dmesg > /tmp/dmesg
    grep -q "End of event-channel info" /tmp/dmesg
}

# rebinds SECONDS: how many microseconds a bind and close of a channel of the guest takes
rebinds()
{
    "$programs/evtchn-rebind" "$id" "$1" > /tmp/rebinds || fail "evtchn-rebind: status $?: $(cat /tmp/rebinds)"
    cat /tmp/rebinds >&2
    sed 's/.*: \([0-9]*\) us each.*/\1/' /tmp/rebinds
}

guest_with n3 "$channels"
id=$(guest_id n3)
say "quiet"
quiet=$(rebinds 5) || exit 1
say "a dump"
xl debug-keys e || fail "xl debug-keys"
at=$(dumping)
[ -n "$at" ] || fail "the dump was over when the key's call was"
echo "the key's call is over; the dump is at domain and port $at"
dumped=$(rebinds 10) || exit 1
then=$(dumping)
echo "ten seconds later it is at $then"
[ "${then% *}" = "$id" ] || fail "the guest's channels are not being dumped"
[ "$dumped" -le $((quiet * MOST)) ] || fail "a bind and close took $dumped us instead of $quiet us"
wait_until 1800 dump_over || fail "the dump does not end"
# Each line at most once, and in order, although the lines came in pieces.
sed -n "/Event channel information for domain $id:/,/End of/s/^(XEN) *\([0-9]*\) \[.*/\1/p" /tmp/dmesg > /tmp/ports
echo "$(wc -l < /tmp/ports) lines of the guest's channels"
[ "$(wc -l < /tmp/ports)" -gt "${then#* }" ] || fail "lines are missing"
sort -c -n -u /tmp/ports || fail "a line came twice, or in disorder"
wait_until 1800 guest_says n3 "guest: (done|panic|error)" || fail "the guest does not end"
grep -E "guest: (events|bad|panic|error|done)" "$(guest_console n3)"
guest_says n3 "guest: events .*check=all .* bad=0" || fail "not all was as it has to be"
guest_wait_gone n3

say "a guest that goes"
guest_with gone "$channels"
id=$(guest_id gone)
# To read all of the first dump again would take longer than the guest lives.
xl dmesg -c > /dev/null || fail "xl dmesg"
xl debug-keys e || fail "xl debug-keys"
in_it()
{
    at=$(dumping)
    [ "${at% *}" = "$id" ]
}
wait_until 60 in_it || fail "the guest's channels are not being dumped"
guest_destroy gone
echo "it went when the dump was at domain and port $at"
wait_until 600 dump_over || fail "the dump does not end"
! dmesg | grep -iE "soft lockup|hard lockup|rcu.*stall" || fail "dom0's kernel missed a processor"
xl list > /dev/null || fail "Xen does not answer afterwards"
echo "PASS: a dump of $channels channels while they are in use"
