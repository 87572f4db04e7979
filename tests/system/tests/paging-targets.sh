# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --timeout 1200 --add tests/system/tests/pager.sh:/root/pager.sh
# soak: --timeout 3000
# A guest with 1 and with 4 vCPUs at 75, 50 and 25 % of its memory, then a target that swings under a write storm.
. /root/pager.sh

# Rounds of ten targets, five seconds each: a minute for each guest, ten of them for a soak.
rounds=1
[ "${1:-}" != soak ] || rounds=10

for vcpus in 1 4; do
    name=t$vcpus
    say "a guest with $vcpus vCPUs"
    tiny_start $name 64 48 $vcpus
    id=$(guest_id $name)
    pager_start "$id"
    for percent in 75 50 25; do
        kib=$((64 * 1024 * percent / 100))
        pager_target "$id" $kib
        pager_reaches "$id" $kib 60
        pass "$vcpus vCPUs: $percent % of 64 MiB reached"
        guest_ask $name "rand:1000" "guest: rand" 120
        guest_verifies $name "at $percent % with $vcpus vCPUs" 240
    done

    say "a target that swings under a write storm"
    guest_tell $name "storm:$((rounds * 60))s"
    for round in $(seq $rounds); do
        for kib in 49152 16384 65536 32768 0 24576 40960 16384 57344 20480; do
            pager_target "$id" $kib
            sleep 5
        done
        say "round $round of $rounds: out $(pager_value "$id" paged_out) in $(pager_value "$id" paged_in)"
    done
    wait_until $((rounds * 60 + 180)) guest_says $name "guest: storm" || fail "the storm did not end"
    grep "guest: storm" "$(guest_console $name)"
    guest_verifies $name "after the swings with $vcpus vCPUs" 240
    pager_reaches "$id" 20480 60
    pass "$vcpus vCPUs: at its target after the swings"
    echo "out $(pager_value "$id" paged_out) in $(pager_value "$id" paged_in) faults $(pager_value "$id" faults)" \
        "second chances $(pager_value "$id" second_chances) windows $(pager_value "$id" windows)" \
        "used $(pager_value "$id" windows_used)"
    [ "$(pager_value "$id" malformed)" = 0 ] || fail "malformed requests"

    pager_stop "$id"
    [ "$(domain_kib "$id")" -ge 65536 ] || fail "not everything came back in: $(xl list "$id")"
    pass "$vcpus vCPUs: SIGTERM brings everything in"
    guest_verifies $name "after the pager with $vcpus vCPUs"
    guest_tell $name stop
    guest_wait $name "guest: done status=ok" 30
    guest_wait_gone $name 30
done
