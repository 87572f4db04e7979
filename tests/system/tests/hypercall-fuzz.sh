# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --timeout 1200 --guest-crash allow
# soak: --timeout 7200
# The hypercall with anything for arguments, on one domain that runs and one that is paused. Xen must live, and
# another domain must not notice. What is spoilt may crash, and is begun anew.
. /usr/lib/xenhost/functions.sh
programs=/usr/lib/xenhost/programs

rounds=${rounds:-4}
calls=${calls:-10000}
if [ "${1:-}" = soak ]; then
    rounds=12
    calls=100000
fi
seed=${SEED:-$(($(date +%s) % 100000))}

# start NAME
start()
{
    guest_start "$1" kernel=tiny memory=32 vcpus=2 extra="mem=20 seed=$seed slow=200 ${guest_words:-} run=fill,verify,wait" \
        config='shadow_memory=32'
    wait_until 120 guest_says "$1" "guest: ready" || fail "guest $1 does not begin"
}

start paused
xl pause paused || fail "xl pause"
start other
for round in $(seq $rounds); do
    say "round $round of $rounds"
    start running
    guest_tell running "storm:1000s rate=500"
    guest_tell other "storm:10s rate=500"
    "$programs/hypercall-fuzz" $calls $((seed + round)) "$(guest_id other)" "$(guest_id running)" \
        "$(guest_id paused)" || fail "hypercall-fuzz: status $?"
    # It may crash, and be destroyed for it, at any time.
    guest_is_gone running || xl destroy running
    guest_wait_gone running
    guest_ask other verify "guest: verify" 120 | grep "bad=0 " || fail "the other domain's memory is wrong"
done
guest_destroy paused
# What is still dying has no name.
wait_until 30 sh -c '! xl list | grep -q "(null)"' || fail "a domain cannot go: $(xl list)"
echo "PASS: another domain, and the end of those that were spoilt, are as ever"
