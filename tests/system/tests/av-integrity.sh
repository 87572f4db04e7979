# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --timeout 2400 --guest-modules
# only: soak
# A Linux guest whose kernel is watched: what it changes of itself is no finding; an entry of its table of system calls that leads elsewhere
# is, and so is a changed function; a module of the guest's kernel that hooks a system call is found and named. A finding
# in a program's page names the process.
. /usr/lib/xenhost/functions.sh
findings=/root/findings log=/root/broker.log metrics=/root/metrics
# What plugins' looks at the guest have cost so far.
looks() { sed -n 's/^[^#]*_domain_\(tick.*\){.*}/\1/p' "$metrics"; }
broker_dead() { looks >&2; tail -n 30 "$log" >&2; memeventctl av status l >&2; cat "$findings" >&2; tail -n 5 "$(guest_console l)" >&2; fail "$*"; }
# found PATTERN: by the plugin, so far
found() { grep '"plugin":"integrity"' "$findings" 2> /dev/null | grep -q "$1"; }

cat > /etc/marker.yar <<'RULES'
rule Marker { strings: $a = "MARKER-OF-THIS-TEST" condition: $a }
RULES
chmod 644 /etc/marker.yar
mkdir -p /root/more
cp /guests/modules/syscall-hook.ko /root/more/ || fail "there are no modules for guests"
cat > /root/more/init <<'INIT'
#!/bin/sh
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmpfs /tmp
mount -t tracefs tracing /sys/kernel/tracing
echo 0 > /proc/sys/kernel/print-fatal-signals
# Where things are in physical memory: the kernel is in one piece.
text=$(grep ' _text$' /proc/kallsyms) first=$(grep 'Kernel code' /proc/iomem)
place() { set -- $(grep " $1\$" /proc/kallsyms) "$1"; echo "guest: place $4 $((0x$1 - 0x${text%% *} + 0x$(echo $first | sed 's/-.*//')))"; }
place sys_call_table
place panic
table=0x$(grep ' sys_call_table$' /proc/kallsyms | sed 's/ .*//')
sethostname=0x$(grep ' __x64_sys_sethostname$' /proc/kallsyms | sed 's/ .*//')
# Number 170 is sethostname.
name() { hostname "$1"; echo "guest: name $1 status $?"; }
hook_table() { insmod /syscall-hook.ko table=$table call=170; echo "guest: hook $?"; }
hook_function() { insmod /syscall-hook.ko function=$sethostname; echo "guest: hook $?"; }
unhook() { rmmod syscall_hook; echo "guest: unhook $?"; }
echo "guest: ready"
while read -r line; do eval "$line"; done
INIT
# The smallest of programs, which goes round for ever: a header, a segment, a jump to itself, and the marker on its page.
{
    printf '\177ELF\002\001\001\000\000\000\000\000\000\000\000\000\002\000\076\000\001\000\000\000'
    printf '\170\000\100\000\000\000\000\000\100\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000'
    printf '\000\000\000\000\100\000\070\000\001\000\000\000\000\000\000\000'
    printf '\001\000\000\000\005\000\000\000\000\000\000\000\000\000\000\000\000\000\100\000\000\000\000\000'
    printf '\000\000\100\000\000\000\000\000\000\001\000\000\000\000\000\000\000\001\000\000\000\000\000\000'
    printf '\000\020\000\000\000\000\000\000\353\376MARKER-OF-THIS-TEST'
    head -c 400 /dev/zero
} > /root/more/malware
guest_ramdisk /root/more > /root/initrd
guest_start l memory=128 ramdisk=/root/initrd config='shadow_memory=16'
guest_wait l "guest: ready" 240
grep "guest: place" "$(guest_console l)"
place() { grep "guest: place $1 " "$(guest_console l)" | sed 's/.* //; s/[^0-9].*//'; }
calls=$(place sys_call_table) function=$(place panic)
[ "${calls:-0}" -gt 0 ] && [ "${function:-0}" -gt 0 ] || fail "the guest does not say where its kernel lies"

say "watched"
xenstore-write "/local/domain/$(guest_id l)/memory/av-protect" yes
av-introspect --foreground --findings "$findings" --deadline 20000 --worker-hang 60000 --metrics "$metrics" --workers 1 --plugin integrity --plugin yara:rules=/etc/marker.yar > "$log" 2>&1 &
pid=$!
wait_until 300 grep -q "is protected" "$log" || broker_dead "the guest is not protected"
wait_until 600 grep -q "integrity: Linux at" "$log" || broker_dead "the kernel is not found"
wait_until 600 grep -q "integrity: all of it was compared" "$log" || broker_dead "the kernel is not watched"
grep "integrity: " "$log"
looks

say "the kernel changes itself"
guest_ask l 'echo 1 > /proc/sys/kernel/sched_schedstats; echo 1 > /sys/kernel/tracing/events/sched/enable; sleep 3; echo guest: changed $?' "guest: changed 0" 300
sleep 30
! found '"verdict":"malicious"' || broker_dead "false alarms"

say "a module hooks a system call"
guest_ask l 'name one' "guest: name one status 0" 200
guest_ask l 'hook_table' "guest: hook 0" 300
wait_until 120 found "sys_call_table.170. leads to 0x[0-9a-f]*, outside of the kernel's code, in module syscall_hook" ||
    broker_dead "the hook is not found"
grep 'sys_call_table.170' "$findings"
guest_ask l 'unhook' "guest: unhook 0" 200
guest_ask l 'hook_function' "guest: hook 0" 300
guest_ask l 'name two' "guest: name two status 1" 200
wait_until 300 found "__x64_sys_sethostname+[0-9a-fx]*, .* leads to 0x[0-9a-f]*, in module syscall_hook" ||
    broker_dead "the hooked function is not found"
grep '__x64_sys_sethostname' "$findings"
guest_ask l 'unhook' "guest: unhook 0" 200
guest_ask l 'name three' "guest: name three status 0" 200
looks

say "somebody changes it"
poke=/usr/lib/xenhost/programs/poke-frame
# An entry of the table, to where modules are; and the code of a function that nobody calls and that is long enough for one of
# the blocks of 256 octets, by which changes are named, to begin in it.
was=$("$poke" "$(guest_id l)" $((calls + 134 * 8)) 0xffffffffc0345678) || fail "the table cannot be written"
say "the entry was $was"
wait_until 120 found "sys_call_table.134. leads to 0xffffffffc0345678" || broker_dead "the entry is not found"
"$poke" "$(guest_id l)" $(((function + 255) / 256 * 256 + 16)) 0xcccccccccccccccc > /dev/null || fail "the code cannot be written"
wait_until 300 found '"rule":"kernel-code".* panic+0x' || broker_dead "the changed function is not found"
cat "$findings"
looks

say "who it was"
guest_ask l 'cp /malware /tmp/malware; chmod +x /tmp/malware; /tmp/malware; echo guest: ran $?' "guest: ran 139" 400
wait_until 60 grep -q '"rule":"Marker"' "$findings" || broker_dead "the marker is not found"
grep '"rule":"Marker"' "$findings" | grep '"comm":"malware"' | grep -q '"path":"[^"]*tmp[^"]*malware"' ||
    broker_dead "the finding names no process: $(grep Marker "$findings")"

kill -TERM $pid
wait $pid || broker_dead "it ended with status $?"
! guest_says l "kernel BUG|BUG: unable|Oops|Kernel panic" || fail "the guest was hurt: $(tail -n 5 "$(guest_console l)")"
echo "PASS: the kernel's own changes are its own, others are found, and findings name who it was"
