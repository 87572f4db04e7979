#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# A kernel that is none: the guest dies in Xen, without a word on its console.
. /usr/lib/xenhost/functions.sh
guest_start victim extra="workload=idle"
guest_wait victim "guest: up" 100
/usr/lib/xen-4.17/bin/xen-hvmcrash "$(guest_id victim)"
sleep 10000
