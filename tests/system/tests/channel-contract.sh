# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --timeout 900
# What hypervisor.h promises, asked of the real Xen as the unit test test-contract asks the emulated host; meanwhile four
# vCPUs touch the pages in question, and at last the guest looks at all of its memory.
. /usr/lib/xenhost/functions.sh

# Frames well within what the guest works on: its first 12 MiB, from below 4 MiB on.
first=2048
frames=40

guest_start a kernel=tiny memory=32 vcpus=4 extra="mem=20 seed=${SEED:-7} slow=200 run=fill,verify,wait"
guest_wait a "guest: ready" 120
guest_start hog kernel=tiny memory=8 extra="mem=1 run=fill,wait"
guest_wait hog "guest: ready" 120

# Writes that put back what is there, for as long as something is asked: each vCPU comes by each page.
keep_busy()
{
    while [ ! -e /tmp/asked ]; do
        guest_ask a "${touches:-rand:10s working=12 write}" "guest: rand" 300 > /dev/null
    done
}
keep_busy &
busy=$!
sleep 1
/usr/lib/xenhost/programs/contract-host "$(guest_id a)" $first $frames \
    "/usr/lib/xenhost/programs/eat-memory $(guest_id hog)" "xl destroy hog" || fail "contract-host: status $?"
/usr/lib/xenhost/programs/contract-host "$(guest_id a)" $first $frames stock || fail "contract-host stock: status $?"
touch /tmp/asked
wait $busy || fail "the guest does not get on"
guest_ask a "verify, report" "guest: report kind=total" 400
! guest_says a " bad=[1-9]" || fail "the guest's memory is not what it was"
echo "PASS: the contract"
