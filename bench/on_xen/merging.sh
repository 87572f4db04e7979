# SPDX-License-Identifier: GPL-2.0-only
# Runs in dom0 of a hypervisor that counts:  merging.sh MEMORY PAGES ROUNDS
# Two guests that were filled alike; what merges says of them goes out. In the end each verifies every word.
. /usr/lib/xenhost/functions.sh

memory=$1; pages=$2; rounds=$3
say "$(uname -r), $(xl info | sed -n 's/^xen_version *: //p')"
for name in first second; do
    # No zeros, nor pages of one word: a page has one equal, in the other guest.
    guest_start $name memory=$memory kernel=tiny extra="seed=7 slow=200 mix=text:50,random:50 run=fill,verify,wait"
    guest_wait $name '^guest: ready' 120
done
say "merging, $rounds rounds"
/usr/lib/xenhost/programs/merges "$(guest_id first)" "$(guest_id second)" "$pages" "$rounds" || fail "merges: status $?"
for name in first second; do
    guest_ask $name verify '^guest: verify' 240 | sed "s|^guest: verify |bench: run=merge/$name/0 phase=work guest=verify |"
done
