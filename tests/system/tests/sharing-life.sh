# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --debug --timeout 900 --add tests/system/tests/sharing.sh:/root/sharing.sh
# Two guests of a group share what they have in common, and one that is in none shares nothing; they write, leave, come back,
# and the sharer stops and starts: their memory stays what it is, and so do Xen's books.
. /root/sharing.sh
seed=${SEED:-$(($(date +%s) % 100000))}
say "seed $seed"

alike a 48 32 1 "$seed" 30
alike b 48 32 1 "$seed" 30
alike alone 32 16 1 "$seed"
pages=8192

say "sharing"
sharer_start --group "web: a b" --period 300 --cpu-limit 80 --verbose
wait_until 60 saved_is -gt $((pages / 2)) || { cat $status_file; sharer_dead "shares nothing"; }
passes 3
many=$(fraction a b)
[ "$many" -ge 950 ] || { cat $status_file; sharer_dead "merged $many per mille of what it could"; }
pass "$many per mille of what could be shared is"
audited "with everything shared"
