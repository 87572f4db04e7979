# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --timeout 2400
# only: soak
# A Linux guest with programs that make their own code: unpacked, patched, compiled as it goes. What holds a marker is not
# executed, the others are. Then plugins are told of breakpoints, registers and requests, and refuse one.
. /usr/lib/xenhost/functions.sh
programs=/usr/lib/xenhost/programs findings=/root/findings log=/root/broker.log

mkdir -p /root/more
cp "$programs/code-writer" /root/more/
cat > /root/more/init <<'INIT'
#!/bin/sh
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
echo 0 > /proc/sys/kernel/print-fatal-signals
echo "guest: ready"
while read -r line; do eval "$line"; done
INIT
guest_ramdisk /root/more > /root/initrd

# Other tests have this one run where there is one processor for everybody.
: "${vcpus=2}"
guest_start l memory=96 vcpus="$vcpus" ramdisk=/root/initrd config='shadow_memory=16'
guest_wait l "guest: ready" 400

broker_dead() { tail -n 30 "$log" >&2; memeventctl av status l >&2; fail "the broker $*"; }
# waits PATTERN: until the guest says so; each page that it executes for the first time takes its time
waits()
{
    wait_until 400 guest_says l "$1" || { tail -n 10 "$(guest_console l)" >&2; broker_dead "lets the guest wait for '$1'"; }
}
turn=0
# runs STATUS ARGUMENTS...: the guest runs the program, which ends so
runs()
{
    turn=$((turn + 1)) status=$1
    shift
    guest_tell l "/code-writer $*; echo guest: turn $turn status \$?"
    waits "guest: turn $turn status [0-9]"
    guest_says l "guest: turn $turn status $status([^0-9]|$)" || { tail -n 5 "$(guest_console l)" >&2; broker_dead "does otherwise with $*"; }
}
said() { grep -c "$1" "$(guest_console l)"; }
# says PATTERN COUNT: so often by now
says() { [ "$(said "$1")" = "$2" ] || { tail -n 20 "$(guest_console l)" >&2; broker_dead "makes the guest say '$1' $(said "$1") times, not $2"; }; }
# finds PATTERN: among the findings, soon
finds() { wait_until 60 grep -E "$1" "$findings" || { cat "$findings" >&2; broker_dead "finds no $1"; }; grep -E "$1" "$findings" | tail -n 1; }

# start PROGRAM OPTIONS...
start()
{
    was=$(cat "$log" 2> /dev/null | grep -c "is protected")
    "$@" --foreground --findings "$findings" --deadline 20000 >> "$log" 2>&1 &
    pid=$!
    wait_until 300 eval '[ "$(grep -c "is protected" "$log")" -gt "$was" ]' || broker_dead "does not protect"
}
stop()
{
    kill -TERM $pid
    wait $pid || broker_dead "ended with status $?"
}

say "unprotected, all of it runs: the test would see it"
runs 0 unpack bad
says INFECTED 1
runs 133 breakpoint
runs 139 tsc
says "tsc was read" 0

say "code that is made at run time"
xenstore-write "/local/domain/$(guest_id l)/memory/av-protect" yes
start "$programs/marker-broker"
runs 0 unpack clean
runs 139 unpack bad
says "unpacked code ran" 2
runs 0 patch clean
says "patched again" 1
runs 139 patch bad
says "patched code ran" 2
says "patched again" 1
says INFECTED 1
runs 133 breakpoint
stop

say "a page that flips is not stopped each time, and found"
rm "$findings"
start "$programs/marker-broker" --flips 2
runs 0 jit clean
says "jit done" 1
grep -q "written and executed in turn" "$log" || broker_dead "stops the JIT each time"
runs 139 jit bad
finds '"rule":"EICAR"'
stop

say "what plugins are told of"
cat > /etc/eicar.yar <<'RULES'
rule EICAR { strings: $a = "EICAR-STANDARD-ANTIVIRUS-TEST-FILE" condition: $a }
RULES
rm "$findings"
start av-introspect --plugin yara:rules=/etc/eicar.yar --plugin "$programs/probe.so"
finds '"rule":"ticked","text":"pae 1 lma 1 paging 1 idt 0xfff walk 0 executable 1 user 0"'
runs 139 unpack bad
finds '"plugin":"yara"'
says INFECTED 1
runs 133 breakpoint
# QEMU's SVM takes INT3 for a software interrupt, which is not what the hypervisor intercepts; processors do not.
! grep -q GenuineIntel /proc/cpuinfo || finds '"rule":"breakpoint","text":"pae 1 lma 1 paging 1 idt 0xfff walk 0 executable 1 user 0"'
runs 0 tsc
says "tsc was read" 1
finds '"rule":"tsc-forbidden".*"deny".*"event":"register"'
runs 0 request
says "request heard" 1
finds '"rule":"request","text":"rax 34 rdi 24 waits 0"'
runs "(0|139)" unpack noted
finds '"rule":"noted".*"has_run":true'
runs 139 unpack noted
if [ "$vcpus" -gt 1 ]; then
    guest_tell l "echo 0 > /sys/devices/system/cpu/cpu1/online; echo 1 > /sys/devices/system/cpu/cpu1/online; echo guest: cpu \$?"
    waits "guest: cpu 0"
    finds '"rule":"msr","text":"msr 0xc0000082"'
fi
memeventctl av status l || broker_dead "says nothing of itself"

say "let go"
stop
runs 139 tsc
runs 133 breakpoint
before=$(said INFECTED)
runs 0 unpack bad
[ "$(said INFECTED)" -gt "$before" ] || fail "it was not executed"
! guest_says l "kernel BUG|BUG: unable|Oops|panic" || fail "the guest was hurt: $(tail -n 5 "$(guest_console l)")"
echo "PASS: code is executed as it was judged, and plugins hear of the rest"
