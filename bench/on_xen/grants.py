# SPDX-License-Identifier: GPL-2.0-only
"""bench/grant --xen: what mapping and unmapping a grant costs in a dom0 with two vCPUs, before and after.

Two boots: our hypervisor without its table of grant mappings, and with it. Both are built with Xen's own counters switched on, and
with two more: of the spinlocks that are taken, and of those that were somebody else's at that moment.
"""

import argparse
import json

from . import boot, counting, figures

SECONDS_A_ROUND = 240       # generous: a machine under load is slower by much
SIDES = (("before", "lists of vCPUs, as Xen 4.17 has them", "310-*.patch"), ("after", "buckets", None))
PHASES = (("1-own", "one vCPU"), ("2-own", "two vCPUs, each unmaps what it mapped"),
          ("2-others", "two vCPUs, each unmaps what the other mapped"))

LOCKS = (
    ("include/xen/perfc_defn.h", 'PERFCOUNTER(calls_from_multicall,       "calls from multicall")\n',
     'PERFCOUNTER(calls_from_multicall,       "calls from multicall")\n'
     'PERFCOUNTER(spin_locks,                 "spin locks")\nPERFCOUNTER(spin_waits,                 "spin waits")\n'),
    ("common/spinlock.c", "#include <xen/preempt.h>\n", "#include <xen/preempt.h>\n#include <xen/perfc.h>\n"),
    ("common/spinlock.c", "    while ( tickets.tail != observe_head(&lock->tickets) )\n",
     "    perfc_incr(spin_locks);\n    if ( tickets.tail != observe_head(&lock->tickets) )\n        perfc_incr(spin_waits);\n"
     "    while ( tickets.tail != observe_head(&lock->tickets) )\n"),
)

# figure, what it says, decimals, of a phase
ROWS = (
    ("per_second", "pairs a second", 0, lambda phase, pairs: pairs * 1e9 / int(phase["ns"])),
    ("locks", "spinlocks taken a pair", 3, lambda phase, pairs: phase["calls"].get("spin_locks", 0) / pairs),
    ("waits", "of a million pairs, spinlocks that had to be waited for", 0,
     lambda phase, pairs: phase["calls"].get("spin_waits", 0) * 1e6 / pairs),
    ("calls", "hypercalls (grant_table_op) of a thousand pairs", 1,
     lambda phase, pairs: phase["calls"]["hypercall:grant_table_op"] * 1e3 / pairs),
)


def parser():
    main = argparse.ArgumentParser(
        prog="bench/grant --xen", description="Map/unmap pairs a second of dom0 from one and from two vCPUs, and the spinlocks that "
        "they take and wait for, as Xen counts them, in the real-Xen test bed: without our table of grant mappings, and with it.")
    main.add_argument("--rounds", type=int, default=5, metavar="N", help="of one and two vCPUs, by turns (default 5)")
    main.add_argument("--batches", type=int, default=2000, metavar="N", help="of 32 pairs, for each vCPU (default 2000)")
    boot.add_clock(main)
    main.set_defaults(clock="host")     # else the CPUs take turns, and wait for no lock
    boot.add_options(main)
    return main


def measure_all(options):
    """Dom0's lines, with the side's name in them."""
    for side, _, without in SIDES:
        words = ["--vcpus", "2", "--dom0-vcpus", "2", "--xen-option", "dom0_vcpus_pin=1",
                 "--xen-tree", counting.tree(False, without, LOCKS)] + boot.add_counters()
        for line in boot.run(options, 180 + SECONDS_A_ROUND * options.rounds, words,
                             ["grants.sh", options.rounds, options.batches], options.clock):
            yield line.replace("grant/SIDE/", "grant/%s/" % side)


def rounds(runs):
    """{side: {phase: {figure: [a value a round]}}}"""
    out = {}
    for run, phases in runs.items():
        side = run.split("/")[1]
        for name, _ in PHASES:
            phase = phases[name]
            for figure, _, _, value in ROWS:
                out.setdefault(side, {}).setdefault(name, {}).setdefault(figure, []).append(value(phase, int(phase["pairs"])))
    return out


def cell(values, decimals):
    s = figures.summary(values)
    return "%.*f (%.*f-%.*f)" % (decimals, s["median"], decimals, s["least"], decimals, s["most"])


def as_text(machine, table):
    lines = ["%s; the median of the rounds (least-most)" % machine]
    for phase, what in PHASES:
        lines += ["", "%-58s" % what + "".join("%40s" % text for _, text, _ in SIDES)]
        for name, text, decimals, _ in ROWS:
            lines.append("  %-56s" % text + "".join(
                "%40s" % (cell(table[side][phase][name], decimals) if side in table else "-") for side, _, _ in SIDES))
    return "\n".join(lines)


def as_json(machine, table):
    return json.dumps({"version": 1, "host": machine, "sides": {
        side: {phase: {name: dict(figures.summary(values), values=values) for name, values in row.items()}
               for phase, row in rows.items()} for side, rows in table.items()}}, indent=1)


def main(arguments):
    options = parser().parse_args(arguments)

    def measure():
        table = rounds(figures.read(boot.lines(options, lambda: measure_all(options))))
        return (as_json if options.json else as_text)("an emulated AMD host with two CPUs, " + boot.CLOCKS[options.clock], table)

    return boot.main(measure)
