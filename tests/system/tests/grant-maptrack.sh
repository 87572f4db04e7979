# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --timeout 900
# only: soak
# dom0 maps thousands of grants, by the kernel and by hand until there is no room; consoles of guests go on.
. /usr/lib/xenhost/functions.sh
programs=/usr/lib/xenhost/programs

# frames: how many frames dom0's mappings take, as Xen says it
frames()
{
    xl debug-keys g
    xl dmesg | sed -n '/remote d0 /,/maptrack frames/s/.* \([0-9]*\) maptrack frames .*/\1/p' | tail -n 1
}

guest_start before kernel=tiny memory=32 vcpus=1 extra="mem=20 seed=4 run=fill,verify,wait"
guest_wait before "guest: ready" 120

echo 20000 > /sys/module/xen_gntalloc/parameters/limit
"$programs/grant-maps" 4096 || fail "grant-maps: status $?"

guest_start after kernel=tiny memory=32 vcpus=1 extra="mem=20 seed=5 run=fill,verify,wait"
guest_wait after "guest: ready" 120
guest_destroy before
guest_destroy after

# 1,024 frames were in use. A bucket, of 64, keeps one when nothing is mapped in it any more, and all while dom0's
# daemons have a guest's ring mapped there.
given_back()
{
    left=$(frames)
    [ "${left:-0}" -ge 1 ] && [ "$left" -le 64 ]
}
wait_until 60 given_back || fail "${left:-no} frames of dom0's mappings are left"
echo "PASS: $left frames of mappings are left"
xl list > /dev/null || fail "Xen does not answer afterwards"
