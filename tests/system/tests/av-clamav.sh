# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --timeout 2400 --mem 2560 --dom0-mem 1280 --with-clamav --add tests/system/tests/guarded.sh:/root/guarded.sh
# only: soak
# ClamAV's engine in a worker, with a signature of our own. It is told of pages after they were decided about: what it knows
# runs once, is told of with its process, and does not run again, nor does what equals it.
findings=/root/findings log=/root/broker.log
broker_dead() { tail -n 30 "$log" >&2; cat "$findings" >&2; memeventctl av status l >&2; fail "the broker $*"; }
. /root/guarded.sh
mkdir -p /root/db
printf 'Own.Test.Eicar:0:*:%s\n' "$(printf 'EICAR-STANDARD-ANTIVIRUS-TEST-FILE' | od -An -tx1 | tr -d ' \n')" > /root/db/own.ndb
chmod -R go+rX /root
# As /bad, but that it does not end: who it was can be said as long as it is there.
program "REMAINED" "seed $seed stays $(printf 'X5O!P%%@AP[4\\PZX54(P^)7CC)7}$%s' 'EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*')" stays > /root/more/stays
cat >> /root/more/begin <<'BEGIN'
stay() { cp /stays /tmp/stays; chmod +x /tmp/stays; /tmp/stays & echo "guest: stays"; }
BEGIN
guarded_start vcpus=1

xenstore-write "/local/domain/$(guest_id l)/memory/av-protect" yes
av-introspect --foreground --findings "$findings" --deadline 20000 --worker-hang 60000 --workers 1 --plugin clamav:database=/root/db \
    --plugin integrity > "$log" 2>&1 &
pid=$!
wait_until 600 grep -q "integrity: Linux at" "$log" || broker_dead "does not know the kernel"
grep "plugin clamav" "$log"

say "what is found afterwards"
runs clean 0
guest_ask l ". /begin; stay" "guest: stays" 60
waits REMAINED
wait_until 400 grep -q '"plugin":"clamav"' "$findings" || broker_dead "finds nothing"
grep '"plugin":"clamav"' "$findings"
grep '"plugin":"clamav"' "$findings" | grep '"rule":"Own.Test.Eicar' | grep '"has_run":true' | grep '"comm":"stays"' |
    grep -q 'tmp[^"]*stays"' ||
    broker_dead "finds something else"

say "and not executed again, nor what equals it"
guest_ask l "wait; /tmp/stays; echo guest: again \$?" "guest: again 139" 400
guest_ask l "cp /stays /tmp/equal; /tmp/equal; echo guest: equal \$?" "guest: equal 139" 400
[ "$(said REMAINED)" = 1 ] || fail "it ran again"
runs clean 0
[ "$(memeventctl av status l | sed -n 's/^ *workers that died  *//p')" = 0 ] || broker_dead "lost workers"
kill -TERM $pid
wait $pid || broker_dead "ended with status $?"
runs bad 0
! guest_says l "kernel BUG|BUG: unable|Oops|Kernel panic" || fail "the guest was hurt: $(tail -n 5 "$(guest_console l)")"
echo "PASS: what ClamAV knows is found in a guest, with who it was, and runs once"
