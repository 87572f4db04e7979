# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --timeout 900
# only: soak
# Tens of thousands of event channels of dom0: found without a search, dumped in pieces and without the lock, given back in order.
. /usr/lib/xenhost/functions.sh
programs=/usr/lib/xenhost/programs

# The dump ends with dom0's highest port: the host has no other domain. In xl's copy of Xen's log only the end is left.
cat > /tmp/dump <<'END'
. /usr/lib/xenhost/functions.sh
over()
{
    xl dmesg | grep -q "End of event-channel info"
}
begin=$(date +%s)
xl debug-keys e || exit 1
wait_until 900 over || fail "the dump does not end"
echo "dumped in $(($(date +%s) - begin)) s"
xl dmesg | grep -q "^(XEN) *$PORT \[" || { xl dmesg | tail -n 5; exit 1; }
echo "PASS: the dump reaches port $PORT"
END
chmod +x /tmp/dump
"$programs/evtchn-ports" "${1:-20000}" 2500 "sh /tmp/dump" || fail "evtchn-ports: status $?"
xl list > /dev/null || fail "Xen does not answer afterwards"
