# SPDX-License-Identifier: GPL-2.0-only
# Runs in dom0 of a hypervisor that counts:  crossings.sh MEMORY TOUCHES ROUNDS PAGER...
# What is counted goes out as lines of key=value behind "bench:"; what they mean is crossings.py's business.
. /usr/lib/xenhost/functions.sh
. /root/guest.sh
. /root/counters.sh

idle_seconds=20

# What is measured is waited for with the same commands, and so is nothing (idle): that is taken off for each look.
count_start()
{
    kib_before=$(kib $guest)
    sleep 1
    ms_before=$(now)
    looked=0
    /root/xenperf -r
}

# count_end PHASE
count_end()
{
    /root/xenperf -p > /tmp/counters
    _ms=$(($(now) - ms_before))
    counters_print "$1" /tmp/counters
    echo "bench: run=$run phase=$1 wall_ms=$_ms looked=$looked kib_before=$kib_before kib=$(kib $guest)"
}

idle()
{
    while [ $looked -lt $idle_seconds ]; do
        sleep 1
        [ "$(ready_count)" -gt 0 ] || fail "$run: the guest has lost its console"
        looked=$((looked + 1))
    done
}

# Until the pager has had nothing to do for two seconds. Reading this asks nothing of Xen.
quiet()
{
    _until=$(($(now) + 240000))
    _same=0
    _last=
    while [ $_same -lt 2 ]; do
        sleep 1
        [ "$(ready_count)" -gt 0 ] || fail "$run: the guest has lost its console"
        looked=$((looked + 1))
        read -r _ran _ < /proc/$pid/schedstat
        # A pager that only waits runs now and then: for less than a tenth of the time.
        if [ -n "$_last" ] && [ $((_ran - _last)) -lt 100000000 ]; then _same=$((_same + 1)); else _same=0; fi
        _last=$_ran
        [ "$(now)" -lt "$_until" ] || fail "$run: the pager does not come to rest"
    done
}

memory=$1; touches=$2; rounds=$3
shift 3
ours=
say "$(uname -r), $(xl info | sed -n 's/^xen_version *: //p')"
round=1
while [ $round -le $rounds ]; do
    for pager; do
        run=cross/$pager/$round/1
        guest=g-$pager-$round
        pid=
        say "$run"
        guest_start $guest memory=$memory vcpus=1 kernel=tiny extra="seed=$round slow=200 run=fill,verify,wait" \
            config='tsc_mode="native"'
        guest_wait $guest '^guest: ready' 60
        id=$(guest_id $guest)
        pager_start
        count_start; xenstore-write /local/domain/$id/memory/target-tot_pages $((memory * 512)); quiet; count_end out
        count_start; idle; count_end idle
        count_start; ask random "rand:$touches"; count_end random
        quiet
        count_start; ask sequential seq:1; count_end sequential
        ask work verify
        pager_end
    done
    round=$((round + 1))
done
