# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --timeout 1800 --add tests/system/tests/sharing.sh:/root/sharing.sh
# only: soak
# soak: --timeout 3600
# Guests whose memory adds up to 150 % of what is free: they start thanks to sharing, and when all of them write to everything
# the pager finds memory for the copies. Nobody dies, and nobody sees a wrong byte.
. /root/sharing.sh
seed=${SEED:-$(($(date +%s) % 100000))}
say "seed $seed"

# So many guests fit without sharing.
fit=3
[ "${1:-}" != soak ] || fit=4
# What one guest takes with its page tables and the like; so many pages of its own work on it.
guest_mib=32
work_mib=20

free_kib()
{
    echo $(($(xl info | sed -n 's/^free_memory *: *//p') * 1024))
}

# oom NAME: a number of the pager's about lacks of memory
oom()
{
    sed -n '/"oom":{/,/}/s/^ *"'"$1"'":\([a-z0-9]*\),*$/\1/p' /run/xen-memevent/xenpaging.json
}

row()
{
    printf '%-28s free %7s KiB  saved %6s pages  guests %s\n' "$1" "$(free_kib)" "$(saved)" "$(xl list | grep -c '^g[0-9]')"
}

# Almost all of the host's memory is given away: so much is left that a few guests fit, and no more.
guest_start filler memory=16 kernel=tiny extra="mem=4 run=fill,wait"
guest_wait filler "guest: ready" 300
keep=$((fit * (guest_mib + 4) * 1024))
/usr/lib/xenhost/programs/eat-memory "$(guest_id filler)" $keep || fail "eat-memory: status $?"
free=$(free_kib)
row "before"

xenpaging --foreground --memory-limit=128M --spill-limit=0 > /tmp/pager.log 2>&1 &
pager=$!
sharer_start --group "g: g*" --period 500 --cpu-limit 90 --overcommit 1000
want=$((free * 3 / 2))
n=0
sum=0
while [ $sum -lt $want ]; do
    n=$((n + 1))
    # The tool stack looks for free memory: there is enough once the others share theirs.
    needed=$(((guest_mib + 3) * 1024))
    [ "$(free_kib)" -ge $needed ] || say "g$n waits for memory"
    wait_until 300 sh -c "[ \$((\$(xl info | sed -n 's/^free_memory *: *//p') * 1024)) -ge $needed ]" ||
        { row "g$n"; cat $status_file; fail "sharing makes no room for g$n"; }
    alike "g$n" $guest_mib $work_mib 1 "$seed" 10
    # The pager may take its pages, and does not unless somebody lacks memory.
    xenstore-write "/local/domain/$(guest_id "g$n")/memory/target-tot_pages" $((guest_mib * 1024 + 1024))
    sum=$((sum + guest_mib * 1024))
    row "g$n started"
done
pass "$n guests of $guest_mib MiB, $((sum * 100 / free)) % of what was free, run"
say "merged: $(sharer_value merge merged) pages, $(sharer_value host overcommit_percent) % promised"

# What is free now would be enough for some of the copies: 8 MiB are not, whatever becomes equal again meanwhile. (Of each page
# the guests come to have some three versions, of which the host has one now.)
/usr/lib/xenhost/programs/eat-memory "$(guest_id filler)" 8192 || fail "eat-memory: status $?"
row "and less is free"

say "all of them write to everything"
i=0
while [ $i -lt $n ]; do
    i=$((i + 1))
    guest_tell "g$i" "storm:6000"
done
i=0
while [ $i -lt $n ]; do
    i=$((i + 1))
    wait_until 900 guest_says "g$i" "guest: storm" || {
        tail -n 20 /tmp/pager.log
        row "g$i"
        fail "g$i does not go on: nobody finds memory for its copies"
    }
done
sleep 1
row "all have written"
echo "oom: events $(oom events), answered with memory $(oom answered_with_memory), without $(oom answered_without)"
[ "$(oom events)" -gt 0 ] || fail "nobody lacked memory: nothing is shown"
i=0
while [ $i -lt $n ]; do
    i=$((i + 1))
    guest_verifies "g$i" "after all have written to everything" 900
done
sharer_stop
row "in the end"
pass "nobody died, and nobody saw a wrong byte"
kill -TERM $pager
kill -KILL $pager
