# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --cpu intel --timeout 6000 --mem 1024 --dom0-mem 640 --guest-crash allow --add tests/system/tests:/root/tests
# only: soak
# The channels' tests on EPT, one after the other on one host, which boots slowly and is slow.
. /usr/lib/xenhost/functions.sh

# Bochs lets a guest that never leaves its CPU by itself keep it from everybody: here they pause between their touches.
guest_words="rate=2000"

# on_ept TEST [NAME=VALUE]...: a test in its own shell, with settings of its own; what it leaves behind is taken away
on_ept()
{
    test=$1
    shift
    say "$test on EPT"
    begin=$(date +%s)
    env guest_words="$guest_words" "$@" sh "/root/tests/$test.sh" || fail "$test on EPT"
    rm -f /tmp/stop /tmp/stop-now /tmp/over
    for name in $(xl list | awk 'NR > 2 { print $1 }'); do
        guest_destroy "$name"
    done
    echo "PASS: $test on EPT, $(($(date +%s) - begin)) s"
}

on_ept channel-answers kills=5 seconds=20
on_ept channel-oom
on_ept channel-hostile rounds=30
on_ept hypercall-fuzz rounds=1 calls=5000
