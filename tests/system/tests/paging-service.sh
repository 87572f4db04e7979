# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --root systemd --timeout 1800 --guest-crash allow --add tests/system/tests/pager.sh:/root/pager.sh
# The pager as a service of a Debian host: started, watched, sandboxed and logged by systemd, serving several domains.
. /root/pager.sh

service_pid()
{
    systemctl show -p MainPID --value xenpaging
}

# journal_has DOMID EVENT: an entry with these fields
journal_has()
{
    journalctl -u xenpaging -o cat "XEN_DOMID=$1" "MEMEVENT_EVENT=$2" | grep -q .
}

# has_resumed DOMID TIMES: pagers that were started again went on with the domain so often
has_resumed()
{
    [ "$(journalctl -u xenpaging -o cat "XEN_DOMID=$1" MEMEVENT_EVENT=resumed | grep -c .)" -ge "$2" ]
}

# service_reaches DOMID KIB
service_reaches()
{
    wait_until 120 at_target "$1" "$2" || {
        journalctl -u xenpaging -o cat | tail -n 20
        fail "domain $1 did not reach $2 KiB"
    }
}

systemctl start xenpaging || { journalctl -u xenpaging -o cat | tail -n 20; fail "the service does not start"; }
[ "$(systemctl show -p Type --value xenpaging)" = notify ] || fail "not Type=notify"
[ "$(systemctl is-active xenpaging)" = active ] || fail "not active"
pass "the service starts and says that it is ready"

pid=$(service_pid)
grep -E "^(CapEff|CapBnd|NoNewPrivs|Seccomp):" "/proc/$pid/status"
[ "$(awk '/^CapEff/ { print $2 }' "/proc/$pid/status")" = 0000000000000000 ] || fail "it has capabilities"
[ "$(awk '/^NoNewPrivs/ { print $2 }' "/proc/$pid/status")" = 1 ] || fail "it can get new privileges"
[ "$(awk '/^Seccomp:/ { print $2 }' "/proc/$pid/status")" = 2 ] || fail "no system call filter"
pass "it runs without capabilities, without new privileges, behind a system call filter"

say "two domains, and one that comes later"
tiny_start a 64 48 1
tiny_start b 64 48 2
for name in a b; do
    pager_target "$(guest_id $name)" 32768
done
for name in a b; do
    service_reaches "$(guest_id $name)" 32768
    journal_has "$(guest_id $name)" attached || fail "the journal has no entry with the fields of $name"
done
pass "two domains at half of their memory at the same time"
guest_tell a "storm:10s"
guest_ask b "rand:1000" "guest: rand" 120
guest_verifies b "while another domain storms" 240
wait_until 60 guest_says a "guest: storm" || fail "the storm did not end"
guest_verifies a "after its storm" 240
memeventctl paging || fail "memeventctl paging"
memeventctl paging --json > /tmp/paging.json || fail "memeventctl paging --json"
grep -q '"domid"' /tmp/paging.json || fail "no domain in memeventctl's JSON"
pass "memeventctl shows them"

say "a target of 0 lets a domain go, a new one takes it back"
pager_target "$(guest_id b)" 0
wait_until 120 journal_has "$(guest_id b)" detached || fail "b is not let go"
[ "$(domain_kib "$(guest_id b)")" -ge 65536 ] || fail "b has not everything"
pager_target "$(guest_id b)" 40960
service_reaches "$(guest_id b)" 40960
guest_verifies b "paged again after a pause" 240
pass "target 0 and back"

say "a domain in the middle is destroyed: the other is not harmed"
xl destroy b
guest_wait_gone b 30
guest_verifies a "after its neighbour was destroyed" 240

say "a second service"
xenpaging --foreground > /tmp/second.log 2>&1
status=$?
cat /tmp/second.log
[ $status = 69 ] || fail "a second service: status $status"
pass "a second pager of the host is refused"

say "the service is stopped"
systemctl stop xenpaging || fail "systemctl stop"
[ "$(domain_kib "$(guest_id a)")" -ge 65536 ] || fail "a has not everything: $(xl list a)"
guest_verifies a "after the service stopped"
[ "$(systemctl show -p Result --value xenpaging)" = success ] || fail "the stop was not clean"
pass "systemctl stop brings everything in first"

say "the watchdog"
mkdir -p /run/systemd/system/xenpaging.service.d
printf '[Service]\nWatchdogSec=4s\nTimeoutStopSec=5s\nTimeoutAbortSec=5s\n' > /run/systemd/system/xenpaging.service.d/short.conf
systemctl daemon-reload
pager_target "$(guest_id a)" 0
systemctl start xenpaging
# A host that stands still for a while makes the watchdog kill one that is well, too; but not each time.
for try in 1 2 3; do
    wait_until 60 sh -c "p=\$(systemctl show -p MainPID --value xenpaging); [ \$p != 0 ]" || fail "it is not started again"
    pid=$(service_pid)
    sleep 6
    [ "$(service_pid)" != "$pid" ] || break
    [ $try != 3 ] || fail "the watchdog kills a pager that is well"
