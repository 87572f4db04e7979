# SPDX-License-Identifier: GPL-2.0-only
# Runs in dom0 of a hypervisor that counts:  grants.sh ROUNDS BATCHES
# What is counted goes out as lines of key=value behind "bench:"; what they mean is grants.py's business.
. /usr/lib/xenhost/functions.sh
. /root/counters.sh

rounds=$1; batches=$2
say "$(uname -r), $(xl info | sed -n 's/^xen_version *: //p'), $(xl info | sed -n 's/^nr_cpus *: //p') CPUs"
round=1
while [ "$round" -le "$rounds" ]; do
    for phase in 1-own 2-own 2-others; do
        run=grant/SIDE/$round
        say "$run, $phase"
        /root/xenperf -r
        said=$(/usr/lib/xenhost/programs/grant-calls ${phase%-*} "$batches" ${phase#*-}) || fail "grant-calls"
        /root/xenperf -p > /tmp/counters
        counters_print $phase /tmp/counters
        echo "bench: run=$run phase=$phase $said"
    done
    round=$((round + 1))
done
