# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --root systemd --timeout 1800 --add tests/system/tests/sharing.sh:/root/sharing.sh
# The sharer as a service of a Debian host: started, sandboxed, watched and logged by systemd; and what it publishes: the
# status file, metrics and a history, which memeventctl reads.
. /root/sharing.sh

configuration=/etc/xen-memevent/xensharing.conf
collector=/var/lib/prometheus/node-exporter
metrics=$collector/xensharing.prom
socket=/run/xen-memevent/xensharing.metrics

service_pid()
{
    systemctl show -p MainPID --value xensharing
}

# service_fails TEXT: what the service said last, and the end
service_fails()
{
    journalctl -u xensharing -o cat | tail -n 20
    memeventctl sharing domains
    fail "$@"
}

service_start()
{
    systemctl start xensharing || service_fails "the service does not start"
}

# another_than PID: the service has another process, and is ready
another_than()
{
    _now=$(service_pid)
    [ "$_now" != 0 ] && [ "$_now" != "$1" ] && [ "$(systemctl is-active xensharing)" = active ]
}

# journal_has EVENT [DOMID]: an entry with these fields
journal_has()
{
    journalctl -u xensharing -o cat "MEMEVENT_EVENT=$1" ${2:+"XEN_DOMID=$2"} | grep -q .
}

# metric NAME: the value of a figure of the host
metric()
{
    sed -n "s/^$1{daemon=\"xensharing\"} //p" "$metrics"
}

# scrape: what the socket answers to who asks as curl does, all of it; Debian's smallest system has perl
scrape()
{
    timeout 60 perl -MIO::Socket::UNIX -e '
        my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die "$ARGV[0]: $!\n";
        print $s "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
        local $/;
        my ($head, $body) = split /\r\n\r\n/, <$s>, 2;
        die "it answers $head\n" if $head !~ m{^HTTP/1\.[01] 200 } or $head !~ /^Content-Length: (\d+)/mi or $1 != length $body;
        print $body;' "$socket"
}

# settles: nobody writes, and two more passes find nothing to merge
settles()
{
    _was=$(saved)
    passes 3
    [ "$(saved)" = "$_was" ]
}

say "a configuration that is wrong"
mkdir -p /etc/xen-memevent "$collector"
printf '# groups\ngroup = web: a b\noverkill = 100\n' > $configuration
! systemctl start xensharing || fail "it starts with a setting that does not exist"
[ "$(systemctl show -p ExecMainStatus --value xensharing)" = 78 ] || fail "not status 78"
journalctl -u xensharing -o cat | grep -F "$configuration:3:" || fail "the message does not name file and line"
[ "$(systemctl show -p NRestarts --value xensharing)" = 0 ] || fail "it is tried again, which cannot help"
pass "an error in the configuration names file and line, and is not tried again"

say "the service"
printf 'group = web: a b\nperiod = 1000\ncpu-limit = 100\nat-exit = undo\nmetrics = %s\nmetrics-socket = %s\n' "$metrics" "$socket" > $configuration
systemctl reset-failed xensharing
service_start
[ "$(systemctl show -p Type --value xensharing)" = notify ] || fail "not Type=notify"
pid=$(service_pid)
grep -E "^(CapEff|CapBnd|NoNewPrivs|Seccomp):" "/proc/$pid/status"
[ "$(awk '/^CapEff/ { print $2 }' "/proc/$pid/status")" = 0000000000000000 ] || fail "it has capabilities"
[ "$(awk '/^NoNewPrivs/ { print $2 }' "/proc/$pid/status")" = 1 ] || fail "it can get new privileges"
[ "$(awk '/^Seccomp:/ { print $2 }' "/proc/$pid/status")" = 2 ] || fail "no system call filter"
systemd-analyze security --no-pager xensharing | tail -n 1
pass "it runs without capabilities, without new privileges, behind a system call filter"

say "two domains of a group, and one of none"
for name in a b c; do
    alike $name 48 32 1 7
done
for name in a b; do
    wait_until 60 journal_has joined "$(guest_id $name)" || service_fails "$name does not join"
done
wait_until 240 saved_is -ge 8192 || { cat "$status_file"; service_fails "no 32 MiB are saved"; }
for name in a b c; do
    guest_verifies $name "while it is shared"
