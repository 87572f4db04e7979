# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --timeout 2400 --guest-modules --add tests/system/tests/guarded.sh:/root/guarded.sh
# only: soak
# A Linux guest whose kernel has its own lists, paths and page tables go round in circles, lead nowhere, or miss what is
# there: the plugin for kernels says so or does without it, what the guest executes is judged all the same, and neither a
# worker nor the broker ends of it.
findings=/root/findings log=/root/broker.log metrics=/root/metrics
broker_dead() { tail -n 30 "$log" >&2; cat "$findings" >&2; tail -n 5 "$(guest_console l)" >&2; fail "the broker $*"; }
. /root/guarded.sh

cat > /etc/eicar.yar <<'RULES'
rule EICAR { strings: $a = "EICAR-STANDARD-ANTIVIRUS-TEST-FILE" condition: $a }
RULES
chmod 644 /etc/eicar.yar
cp /guests/modules/twisted.ko /usr/lib/xenhost/programs/code-writer /root/more/ || fail "what the guest needs is not there"
cat > /root/more/twist <<'TWIST'
twist() { insmod /twisted.ko "$@"; echo "guest: twisted $1 status $?"; }
untwist() { rmmod twisted; echo "guest: untwisted status $?"; }
hide() { sleep 10000 & hidden=$!; twist kind=hidden pid=$hidden; echo "guest: hidden $hidden"; }
lose() { cd /tmp/a/b; cp /bad program; chmod +x program; twist kind=path path=/tmp/a/b; ./program; echo "guest: lost status $?"; }
wander()
{
    mkfifo /tmp/start
    /code-writer tables < /tmp/start &
    wanderer=$!
    exec 9> /tmp/start
    # Before it has its own tables they are the shell's.
    while [ "$(readlink /proc/$wanderer/exe)" != /code-writer ]; do sleep 1; done
    twist kind=tables pid=$wanderer mark=EICAR-STANDARD-ANTIVIRUS-TEST-FILE
    echo >&9
    wait $wanderer
    echo "guest: wandered status $?"
}
mkdir -p /tmp/a/b
echo "guest: knows how"
TWIST
# Without modules of security, one of which panics if a path of what is executed cannot be had.
guarded_start vcpus=1 extra=lsm=capability
guest_ask l ". /twist" "guest: knows how" 60

# found PATTERN...: a finding that has all of them
found()
{
    cp "$findings" /root/left 2> /dev/null || return 1
    for pattern; do
        grep -E "$pattern" /root/left > /root/fewer
        mv /root/fewer /root/left
    done
    [ -s /root/left ]
}
finds() { wait_until 400 found "$@" || broker_dead "does not find $*"; cat /root/left; }

xenstore-write "/local/domain/$(guest_id l)/memory/av-protect" yes
av-introspect --foreground --findings "$findings" --metrics "$metrics" --deadline 20000 --worker-hang 60000 --workers 1 --plugin integrity \
    --plugin yara:rules=/etc/eicar.yar > "$log" 2>&1 &
pid=$!
wait_until 600 grep -q "integrity: all of it was compared" "$log" || broker_dead "does not watch the kernel"

say "a process that is in no list"
guest_ask l "hide" "guest: hidden [0-9]" 400
grep -q "guest: twisted kind=hidden status 0" "$(guest_console l)" || fail "the module is not loaded"
finds '"rule":"hidden-process"' '"comm":"sleep"'
guest_ask l "untwist; kill \$hidden" "guest: untwisted status 0" 400

say "a list of processes without an end"
guest_ask l "twist kind=cycle pid=2" "guest: twisted kind=cycle status 0" 400
finds '"rule":"processes"' "no end"
guest_ask l "untwist" "guest: untwisted status 0" 400

say "a path without an end"
guest_ask l "lose" "guest: lost status 139" 400
finds '"rule":"EICAR"' '"comm":"program"'
guest_ask l "untwist; cd /; rm -r /tmp/a" "guest: untwisted status 0" 400

say "page tables that hold themselves"
guest_ask l "wander" "guest: wandered status 139" 400
finds '"rule":"EICAR"' '"comm":"code-writer"' '"path":"[^"]*code-writer"'
guest_ask l "untwist" "guest: untwisted status 0" 400

say "all goes on"
runs clean 0
grep 'av_domain_\(worker_deaths\|late\|tick\)' "$metrics" | grep -v '^#'
grep -q 'av_domain_worker_deaths_total{.*} 0$' "$metrics" || broker_dead "has lost workers"
kill -TERM $pid
wait $pid || broker_dead "ended with status $?"
runs clean 0
! guest_says l "kernel BUG|BUG: unable|Oops|Kernel panic" || fail "the guest was hurt: $(tail -n 5 "$(guest_console l)")"
echo "PASS: what a kernel has made crooked is told of or left out, and everybody lives"
