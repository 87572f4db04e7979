# SPDX-License-Identifier: GPL-2.0-only
# xenhost: --timeout 1200
# only: soak
# Debian's kernel as a guest, all of whose frames are restricted again and again while it checks a file in its memory.
. /usr/lib/xenhost/functions.sh

# RAM of a guest of 128 MiB begins at frame 0 and has no hole.
frames=32768

guest_start l memory=128 extra="mib=16 interval=1" config='shadow_memory=16'
guest_wait l "check 2 intact" 180
/usr/lib/xenhost/programs/access-sweep "$(guest_id l)" $frames 2 || fail "status $?"
seen=$(grep -c intact "$(guest_console l)")
guest_wait l "check $((seen + 3)) intact" 120
! guest_says l "CORRUPT|BUG:|Oops|panic" || fail "the guest was hurt: $(tail -n 5 "$(guest_console l)")"
echo "PASS: a Linux guest works on, and finds its file intact"
