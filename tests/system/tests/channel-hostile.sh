# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --timeout 1200
# soak: --timeout 3600
# A consumer that writes what it likes to all that Xen shares with it. Xen, and another domain with an honest
# consumer, must not notice; and the victim must not be given what is not its own.
. /usr/lib/xenhost/functions.sh
programs=/usr/lib/xenhost/programs

rounds=${rounds:-60}
[ "${1:-}" != soak ] || rounds=2000
seed=${SEED:-$(($(date +%s) % 100000))}
say "seed $seed"

# consumer PROGRAM NAME ARGUMENTS...: a program that talks to the guest and to its channel
consumer()
{
    program=$1 name=$2
    shift 2
    "$programs/$program" "$(guest_id "$name")" "$(xenstore-read "/local/domain/$(guest_id "$name")/console/tty")" \
        "$(guest_console "$name")" "$@"
}

for name in victim other; do
    guest_start $name kernel=tiny memory=32 vcpus=2 extra="mem=20 seed=$seed slow=200 ${guest_words:-} run=fill,verify,wait" \
        config='shadow_memory=32'
    guest_wait $name "guest: ready" 120
done

consumer channel-serve other 8192 storm:1000 0 /tmp/stop > /tmp/other.log 2>&1 &
other=$!
consumer channel-hostile victim 8192 $rounds "$seed" || fail "channel-hostile: status $?"
touch /tmp/stop
wait $other || { cat /tmp/other.log; fail "the other domain's consumer"; }
tail -n 3 /tmp/other.log

guest_ask other "storm:500, verify" "guest: verify" 120 | grep "bad=0 " || fail "the other domain's memory is wrong"
guest_destroy victim
guest_destroy other
guest_start after kernel=tiny memory=32 extra="mem=20 run=fill,verify,wait"
guest_wait after "guest: verify .* bad=0 " 120
echo "PASS: Xen and another domain are unharmed by a hostile consumer"
