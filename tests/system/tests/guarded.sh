# SPDX-License-Identifier: GPL-2.0-only
# For the guard's system tests, which run in dom0:  . /root/guarded.sh
# A Linux guest that runs what it is told, and two programs for it: /clean, and /bad, which holds EICAR's string. Whoever
# uses it says what `broker_dead WORDS` is, which is called when the guest waits for too long.
# shellcheck shell=sh
. /usr/lib/xenhost/functions.sh
seed=${SEED:-$(($(date +%s) % 100000))}
say "seed $seed"

# elf ENTRY PLACE [LENGTH]: the header of a program with one piece, at PLACE in the file and at 4 MiB and PLACE in memory, that
# begins at 4 MiB and ENTRY; as escapes of two octets. It is 1 KiB long, or LENGTH
elf()
{
    printf '\177ELF\002\001\001\000\000\000\000\000\000\000\000\000\002\000\076\000\001\000\000\000'
    printf "$1\\100\\000\\000\\000\\000\\000\\100\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000"
    printf '\000\000\000\000\100\000\070\000\001\000\000\000\000\000\000\000'
    printf "\\001\\000\\000\\000\\005\\000\\000\\000$2\\000\\000\\000\\000\\000\\000$2\\100\\000\\000\\000\\000\\000"
    printf "$2\\100\\000\\000\\000\\000\\000${3:-\\000\\004}\\000\\000\\000\\000\\000\\000${3:-\\000\\004}\\000\\000\\000\\000\\000\\000"
    printf '\000\020\000\000\000\000\000\000'
}

# code WORD [stays]: what writes WORD (8 characters) and a newline, and ends, or goes round for ever
code()
{
    # write(1, behind the code, 9); exit(0), or a jump to itself
    printf '\270\001\000\000\000\277\001\000\000\000\110\215\065\020\000\000\000\272\011\000\000\000\017\005'
    [ "${2:-}" = stays ] && printf '\353\376\220\220\220\220\220\220\220' || printf '\270\074\000\000\000\061\377\017\005'
    printf '%s\n' "$1"
}

# program WORD BEHIND [stays]: the smallest of programs; what is BEHIND lies on its page
program()
{
    elf '\170\000' '\000\000'
    code "$1" "${3:-}"
    printf '%s' "$2"
    head -c 700 /dev/zero
}

# paged HEAD WORD: one whose code lies on a page that begins with HEAD, which tells tests/daemons/av-introspect/plugins/bad.c
# what to do
paged()
{
    elf '\040\020' '\000\020'
    head -c 3976 /dev/zero
    printf '%s' "$1"
    head -c $((32 - ${#1})) /dev/zero
    code "$2"
    head -c 1000 /dev/zero
}

# crossing WORD TEXT: one of two pages; TEXT begins on the first, whose code is executed, and ends on the second
crossing()
{
    elf '\170\000' '\000\000' '\000\040'
    code "$1"
    head -c $((4096 - 162 - ${#2} / 2)) /dev/zero
    printf '%s' "$2"
    head -c $((4096 - ${#2} + ${#2} / 2)) /dev/zero
}

mkdir -p /root/more
program "CLEANRAN" "seed $seed" > /root/more/clean
program "INFECTED" "seed $seed $(printf 'X5O!P%%@AP[4\\PZX54(P^)7CC)7}$%s' 'EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*')" > /root/more/bad
cat > /root/more/init <<'INIT'
#!/bin/sh
export PATH=/bin
mount -t proc proc /proc
mount -t devtmpfs dev /dev
mount -t tmpfs tmpfs /tmp
echo 0 > /proc/sys/kernel/print-fatal-signals
run() { cp "$1" /tmp/program; chmod +x /tmp/program; /tmp/program; echo "guest: ran $2 status $?"; rm /tmp/program; }
rewrite() { cat "$1" > "$2"; "$2"; echo "guest: ran $3 status $?"; }
echo "guest: ready"
while read -r line; do eval "$line"; done
INIT

# guarded_start [KEY=VALUE]...: the guest, named l, with all that is in /root/more; the rest is for guest_start
guarded_start()
{
    guest_ramdisk /root/more > /root/initrd
    guest_start l memory=96 vcpus="${vcpus:-2}" ramdisk=/root/initrd config='shadow_memory=16' "$@"
    guest_wait l "guest: ready" 180
}

turn=0
# runs FILE STATUS: the guest runs the program, which ends so
runs()
{
    turn=$((turn + 1))
    guest_tell l "run /$1 $turn"
    waits "guest: ran $turn status $2"
}
# waits PATTERN: until the guest says so; each page that it executes for the first time may take milliseconds here
waits()
{
    wait_until 400 guest_says l "$1" || { tail -n 10 "$(guest_console l)" >&2; broker_dead "lets the guest wait for '$1'"; }
    grep "$1" "$(guest_console l)"
}
said() { grep -c "$1" "$(guest_console l)"; }

# keeps_memory: from now on the guest compares 8 MiB of what it has in memory all the time. What is typed is shown, too: the
# words that count come about only where they are said.
keeps_memory()
{
    guest_tell l 'dd if=/dev/urandom of=/tmp/data bs=1M count=8 2> /dev/null; sum=$(md5sum < /tmp/data); while sleep 2; do [ "$(md5sum < /tmp/data)" = "$sum" ] && echo "guest: memory in""tact" || echo "guest: memory broken $((1 + 1))"; done &'
    intact
}
# intact: it has compared it once more, and it is as it was
intact()
{
    wait_until 400 compared "$(said 'guest: memory intact')" || broker_dead "lets the guest wait with its memory"
    ! guest_says l "guest: memory broken 2" || broker_dead "broke the guest's memory"
}
compared() { [ "$(said 'guest: memory intact')" -gt "$1" ]; }

# Of a broker whose process is $pid and whose words are in $log:

# logs COUNT PATTERN: it has said so, so often
logs() { [ "$(grep -cE "$2" "$log")" -ge "$1" ]; }

# guards WHEN TIMES: it has said so often that a domain is protected, and the guest runs what is clean and nothing else, and
# has its memory as it was. The status would not do: for a moment it is that of a protection that has ended.
guards()
{
    wait_until 300 logs "$2" "l is protected: " || broker_dead "does not protect it $1"
    runs bad 139
    runs clean 0
    intact
    kill -0 $pid || broker_dead "ended $1"
    echo "PASS: it is protected $1"
}
