# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --cpu intel --debug --timeout 3000 --mem 1024 --dom0-mem 640 --add tests/system/tests/sharing.sh:/root/sharing.sh
# only: soak
# soak: --timeout 9000
# The sharer on EPT: three guests from one image under load, against an offline count of what they have in common; records of
# what they write; and everybody's own pages in the end.
. /root/sharing.sh
minutes=0
[ "${1:-}" != soak ] || minutes=10
seed=${SEED:-$(($(date +%s) % 100000))}
say "seed $seed"

# Bochs lets a guest that never leaves its CPU by itself keep it from everybody: here they pause between their touches.
for name in a b c; do
    alike $name 16 6 1 "$seed" 17
done

# So little of a CPU that Bochs, which takes seconds for one in which nobody sleeps, comes to an end.
merged_under_load $minutes 20 40 "working=1 rate=50"
wait_until 60 value_is invalidates received -gt 100 || { cat $status_file; fail "no records of what the load wrote"; }

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
