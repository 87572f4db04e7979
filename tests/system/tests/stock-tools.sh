# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --timeout 1200
# Upstream's own tools, as Debian builds them, on domains that no channel is attached to: its pager, xen-memshare,
# xen-access, a save and a restore, and its tests of resources and of the pool for page tables.
. /usr/lib/xenhost/functions.sh
upstream=/usr/lib/xen-4.17/bin

# Frames that both guests have filled, from 16 MiB on.
first=0x1000
last=0x10ff
# KiB of the 32 MiB that are left.  Upstream's pager takes a page at a time.
target=24576
# A line of xen-access has about 150 octets, and its stdout goes to a file in pieces of 4096.
PIECE_LINES=20

pass()
{
    echo "PASS: $*"
}

# verifies NAME WHEN: the guest compares every word of its memory
verifies()
{
    guest_ask "$1" verify "guest: (verify|corrupt)" 120 | grep " bad=0 " || fail "guest $1 found wrong memory $2"
    pass "the memory of guest $1 is right $2"
}

# kib NAME: memory that it has now
kib()
{
    xl list "$1" | awk 'NR == 2 { print $3 * 1024 }'
}

at_most()
{
    [ "$(kib "$1")" -le "$2" ]
}

# memshare WORDS...: what it says, which must not be of an error
memshare()
{
    $upstream/xen-memshare "$@" > /tmp/memshare.log 2>&1 && ! grep -qi error /tmp/memshare.log && return
    cat /tmp/memshare.log
    fail "xen-memshare $*"
}

# nominated NAME FRAME: nominates the frame and prints its handle
nominated()
{
    memshare nominate "$(guest_id "$1")" "$2" && sed -n 's/^handle = //p' /tmp/memshare.log
}

# frames: how many frames of all domains are shared ones now (xen-memshare gives the two numbers each other's names)
frames()
{
    memshare info && sed -n 's/^freed = //p' /tmp/memshare.log
}

# checks NAME: how often the guest has found its file to be what it was
checks()
{
    grep -c "guest: check .* intact" "$(guest_console "$1")"
}

more_checks()
{
    [ "$(checks "$1")" -ge "$2" ]
}

# works_on NAME WHEN: it finds its file intact three more times
works_on()
{
    wait_until 400 more_checks "$1" $(($(checks "$1") + 3)) || fail "guest $1 stands still $2"
    ! guest_says "$1" "CORRUPT|BUG:|Oops|panic" || fail "guest $1 was hurt $2: $(tail -n 5 "$(guest_console "$1")")"
    pass "a Linux guest works on $2, and finds its file intact"
}

# It is up when the others are done with.
guest_start l memory=128 extra="mib=8 interval=1" config='shadow_memory=16'

say "tests of resources and of the pool"
for test in test-resource test-paging-mempool; do
    $upstream/$test > /tmp/$test.log 2>&1 || { cat /tmp/$test.log; fail "$test ended with an error"; }
    ! grep -i fail /tmp/$test.log || fail "$test reports a failure"
    pass "$test: $(tail -n 1 /tmp/$test.log)"
done

say "the pager"
guest_start a kernel=tiny memory=32 extra="mem=20 seed=6 run=fill,verify,wait"
guest_start b kernel=tiny memory=32 extra="mem=20 seed=6 run=fill,verify,wait"
guest_wait a "guest: ready" 120
guest_wait b "guest: ready" 120
# Upstream's never fills in an answer's version: on any hypervisor a vCPU that runs into a page would stay there.
xl pause a
whole=$(kib a)
$upstream/xenpaging -d "$(guest_id a)" -f /tmp/a.paging > /tmp/xenpaging.log 2>&1 &
pager=$!
xenstore-write "/local/domain/$(guest_id a)/memory/target-tot_pages" $target
wait_until 400 at_most a $target || { cat /tmp/xenpaging.log; fail "the pager does not reach its target: $(kib a) KiB"; }
pass "upstream's pager takes $whole KiB to $(kib a)"
kill -TERM $pager
wait $pager || { cat /tmp/xenpaging.log; fail "upstream's pager ended with status $?"; }
[ "$(kib a)" = "$whole" ] || fail "upstream's pager has left something out: $(kib a) KiB"
xl unpause a
verifies a "after upstream's pager brought it in"

say "xen-memshare"
memshare enable "$(guest_id a)"
memshare enable "$(guest_id b)"
# Nothing in Xen compares: these frames were filled alike, and nobody runs.
xl pause a
xl pause b
one=$(nominated a $first) || exit 1
other=$(nominated b $first) || exit 1
memshare share "$(guest_id b)" $first "$other" "$(guest_id a)" $first "$one"
[ "$(frames)" = 1 ] || fail "$(frames) frames are shared, not the one"
memshare range "$(guest_id a)" "$(guest_id b)" $first $last
shared=$(frames)
[ "$shared" -gt 200 ] || fail "$shared frames are shared of the range"
memshare unshare "$(guest_id a)" $first
memshare unshare "$(guest_id b)" $first
[ "$(frames)" = $((shared - 1)) ] || fail "$(frames) frames are shared after one of $shared was unshared"
xl unpause a
xl unpause b
verifies a "with $shared frames shared"
verifies b "with $shared frames shared"
guest_ask a "storm:500" "guest: storm" 120
verifies a "after it wrote to some"
verifies b "after the other wrote to some"
guest_destroy a
guest_destroy b
[ "$(frames)" = 0 ] || fail "$(frames) frames are shared by nobody"
pass "xen-memshare nominates, shares and unshares"

guest_wait l "check 2 intact" 240
for kind in write exec; do
    case $kind in
        write) flags='[r-]w-' ;;
        exec) flags='[r-]-x' ;;
    esac
    say "xen-access $kind"
    $upstream/xen-access "$(guest_id l)" $kind > /tmp/access.log 2> /tmp/access.err &
    access=$!
    wait_until 240 grep -q "PAGE ACCESS" /tmp/access.log || { cat /tmp/access.err; fail "xen-access sees nothing"; }
    works_on l "under xen-access $kind"
    kill -TERM $access
    wait $access || { tail -n 5 /tmp/access.err; fail "xen-access does not end well"; }
    seen=$(grep -c "PAGE ACCESS: $flags for GFN" /tmp/access.log)
    [ "$seen" -ge $PIECE_LINES ] || { tail -n 5 /tmp/access.log; fail "xen-access saw $seen events of $kind"; }
    ! grep -v "PAGE ACCESS: $flags for GFN" /tmp/access.log | grep "PAGE ACCESS" || fail "it saw what is allowed"
    pass "xen-access saw $seen events of $kind"
    works_on l "after xen-access $kind"
done

say "save and restore"
before=$(checks l)
xl save l /tmp/l.save > /tmp/xl.log 2>&1 || { cat /tmp/xl.log; fail "xl save"; }
xl restore /tmp/l.save > /tmp/xl.log 2>&1 || { cat /tmp/xl.log; fail "xl restore"; }
wait_until 400 more_checks l $((before + 3)) || fail "the guest stands still after its restore"
works_on l "after a save and a restore"
