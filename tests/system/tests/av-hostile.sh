# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --timeout 2400 --add tests/system/tests/guarded.sh:/root/guarded.sh
# only: soak
# Plugins that were built for another version are refused in words. One that crashes, gives up, loops, eats memory, writes
# where it must not, makes system calls or talks nonsense costs its worker and nothing else: it is named with what it did, and
# the guest goes on, with its memory as it was.
. /root/guarded.sh
plugins=/usr/lib/xenhost/plugins
findings=/root/findings log=/root/broker.log

broker_dead() { tail -n 40 "$log" >&2; memeventctl av status l >&2; fail "the broker $*"; }

deaths() { memeventctl av status l | sed -n 's/^ *workers that died  *//p'; }
have_died() { [ "$(deaths)" = "$1" ]; }

for word in crash abort loop eat outside socket nonsense found; do
    paged $word "LATERRAN" > /root/more/$word
done
guarded_start
keeps_memory

say "built for another version"
for plugin in old newer; do
    ! av-introspect --foreground --plugin-directory $plugins --plugin $plugin > /root/refused.log 2>&1 || fail "plugin $plugin is not refused"
    cat /root/refused.log
    grep "plugin $plugin: .*built for version" /root/refused.log > /dev/null || fail "it is not said what is wrong with plugin $plugin"
done
echo "PASS: plugins of other versions are refused"

xenstore-write "/local/domain/$(guest_id l)/memory/av-protect" yes
# A worker that is well has all the time that it may need on a slow host; who loops is ended three times before it is let be.
av-introspect --foreground --findings $findings --plugin-directory $plugins --plugin bad --worker-memory 32M \
    --worker-hang 8000 --deadline 60000 --workers 1 > $log 2>&1 &
pid=$!
wait_until 300 logs 1 "is protected" || broker_dead "does not protect"

say "what a plugin must not do"
runs clean 0
# What it does, and what is found of it: the page is tried three times, and then let be executed, as the default is.
while read -r word said; do
    had=$(deaths)
    runs "$word" 0
    grep '"verdict":"unjudged","plugin":"bad","rule":"kills-workers"' $findings | tail -n 1 | grep -E "in plugin bad, $said" ||
        broker_dead "does not say 'in plugin bad, $said' of $word"
    wait_until 60 have_died $((had + 3)) || broker_dead "does not count three workers for $word"
    runs clean 0
done <<'WORDS'
crash touched memory that it may not touch
abort gave up
eat (gave up|took more memory)
outside touched memory that it may not touch
socket made a system call that is forbidden to it
loop hung, and was killed
WORDS
runs nonsense 0
wait_until 60 logs 1 "plugin bad gave a verdict that is none" || broker_dead "takes a verdict that is none"
# It judges as before where it does what it should.
runs found 139
runs clean 0
intact
kill -0 $pid || broker_dead "ended"
memeventctl av status l || broker_dead "says nothing of itself"
kill -TERM $pid
wait $pid || broker_dead "ended with status $?"
! pidof av-worker || fail "workers are still there"
runs found 0
intact
! guest_says l "kernel BUG|BUG: unable|Oops|panic" || fail "the guest was hurt: $(tail -n 5 "$(guest_console l)")"
echo "PASS: a plugin that does what it must not is named, and harms nobody"
