# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --timeout 2400 --add tests/system/tests/guarded.sh:/root/guarded.sh
# only: soak
# YARA in a guest: rules that were compiled elsewhere are refused; what begins on one page of a program and ends on the next is
# found before its first instruction; a rule that goes round for too long is ended by its own limit, which is said, and
# whether the page may be executed then is the administrator's to say.
. /root/guarded.sh
findings=/root/findings log=/root/broker.log rules=/root/rules
: > $log

broker_dead() { tail -n 40 "$log" >&2; cat $findings >&2; memeventctl av status l >&2; fail "the broker $*"; }

# begins OPTION...: a broker that protects the guest
begins()
{
    was=$(grep -c "l is protected: " "$log")
    # Verdicts are waited for, however slow this host is, and it is the rules' own limit that ends one that goes round.
    av-introspect --foreground --protect l --findings $findings --plugin yara:rules=$rules,timeout=5 --deadline 60000 \
        --worker-hang 600000 --findings-limit 64K "$@" >> "$log" 2>&1 &
    pid=$!
    wait_until 300 logs $((was + 1)) "l is protected: " || broker_dead "does not protect it"
}
ends()
{
    kill -TERM $pid
    wait $pid || broker_dead "ended with status $?"
}
deaths() { memeventctl av status l | sed -n 's/^ *workers that died  *//p'; }
finds() { wait_until 60 grep -E "$1" $findings || broker_dead "does not find $1"; grep -E "$1" $findings | tail -n 1; }

mkdir -p $rules
chmod go+rx /root $rules
cat > $rules/test.yar <<'RULES'
rule EICAR { strings: $a = "EICAR-STANDARD-ANTIVIRUS-TEST-FILE" condition: $a }
rule Crossing { strings: $a = "begins-in-one-page:ends-in-the-next" condition: $a }
rule Round { strings: $a = "GOES-ROUND-AND-ROUND" condition: $a and for any i in (1..2000000000) : ( uint8(i % 64) == 256 ) }
RULES
printf 'YARA\001\002' > /root/compiled
chmod go+r /root/compiled $rules/*
crossing "CROSSING" "begins-in-one-page:ends-in-the-next" > /root/more/crossing
crossing "HALFHALF" "begins-in-one-page:ends-in-another!" > /root/more/half
program "WENTOVER" "GOES-ROUND-AND-ROUND" > /root/more/round
# As if a broker had been here: of the 64 KiB that it may write little is left.
earlier=1600
yes '{"domid":9,"domain":"l","rule":"EICAR"}' | head -n $earlier > $findings
guarded_start

say "compiled rules"
! av-introspect --foreground --plugin yara:rules=/root/compiled > /root/refused.log 2>&1 || fail "they are not refused"
cat /root/refused.log
grep -q "/root/compiled are compiled; give their sources" /root/refused.log || fail "it is not said what is wrong with them"

say "unprotected, all of it runs: the test would see it"
runs crossing 0
runs round 0

say "across pages"
begins
runs half 0
runs crossing 139
[ "$(said CROSSING)" = 1 ] || fail "it was executed"
finds '"rule":"Crossing".*"has_run":false'
runs bad 139

say "findings are set aside before they are too many"
for attempt in 1 2 3 4 5 6 7 8; do
    runs bad 139
done
ls -l $findings $findings.1 || broker_dead "did not set the findings aside"
for file in $findings $findings.1; do
    [ "$(wc -c < $file)" -le 65536 ] || broker_dead "writes more to $file than it may"
done
[ "$(cat $findings.1 $findings | grep -c '"rule":"EICAR"')" -ge $((earlier + 9)) ] || broker_dead "lost findings when it set them aside"
[ "$(memeventctl av findings --file $findings -n 10000 --json l | grep -c '"rule":"EICAR"')" -ge $((earlier + 9)) ] ||
    fail "memeventctl does not look into both"

say "compiled rules, when others are at work"
cp /root/compiled $rules/more.yar
chmod go+r $rules/more.yar
kill -HUP $pid
wait_until 60 logs 1 "$rules/more.yar are compiled; give their sources" || broker_dead "does not say what is wrong with them"
runs bad 139
rm $rules/more.yar

say "a rule that takes too long: the page runs, and is told of"
runs round 0
[ "$(said WENTOVER)" = 2 ] || fail "it was not executed"
finds '"verdict":"unjudged","plugin":"yara","rule":"not-judged"'
logs 1 "yara: could not judge: Timer expired" || broker_dead "does not say that it ended the rule"
[ "$(deaths)" = 0 ] || broker_dead "had to kill a worker for it"
ends

say "where nobody runs unjudged, it does not"
begins --unjudged waits
runs round 139
[ "$(said WENTOVER)" = 2 ] || fail "it was executed"
[ "$(deaths)" = 0 ] || broker_dead "had to kill a worker for it"
runs clean 0
ends
runs round 0
! guest_says l "kernel BUG|BUG: unable|Oops|Kernel panic" || fail "the guest was hurt: $(tail -n 5 "$(guest_console l)")"
echo "PASS: rules are of sources, see across pages, and end when they must"
