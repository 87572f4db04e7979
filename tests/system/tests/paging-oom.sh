# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --timeout 1500 --add tests/system/tests/pager.sh:/root/pager.sh
# A guest writes to pages that it shares when the host has no memory for copies: the pager finds some in another guest;
# and where there is none to find it says so, and the guest waits unharmed until there is.
. /root/pager.sh

# host_pager [OPTION]...: the pager of the host, listening to every domain
host_pager()
{
    # Here, and not by who is started: what an earlier one has said must not be taken for its words.
    : > /tmp/pager-host.log
    xenpaging --foreground "$@" > /tmp/pager-host.log 2>&1 &
    pager_pid=$!
    wait_until 20 grep -q "Xen 4" /tmp/pager-host.log || host_pager_dead "did not start"
}

host_pager_dead()
{
    cat /tmp/pager-host.log >&2
    fail "the pager $1"
}

eat_memory()
{
    guest_start filler memory=32 kernel=tiny extra="mem=8 run=fill,wait"
    guest_wait filler "guest: ready" 120
    /usr/lib/xenhost/programs/eat-memory "$(guest_id filler)" || fail "eat-memory ended with status $?"
    xl info | grep free_memory
}

# oom NAME: a number of the pager's about lacks of memory
oom()
{
    sed -n '/"oom":{/,/}/s/^ *"'"$1"'":\([a-z0-9]*\),*$/\1/p' /run/xen-memevent/xenpaging.json
}

# The file is written once a second.
oom_above()
{
    [ "$(oom "$1")" -gt "$2" ]
}

oom_is()
{
    [ "$(oom "$1")" = "$2" ]
}

for name in a b; do
    guest_start $name memory=64 kernel=tiny extra="mem=40 seed=7 mix=zero:25,text:50,random:25 run=fill,verify,wait"
    guest_wait $name "guest: ready" 120
done
guest_start c memory=128 kernel=tiny extra="mem=96 seed=8 mix=random:100 run=fill,wait"
guest_wait c "guest: ready" 120
a=$(guest_id a) b=$(guest_id b) c=$(guest_id c)
/usr/lib/xenhost/programs/share-frames equal "$a" "$b" 0x1000 6144 || fail "share-frames ended with status $?"

say "memory is found in another guest"
host_pager
pager_target "$c" 122880
pager_reaches "$c" 122880 60
eat_memory
before=$(domain_kib "$c")
line=$(guest_ask a "storm:1500/working=16" "guest: storm" 240) || exit 1
echo "$line"
wait_until 30 oom_above events 0 || fail "there was no lack of memory"
wait_until 30 oom_above answered_with_memory 0 || fail "no lack of memory was answered with memory"
wait_until 30 oom_is waiting 0 || fail "somebody still waits"
echo "domains $(oom domains) events $(oom events) with $(oom answered_with_memory) without $(oom answered_without)" \
     "c: $before KiB, now $(domain_kib "$c") KiB"
[ "$(domain_kib "$c")" -lt "$before" ] || fail "nothing was evicted for it"
wait_until 30 oom_is unresolved false || fail "it is said that nothing could be found"
pass "a write to shared pages without memory goes on"
guest_verifies a "after it lacked memory"
guest_verifies b "after the other lacked memory"
guest_destroy filler
guest_verifies c "after pages of it were evicted for another"
kill -TERM $pager_pid
wait $pager_pid || host_pager_dead "ended with status $?"

say "there is nothing to find"
host_pager --memory-limit=4M --spill-limit=0
pager_target "$c" 65536
wait_until 60 grep -q "no more room for pages" /tmp/pager-host.log || host_pager_dead "does not fill its store"
eat_memory
guest_tell a "storm:3000"
wait_until 60 grep -q "no page of a paged domain can be evicted" /tmp/pager-host.log ||
    host_pager_dead "does not say that nothing can be found"
wait_until 30 oom_is unresolved true || fail "the status file does not say it"
wait_until 30 sh -c 'memeventctl paging | grep -q "waits for memory to copy"' || fail "memeventctl does not say it"
wait_until 60 oom_above answered_without 2 || fail "it is not tried again"
guest_is_gone a && fail "the guest died of it"
pass "where nothing can be found it is said, and tried again"
guest_destroy filler
wait_until 120 guest_says_again a "guest: storm" 1 || fail "the guest does not go on with memory"
wait_until 30 oom_is unresolved false || fail "it is still said that nothing can be found"
guest_verifies a "after it waited for memory"
guest_verifies b "after that"
kill -TERM $pager_pid
wait $pager_pid || host_pager_dead "ended with status $?"
guest_verifies c "in the end"
for name in a b c; do
    guest_destroy $name
done
pass "and all guests are gone"
