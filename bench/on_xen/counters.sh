# SPDX-License-Identifier: GPL-2.0-only
# Xen's performance counters as lines for figures.py; for scripts in dom0:  . /root/counters.sh
# shellcheck shell=sh

# counters_print PHASE FILE: what xenperf -p has left in FILE, of $run
counters_print()
{
    awk -v run="$run" -v phase="$1" '
        / T= *[0-9]/ {
            name = $0; sub(/ *T=.*/, "", name); gsub(/ /, "_", name)
            line = $0; sub(/.*T= */, "", line); n = split(line, value, / +/)
            print "bench: run=" run " phase=" phase " call=" name " count=" value[1]
            if ( name == "vmexits" )
                for ( i = 2; i <= n; i++ )
                    if ( value[i] + 0 )
                        print "bench: run=" run " phase=" phase " call=vmexit:" (i - 2) " count=" value[i]
            next
        }
        NF == 2 && $2 + 0 { print "bench: run=" run " phase=" phase " call=hypercall:" $1 " count=" $2 }' "$2"
}
