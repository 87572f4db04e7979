# SPDX-License-Identifier: GPL-2.0-only
# For the pager's system tests, which run in dom0:  . /root/pager.sh
# Starting the pager, setting targets, and asking guests whether their memory is what it was.
# shellcheck shell=sh
. /usr/lib/xenhost/functions.sh

# A page has 4 KiB; a domain may be above its target by what faulted in a moment ago.
target_tolerance_kib=512

# pass TEXT: one more thing shown
pass()
{
    echo "PASS: $*"
}

# pager_start DOMID [OPTION]...: the pager of one domain, in the foreground, logging to /tmp/pager-DOMID.log
pager_start()
{
    _domid=$1; shift
    # Here, and not by who is started: what an earlier one has said must not be taken for its words.
    : > "/tmp/pager-$_domid.log"
    xenpaging -d "$_domid" "$@" > "/tmp/pager-$_domid.log" 2>&1 &
    pager_pid=$!
    wait_until 20 grep -q "d$_domid" "/tmp/pager-$_domid.log" || pager_dead "$_domid" "did not start"
}

pager_dead()
{
    cat "/tmp/pager-$1.log" >&2
    fail "the pager of domain $1 $2"
}

# pager_stop DOMID: SIGTERM, which brings everything in; the exit status must be 0
pager_stop()
{
    kill -TERM "$pager_pid"
    wait "$pager_pid" || pager_dead "$1" "ended with status $?"
}

# pager_target DOMID KIB
pager_target()
{
    xenstore-write "/local/domain/$1/memory/target-tot_pages" "$2"
}

# domain_kib DOMID: memory that it has now
domain_kib()
{
    xl list "$1" | awk 'NR == 2 { print $3 * 1024 }'
}

# pager_value DOMID NAME: a number from the status file (the first of that name)
pager_value()
{
    _file=/run/xen-memevent/xenpaging-$1.json
    [ -e "$_file" ] || _file=/run/xen-memevent/xenpaging.json
    sed -n "s/^ *\"$2\":\([0-9][0-9]*\),*\$/\1/p" "$_file" | head -n 1
}

at_target()
{
    [ "$(domain_kib "$1")" -le $(($2 + target_tolerance_kib)) ]
}

# pager_reaches DOMID KIB SECONDS: waits until the domain is no larger
pager_reaches()
{
    wait_until "$3" at_target "$1" "$2" || {
        xl list
        pager_dead "$1" "did not reach $2 KiB within $3 s"
    }
}

# guest_verifies NAME WHEN [SECONDS]: every word of its memory is compared, by itself
guest_verifies()
{
    _line=$(guest_ask "$1" verify "guest: (verify|corrupt)" "${3:-120}") || exit 1
    echo "$_line"
    case $_line in
        *" bad=0 "*) pass "$1 verifies its memory $2" ;;
        *) fail "$1 found wrong memory $2" ;;
    esac
}

# tiny_start NAME MEMORY WORK VCPUS: our guest, filled and ready for commands
tiny_start()
{
    guest_start "$1" memory="$2" vcpus="$4" kernel=tiny config='tsc_mode="native"' \
        extra="mem=$3 seed=$$ mix=zero:25,text:50,random:25 run=fill,verify,wait"
    guest_wait "$1" "guest: ready" 120
}

# linux_goes_on NAME CHECKS SECONDS WHEN: a Linux guest with workload=touch finds its file intact more often than that
linux_goes_on()
{
    _seen=$(grep -c intact "$(guest_console "$1")")
    wait_until "$3" guest_says_again "$1" intact $((_seen + $2)) || fail "$1 does not go on $4"
    if guest_says "$1" CORRUPT; then
        fail "the file in the memory of $1 changed"
    fi
    pass "$1 goes on $4, its file intact"
}

# linux_is_paged NAME KIB SECONDS: it is brought to that size, goes on there, and goes on when the pager has left
linux_is_paged()
{
    _id=$(guest_id "$1")
    pager_start "$_id"
    pager_target "$_id" "$2"
    pager_reaches "$_id" "$2" "$3"
    pass "$1 is at $2 KiB"
    linux_goes_on "$1" 5 900 "with pages out"
    echo "out $(pager_value "$_id" paged_out) in $(pager_value "$_id" paged_in)" \
        "faults $(pager_value "$_id" faults) refused $(pager_value "$_id" refused)"
    pager_stop "$_id"
    linux_goes_on "$1" 1 400 "after the pager is gone"
}
