# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --timeout 1200
# Access of frames on nested paging: which events come, what the access is afterwards, and a guest that never notices.
. /usr/lib/xenhost/functions.sh

# verifies WHEN: the guest compares every word of its memory
verifies()
{
    line=$(guest_ask g verify "guest: (verify|corrupt)" 120) || exit 1
    echo "$line"
    case $line in
        *" bad=0 "*) echo "PASS: the guest's memory is right $1" ;;
        *) fail "the guest found wrong memory $1" ;;
    esac
}

guest_start g memory=32 kernel=tiny extra="mem=16 seed=5 run=fill,verify,wait" config='shadow_memory=32'
guest_wait g "guest: ready" 120
id=$(guest_id g)

/usr/lib/xenhost/programs/mem-access "$id" "$(xenstore-read "/local/domain/$id/console/tty")" \
    "$(guest_console g)" 32 || fail "status $?"

# The last frames were left without any access: Xen gives it back where nobody listens.
verifies "where nobody listens"
guest_ask g "storm:50 working=1" "guest: storm" 120
verifies "after it was written"

say "a domain that is destroyed while its memory is restricted"
guest_destroy g
guest_start g memory=32 kernel=tiny extra="mem=16 run=fill,verify,wait"
guest_wait g "guest: ready" 120
verifies "in the next guest"
