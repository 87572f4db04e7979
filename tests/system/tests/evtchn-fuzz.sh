# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --timeout 1800 --guest-crash allow
# only: soak
# A guest calls the event-channel commands, those of N levels above all, with anything for arguments. Xen must live, the
# guest's own memory must be as it was, its event channels must work afterwards, and another guest must not notice.
. /usr/lib/xenhost/functions.sh

calls=${calls:-40000}
if [ "${1:-}" = soak ]; then
    calls=400000
fi
seed=${SEED:-$(($(date +%s) % 100000))}
say "seed $seed"

guest_start other kernel=tiny memory=32 vcpus=1 extra="mem=16 seed=$seed slow=100000 run=fill,verify,wait"
guest_wait other "guest: ready" 120
for abi in n3 fifo; do
    guest_start "$abi" kernel=tiny memory=32 vcpus=2 config="max_event_channels=8000" \
        extra="mem=4 seed=$seed slow=100000 events=$abi run=fill,wait"
    # Not before its console is served: who attaches to that, and the guest that closes its end, would miss each other.
    guest_wait "$abi" "guest: ready" 120
    guest_tell other "storm:5s rate=500"
    guest_tell "$abi" "event-fuzz:$calls,verify,events:500"
    wait_until 600 guest_says "$abi" "guest: (events .*check=all|done|panic|error|refused)" || fail "$abi does not end"
    grep -E "guest: (event|verify|bad|panic|error|done|refused)" "$(guest_console "$abi")"
    guest_says "$abi" "guest: event-fuzz .* bad=0" || fail "$abi: an answer that is none, or nothing was registered"
    guest_says "$abi" "guest: verify .*bad=0 " || fail "$abi: its own memory is wrong"
    guest_says "$abi" "guest: events .*check=all .* bad=0" || fail "$abi: its event channels do not work afterwards"
    guest_destroy "$abi"
    guest_ask other verify "guest: verify" 120 | grep "bad=0 " || fail "the other domain's memory is wrong"
done
wait_until 30 sh -c '! xl list | grep -q "(null)"' || fail "a domain cannot go: $(xl list)"
xl list > /dev/null || fail "Xen does not answer"
echo "PASS: Xen, another domain and the one that did it are as ever"
