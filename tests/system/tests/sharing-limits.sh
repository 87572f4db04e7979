# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --debug --timeout 1800 --add tests/system/tests/sharing.sh:/root/sharing.sh
# only: soak
# What the sharer keeps to: its share of a CPU, by the kernel's books and by its own, and the overcommit at which it merges
# nothing more until there is room for promises again.
. /root/sharing.sh
seed=${SEED:-$(($(date +%s) % 100000))}
say "seed $seed"

# used_ms: CPU time of the sharer so far, as the kernel counts it
used_ms()
{
    # Fields are counted from behind the name, which may hold anything.
    sed 's/.*) //' "/proc/$sharer_pid/stat" | awk -v hz="$(getconf CLK_TCK 2> /dev/null || echo 100)" \
        '{ print int(($12 + $13) * 1000 / hz) }'
}

now_ms()
{
    awk '{ print int($1 * 1000) }' /proc/uptime
}

for name in a b; do
    alike $name 64 52 1 "$seed" 60
done

say "a share of a CPU"
for cap in 5 20; do
    sharer_start --group "web: a b" --period 100 --cpu-limit $cap --overcommit 1000
    # Both kinds of work are in it: merging what they have in common, and looking at what they have not.
    wait_until 60 value_is scan cpu_milliseconds -gt 0 || sharer_dead "says nothing of its CPU time"
    began=$(now_ms)
    used=$(used_ms)
    said=$(sharer_value scan cpu_milliseconds)
    most=0
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        sleep 1
        permille=$(sharer_value scan cpu_permille)
        [ "${permille:-0}" -le $most ] || most=$permille
    done
    used=$(($(used_ms) - used))
    said=$(($(sharer_value scan cpu_milliseconds) - said))
    wall=$(($(now_ms) - began))
    echo "cap $cap %: $used ms of CPU in $wall ms by the kernel's books, $said ms by its own; most in a second $most permille"
    # What may be saved up, one piece of work that was begun, and the report of each second; above that nothing is allowed.
    [ $used -le $((wall * cap / 100 + wall / 100 + 500)) ] || fail "it used $used ms in $wall ms"
    # A busy host gives it less; with nothing to do it would use next to nothing.
    [ $used -ge $((wall * cap / 400)) ] || fail "it used $used ms in $wall ms, although there was work"
    # Its figure is up to a second older at either end.
    [ $said -le $((used + 20 * cap + 100)) ] && [ $said -ge $((used - 20 * cap - 100)) ] ||
        fail "the kernel says $used ms, and it $said"
    pass "it keeps $cap % of one CPU"
    sharer_stop
done

say "overcommit"
sharer_start --group "web: a b c" --period 200 --cpu-limit 90 --overcommit 1000
wait_until 300 saved_is -gt 4096 || sharer_dead "does not merge"
percent=$(sharer_value host overcommit_percent)
[ -n "$percent" ] || fail "no figure for the overcommit"
sharer_stop

# Everybody's memory as if nothing were shared, and then so much that one guest more is too much.
limit=$((percent + 5))
sharer_start --group "web: a b c" --period 200 --cpu-limit 90 --overcommit $limit
passes 3
value_is host merging = true || { cat $status_file; fail "it does not merge at $percent % with a limit of $limit %"; }
alike c 160 100 1 "$seed" 60
wait_until 60 sharer_said_again "merging stops" 0 || { cat $status_file; sharer_dead "does not stop at $limit %"; }
wait_until 30 value_is host merging = false || fail "the status does not say that it stopped"
echo "with c: $(sharer_value host overcommit_percent) % promised, the limit is $limit %"
# What was under way has ended with the pass.
passes 2
before=$(sharer_value merge merged)
guest_ask a fill "guest: fill" 120 > /dev/null
passes 4
[ "$(sharer_value merge merged)" = "$before" ] ||
    { cat $status_file; fail "it merged $(($(sharer_value merge merged) - before)) pages beyond its limit"; }
pass "nothing is merged beyond $limit %"
guest_destroy c
wait_until 60 sharer_said_again "merging goes on" 0 || { cat $status_file; sharer_dead "does not go on below its limit"; }
wait_until 240 value_is merge merged -gt $((before + 2048)) || { cat $status_file; sharer_dead "does not merge again"; }
pass "it goes on when there is room again: $(sharer_value host overcommit_percent) % promised"
for name in a b; do
    guest_verifies $name "in the end"
done
audited "in the end"
sharer_stop
