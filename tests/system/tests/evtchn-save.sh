# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --timeout 1800 --guest-crash allow
# A guest that is saved while it uses N levels of event channels: it finds two levels where it is restored, and can
# register anew.
. /usr/lib/xenhost/functions.sh

guest_start s kernel=tiny memory=24 extra="mem=1 events=n3 slow=100000 run=events:6000,wait" \
    config="max_event_channels=8000"
guest_wait s "guest: (ready|done)" 300
guest_says s "guest: ready" || { cat "$(guest_console s)"; fail "not all was as it has to be before the save"; }
xl save s /tmp/s.save > /tmp/save.log 2>&1 &
save=$!
control=/local/domain/$(guest_id s)/control/shutdown
# The guest does not read xenstore: what the toolstack asks for is told to it, and acknowledged for it.
asked()
{
    [ "$(xenstore-read "$control")" = suspend ]
}
saved()
{
    ! kill -0 $save 2> /dev/null
}
wait_until 60 asked || { cat /tmp/save.log; fail "xl save does not ask for a suspend"; }
guest_tell s suspend
guest_wait s "guest: suspend" 60
xenstore-write "$control" ""
wait_until 180 saved || { cat /tmp/save.log; fail "xl save does not end"; }
wait $save || { cat /tmp/save.log; fail "xl save"; }
guest_wait_gone s
xl restore /tmp/s.save || fail "xl restore"
guest_wait s "guest: resumed" 120
grep "check=refusals" "$(guest_console s)" | tail -n 1
guest_ask s events:6000 "guest: events .*check=all" 600 > /tmp/after || exit 1
cat /tmp/after
grep -q " bad=0" /tmp/after || fail "not all was as it has to be after the restore"
! grep "guest: bad" "$(guest_console s)" || fail "something was wrong"
guest_tell s stop
guest_wait s "guest: done status=ok" 60
echo "PASS: after a restore it has two levels, and can register anew"
