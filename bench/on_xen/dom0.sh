# SPDX-License-Identifier: GPL-2.0-only
# Runs in dom0:  dom0.sh PLAN-FILE [OPTION-OF-OUR-PAGER]...  Each line of the plan is one run of one pager on one fresh guest:
#     time|count PAGER ROUND VCPUS MEMORY TOUCHES PASSES
# What it measures goes out as lines of key=value behind "bench:"; what they mean is figures.py's business.
. /usr/lib/xenhost/functions.sh
. /root/guest.sh

touches_few=600         # of a run that counts: tracing makes each system call many times dearer

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
