#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The demo's part in dom0: a guest is paged to half of its memory and judged by its own checksum.
# What it prints is meant for people who have never seen a pager; 80 columns.
. /usr/lib/xenhost/functions.sh

guest_mib=128       # what the guest is given
work_mib=96         # what it fills, checks and touches
target_mib=64       # what it is brought down to
seconds=60          # nothing here takes longer than this, or something is wrong

status_file=/run/xen-memevent/xenpaging.json

line()
{
    printf '%s\n' "--------------------------------------------------------------------------------"
}

title()
{
    printf '\n'
    line
    printf ' %s\n' "$*"
    line
}

# number NAME: the first number of that name in the pager's status, or 0
number()
{
    sed -n "s/^ *\"$1\": *\([0-9][0-9]*\),*\$/\1/p" "$status_file" 2> /dev/null | head -n 1 | grep . || echo 0
}

# value LINE KEY: the word behind KEY= in what the guest said
value()
{
    printf '%s\n' "$1" | sed -n "s/.* $2=\([^ ]*\).*/\1/p" | tr -d '\r'
}

# seconds_of MS: with one decimal
seconds_of()
{
    echo "$(($1 / 1000)).$(($1 % 1000 / 100))"
}

# resident: MiB of memory that Xen says the guest has now
resident()
{
    xl list demo | awk 'NR == 2 { print $3 }'
}

at_most()
{
    [ "$(resident)" -le "$1" ]
}

at_least()
{
    [ "$(resident)" -ge "$1" ]
}

# A wrong bit, a panic or a pager that gave up ends the demo here.
lost()
{
    echo
    echo "THE GUEST'S MEMORY IS NOT INTACT, or the demo could not be finished: $*"
    echo "-- the guest:"
    tail -n 8 "$(guest_console demo)"
    echo "-- the pager:"
    tail -n 8 /tmp/xenpaging.log
    exit 1
}

# phase WORDS COMMAND KIND: the guest does it, and a row of the table says what that was like from inside
phase()
{
    said=$(guest_ask demo "$2" "guest: ($3|bad|panic|refused)" $seconds) || lost "no answer to '$2'"
    case $said in "guest: $3 "*" bad=0"*) ;; *) lost "$said" ;; esac
    printf ' %-32s %7s %6s %6s us %6s us %5s s %3s MiB\n' "$1" "$(value "$said" touches)" "$(value "$said" slow)" \
        "$(value "$said" p50us)" "$(value "$said" p99us)" "$(seconds_of "$(value "$said" ms)")" "$(resident)"
}

verify()
{
    phase "$1" verify verify
    checksum=$(value "$said" checksum)
}

title "1. A Xen host with one guest of $guest_mib MiB"
printf ' This is dom0 of Xen %s.%s%s, in an emulated PC.\n' \
    "$(cat /sys/hypervisor/version/major)" "$(cat /sys/hypervisor/version/minor)" "$(cat /sys/hypervisor/version/extra)"
guest_start demo memory=$guest_mib vcpus=1 kernel=tiny config='tsc_mode="native"' \
    extra="mem=$work_mib seed=7 mix=zero:25,text:50,random:25 slow=200 run=fill,wait" > /tmp/xl.log 2>&1 ||
    { cat /tmp/xl.log; exit 1; }
guest_wait demo "guest: ready" $seconds
id=$(guest_id demo)
said=$(guest_ask demo verify "guest: (verify|bad|panic)" $seconds) || lost "it did not start"
before=$(value "$said" checksum)
cat <<END
 The guest has filled $work_mib MiB with a pattern: a quarter zeroes, half of it compressible,
 a quarter random. It compares every word of it whenever we ask.
 Its checksum now, with all of its memory: $before
END