done
memeventctl sharing || fail "memeventctl sharing"
memeventctl sharing groups || fail "memeventctl sharing groups"
memeventctl sharing groups | grep -E '^web  *configuration  *yes  *2 ' || fail "the group has not two domains"
memeventctl sharing domains | grep -E '^ *[0-9]+ c  *- ' || fail "a domain without a group has one"
memeventctl sharing domains a --json | grep -q '"group":"web"' || fail "memeventctl's JSON"
pass "memeventctl shows what is saved"

say "what is published"
wait_until 30 test -s "$metrics" || fail "no metrics"
grep -E '^xensharing_(saved_bytes|group_saved_bytes|domain_saved_bytes|cpu_ratio)' "$metrics"
# The file is a second old at most, and everything is settled.
wait_until 30 sh -c "[ \$(sed -n 's/^xensharing_saved_bytes{.*} //p' $metrics) -ge $((8192 * 4096)) ]" ||
    fail "saved memory in the metrics: $(metric xensharing_saved_bytes)"
[ "$(metric xensharing_invalidate_channel)" = 1 ] || fail "no invalidates"
[ ! -e "$metrics.new" ] || [ -e "$metrics" ] || fail "the metrics are written in place"
[ "$(stat -c %a "$socket")" = 660 ] || fail "others than its owner and group can read the socket: $(stat "$socket")"
scrape > /tmp/scraped || service_fails "the socket does not answer"
grep '^xensharing_domain_saved_bytes{' /tmp/scraped || fail "the socket does not know the domains"
wait_until 120 sh -c 'memeventctl sharing history --json | grep -q "\"saved\""' || fail "no sample in the history"
memeventctl sharing history || fail "memeventctl sharing history"
memeventctl sharing plot --output=/tmp/plot.svg || fail "memeventctl sharing plot"
grep -q '^</svg>$' /tmp/plot.svg || fail "no picture"
pass "metrics as a file and over a socket, history and a picture of it"

say "groups in xenstore go before the configuration"
xenstore-write "/local/domain/$(guest_id c)/memory/sharing-group" web
wait_until 60 journal_has joined "$(guest_id c)" || service_fails "c does not join"
wait_until 240 saved_is -ge 16384 || service_fails "no 64 MiB are saved"
wait_until 240 settles || service_fails "it does not come to rest"
before=$(saved)
xenstore-write "/local/domain/$(guest_id a)/memory/sharing-group" ""
wait_until 60 journal_has left "$(guest_id a)" || service_fails "a does not leave"
saved_is -le $((before - 8192)) || fail "a that left is still shared: $(saved) of $before"
guest_verifies a "after it left its group"
guest_verifies c "after it joined"
pass "a domain joins and leaves by its key"

say "a second service"
xensharing --foreground > /tmp/second.log 2>&1
status=$?
cat /tmp/second.log
[ $status = 69 ] || fail "a second service: status $status"
pass "a second sharer of the host is refused"

say "killed, and stuck"
pid=$(service_pid)
kill -KILL "$pid"
wait_until 60 another_than "$pid" || service_fails "it is not started again"
wait_until 60 sh -c 'memeventctl sharing > /dev/null' || service_fails "memeventctl does not find the next one"
guest_verifies b "after the sharer was killed"
wait_until 240 saved_is -ge 8192 || service_fails "what was shared is not shared any more"
mkdir -p /run/systemd/system/xensharing.service.d
printf '[Service]\nWatchdogSec=15s\nTimeoutAbortSec=5s\n' > /run/systemd/system/xensharing.service.d/short.conf
systemctl daemon-reload
systemctl restart xensharing
pid=$(service_pid)
sleep 20
[ "$(service_pid)" = "$pid" ] || service_fails "the watchdog killed a sharer that is well"
kill -STOP "$pid"
wait_until 60 another_than "$pid" || service_fails "a stuck sharer is not replaced"
pass "one that is killed or stuck is replaced, one that is well is not"

say "the service is stopped, and gives everything back"
systemctl stop xensharing || fail "systemctl stop"
[ "$(systemctl show -p Result --value xensharing)" = success ] || fail "the stop was not clean"
[ "$(saved)" = 0 ] || fail "$(saved) frames are still shared"
[ ! -e "$status_file" ] || fail "the status file is still there"
[ ! -e "$metrics" ] || fail "the metrics are still there"
[ ! -e "$socket" ] || fail "the socket is still there"
memeventctl sharing
[ $? = 69 ] || fail "memeventctl without a sharer"
for name in a b c; do
    guest_verifies $name "at the end"
    xl destroy $name
done
pass "systemctl stop gives every domain its own pages again"
