# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --timeout 1200 --add tests/system/tests/pager.sh:/root/pager.sh
# The store at its limits: a spill file, a full file system, wrong bytes.
. /root/pager.sh

# The status file is written once a second.
in_file_above()
{
    [ "$(pager_value "$id" in_file)" -gt "$1" ]
}

mkdir -p /var/lib/xen-memevent /mnt/small
tiny_start s 64 48 1
id=$(guest_id s)

say "a pool too small: the rest is in the file"
mount -t tmpfs -o size=64m none /mnt/small
pager_start "$id" --memory-limit 2M --spill-directory /mnt/small
pager_target "$id" 16384
pager_reaches "$id" 16384 120
wait_until 60 in_file_above 1000 || fail "the file was not used"
echo "in memory $(pager_value "$id" lz4) + $(pager_value "$id" uncompressed), same-filled $(pager_value "$id" same_filled)," \
    "in the file $(pager_value "$id" in_file)"
guest_ask s "rand:2000" "guest: rand" 120
guest_verifies s "from a spill file" 240
pager_stop "$id"
guest_verifies s "after the spill file"

say "a full file system"
umount /mnt/small
mount -t tmpfs -o size=8m none /mnt/small
pager_start "$id" --memory-limit 2M --spill-directory /mnt/small
pager_target "$id" 8192
wait_until 120 grep -q "no more room for pages" "/tmp/pager-$id.log" || pager_dead "$id" "does not say that the store is full"
pass "a full file system is said"
guest_ask s "rand:1000" "guest: rand" 120
guest_ask s "storm:5s" "guest: storm" 120
guest_verifies s "with a full store" 240
pager_stop "$id"
[ "$(domain_kib "$id")" -ge 65536 ] || fail "not everything came back in: $(xl list "$id")"
guest_verifies s "after a full store"
pass "a full store loses nothing"

say "one bit flipped in a stored page"
umount /mnt/small
mount -t tmpfs -o size=64m none /mnt/small
pager_start "$id" --memory-limit 2M --spill-directory /mnt/small
pager_target "$id" 16384
pager_reaches "$id" 16384 120
wait_until 60 in_file_above 1000 || fail "the file was not used"
sleep 2
damaged=
for fd in /proc/"$pager_pid"/fd/*; do
    case $(readlink "$fd") in
    /mnt/small/*)
        # Every stored page is hit: whichever is wanted next is wrong.
        size=$(stat -L -c %s "$fd")
        offset=0
        while [ $offset -lt "$size" ]; do
            byte=$(dd if="$fd" bs=1 skip=$((offset + 1234)) count=1 2>/dev/null | od -An -tu1)
            printf "\\$(printf %o $((${byte:-0} ^ 16)))" | dd of="$fd" bs=1 seek=$((offset + 1234)) conv=notrunc 2>/dev/null
            offset=$((offset + 4096 * 64))
        done
        damaged=yes ;;
    esac
done
[ -n "$damaged" ] || fail "there is no file to damage"
guest_tell s "verify"
wait_until 120 grep -q "checksum" "/tmp/pager-$id.log" || pager_dead "$id" "did not notice a wrong bit"
grep -m 1 checksum "/tmp/pager-$id.log"
wait_until 10 sh -c "xl list $id | tail -n 1 | awk '{ print \$5 }' | grep -q p" || fail "the domain is not paused"
guest_says s "corrupt" && fail "the guest saw wrong bytes"
pass "a flipped bit is caught: the domain is paused, and sees no wrong byte"
kill -TERM "$pager_pid"
if wait "$pager_pid"; then
    fail "the pager ended with status 0 with a page lost"
fi
cat "/tmp/pager-$id.log" | tail -n 3
pass "the pager ends with an error, and says what is left"
xl destroy s
