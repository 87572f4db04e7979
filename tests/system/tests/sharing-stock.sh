# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --timeout 1200 --add tests/system/tests/sharing.sh:/root/sharing.sh
# only: soak
# soak: --debug --timeout 3600
# The sharer by upstream's operations alone: it nominates, maps, compares and shares, hears nothing of what is written, and
# looks at everything in each pass.  A stock Xen shares on EPT only: here the hypervisor is ours, and its own are not used.
. /root/sharing.sh
host=${host---host=xen:stock}
seed=${SEED:-$(($(date +%s) % 100000))}
say "seed $seed"

for name in a b; do
    alike $name 16 6 1 "$seed" 17
done

say "merging by upstream's operations"
# shellcheck disable=SC2086  # none, or one word
sharer_start $host --group "web: a b" --period 1000 --cpu-limit 60
grep -q "no invalidates" "$sharer_log" || sharer_dead "does not say that nobody tells it of writes"
wait_until 300 is_shared 950 a b || { cat $status_file; sharer_dead "merged $(fraction a b) per mille"; }
pass "$(fraction a b) per mille of what could be shared is"
effort
for name in a b; do
    guest_verifies $name "with what it shares"
done

say "writing"
for name in a b; do
    guest_tell $name "storm:10s/working=2 rate=50,verify"
done
for name in a b; do
    wait_until 600 guest_says_again $name "guest: verify" 2 || fail "$name does not go on"
    guest_verifies $name "after it wrote to what it shared"
done
# Not by fill: who writes what was there already gets a page of his own, and the sharer, who sees bytes alone, does not know.
wait_until 300 is_shared 950 a b || { cat $status_file; sharer_dead "does not find what was written to"; }
pass "what was written to is found and shared again, although nobody tells"

say "killed: the next one begins with pages that nobody shares"
kill -KILL "$sharer_pid"
wait "$sharer_pid" 2> /dev/null
# shellcheck disable=SC2086
sharer_start $host --group "web: a b" --period 1000 --cpu-limit 60 --at-exit undo
wait_until 300 is_shared 950 a b || { cat $status_file; sharer_dead "does not share after it was killed"; }
sharer_stop
[ "$(saved)" -eq 0 ] || fail "$(saved) frames are still saved"
for name in a b; do
    guest_verifies $name "with pages of its own"
done
pass "it lives on a stock hypervisor"
