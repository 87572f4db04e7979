# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --timeout 1200
# The ACCESS channel and upstream's paging ring, on one guest one after the other: what events say, stepping over, who keeps whom
# out, and a channel that ends while vCPUs wait.
. /usr/lib/xenhost/functions.sh
programs=/usr/lib/xenhost/programs

# consumer PROGRAM NAME ARGUMENTS...: a program that talks to the guest and to its channel
consumer()
{
    program=$1 name=$2
    shift 2
    "$programs/$program" "$(guest_id "$name")" "$(xenstore-read "/local/domain/$(guest_id "$name")/console/tty")" \
        "$(guest_console "$name")" "$@" || fail "$program: status $?"
}

guest_start a kernel=tiny memory=32 vcpus=2 extra="mem=20 seed=3 slow=200 run=fill,verify,wait" config='shadow_memory=32'
guest_wait a "guest: ready" 120
say "access"
consumer channel-access a 8192
say "upstream's ring"
consumer channel-upstream a 0x1000 1024
guest_ask a verify "guest: verify" 120 | grep "bad=0 " || fail "the guest's memory is wrong"
