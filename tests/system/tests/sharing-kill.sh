# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --debug --timeout 1800 --guest-crash allow --add tests/system/tests/sharing.sh:/root/sharing.sh
# only: soak
# soak: --timeout 7200
# The sharer is killed while it merges, and domains are destroyed while theirs are merged. And what is merged without being
# compared is noticed: a guest's own verification sees it.
. /root/sharing.sh
"$books" audit || fail "this hypervisor cannot check its books of sharing"
kills=3
[ "${1:-}" != soak ] || kills=50
seed=${SEED:-$(($(date +%s) % 100000))}
say "seed $seed"

for name in a b; do
    alike $name 32 20 1 "$seed"
done
options="--period 100 --cpu-limit 90 --overcommit 1000"

say "kill -9"
round=0
while [ $round -lt $kills ]; do
    round=$((round + 1))
    # All of a's is its own again, and has to be merged anew: killed when more and more of that was done.
    guest_ask a fill "guest: fill" 60 > /dev/null
    base=$(saved)
    # shellcheck disable=SC2086
    sharer_start --group "web: *" $options
    wait_until 300 saved_is -gt $((base + 3500 * round / kills)) || sharer_dead "does not merge in round $round"
    kill -KILL "$sharer_pid"
    wait "$sharer_pid" 2> /dev/null
    [ $((round % 3)) != 0 ] || say "killed $round times, $(saved) frames saved"
done
audited "after $kills kills"
for name in a b; do
    guest_verifies $name "after $kills kills"
done

say "destroyed while being merged"
# shellcheck disable=SC2086
sharer_start --group "web: *" $options --at-exit undo
wait_until 300 saved_is -gt 4000 || sharer_dead "does not go on after it was killed"
passes 2
round=0
while [ $round -lt $kills ]; do
    round=$((round + 1))
    base=$(saved)
    alike "v$round" 16 8 1 "$seed"
    wait_until 300 saved_is -gt $((base + 1500 * round / kills)) || sharer_dead "does not merge in round $round"
    guest_destroy "v$round"
    kill -0 "$sharer_pid" 2> /dev/null || sharer_dead "ended by itself"
done
audited "after $kills domains were destroyed"
for name in a b; do
    guest_verifies $name "after $kills domains were destroyed"
done
sharer_stop
[ "$(saved)" -eq 0 ] || fail "$(saved) frames are still saved"
audited "when everybody has his own pages again"

say "without comparison"
guests_may_crash
for name in a b; do
    guest_ask $name fill "guest: fill" 60 > /dev/null
done
# Equal a moment ago, and written to since: Xen's merge finds out, and upstream's operations alone do not.
stale=/usr/lib/xenhost/programs/sharing-stale
ids="$(guest_id a) $(guest_id b)"
# shellcheck disable=SC2086  # two words
for way in merge blind; do
    $stale note $ids 0x1000 2048 /tmp/equal || fail "sharing-stale note: status $?"
    guest_ask a storm:500 "guest: storm" 60 > /dev/null
    $stale $way $ids /tmp/equal || fail "sharing-stale $way: status $?"
    [ $way != merge ] || for name in a b; do
        guest_verifies $name "after stale pages were offered to a merge that compares"
        guest_ask $name fill "guest: fill" 60 > /dev/null
    done
done
guest_tell b verify
guest_wait b "guest: bad" 120
pass "what is merged without being compared is noticed: $(grep -m 1 "guest: bad" "$(guest_console b)")"
