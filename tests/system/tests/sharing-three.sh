# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --timeout 1800 --add tests/system/tests/sharing.sh:/root/sharing.sh
# only: soak
# soak: --debug --timeout 7200
# Three guests from one image under load, against an offline count of what they have in common; a flood of records that nobody
# takes; and without records, less and less is shared.
. /root/sharing.sh
soak=${1:-}
seed=${SEED:-$(($(date +%s) % 100000))}
say "seed $seed"

# A sixth of the pages is each guest's own, and in the first MiB of ten all is always being written to: if a slow host merges
# none of that, it is 3 % of what there is.
busy_mib=1 minutes=0
[ -z "$soak" ] || busy_mib=2 minutes=10
for name in a b c; do
    alike $name 24 10 1 "$seed" 17
done
merged_under_load $minutes 90 20 "working=$busy_mib rate=100"

say "a flood of records, and nobody takes them"
kill -STOP "$sharer_pid"
everybody "storm:5000" "guest: storm"
kill -CONT "$sharer_pid"
# A ring has room for 4096, and more frames than that had been shared.
wait_until 120 value_is invalidates lost -gt 0 || { cat $status_file; fail "no record was lost: nothing is shown"; }
say "received $(sharer_value invalidates received) lost $(sharer_value invalidates lost) doubted $(sharer_value invalidates doubted)"
wait_until 300 is_shared 950 a b c || { cat $status_file; sharer_dead "does not recover"; }
pass "sharing recovers: $(fraction a b c) per mille"
sharer_stop

say "without records"
sharer_start --group "web: a b c" --period 500 --cpu-limit 90 --no-invalidates
passes 3
before=$(saved)
everybody fill "guest: fill"
passes 4
after=$(saved)
# What lies outside the work areas is not written to.
[ "$after" -lt $((before - 2560)) ] || fail "$before frames were saved, and $after are, although nobody says what is written to"
pass "without records sharing decays: $before frames were saved, $after are"
sharer_stop
sharer_start --group "web: a b c" --period 500 --cpu-limit 90
wait_until 300 is_shared 950 a b c || sharer_dead "does not recover"
everybody fill "guest: fill"
wait_until 300 is_shared 950 a b c || sharer_dead "decays although there are records"
pass "with records it does not"
for name in a b c; do
    guest_verifies $name "in the end"
done
audited "in the end"
sharer_stop
