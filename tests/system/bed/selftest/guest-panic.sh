#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
. /usr/lib/xenhost/functions.sh
guest_start victim extra="workload=panic"
guest_wait victim "Kernel panic" 100
guest_wait_gone victim
sleep 3
say "went on"
