# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --timeout 1200 --vcpus 2 --dom0-vcpus 2
# soak: --timeout 3600
# Two guests with the same octets: merges and what comes of them, and the records of what is no longer shared, of
# which none is lost uncounted.  Two CPUs: one unshares what the other merges.
. /usr/lib/xenhost/functions.sh
programs=/usr/lib/xenhost/programs

seconds=15
[ "${1:-}" != soak ] || seconds=900
seed=${SEED:-$(($(date +%s) % 100000))}
say "seed $seed"

# words NAME: domain, console and log of a guest
words()
{
    echo "$(guest_id "$1") $(xenstore-read "/local/domain/$(guest_id "$1")/console/tty") $(guest_console "$1")"
}

for name in a b third; do
    guest_start $name kernel=tiny memory=32 extra="mem=20 seed=$seed slow=200 run=fill,verify,wait"
    guest_wait $name "guest: ready" 120
done
# Each has several words.
# shellcheck disable=SC2046
set -- $(words a) $(words b)

say "records"
"$programs/channel-invalidate" "$@" 8192 || fail "channel-invalidate: status $?"
say "merges"
"$programs/channel-merge" "$@" 8192 $seconds "$(guest_id third)" || fail "channel-merge: status $?"
guest_ask third verify "guest: verify" 120 | grep "bad=0 " || fail "the third guest's memory is wrong"
