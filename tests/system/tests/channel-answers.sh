# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --timeout 1200
# soak: --timeout 3600
# A reliable channel's promises, on the ABI itself: answers in any order, wrong ones that wake nobody, consumers that
# are killed, arguments that are refused.
. /usr/lib/xenhost/functions.sh
programs=/usr/lib/xenhost/programs

# Consumers that are killed: how many at least, and while the guest writes for how long.
kills=${kills:-15}
seconds=${seconds:-30}
if [ "${1:-}" = soak ]; then
    kills=200
    seconds=600
fi
seed=${SEED:-$(($(date +%s) % 100000))}
say "seed $seed"

# start NAME VCPUS: a guest of 32 MiB, of which it fills and checks 20; $guest_words may say more
start()
{
    guest_start "$1" kernel=tiny memory=32 vcpus="$2" extra="mem=20 seed=$seed slow=200 ${guest_words:-} run=fill,verify,wait"
    guest_wait "$1" "guest: ready" 120
}

# consumer PROGRAM NAME ARGUMENTS...: a program that talks to the guest and to its channel
consumer()
{
    program=$1 name=$2
    shift 2
    "$programs/$program" "$(guest_id "$name")" "$(xenstore-read "/local/domain/$(guest_id "$name")/console/tty")" \
        "$(guest_console "$name")" "$@" || fail "$program: status $?"
}

start a 4
start victim 1
say "arguments"
"$programs/channel-arguments" "$(guest_id a)" "$(guest_id victim)" || fail "channel-arguments: status $?"

say "answers"
consumer channel-answers a 8192 4 "$seed"

say "consumers that are killed"
consumer channel-reattach a 8192 "$kills" "$seconds" "$seed"
