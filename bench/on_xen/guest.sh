# SPDX-License-Identifier: GPL-2.0-only
# Read by dom0.sh and crossings.sh: a guest that does what it is told, and a pager for it. Who reads this sets guest, id, run,
# pager and ours; pid is the pager's, or empty; looked is how often somebody has looked whether it is over.

# kib NAME: what the guest has, exactly (xl list rounds to MiB)
kib()
{
    xentop -b -f -i 1 | awk -v name="$1" '$1 == name { print $5 }'
}

now()
{
    read -r _up _ < /proc/uptime
    echo "${_up%.*}${_up#*.}0"
}

ready_count()
{
    grep -c '^guest: ready' "$(guest_console $guest)"
}

# tell LINE: types it on the guest's console
tell()
{
    echo "$1" > "$(xenstore-read /local/domain/$(guest_id $guest)/console/tty)"
}

# ask PHASE PROGRAM: the guest runs it; its lines go out
ask()
{
    _lines=$(wc -l < "$(guest_console $guest)")
    _ready=$(ready_count)
    tell "$2" || fail "guest $guest cannot be asked"
    _until=$(($(now) + 240000))
    while [ "$(ready_count)" -le "$_ready" ]; do
        sleep 1
        looked=$((${looked:-0} + 1))
        [ "$(now)" -lt "$_until" ] || { tail -n 5 "$(guest_console $guest)"; fail "$run $1: the guest hangs at '$2'"; }
        kill -0 $pid 2>/dev/null || [ -z "$pid" ] || fail "$run $1: the pager has ended: $(tail -n 3 /tmp/pager.log)"
    done
    tail -n +$((_lines + 1)) "$(guest_console $guest)" | tr -d '\r' | grep '^guest: .*touches=' |
        sed "s|^guest: \([a-z]*\) |bench: run=$run phase=$1 guest=\1 |"
}

pager_start()
{
    case $pager in
        ours)     /usr/sbin/xenpaging -d $id $ours > /tmp/pager.log 2>&1 & ;;
        upstream) /root/upstream-xenpaging -d $id -f /tmp/pagefile > /tmp/pager.log 2>&1 & ;;
    esac
    pid=$!
    sleep 2
    kill -0 $pid 2>/dev/null || { cat /tmp/pager.log; fail "$run: the pager does not start"; }
}

pager_end()
{
    xl destroy $guest
    guest_wait_gone $guest
    for _i in 1 2 3 4 5 6 7 8 9 10; do
        kill -0 $pid 2>/dev/null || break
        sleep 0.3
    done
    kill -9 $pid 2>/dev/null
    wait $pid 2>/dev/null
    rm -f /tmp/pagefile /tmp/trace
    pid=
}
