# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --timeout 3600 --add tests/system/tests/guarded.sh:/root/guarded.sh
# only: soak
# A guest that is saved and restored, checkpointed, and migrated to where it is, while it executes what is new all the time: it
# is set free before, protected afterwards because of its name, and its memory is as it was.
. /root/guarded.sh
log=/root/broker.log

broker_dead() { tail -n 40 "$log" >&2; memeventctl av status l >&2; fail "the broker $*"; }

echo 'rule EICAR { strings: $a = "EICAR-STANDARD-ANTIVIRUS-TEST-FILE" condition: $a }' > /etc/eicar.yar
guarded_start
keeps_memory
# Nobody is let run unjudged, however slow this host is.
av-introspect --foreground --protect l --findings /root/findings --plugin yara:rules=/etc/eicar.yar,timeout=60 --unjudged waits > $log 2>&1 &
pid=$!
guards "by its name" 1

say "saved, while it executes what is new"
guest_tell l 'n=0; while [ ! -e /tmp/stop ]; do n=$((n + 1)); { cat /clean; echo $n; } > /tmp/c; chmod +x /tmp/c; /tmp/c > /dev/null; rm /tmp/c; done &'
xl save l /root/l.save || broker_dead "keeps a guest from being saved"
guest_wait_gone l 60
wait_until 60 logs 1 "not protected any more: it is suspended" || broker_dead "did not let it go before"
xl restore /root/l.save || broker_dead "kept a guest from being saved as it should be"
guards "when it was saved and restored" 2

say "a checkpoint: saved, and goes on"
xl save -c l /root/l.save || broker_dead "keeps a guest from being saved"
rm /root/l.save
wait_until 60 logs 2 "not protected any more: it is suspended" || broker_dead "did not let it go before"
guards "after a checkpoint" 3

say "migrated to where it is"
was=$(guest_id l)
xl migrate -s "" l "xl migrate-receive" > /root/migrate.log 2>&1 || { cat /root/migrate.log; fail "xl migrate"; }
[ "$(guest_id l)" != "$was" ] || fail "l has not moved"
wait_until 60 logs 3 "not protected any more: it is suspended" || broker_dead "did not let it go before"
# What arrives has another name while it does, and its console's file keeps that.
if [ -e "$(guest_console l--incoming)" ]; then
    rm "$(guest_console l)"
    ln -s guest-l--incoming.log "$(guest_console l)"
fi
guards "when it was migrated" 4

kill -TERM $pid
wait $pid || broker_dead "ended with status $?"
runs bad 0
intact
! grep -E "kernel BUG|BUG: unable|Oops|panic" "$(guest_console l)" || fail "the guest was hurt"
echo "PASS: a guest that is saved or moved is protected before and after, and loses nothing"
