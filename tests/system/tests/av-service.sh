# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --root systemd --timeout 2400 --add /bin/busybox:/bin/busybox --add tests/system/tests/guarded.sh:/root/guarded.sh
# only: soak
# The guard as a service of a Debian host: started, sandboxed, watched and logged by systemd, with workers that have less
# than it has; killed and stuck under a protected guest, which is never let execute what holds the string of the rule.
. /root/guarded.sh

configuration=/etc/xen-memevent/av-introspect.conf
findings=/var/log/xen-memevent/av-findings.jsonl
status_file=/run/xen-memevent/av-introspect.json

pass()
{
    echo "PASS: $*"
}

service_pid()
{
    systemctl show -p MainPID --value av-introspect
}

# broker_dead TEXT: what the service said last, and the end
broker_dead()
{
    journalctl -u av-introspect -o cat | tail -n 30
    memeventctl av status l
    fail "the broker $*"
}

# journal EVENT: how many entries with it, of the guest, there are
journal()
{
    journalctl -u av-introspect -o cat "MEMEVENT_EVENT=$1" "XEN_DOMID=$(guest_id l)" | grep -c .
}

# another_than PID: the service has another process, and is ready
another_than()
{
    _now=$(service_pid)
    [ "$_now" != 0 ] && [ "$_now" != "$1" ] && [ "$(systemctl is-active av-introspect)" = active ]
}

# Only what somebody wrote a second ago may say it: a status file outlives its broker.
state_is()
{
    memeventctl av status l | grep -qE "^State +$1\$"
}

is_protected()
{
    wait_until 300 state_is protected || broker_dead "does not protect"
}

# worker: the process that judges, and its loader's id
worker()
{
    memeventctl av status l | sed -n 's/^Worker, process id *//p'
}

# has PID FIELD VALUE: of /proc/PID/status
has()
{
    [ "$(awk -v key="$2:" '$1 == key { print $2 }' "/proc/$1/status")" = "$3" ] || {
        cat "/proc/$1/status"
        fail "$(cat "/proc/$1/comm"), $1, has not $3 as its $2"
    }
}

guarded_start
mkdir -p /etc/xen-memevent
cat > /etc/xen-memevent/eicar.yar <<'RULES'
rule EICAR { strings: $a = "EICAR-STANDARD-ANTIVIRUS-TEST-FILE" condition: $a }
RULES
chmod 644 /etc/xen-memevent/eicar.yar

say "a configuration that is wrong"
printf '# guests\nprotect = l\noverkill = 100\n' > $configuration
! systemctl start av-introspect || fail "it starts with a setting that does not exist"
[ "$(systemctl show -p ExecMainStatus --value av-introspect)" = 78 ] || broker_dead "ends, but not with status 78"
journalctl -u av-introspect -o cat | grep -F "$configuration:3:" || broker_dead "does not name file and line"
printf 'plugin = yara:rules=/etc/xen-memevent/none.yar\n' > $configuration
! systemctl start av-introspect || fail "it starts with rules that are not there"
journalctl -u av-introspect -o cat | grep -F /etc/xen-memevent/none.yar || broker_dead "does not name the rules"
[ "$(systemctl show -p NRestarts --value av-introspect)" = 0 ] || broker_dead "is tried again, which cannot help"
pass "what is wrong in the configuration is named, and not tried again"

say "the service, and what it may do"
cat > $configuration <<'CONF'
plugin = yara:rules=/etc/xen-memevent/eicar.yar,timeout=60
protect = l*
deadline = 60000
unjudged = waits
workers = 1
CONF
systemctl start av-introspect || broker_dead "does not start"
[ "$(systemctl show -p Type --value av-introspect)" = notify ] || fail "not Type=notify"
pid=$(service_pid)
grep -E "^(CapEff|CapBnd|NoNewPrivs|Seccomp):" "/proc/$pid/status"
# CAP_KILL, CAP_SETGID and CAP_SETUID
for set in CapPrm CapEff CapBnd; do
    has "$pid" $set 00000000000000e0
done
has "$pid" NoNewPrivs 1
has "$pid" Seccomp 2
systemd-analyze security --no-pager av-introspect | tail -n 1
pass "it has three capabilities, and cannot get more"

is_protected
wait_until 60 eval '[ "$(worker)" -gt 1 ]' || broker_dead "has no worker"
worker=$(worker)
grep -E "^(Uid|CapEff|NoNewPrivs|Seccomp):" "/proc/$worker/status"
for set in CapPrm CapEff CapInh CapAmb; do
    has "$worker" $set 0000000000000000
