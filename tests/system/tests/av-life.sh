# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --timeout 3600 --add tests/system/tests/guarded.sh:/root/guarded.sh
# only: soak
# The life of a guest that is protected because of its name: let go and protected again by xenstore's key as it runs; paused as
# the policy says; destroyed while a page of its is judged; ended by the policy. av-save is about images.
. /root/guarded.sh
findings=/root/findings log=/root/broker.log rules=/etc/life.yar policy=/root/policy

broker_dead() { tail -n 40 "$log" >&2; memeventctl av status l >&2; fail "the broker $*"; }

found() { grep -c '"rule":"EICAR"' $findings; }
found_more() { [ "$(found)" -gt "$1" ]; }
is_paused() { xl list l | tail -n 1 | awk '{ print $5 }' | grep p; }

# follows LINE...: the policy, from now on
follows()
{
    printf '%s\n' "$@" > $policy
    was=$(grep -c "the policy was read again" $log)
    kill -HUP $pid
    wait_until 60 logs $((was + 1)) "the policy was read again" || broker_dead "does not read the policy"
}

echo 'rule EICAR { strings: $a = "EICAR-STANDARD-ANTIVIRUS-TEST-FILE" condition: $a }' > $rules
paged loop "LATERRAN" > /root/more/loop
guarded_start
keeps_memory
printf '#!/bin/sh\ncat >> /root/hooked\n' > /root/hook
chmod 755 /root/hook
printf '%s\n' '* yara EICAR malicious log deny hook' '* * * * log' > $policy
# begins: a broker, with a plugin that hears of writes to MSRs, too: a guest's kernel makes such before all else
begins()
{
    # Nobody is let run unjudged, however slow this host is; who loops is not ended before its guest is.
    av-introspect --foreground --protect l --findings $findings --policy $policy --hook /root/hook \
        --plugin yara:rules=$rules,timeout=60 --plugin /usr/lib/xenhost/plugins/bad.so --worker-hang 600000 --unjudged waits \
        >> $log 2>&1 &
    pid=$!
}
begins
guards "by its name" 1

say "the key in xenstore"
key=/local/domain/$(guest_id l)/memory/av-protect
xenstore-write "$key" no
wait_until 60 logs 1 "not protected any more: nobody wants it" || broker_dead "does not let it go"
runs bad 0
xenstore-write "$key" yes
guards "by the key, as it runs" 2
xenstore-rm "$key"

say "the hook"
grep '"rule":"EICAR"' /root/hooked || broker_dead "does not tell the hook"

say "paused"
follows '* yara EICAR malicious log pause' '* * * * log'
had=$(found)
guest_tell l "run /bad paused"
wait_until 120 is_paused || broker_dead "does not pause it"
found_more "$had" || broker_dead "does not say why it paused it"
had=$(found)
xl unpause l
wait_until 120 found_more "$had" || broker_dead "lets it run when it goes on"
wait_until 60 is_paused || broker_dead "does not pause it again"
! guest_says l "guest: ran paused" || fail "it was executed"
follows '* * * * log'
xl unpause l
waits "guest: ran paused status 0"
follows '* yara EICAR malicious log deny' '* * * * log'
guards "when it was paused" 2

say "destroyed while a page is judged"
guest_tell l "run /loop 1000"
wait_until 120 sh -c 'memeventctl av status l | grep -qE "^vCPUs that wait +[1-9]"' || broker_dead "does not let it wait"
sleep 1
xl destroy l || fail "xl destroy"
guest_wait_gone l 60
wait_until 60 sh -c '[ "$(pidof av-worker | wc -w)" -le 1 ]' || { ps -ef >&2; broker_dead "keeps the workers of a domain that is gone"; }
kill -0 $pid || broker_dead "ended when the guest was destroyed"
echo "PASS: a domain that is destroyed in the middle of a scan costs nobody else anything"

say "ended by the policy"
kill -TERM $pid
wait $pid || broker_dead "ended with status $?"
begins
guarded_start
keeps_memory
guards "as another domain of its name" 3
guests_may_crash
follows '* yara EICAR malicious log kill'
guest_tell l "run /bad killed"
guest_wait_gone l 120
! grep "guest: ran killed" "$(guest_console l)" || fail "it was executed"
grep '"actions":\["log","kill"\]' $findings | tail -n 1 | grep . || broker_dead "does not say why it ended it"
kill -0 $pid || broker_dead "ended when it had ended the guest"
kill -TERM $pid
wait $pid || broker_dead "ended with status $?"
! pidof av-worker || fail "workers are still there"
echo "PASS: a guest is protected for all of its life, and by nothing but what should"