done
kill -STOP "$pid"
wait_until 60 sh -c "p=\$(systemctl show -p MainPID --value xenpaging); [ \$p != $pid ] && [ \$p != 0 ]" || fail "a stuck pager is not replaced"
pass "a pager that is stuck is replaced by the watchdog, one that is well is not"
# With these limits a slow host would be judged from here on, and not the pager.
rm /run/systemd/system/xenpaging.service.d/short.conf
systemctl daemon-reload

say "killed with pages out"
wait_until 30 systemctl is-active xenpaging || fail "it is not active again"
pager_target "$(guest_id a)" 32768
service_reaches "$(guest_id a)" 32768
guest_tell a "storm:20s"
for round in 1 2 3 4 5; do
    pid=$(service_pid)
    kill -KILL "$pid"
    wait_until 60 sh -c "p=\$(systemctl show -p MainPID --value xenpaging); [ \$p != $pid ] && [ \$p != 0 ]" ||
        fail "it is not started again"
    wait_until 60 has_resumed "$(guest_id a)" $round || {
        journalctl -u xenpaging -o cat | tail -n 20
        fail "death $round: the next pager does not go on with the pages that are out"
    }
done
journalctl -u xenpaging -o cat "MEMEVENT_EVENT=resumed" | tail -n 1
guest_verifies a "after its pager was killed five times" 400

say "killed with pages out, and settings that were spoiled before"
# times_resumed DOMID
times_resumed()
{
    journalctl -u xenpaging -o cat "XEN_DOMID=$1" MEMEVENT_EVENT=resumed | grep -c .
}
# dies_and_resumes WHAT: the pager is killed with pages of a out, and the next one goes on with them
dies_and_resumes()
{
    service_reaches "$(guest_id a)" 32768
    _before=$(times_resumed "$(guest_id a)")
    kill -KILL "$(service_pid)"
    wait_until 60 has_resumed "$(guest_id a)" $((_before + 1)) || {
        journalctl -u xenpaging -o cat | tail -n 20
        fail "$1: the next pager does not go on with the pages that are out"
    }
}
# said EVENT TIMES
said()
{
    [ "$(journalctl -u xenpaging -o cat "MEMEVENT_EVENT=$1" | grep -c .)" -ge "$2" ]
}
mkdir -p /etc/xen-memevent
configuration=/etc/xen-memevent/xenpaging.conf
[ ! -e $configuration ] || cp $configuration /tmp/xenpaging.conf
echo "memory-limit = plenty" > $configuration
dies_and_resumes "a value that cannot be"
said settings-refused 1 || fail "it is not said that the settings are those of before"
echo "spill-directory = /proc/nowhere" > $configuration
dies_and_resumes "a directory that cannot be"
said settings-refused 2 || fail "it is not said that the settings are those of before"
[ ! -e /tmp/xenpaging.conf ] || cp /tmp/xenpaging.conf $configuration
[ -e /tmp/xenpaging.conf ] || rm $configuration
printf '[Service]\nExecStart=\nExecStart=%s --no-such-option\n' "$(command -v xenpaging)" > /run/systemd/system/xenpaging.service.d/option.conf
systemctl daemon-reload
dies_and_resumes "an option that does not exist"
said settings-refused 3 || fail "it is not said that the settings are those of before"
rm /run/systemd/system/xenpaging.service.d/option.conf
systemctl daemon-reload
guest_verifies a "after its pager was killed with settings that were wrong" 400
pass "a mistake in the settings keeps no pager from the pages that are out"

say "killed with pages out, and another holds its place"
service_reaches "$(guest_id a)" 32768
before=$(times_resumed "$(guest_id a)")
# Waits for the lock, and has it when the pager is dead.
flock /run/xen-memevent/xenpaging.lock sh -c 'while [ ! -e /tmp/release ]; do sleep 1; done' &
holder=$!
wait_until 30 grep -q -e '->.*FLOCK' /proc/locks || fail "nobody waits for the lock: $(cat /proc/locks)"
kill -KILL "$(service_pid)"
wait_until 60 said pages-wait 2 || {
    journalctl -u xenpaging -o cat | tail -n 20
    fail "it is not said that the pages wait"
}
[ "$(systemctl is-failed xenpaging)" != failed ] || fail "the unit has failed"
touch /tmp/release
wait $holder
wait_until 60 has_resumed "$(guest_id a)" $((before + 1)) || {
    journalctl -u xenpaging -o cat | tail -n 20
    fail "the pager does not go on when its place is free"
}
guest_verifies a "after its pages waited for a pager" 400
pass "a pager that cannot start leaves the pages where they are until one can"
tiny_start c 64 48 1
pager_target "$(guest_id c)" 32768
service_reaches "$(guest_id c)" 32768
guest_verifies c "with the pager that was started again" 240
pass "a killed pager is started again, goes on with what is out, and serves the others"
systemctl stop xenpaging
[ "$(domain_kib "$(guest_id a)")" -ge 65536 ] || fail "a has not everything: $(xl list a)"
guest_verifies a "at the end"
xl destroy a
guest_verifies c "at the end"
xl destroy c