done
has "$worker" NoNewPrivs 1
has "$worker" Seccomp 2
has "$worker" Uid "$(id -u nobody)"
[ "$(cut -d ' ' -f 19 "/proc/$worker/stat")" = 0 ] || fail "a worker comes before others"
[ "$(cat "/proc/$worker/oom_score_adj")" = 500 ] || fail "a worker outlives others when memory is short"
pass "a worker is another user, has no capability, and comes after everybody else"

say "a guest that is protected by the configuration"
runs clean 0
runs bad 139
[ "$(said INFECTED)" = 0 ] || fail "it was executed"
[ "$(journal malicious)" -ge 1 ] || broker_dead "did not log it"
journalctl -u av-introspect -o json MEMEVENT_EVENT=malicious | tail -n 1 | grep -F '"XEN_DOMAIN":"l"' | grep -F EICAR ||
    broker_dead "logged it without the guest's name, or without the rule"
memeventctl av findings l --json | grep -F '"rule":"' | grep -F EICAR | grep -F '"has_run":false' || broker_dead "has no finding"
[ "$(stat -c %a $findings)" = 600 ] || fail "others can read the findings"
memeventctl av status || fail "memeventctl av status"
pass "what holds the string is not executed, and found with its domain and rule"

say "a second service"
av-introspect --foreground > /tmp/second.log 2>&1
status=$?
cat /tmp/second.log
[ $status = 69 ] || fail "a second broker: status $status"
pass "a second broker of the host is refused"

say "workers are killed"
for round in 1 2 3; do
    was=$(worker)
    kill -KILL "$was"
    runs clean 0
    wait_until 60 eval '[ "$(worker)" -gt 1 ] && [ "$(worker)" != "$was" ]' || broker_dead "does not replace a worker"
done
runs bad 139
[ "$(journal worker-died)" -ge 3 ] || broker_dead "did not log it"
[ "$(service_pid)" = "$pid" ] || broker_dead "died of it"
pass "workers that are killed are replaced"

say "the broker is killed, again and again, while the guest executes what is new to it"
guest_tell l 'for i in 1 2 3 4 5 6 7 8; do cp /clean /tmp/c$i; chmod +x /tmp/c$i; /tmp/c$i > /dev/null || echo "guest: broken $((1 + 1))"; done; echo "guest: loop $((1 + 1))"'
for round in 1 2 3 4 5 6; do
    pid=$(service_pid)
    sleep "0.$(((seed + round * 37) % 90 + 10))"
    kill -KILL "$pid"
    wait_until 120 another_than "$pid" || broker_dead "is not started again after kill $round"
done
is_protected
waits "guest: loop 2"
! guest_says l "guest: broken 2" || fail "a program that is clean did not run"
runs bad 139
[ "$(said INFECTED)" = 0 ] || fail "it was executed"
[ "$(journal protected)" -ge 2 ] || broker_dead "did not say that it protects again"
# The last of them was killed after it had protected everything, or the one before.
[ "$(journal gap)" -ge 1 ] || broker_dead "did not say for how long nobody guarded"
journalctl -u av-introspect -o cat MEMEVENT_EVENT=gap
memeventctl av status l | grep "Nobody guarded it before" || broker_dead "does not show for how long nobody guarded"
# None of those that were killed has left somebody behind.
wait_until 60 eval '[ "$(pgrep -c av-worker)" -le 2 ]' || { ps -ef; fail "workers of dead brokers live on"; }
pass "a broker that is killed is replaced at once, and the guest waits so long, and no longer"

say "the broker is stuck"
mkdir -p /run/systemd/system/av-introspect.service.d
printf '[Service]\nWatchdogSec=15s\nTimeoutAbortSec=5s\n' > /run/systemd/system/av-introspect.service.d/short.conf
systemctl daemon-reload
systemctl restart av-introspect || broker_dead "does not start again"
pid=$(service_pid)
kill -STOP "$pid"
guest_tell l "run /clean stuck"
wait_until 120 another_than "$pid" || broker_dead "is stuck, and not replaced"
waits "guest: ran stuck status 0"
rm /run/systemd/system/av-introspect.service.d/short.conf
systemctl daemon-reload
pass "one that is stuck is replaced, and the guest goes on"

say "the service is stopped, and sets the guest free"
is_protected
systemctl stop av-introspect || fail "systemctl stop"
[ "$(systemctl show -p Result --value av-introspect)" = success ] || broker_dead "did not end in order"
[ ! -e $status_file ] || fail "the status file is still there"
[ "$(pgrep -c av-worker)" = 0 ] || fail "workers are still there"
runs bad 0
[ "$(said INFECTED)" = 1 ] || fail "it is still not executed"
memeventctl av status
[ $? = 69 ] || fail "memeventctl without a broker"
! guest_says l "kernel BUG|BUG: unable|Oops|panic" || fail "the guest was hurt: $(tail -n 5 "$(guest_console l)")"
pass "systemctl stop sets the guest free"
