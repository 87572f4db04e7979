# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --cpu intel --debug --timeout 3000 --mem 1024 --dom0-mem 640 --add tests/system/tests/sharing.sh:/root/sharing.sh
# only: soak
# The sharer on EPT: three guests from one image under load, against an offline count of what they have in common; records of
# what they write; and everybody's own pages in the end.
. /root/sharing.sh
seed=${SEED:-$(($(date +%s) % 100000))}
say "seed $seed"

is_shared()
{
    _least=$1; shift
    # Counting stops them for a while, and the sharer wants to look at them, too.
    sleep 3
    [ "$(fraction "$@" 2> /dev/null)" -ge "$_least" ]
}

# Bochs lets a guest that never leaves its CPU by itself keep it from everybody: here they pause between their touches.
for name in a b c; do
    alike $name 16 6 1 "$seed" 17
done

say "under load"
for name in a b c; do
    guest_tell $name "storm:40s/working=1 rate=50"
done
sharer_start --group "web: a b c" --period 1000 --cpu-limit 60
wait_until 300 value_is scan pass -gt 2 || sharer_dead "makes no passes"
many=$(fraction a b c)
[ "$many" -ge 950 ] || { cat $status_file; sharer_dead "merged $many per mille in two passes under load"; }
pass "$many per mille after two passes, under load"
for name in a b c; do
    wait_until 600 guest_says $name "guest: storm" || fail "the load of $name does not end"
done
wait_until 300 is_shared 990 a b c || { cat $status_file; sharer_dead "merged $(fraction a b c) per mille when it was quiet"; }
pass "$(fraction a b c) per mille when it is quiet"
effort
wait_until 60 value_is invalidates received -gt 100 || { cat $status_file; fail "no records of what the load wrote"; }
for name in a b c; do
    guest_verifies $name "after it was merged under load"
done
audited "on EPT"

say "killed, and destroyed"
guest_ask a fill "guest: fill" 120 > /dev/null
kill -KILL "$sharer_pid"
wait "$sharer_pid" 2> /dev/null
sharer_start --group "web: a b c" --period 500 --cpu-limit 60 --at-exit undo
guest_destroy c
wait_until 300 is_shared 950 a b || { cat $status_file; sharer_dead "does not go on after it was killed"; }
audited "after a kill -9 and the end of a member"

say "SIGTERM gives everybody his own"
sharer_stop
[ "$(saved)" -eq 0 ] || fail "$(saved) frames are still saved"
audited "with nothing shared"
for name in a b; do
    guest_verifies $name "with pages of its own"
done
