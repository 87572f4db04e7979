# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --timeout 1800 --add tests/system/tests/sharing.sh:/root/sharing.sh
# only: soak
# soak: --timeout 7200
# Three guests from one image under load, against an offline count of what they have in common; a flood of records that nobody
# takes; and without records, less and less is shared.
. /root/sharing.sh
soak=${1:-}
seed=${SEED:-$(($(date +%s) % 100000))}
say "seed $seed"

# is_shared PERMILLE NAME...: at least so much of what they have in common
is_shared()
{
    _least=$1; shift
    [ "$(fraction "$@" 2> /dev/null)" -ge "$_least" ]
}

# everybody LINE PATTERN: all three do it at once, and have ended
everybody()
{
    for _one in a b c; do
        eval "seen_$_one=\$(grep -cE -e '$2' \"\$(guest_console $_one)\")"
        guest_tell $_one "$1"
    done
    for _one in a b c; do
        eval "_seen=\$seen_$_one"
        wait_until 600 guest_says_again $_one "$2" "$_seen" || fail "guest $_one does not go on"
        guest_says $_one "guest: bad|guest: panic" && fail "guest $_one found wrong memory"
    done
}

# A sixth of the pages is each guest's own, and in the first MiB of ten all is always being written to: if a slow host merges
# none of that, it is 3 % of what there is.
busy_mib=1
[ -z "$soak" ] || busy_mib=2
for name in a b c; do
    alike $name 24 10 1 "$seed" 17
done

say "under load"
for name in a b c; do
    guest_tell $name "storm:20s/working=$busy_mib rate=100"
done
sharer_start --group "web: a b c" --period 1000 --cpu-limit 90
wait_until 300 value_is scan pass -gt 2 || sharer_dead "makes no passes"
many=$(fraction a b c)
[ "$many" -ge 950 ] || { cat $status_file; sharer_dead "merged $many per mille in two passes under load"; }
pass "$many per mille after two passes, under load"
if [ -n "$soak" ]; then
    for round in 1 2 3 4 5 6 7 8 9 10; do
        everybody "storm:60s/working=$busy_mib rate=100" "guest: storm"
        say "minute $round: $(fraction a b c 2>&1)"
    done
fi
for name in a b c; do
    wait_until 600 guest_says $name "guest: storm" || fail "the load of $name does not end"
done
wait_until 300 is_shared 990 a b c || { cat $status_file; sharer_dead "merged $(fraction a b c) per mille when it was quiet"; }
pass "$(fraction a b c) per mille when it is quiet"
effort
for name in a b c; do
    guest_verifies $name "after it was merged under load"
done

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
sharer_stop
