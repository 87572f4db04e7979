# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --timeout 1800 --add tests/system/tests/sharing.sh:/root/sharing.sh
# only: soak
# soak: --debug --timeout 3600
# Members that are saved and restored, checkpointed and migrated while what they have in common is merged.  Their images hold
# every page, and under their new numbers they are members again.  Debian's kernel as guests: our own cannot be suspended.
. /root/sharing.sh
seed=${SEED:-$(($(date +%s) % 100000))}
say "seed $seed"

joined_again()
{
    sharer_said_again "$1 joins group web" "$2"
}

joins()
{
    grep -c "$1 joins group web" "$sharer_log"
}

# mostly_shared NAME...: these guests' kernels write to some pages all the time.  Counting stops everybody for a while.
mostly_shared()
{
    sleep 5
    [ "$(fraction "$@" 2> /dev/null)" -ge 900 ]
}

# goes_on NAME WHEN: it has found its file intact twice since
goes_on()
{
    # What arrives by migration has another name while it does, and its console's file keeps that.
    _console=$1
    [ ! -e "$(guest_console "$1--incoming")" ] || _console=$1--incoming
    _checks=$(grep -c "guest: check .* intact" "$(guest_console "$_console")")
    wait_until 240 guest_says_again "$_console" "guest: check .* intact" $((_checks + 1)) || fail "$1 does not go on $2"
    guest_says "$_console" "CORRUPT|panic" && fail "$1 found wrong memory $2"
    pass "$1 finds its memory intact $2"
}

# merging_goes_on: all of a's is its own again, and some of it has been merged anew since
merging_goes_on()
{
    guest_ask a fill "guest: fill" 120 > /dev/null
    _base=$(sharer_value merge merged)
    wait_until 120 value_is merge merged -gt $((_base + 256)) || sharer_dead "does not merge"
}

# shared_and_right WHEN
shared_and_right()
{
    wait_until 300 mostly_shared l m a b || { cat $status_file; fraction l m a b; sharer_dead "does not share $1"; }
    audited "$1"
    goes_on l "$1"
    guest_verifies a "$1"
}

for name in l m; do
    guest_start $name memory=96 extra="mib=16 interval=1"
done
for name in a b; do
    alike $name 32 20 1 "$seed" 20
done
for name in l m; do
    guest_wait $name "check 1 intact" 300
done
sharer_start --group "web: l m a b" --period 500 --cpu-limit 60 --overcommit 1000
shared_and_right "before anything is saved"

say "saved and restored"
before=$(joins l)
merging_goes_on
xl save l /tmp/l.save || fail "xl save"
guest_wait_gone l
# Its file alone has so much, and no two of its pages are the same.
[ "$(wc -c < /tmp/l.save)" -ge $((16 << 20)) ] || fail "the image has $(wc -c < /tmp/l.save) bytes: pages are missing"
guest_verifies a "while l is only an image"
goes_on m "while l is only an image"
xl restore /tmp/l.save || fail "xl restore"
rm -f /tmp/l.save
wait_until 120 joined_again l "$before" || sharer_dead "does not take the restored l for a member"
shared_and_right "when l was restored"

say "a checkpoint: saved, and goes on"
merging_goes_on
xl save -c l /tmp/l.save || fail "xl save -c"
rm -f /tmp/l.save
shared_and_right "after a checkpoint of l"

say "migrated to where it is"
before=$(joins l)
was=$(guest_id l)
merging_goes_on
xl migrate -s "" l "xl migrate-receive" > /tmp/migrate.log 2>&1 || { cat /tmp/migrate.log; fail "xl migrate"; }
[ "$(guest_id l)" != "$was" ] || fail "l has not moved"
wait_until 120 joined_again l "$before" || { cat /tmp/migrate.log; sharer_dead "does not take the migrated l for a member"; }
shared_and_right "when l was migrated"
goes_on m "when l was migrated"
kill -0 "$sharer_pid" || sharer_dead "ended by itself"
sharer_stop