title "2. The pager is told to leave it $target_mib MiB"
xenpaging --foreground > /tmp/xenpaging.log 2>&1 &
pager=$!
wait_until 20 [ -e "$status_file" ] || lost "xenpaging did not start"
echo " # xenstore-write /local/domain/$id/memory/target-tot_pages $((target_mib * 1024))"
xenstore-write "/local/domain/$id/memory/target-tot_pages" $((target_mib * 1024))
began=$(date +%s)
printf '\n %8s %18s %14s\n' "second" "guest's memory" "paged out"
shown=
while :; do
    now=$(resident)
    if [ "$now" != "$shown" ]; then
        printf ' %8s %14s MiB %10s MiB\n' $(($(date +%s) - began)) "$now" $(((guest_mib - now)))
        shown=$now
    fi
    at_most $target_mib && break
    [ $(($(date +%s) - began)) -lt $seconds ] || lost "the target was not reached"
    sleep 1
done
sleep 1.5

title "3. What is out is kept in dom0, compressed"
pages=$(number pages)
out_mib=$((pages / 256))
memory_kib=$(($(number memory_bytes) / 1024))
printf ' %-44s %7s pages  %6s KiB\n' "paged out" "$pages" $((pages * 4))
printf ' %-44s %7s\n' "  one word repeated: only the word is kept" "$(number same_filled)"
printf ' %-44s %7s\n' "  compressed by lz4" "$(number lz4)"
printf ' %-44s %7s\n' "  does not compress: kept as it is" "$(number uncompressed)"
printf ' %-44s %7s\n' "  written to a file" "$(number in_file)"
printf ' %-44s %7s        %6s KiB\n' "dom0's memory that this takes" "" "$memory_kib"

title "4. The guest works on, with half of its memory"
cat <<END
 A touch of a page that is out stops the guest's CPU until xenpaging has brought the
 page back, and another page goes. These times are the guest's own, by its clock:
 a touch that took longer than 200 us counts as slow. The emulation makes
 everything many times slower than a real machine would be.

END
printf ' %-32s %7s %6s %9s %9s %7s %7s\n' "what the guest does" "touches" "slow" "median" "99 %" "time" "memory"
verify "reads and compares everything"
[ "$checksum" = "$before" ] || lost "checksum $checksum instead of $before"
half=$checksum
phase "touches 5000 pages at random" rand:5000 rand
phase "reads all in order" seq:1 seq
phase "writes 3000 pages anew at random" storm:3000 storm
verify "reads and compares everything"
written=$checksum

title "5. Everything comes back"
sleep 1.5
faults=$(number faults) paged_out=$(number paged_out) paged_in=$(number paged_in)
p50=$(($(number p50_nanoseconds) / 1000)) p99=$(($(number p99_nanoseconds) / 1000))
xenstore-write "/local/domain/$id/memory/target-tot_pages" 0
wait_until $seconds at_least $((guest_mib - 1)) || lost "it did not get its memory back"
printf ' Its target is 0 now, which means all of its memory: it has %s MiB again.\n' "$(resident)"
kill -TERM $pager
wait $pager || lost "xenpaging ended with status $?"
echo " The pager has ended; the guest needs it no more."
said=$(guest_ask demo verify "guest: (verify|bad|panic)" $seconds) || lost "no answer"
after=$(value "$said" checksum)
guest_tell demo stop
guest_wait demo "guest: done" $seconds
guest_says demo "guest: done status=ok" || lost "$(tail -n 1 "$(guest_console demo)")"
cat <<END
 In all, $paged_out pages went out and $paged_in came in, $faults of them because the
 guest was waiting for them. Inside the pager that took $p50 us (median), $p99 us (99 %).
END

title "The guest's verdict"
printf ' %-50s %s\n' "checksum with all of its memory" "$before" \
    "the same, read back at half of its memory" "$half" \
    "after it wrote, at half of its memory" "$written" \
    "the same, with all of its memory back" "$after"
[ "$before" = "$half" ] && [ "$written" = "$after" ] || lost "the checksums differ"
printf '\n INTACT: not one bit of %s MiB was lost.\n\n' $work_mib
