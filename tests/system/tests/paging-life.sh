# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --timeout 1200 --guest-crash allow --add tests/system/tests/pager.sh:/root/pager.sh
# What happens to a paged guest and to its pager in the course of a life.
. /root/pager.sh

say "SIGTERM in the middle of a storm"
tiny_start a 64 48 2
id=$(guest_id a)
pager_start "$id"
pager_target "$id" 24576
pager_reaches "$id" 24576 60
guest_tell a "storm:20s"
sleep 5
pager_stop "$id"
[ "$(domain_kib "$id")" -ge 65536 ] || fail "not everything came back in: $(xl list "$id")"
pass "SIGTERM under a storm brings everything in"
wait_until 120 guest_says a "guest: storm" || fail "the storm did not end"
guest_verifies a "after SIGTERM under a storm"

say "a second pager"
pager_start "$id"
pager_target "$id" 32768
pager_reaches "$id" 32768 60
if xenpaging -d "$id" > /tmp/second.log 2>&1; then
    fail "a second pager was not refused"
fi
cat /tmp/second.log
grep -qE "another (pager is attached|xenpaging uses it)" /tmp/second.log || fail "it does not say that there is another pager"
pass "a second pager on a domain is refused"
guest_verifies a "after a second pager was refused"

say "a target that is no number"
pager_target "$id" "rubbish"
wait_until 10 grep -q "not a number" "/tmp/pager-$id.log" || pager_dead "$id" "says nothing of a target that is no number"
pager_target "$id" 99999999999999999999999999
wait_until 10 grep -q "larger than a domain" "/tmp/pager-$id.log" || pager_dead "$id" "says nothing of a huge target"
# What the guest touched a moment ago may still be on its way out.
wait_until 30 at_target "$id" 32768 || fail "a wrong target changed something"
pass "a wrong target is refused and changes nothing"
pager_target "$id" 32768

say "everything in for the length of a command"
xl rename a renamed
xenpaging-hold renamed sh -c 'xl list -l renamed > /tmp/held.json; xl list renamed | tail -n 1 > /tmp/held' ||
    fail "xenpaging-hold ended with status $?"
cat /tmp/held
[ "$(awk '{ print $3 }' /tmp/held)" -ge 64 ] || fail "not everything was in while the command ran"
pass "xenpaging-hold has everything in while a command runs"
xl rename renamed a
pager_reaches "$id" 32768 60
pass "and the target is in force again afterwards"

say "the guest is destroyed in the middle"
guest_tell a "storm:30s"
sleep 3
xl destroy a
wait "$pager_pid" || pager_dead "$id" "ended with status $? when its domain was destroyed"
guest_wait_gone a 30
pass "a guest destroyed in the middle: it is gone, and so is the pager"
xl list

say "the guest crashes while paged"
tiny_start c 64 48 1
id=$(guest_id c)
pager_start "$id"
pager_target "$id" 24576
pager_reaches "$id" 24576 60
guest_ask c "flip:100:5" "guest: " 30
guest_tell c verify
wait_until 120 guest_says c "status=corrupt|guest: corrupt" || fail "a single wrong bit was not noticed"
pass "the guest notices a single wrong bit in paged memory"
wait "$pager_pid" || pager_dead "$id" "ended with status $? when its domain crashed"
guest_wait_gone c 30
pass "a guest that crashes: it is gone, and so is the pager"
