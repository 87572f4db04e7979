# SPDX-License-Identifier: GPL-2.0-only
# Runs in dom0 of a hypervisor that counts:  introspection.sh ROUNDS MIB REQUESTS FILES JUDGE...
# By turns nobody judges (off), upstream's xen-access says yes to all (upstream), the broker knows two strings by itself (strings), or
# the installed one asks YARA and a plugin for requests (yara). For each a fresh guest of tests/guest with each number of vCPUs, and
# then a Linux guest's work, all of them the same one's. What is counted goes out as lines for introspection.py.
. /root/guarded.sh
. /root/counters.sh

rounds=$1; mib=$2; requests=$3; files=$4
shift 4
log=/root/broker.log
# All are judged each time, and nobody is let run unjudged.
settings="--foreground --findings /root/findings --deadline 60000 --unjudged waits --flips 65535"

broker_dead() { tail -n 20 $log >&2; memeventctl av status >&2; fail "$run: the judge $*"; }

# xen-access does not say when it has set the access of all frames, the most of which are none. It calls poll() then, for the first time.
waits_for_events() { grep -q "^7 " "/proc/$pid/syscall"; }

protects_or_ended() { grep -q "is protected" $log || ! kill -0 $pid; }

# judge_start GUEST: returns when all of the guest's memory is watched
judge_start()
{
    : > $log
    pid=
    # Options are words.
    # shellcheck disable=SC2086
    case $judge in
        off) return ;;
        # What it prints of each event costs it less there.
        upstream) /root/xen-access "$(guest_id "$1")" exec > /dev/null 2> $log & ;;
        strings) /usr/lib/xenhost/programs/marker-broker $settings > $log 2>&1 & ;;
        yara) av-introspect --workers 4 --plugin yara:rules=/etc/eicar.yar --plugin /usr/lib/xenhost/programs/requests.so \
                  $settings > $log 2>&1 & ;;
        *) fail "$judge: nobody judges so" ;;
    esac
    pid=$!
    if [ "$judge" = upstream ]; then
        wait_until 300 waits_for_events || broker_dead "does not start"
    else
        wait_until 300 protects_or_ended && kill -0 "$pid" || broker_dead "does not protect"
    fi
}

judge_end()
{
    [ -n "$pid" ] || return 0
    kill -TERM "$pid" || broker_dead "has ended"
    wait "$pid" || [ "$judge" = upstream ] || broker_dead "ended with status $?"
}

# measure GUEST PHASE LINE PATTERN: what the guest does after LINE until PATTERN, as Xen counts it. Nothing is started meanwhile: a look
# with grep each second would make more hypercalls than what is measured.
measure()
{
    _console=$(guest_console "$1")
    _lines=$(wc -l < "$_console")
    [ -p /tmp/lines ] || mkfifo /tmp/lines
    tail -n +$((_lines + 1)) -f "$_console" > /tmp/lines &
    _tail=$!
    /root/xenperf -r
    guest_tell "$1" "$3"
    timeout 600 grep -m 1 -E "$4" < /tmp/lines > /tmp/answer || { tail -n 5 "$_console" >&2; broker_dead "lets the guest wait at '$3'"; }
    /root/xenperf -p > /tmp/counters
    kill $_tail
    wait $_tail 2> /dev/null
    counters_print "$2" /tmp/counters
    sed -n "s|^guest: \([a-z]*\) \(touches=\)|bench: run=$run phase=$2 guest=\1 \2|p" /tmp/answer | tr -d '\r'
}

# trips VCPUS: each page of a fresh guest is executed once, and then each vCPU asks for something. xen-access has Xen make page tables
# for the whole range of frames: with less shadow memory there are none left for it.
trips()
{
    guest_start t kernel=tiny memory=$((mib + 16)) vcpus=4 extra="mem=$mib slow=1 run=fill,wait" config='shadow_memory=64'
    guest_wait t "guest: ready" 120
    xenstore-write "/local/domain/$(guest_id t)/memory/av-protect" yes
    judge_start t
    measure t "exec$1" "exec vcpus=$1" "guest: exec "
    measure t "request$1" "request:$requests vcpus=$1" "guest: request "
    guest_ask t verify "guest: verify .*bad=0" 300 > /dev/null
    judge_end
    xl destroy t
    guest_wait_gone t
}

# Programs that are started, read, and write files that are new, as a compiler and its driver do.
cat > /root/more/work <<'WORK'
#!/bin/sh
# work FILES: prints what all of it came to
rm -rf /tmp/work; mkdir -p /tmp/work/src /tmp/work/out
dd if=/bin/busybox bs=64k count=4 2>/dev/null | od -An -x > /tmp/work/all
lines=$(($(wc -l < /tmp/work/all) / $1))
i=0
while [ $i -lt $1 ]; do
    sed -n "$((i * lines + 1)),$(((i + 1) * lines))p" /tmp/work/all > /tmp/work/src/$i
    sed 's/ff/(&)/g; s/^/ x = /' /tmp/work/src/$i | tr a-f A-F > /tmp/work/pre
    awk '{ n[$3]++ } END { for ( k in n ) print k, n[k] }' /tmp/work/pre | sort > /tmp/work/out/$i.o
    gzip -1 -c /tmp/work/pre > /tmp/work/out/$i.s
    sh -c ': driver; true'
    i=$((i + 1))
done
cat /tmp/work/out/*.o | md5sum | cut -c 1-8
WORK
cat > /etc/eicar.yar <<'RULES'
rule EICAR { strings: $a = "EICAR-STANDARD-ANTIVIRUS-TEST-FILE" condition: $a }
RULES
say "$(uname -r), $(xl info | sed -n 's/^xen_version *: //p')"

round=1
while [ "$round" -le "$rounds" ]; do
    for judge; do
        run=guard/$judge/$round
        say "$run"
        trips 1
        trips 4
    done
    round=$((round + 1))
done

[ "$files" -gt 0 ] || exit 0
# Where its TSC is emulated, most of a guest's exits are its reading of that.
guarded_start vcpus=1 config='tsc_mode="native"'
turn=0 sum='' round=1
while [ "$round" -le "$rounds" ]; do
    for judge; do
        # Upstream's would have the guest's pages executable after their first time, whatever is written to them.
        [ "$judge" != upstream ] || continue
        run=guard/$judge/$round
        say "$run: work"
        [ "$judge" = off ] || xenstore-write "/local/domain/$(guest_id l)/memory/av-protect" yes
        judge_start l
        for phase in cold warm; do
            turn=$((turn + 1))
            measure l $phase "echo \"guest: worked $turn \$(sh /work $files)\"" "^guest: worked $turn "
            now=$(sed "s/^guest: worked $turn //" /tmp/answer | tr -d '\r')
            [ "${sum:=$now}" = "$now" ] || fail "$run: the guest's work came to $now, and not to $sum"
        done
        judge_end
    done
    round=$((round + 1))
done
