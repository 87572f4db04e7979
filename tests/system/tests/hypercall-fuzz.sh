# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --timeout 1200 --guest-crash allow
# soak: --timeout 7200
# The hypercall with anything for arguments, on one domain that runs and one that is paused. Xen must live, and
# another domain must not notice. What is spoilt may crash.
. /usr/lib/xenhost/functions.sh
programs=/usr/lib/xenhost/programs

calls=40000
[ "${1:-}" != soak ] || calls=1200000
seed=${SEED:-$(($(date +%s) % 100000))}

for name in running paused other; do
    guest_start $name kernel=tiny memory=32 vcpus=2 extra="mem=20 seed=$seed slow=200 run=fill,verify,wait" \
        config='shadow_memory=32'
    guest_wait $name "guest: ready" 120
done
xl pause paused || fail "xl pause"
guest_tell running "storm:1000s rate=500"
guest_tell other "storm:1000s rate=500"

"$programs/hypercall-fuzz" $calls "$seed" "$(guest_id running)" "$(guest_id paused)" ||
    fail "hypercall-fuzz: status $?"

xl list
for name in running paused; do
    guest_is_gone $name || guest_destroy $name
done
xl list | grep -q "(null)" && fail "a domain cannot go"
guest_destroy other
