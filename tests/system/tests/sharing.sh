# SPDX-License-Identifier: GPL-2.0-only
# For the sharer's system tests, which run in dom0:  . /root/sharing.sh
# Starting the sharer, guests that have pages in common, and Xen's books.
# shellcheck shell=sh
. /usr/lib/xenhost/functions.sh
books=/usr/lib/xenhost/programs/sharing-books
status_file=/run/xen-memevent/xensharing.json
sharer_log=/tmp/sharer.log

# pass TEXT: one more thing shown
pass()
{
    echo "PASS: $*"
}

# sharer_start [OPTION]...: in the foreground, logging to $sharer_log
sharer_start()
{
    echo "-- started with $*" >> "$sharer_log"
    _started=$(grep -c "^xensharing.*Xen 4" "$sharer_log")
    xensharing --foreground "$@" >> "$sharer_log" 2>&1 &
    sharer_pid=$!
    wait_until 60 sharer_said_again "Xen 4" "$_started" || sharer_dead "did not start"
}

# sharer_said_again PATTERN TIMES: more often than that
sharer_said_again()
{
    [ "$(grep -c -e "$1" "$sharer_log")" -gt "$2" ]
}

sharer_dead()
{
    tail -n 30 "$sharer_log" >&2
    fail "the sharer $1"
}

# sharer_stop: SIGTERM; the exit status must be 0
sharer_stop()
{
    kill -TERM "$sharer_pid"
    wait "$sharer_pid" || sharer_dead "ended with status $?"
}

# sharer_value SECTION NAME: a number of the status file, which is written once a second
sharer_value()
{
    sed -n "/^  \"$1\":{/,/^  }/s/^    \"$2\":\([0-9a-z]*\),*\$/\1/p" "$status_file" 2> /dev/null
}

# value_is SECTION NAME OPERATOR NUMBER
value_is()
{
    _value=$(sharer_value "$1" "$2")
    [ -n "$_value" ] && [ "$_value" "$3" "$4" ]
}

# passes N: waits until so many more have ended
passes()
{
    _from=$(sharer_value scan pass)
    _from=${_from:-0}
    wait_until 300 value_is scan pass -gt $((_from + $1)) || sharer_dead "makes no passes"
}

# saved: frames that sharing saves the host, as Xen counts them
saved()
{
    "$books" saved
}

saved_is()
{
    [ "$(saved)" "$1" "$2" ]
}

# audited WHEN: Xen's books of sharing are in order; only a hypervisor with --debug can say
audited()
{
    "$books" audit
    case $? in
        0) pass "Xen's audit finds no error $1" ;;
        3) ;;
        *) fail "Xen's books of sharing are wrong $1" ;;
    esac
}

# fraction NAME...: per mille of what could be shared among the guests that is
fraction()
{
    _ids=
    for _name; do
        _ids="$_ids $(guest_id "$_name")"
    done
    # shellcheck disable=SC2086
    "$books" count $_ids > /tmp/count || { cat /tmp/count >&2; fail "counting"; }
    cat /tmp/count >&2
    sed 's/.*permille //' /tmp/count
}

# is_shared PERMILLE NAME...: at least so much of what they have in common. Counting stops them for a while, and the sharer
# wants to look at them, too.
is_shared()
{
    _least=$1; shift
    sleep 3
    [ "$(fraction "$@" 2> /dev/null)" -ge "$_least" ]
}

# everybody LINE PATTERN: a, b and c do it at once, and have ended
everybody()
{
    for _one in a b c; do
        eval "seen_$_one=\$(grep -cE -e '$2' \"\$(guest_console $_one)\")"
        guest_tell $_one "$1"
    done
    for _one in a b c; do
        eval "_seen=\$seen_$_one"
        wait_until 900 guest_says_again $_one "$2" "$_seen" || fail "guest $_one does not go on"
        guest_says $_one "guest: bad|guest: panic" && fail "guest $_one found wrong memory"
    done
}

# merged_under_load MINUTES CPU_LIMIT SECONDS STORM: a, b and c write, first for SECONDS, then MINUTES times for one more;
# the sharer merges 95 % within two passes meanwhile, and 99 % once it is quiet
merged_under_load()
{
    _minutes=$1 _limit=$2 _seconds=$3 _storm=$4 _minute=0
    say "under load"
    for _name in a b c; do
        guest_tell $_name "storm:${_seconds}s/$_storm"
    done
    sharer_start --group "web: a b c" --period 1000 --cpu-limit "$_limit"
    wait_until 300 value_is scan pass -gt 2 || sharer_dead "makes no passes"
    _many=$(fraction a b c)
    [ "$_many" -ge 950 ] || { cat $status_file; sharer_dead "merged $_many per mille in two passes under load"; }
    pass "$_many per mille after two passes, under load"
    while [ $_minute -lt "$_minutes" ]; do
        _minute=$((_minute + 1))
        everybody "storm:60s/$_storm" "guest: storm"
        say "minute $_minute: $(fraction a b c 2>&1)"
    done
    for _name in a b c; do
        wait_until 600 guest_says $_name "guest: storm" || fail "the load of $_name does not end"
    done
    wait_until 300 is_shared 990 a b c || { cat $status_file; sharer_dead "merged $(fraction a b c) per mille when it was quiet"; }
    pass "$(fraction a b c) per mille when it is quiet"
    effort
    for _name in a b c; do
        guest_verifies $_name "after it was merged under load"
    done
    audited "after the load"
}

# alike NAME MEMORY WORK VCPUS SEED [OWN]: our guest; guests of one seed have all pages in common, or all but OWN percent
alike()
{
    _own=$((${_own:-0} + 1))
    guest_start "$1" memory="$2" vcpus="$4" kernel=tiny \
        extra="mem=$3 seed=$5${6:+ own=$_own:$6} mix=zero:20,same:5,text:35,random:40 slow=1000 run=fill,verify,wait"
    guest_wait "$1" "guest: ready" 300
}

# effort: what all that was merged cost in hypercalls, those of scanning among them
effort()
{
    echo "merged $(sharer_value merge merged) pages, compared $(sharer_value merge compared), in $(sharer_value merge batches)" \
        "batches: $(sharer_value hypervisor hypercalls) hypercalls, $(sharer_value scan mapped) mappings to scan," \
        "$(sharer_value scan hashed) pages hashed, $(sharer_value scan cpu_milliseconds) ms of CPU"
}

# guest_verifies NAME WHEN [SECONDS]: every word of its memory is compared, by itself
guest_verifies()
{
    _line=$(guest_ask "$1" verify "guest: (verify|corrupt)" "${3:-300}") || exit 1
    echo "$_line"
    case $_line in
        *" bad=0 "*) pass "$1 verifies its memory $2" ;;
        *) fail "$1 found wrong memory $2" ;;
    esac
}
