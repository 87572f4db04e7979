# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --timeout 900 --add tests/system/tests/pager.sh:/root/pager.sh
# Sharing on nested paging: guests share, write and stay intact; access rights, unmapping and a lack of memory.
. /root/pager.sh

share_frames()
{
    /usr/lib/xenhost/programs/share-frames "$@" || fail "share-frames $* ended with status $?"
}

# The same seed: most of what the two hold is equal. Their work areas begin below 16 MiB.
for name in a b; do
    guest_start $name memory=64 vcpus=1 kernel=tiny config='tsc_mode="native"' \
        extra="mem=40 seed=7 mix=zero:25,text:50,random:25 run=fill,verify,wait"
    guest_wait $name "guest: ready" 120
done
a=$(guest_id a) b=$(guest_id b)

share_frames equal "$a" "$b" 0x1000 2048
pass "equal frames of two guests are shared"
guest_verifies a "while its frames are shared"
guest_verifies b "while its frames are shared"
guest_ask a "storm:1000" "guest: storm" 120
guest_verifies a "after it wrote to shared frames"
guest_verifies b "after the other wrote to shared frames"

share_frames pool "$a" 0x2000 4096
pass "without memory for the p2m a nomination fails, and nothing else does"
guest_verifies a "after that"
share_frames access "$a" "$b" 0x1001
pass "mem_access stays what it was"
# The guests hold wrong memory from here on.
share_frames remove "$a" "$b" 0x1002
pass "an unmapped frame does not come back"
xl destroy a
xl destroy b
guest_wait_gone a 30
guest_wait_gone b 30
pass "both guests are gone"
