# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --timeout 600 --vcpus 2 --dom0-vcpus 2
# only: soak
# An event on which a vCPU waits for a page, among hundreds of events that nobody waits for: with the suite's priorities
# dom0 handles it before those, without them after those that were raised before it.
. /usr/lib/xenhost/functions.sh
/usr/lib/xenhost/programs/evtchn-wait "${1:-400}" "${2:-50}" || fail "evtchn-wait: status $?"
