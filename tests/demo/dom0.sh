#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The demo's part in dom0: a guest is paged to half of its memory and judged by its own checksum.
# What it prints is meant for people who have never seen a pager; 80 columns.
. /usr/lib/xenhost/functions.sh

guest_mib=128       # what the guest is given
work_mib=96         # what it fills, checks and touches
target_mib=64       # what it is brought down to
seconds=180         # nothing here takes longer than this even on a busy machine, or something is wrong

status_file=/run/xen-memevent/xenpaging.json

# heading NUMBER TEXT
heading()
{
    printf '\n%s. %s\n' "$1" "$2"
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
    printf '   %-32s %7s %6s %6s us %6s us %5s s %3s MiB\n' "$1" "$(value "$said" touches)" "$(value "$said" slow)" \
        "$(value "$said" p50us)" "$(value "$said" p99us)" "$(seconds_of "$(value "$said" ms)")" "$(resident)"
}

verify()
{
    phase "$1" verify verify
    checksum=$(value "$said" checksum)
}

xen="$(cat /sys/hypervisor/version/major).$(cat /sys/hypervisor/version/minor)$(cat /sys/hypervisor/version/extra)"
guest_start demo memory=$guest_mib vcpus=1 kernel=tiny config='tsc_mode="native"' \
    extra="mem=$work_mib seed=7 mix=zero:25,text:50,random:25 slow=200 run=fill,wait" > /tmp/xl.log 2>&1 ||
    { cat /tmp/xl.log; exit 1; }
guest_wait demo "guest: ready" $seconds
id=$(guest_id demo)
said=$(guest_ask demo verify "guest: (verify|bad|panic)" $seconds) || lost "it did not start"
before=$(value "$said" checksum)
heading 1 "A Xen $xen host runs in an emulated PC, with one guest of $guest_mib MiB."
cat <<END
   The guest has filled $work_mib MiB with a pattern: a quarter zeroes, half of it
   compressible, a quarter random. It compares every word whenever it is asked to.
END

heading 2 "xenpaging, in dom0, is told to leave it $target_mib MiB, while it runs:"
xenpaging --foreground > /tmp/xenpaging.log 2>&1 &
pager=$!
wait_until 20 [ -e "$status_file" ] || lost "xenpaging did not start"
echo "   # xenstore-write /local/domain/$id/memory/target-tot_pages $((target_mib * 1024))"
xenstore-write "/local/domain/$id/memory/target-tot_pages" $((target_mib * 1024))
began=$(date +%s)
all=$(resident)
printf '   the guest has, each second:'
column=30
while :; do
    now=$(resident)
    [ $column -lt 74 ] || { printf '\n   %27s' ""; column=30; }
    printf ' %s' "$now"
    column=$((column + ${#now} + 1))
    at_most $target_mib && break
    [ $(($(date +%s) - began)) -lt $seconds ] || lost "the target was not reached"
    sleep 1
done
echo " MiB"
sleep 1.5

pages=$(number pages)
heading 3 "What is out, $pages pages of 4 KiB, is kept in dom0:"
printf '   %7s  %s\n' "$(number same_filled)" "pages that repeat one word: only the word is kept" \
    "$(number lz4)" "compressed by lz4" "$(number uncompressed)" "kept as they are: they do not compress" \
    "$(number in_file)" "written to a file, where what does not fit into memory goes"
echo "   $((pages / 256)) MiB of the guest's memory take $(($(number memory_bytes) >> 20)) MiB of dom0's."

heading 4 "The guest works on, with half of its memory."
cat <<END
   A touch of a page that is out stops its CPU until the page is back; another one
   goes. Times are the guest's own, by its clock; a touch of more than 200 us counts
   as slow. In this emulation everything is many times slower than on real hardware.

END
printf '   %-32s %7s %6s %9s %9s %7s %7s\n' "what the guest does" "touches" "slow" "median" "99 %" "time" "memory"
verify "reads and compares everything"
[ "$checksum" = "$before" ] || lost "checksum $checksum instead of $before"
half=$checksum
phase "touches pages at random" rand:4000 rand
phase "writes pages anew, at random" storm:2000 storm
verify "reads and compares everything"
written=$checksum
sleep 1.5

heading 5 "Its target is set to 0: everything comes back, and the pager ends."
faults=$(number faults) paged_out=$(number paged_out)
p50=$(($(number p50_nanoseconds) / 1000)) p99=$(($(number p99_nanoseconds) / 1000))
xenstore-write "/local/domain/$id/memory/target-tot_pages" 0
wait_until $seconds at_least "$all" || lost "it did not get its memory back"
printf '   The guest has %s MiB again. Until then %s pages had gone out, and it\n' "$(resident)" "$paged_out"
echo "   had waited for $faults; xenpaging took $p50 us (median), $p99 us (99 %) for one."
kill -TERM $pager
wait $pager || lost "xenpaging ended with status $?"
said=$(guest_ask demo verify "guest: (verify|bad|panic)" $seconds) || lost "no answer"
after=$(value "$said" checksum)
guest_tell demo stop
guest_wait demo "guest: done" $seconds
guest_says demo "guest: done status=ok" || lost "$(tail -n 1 "$(guest_console demo)")"

heading 6 "The guest's own verdict, its checksums:"
printf '   %-52s %s\n' "with all of its memory" "$before" "the same, read at half of its memory" "$half" \
    "after its writes, read at half of its memory" "$written" "the same, with all of its memory back" "$after"
[ "$before" = "$half" ] && [ "$written" = "$after" ] || lost "the checksums differ"
printf '\n   INTACT: not one bit of %s MiB was lost.\n\n' $work_mib
