# SPDX-License-Identifier: GPL-2.0-only
# Runs in dom0:  dom0.sh PLAN-FILE [OPTION-OF-OUR-PAGER]...  Each line of the plan is one run of one pager on one fresh guest:
#     time|count PAGER ROUND VCPUS MEMORY TOUCHES PASSES
# What it measures goes out as lines of key=value behind "bench:"; what they mean is figures.py's business.
. /usr/lib/xenhost/functions.sh

touches_few=600         # of a run that counts: tracing makes each system call many times dearer

# kib NAME: what the guest has, exactly (xl list rounds to MiB)
kib()
{
    xentop -b -f -i 1 | awk -v name="$1" '$1 == name { print $5 }'
}

# cpu: nanoseconds that all threads of the pager have run
cpu()
{
    cat /proc/$pid/task/*/schedstat 2>/dev/null | awk '{ s += $1 } END { printf "%.0f", s }'
}

# host WHEN: CPU seconds that dom0 and the guest have used
host()
{
    xl list | awk -v name="$guest" -v when="$1" '
        $2 == 0 { dom0 = $NF } $1 == name { guest = $NF } END { print "dom0_" when "=" dom0, "guest_" when "=" guest }'
}

now()
{
    read -r _up _ < /proc/uptime
    echo "${_up%.*}${_up#*.}0"
}

started()
{
    kib_before=$(kib $guest); cpu_before=$(cpu); host_before=$(host from); ms_before=$(now)
}

# ended PHASE: what the phase cost in dom0
ended()
{
    _ms=$(now); _cpu=$(cpu); _host=$(host to); _kib=$(kib $guest)
    echo "bench: run=$run phase=$1 wall_ms=$((_ms - ms_before)) cpu_ns=$((_cpu - cpu_before))" \
         "kib_before=$kib_before kib=$_kib $host_before $_host"
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
        [ "$(now)" -lt "$_until" ] || { tail -n 5 "$(guest_console $guest)"; fail "$run $1: the guest hangs at '$2'"; }
        kill -0 $pid 2>/dev/null || [ -z "$pid" ] || fail "$run $1: the pager has ended: $(tail -n 3 /tmp/pager.log)"
    done
    tail -n +$((_lines + 1)) "$(guest_console $guest)" | tr -d '\r' | grep '^guest: .*touches=' |
        sed "s|^guest: \([a-z]*\) |bench: run=$run phase=$1 guest=\1 |"
}

# page_out KIB: sets the target and waits for it; what stays above it is in the figures
page_out()
{
    xenstore-write /local/domain/$id/memory/target-tot_pages $1
    _until=$(($(now) + 180000))
    while [ "$(kib $guest)" -gt $(($1 + 512)) ] && [ "$(now)" -lt "$_until" ]; do
        sleep 0.1
    done
}

trace_start()
{
    strace -f -q -X raw -y -o /tmp/trace -p $pid 2> /tmp/trace.log &
    tracer=$!
    wait_until 10 grep -q TracerPid:.$tracer /proc/$pid/status || fail "$run: strace does not attach"
}

# trace_end PHASE: how often each call was made; an ioctl goes by its number and its file
trace_end()
{
    kill -INT $tracer
    wait $tracer
    grep -v -e ' resumed>' -e ' +++ ' -e ' --- ' -e 'strace: ' /tmp/trace |
        sed -e 's/^[0-9]* *//' -e 's/^ioctl([0-9]*<\([^>]*\)>, \(0x[0-9a-f]*\).*/ioctl \1 \2/' \
            -e 's/^\(read\|write\)([0-9]*<\([^>]*\)>.*/\1 \2/' -e 's/(.*//' -e 's/ /:/g' |
        sort | uniq -c | while read -r _count _call; do
            echo "bench: run=$run phase=$1 call=$_call count=$_count"
        done
    echo "bench: run=$run phase=$1 traced=1"
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

timed()
{
    ask unpaged "$work"
    pager_start
    started; page_out $half; ended out
    sleep 2
    started; ask random "rand:$touches"; ended random
    started; ask sequential "seq:$passes"; ended sequential
    started; ask work "$work"; ended work
}

counted()
{
    pager_start
    started; trace_start; page_out $half; trace_end out; ended out
    sleep 1
    started; trace_start; ask random "rand:$touches_few"; trace_end random; ended random
    started; trace_start; ask sequential seq:1; trace_end sequential; ended sequential
    ask work verify
}

plan=$1
shift
ours=$*
say "$(uname -r), $(xl info | sed -n 's/^xen_version *: //p')"
while read -r kind pager round vcpus memory touches passes; do
    run=$kind/$pager/$round/$vcpus
    guest=g-$kind-$pager-$round-$vcpus
    pid=
    half=$((memory * 512))
    work="storm:$((touches / 4)),rand:$((touches / 2)),verify"
    say "$run"
    guest_start $guest memory=$memory vcpus=$vcpus kernel=tiny extra="seed=$round run=fill,verify,wait" \
        config='tsc_mode="native"'
    guest_wait $guest '^guest: ready' 60
    id=$(guest_id $guest)
    case $kind in
        time) timed ;;
        count) counted ;;
    esac
    [ $pager != ours ] || echo "bench-status: run=$run $(tr -d '\n' < /run/xen-memevent/xenpaging-$id.json)"
    pager_end
done < "$plan"
