# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --timeout 1800 --guest-crash allow --add tests/system/tests/sharing.sh:/root/sharing.sh
# soak: --debug --timeout 3600
# Guests of a group share what they have in common; they write, leave, come back, another one joins and is destroyed, and the
# sharer stops and starts. Their memory stays what it is, and so do Xen's books.
. /root/sharing.sh
seed=${SEED:-$(($(date +%s) % 100000))}
say "seed $seed"

# group NAME [GROUP]: what the admin wants of a domain, in xenstore; without GROUP the configuration counts again
group()
{
    _key=/local/domain/$(guest_id "$1")/memory/sharing-group
    if [ $# -eq 2 ]; then
        xenstore-write "$_key" "$2"
    else
        xenstore-rm "$_key"
    fi
}

# shared_again NAME...: 95 % of what they have in common is shared; counting stops them for a moment
shared_again()
{
    [ "$(fraction "$@" 2> /dev/null)" -ge 950 ]
}

alike a 32 20 1 "$seed" 30
alike b 32 20 1 "$seed" 30
alike alone 16 8 1 "$seed"

say "sharing"
sharer_start --group "web: a b" --group "odd: pv nohap" --period 300 --cpu-limit 80
wait_until 300 saved_is -gt 2048 || sharer_dead "shares nothing"
passes 3
many=$(fraction a b)
[ "$many" -ge 950 ] || { cat $status_file; sharer_dead "merged $many per mille of what it could"; }
pass "$many per mille of what could be shared is"
audited "with everything shared"

say "writing"
for name in a b; do
    guest_tell $name "storm:1s/working=8,verify"
done
for name in a b; do
    wait_until 300 guest_says_again $name "guest: verify" 1 || fail "$name does not go on"
done
for name in a b; do
    guest_verifies $name "after it wrote to what it shared"
done
wait_until 120 value_is invalidates received -gt 100 || { cat $status_file; fail "no records of what is no longer shared"; }
wait_until 300 shared_again a b || { cat $status_file; sharer_dead "does not share again"; }
pass "what was written to is known, and the rest is shared again"
audited "after that"

say "leaving and joining"
group a ""
wait_until 300 sharer_said_again "a has its own pages again" 0 || sharer_dead "lets nobody leave"
fraction b > /dev/null
# What b shares with itself is all that is left.
[ "$(saved)" -le "$(sed 's/.*mergeable \([0-9]*\).*/\1/' /tmp/count)" ] || fail "a has left, and $(saved) frames are saved"
guest_verifies a "with its own pages again"
guest_verifies b "when the other has left"
group a "not a name"
wait_until 120 sharer_said_again "holds 'not a name', allowed is" 0 || sharer_dead "says nothing of a wrong name"
group a
group alone web
wait_until 300 shared_again a b alone || { cat $status_file; sharer_dead "does not share again"; }
pass "a domain leaves and comes back, another joins"
audited "with three of them"

say "refusals"
cat > /tmp/pv.cfg <<EOF
name="pv"
type="pv"
memory=128
kernel="/guests/linux"
cmdline="console=hvc0"
EOF
xl create -q -p /tmp/pv.cfg || fail "xl create"
wait_until 120 sharer_said_again "pv is in group odd, and shares nothing: .*PV" 0 || sharer_dead "does not refuse a PV guest"
guest_start nohap memory=16 kernel=tiny config='hap=0' extra="mem=8 run=wait"
wait_until 120 sharer_said_again "nohap is in group odd, and shares nothing: .*HAP" 0 || sharer_dead "does not refuse a guest without HAP"
pass "who cannot share is told why"
xl destroy pv
xl destroy nohap

say "the sharer stops, and leaves shared what is shared"
before=$(saved)
sharer_stop
[ "$(saved)" -ge $((before * 9 / 10)) ] || fail "of $before frames $(saved) are still saved"
[ ! -e $status_file ] || fail "the status file is left"
sharer_start --group "web: a b alone" --period 300 --cpu-limit 80 --at-exit undo --threads 2
passes 3
wait_until 60 value_is merge already -gt $((before / 2)) || { cat $status_file; fail "it does not learn back what is shared"; }
wait_until 30 value_is merge merged -lt $((before / 2)) || { cat $status_file; fail "it merged everything anew"; }
pass "the next one learns it back: $(sharer_value merge already) were shared already"

say "a member dies"
guest_destroy alone
guest_verifies a "when a member has died"
audited "when a member has died"

say "SIGTERM gives everybody his own"
sharer_stop
[ "$(saved)" -eq 0 ] || fail "$(saved) frames are still saved"
audited "with nothing shared"
for name in a b; do
    guest_verifies $name "with pages of its own"
    guest_tell $name stop
    guest_wait $name "guest: done status=ok" 60
done
