# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --timeout 2400
# only: soak
# A Linux guest whose pages are executed only as they were judged: a program that holds a marker does not get to its first
# instruction, others run, and so does the guest. Then the broker is killed and comes back, and lets go in the end.
. /usr/lib/xenhost/functions.sh
# Other tests have this one run with the installed program, or where a broker must not be killed.
: "${broker=/usr/lib/xenhost/programs/marker-broker}" "${options=}" "${end=KILL}"
findings=/root/findings log=/root/broker.log
seed=${SEED:-$(($(date +%s) % 100000))}
kills=3
[ "${1:-}" != soak ] || kills=20
say "seed $seed"

# program WORD BEHIND: the smallest of programs, which writes WORD (8 characters) and a newline; what is BEHIND lies on its page
program()
{
    printf '\177ELF\002\001\001\000\000\000\000\000\000\000\000\000\002\000\076\000\001\000\000\000'
    printf '\170\000\100\000\000\000\000\000\100\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000'
    printf '\000\000\000\000\100\000\070\000\001\000\000\000\000\000\000\000'
    printf '\001\000\000\000\005\000\000\000\000\000\000\000\000\000\000\000\000\000\100\000\000\000\000\000'
    printf '\000\000\100\000\000\000\000\000\000\004\000\000\000\000\000\000\000\004\000\000\000\000\000\000'
    printf '\000\020\000\000\000\000\000\000'
    # write(1, behind the code, 9); exit(0)
    printf '\270\001\000\000\000\277\001\000\000\000\110\215\065\020\000\000\000\272\011\000\000\000\017\005'
    printf '\270\074\000\000\000\061\377\017\005'
    printf '%s\n%s' "$1" "$2"
    head -c 700 /dev/zero
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
chmod 755 /root/more/*
(cd /root/more && find . | cpio -o -H newc) > /root/more.cpio 2> /dev/null || fail "cpio"
cat /guests/linux.initrd /root/more.cpio > /root/initrd

guest_start l memory=96 vcpus=2 ramdisk=/root/initrd config='shadow_memory=16'
guest_wait l "guest: ready" 180

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
found() { cat "$findings" 2> /dev/null | grep -c malicious; }
broker_dead() { tail -n 30 "$log" >&2; memeventctl av status l >&2; fail "the broker $*"; }

start()
{
    was=$(cat "$log" 2> /dev/null | grep -c "is protected")
    # shellcheck disable=SC2086
    "$broker" --foreground --findings "$findings" --deadline 20000 $options "$@" >> "$log" 2>&1 &
    pid=$!
    wait_until 300 eval '[ "$(grep -c "is protected" "$log")" -gt "$was" ]' || broker_dead "does not protect"
}

say "unprotected, the marker runs: the test would see it"
runs bad 0
[ "$(said INFECTED)" = 1 ] || fail "the program with the marker does not work"

say "protected by xenstore's key"
xenstore-write "/local/domain/$(guest_id l)/memory/av-protect" yes
start
runs clean 0
runs bad 139
[ "$(said INFECTED)" = 1 ] || fail "it was executed"
[ "$(found)" -ge 1 ] || broker_dead "found nothing"
cat "$findings"
runs clean 0

say "SIG$end, $kills times"
round=0
while [ $round -lt $kills ]; do
    round=$((round + 1))
    guest_tell l "for i in 1 2 3 4 5 6 7 8; do cp /clean /tmp/c\$i; chmod +x /tmp/c\$i; /tmp/c\$i > /dev/null; done; echo guest: load \$((2 * $round))"
    sleep "0.$(((seed + round * 37) % 90 + 10))"
    kill -s "$end" $pid
    wait $pid 2> /dev/null || [ "$end" = KILL ] || broker_dead "ended with status $?"
    start
    waits "guest: load $((2 * round))"
    runs bad 139
    runs clean 0
done
[ "$(said INFECTED)" = 1 ] || fail "it was executed"

memeventctl av status l || broker_dead "says nothing of itself"
say "let go"
kill -TERM $pid
wait $pid || broker_dead "ended with status $?"
runs bad 0
[ "$(said INFECTED)" = 2 ] || fail "it was not executed"
runs clean 0
! guest_says l "BUG:|Oops|panic" || fail "the guest was hurt: $(tail -n 5 "$(guest_console l)")"
echo "PASS: what holds the marker was never executed while the guest was protected"
