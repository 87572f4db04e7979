# SPDX-License-Identifier: GPL-2.0-only
"""bench/merging: what a merged page costs in hypercalls, mappings and time: our MERGE in batches against the one-call-a-step way.

One boot of the patched hypervisor, with Xen's own counters switched on. dom0's program takes the ways by turns, over the same pages.
"""

import argparse
import json

from . import boot, counting, figures

SECONDS_A_ROUND = 120   # generous: a machine under load is slower by much

BASELINE = "steps"
WAYS = (
    ("steps", "one call a step"),
    ("stretches64", "upstream's, 64"),
    ("merge1", "MERGE, 1"),
    ("merge64", "MERGE, 64"),
    ("merge512", "MERGE, 512"),
)

KERNEL = ("mmu_update", "mmuext_op", "update_va_mapping")
# name, what it says, decimals, better is lower; a merged page's share of it
ROWS = (
    ("crossings", "hypercalls and mappings", 3, True),
    ("hypercalls", "  hypercalls", 3, True),
    ("memevent_op", "    memevent_op", 3, True),
    ("memory_op", "    memory_op", 3, True),
    ("multicall", "    multicall", 3, True),
    ("in_multicalls", "      calls in them", 3, True),
    ("mmu_update", "    mmu_update: page tables", 3, True),
    ("mmuext_op", "    mmuext_op: flushes, address spaces", 3, True),
    ("update_va_mapping", "    update_va_mapping", 3, True),
    ("domctl", "    domctl", 3, True),
    ("maps", "  mappings", 3, True),
    ("mapped", "pages mapped", 3, True),
    ("us", "microseconds", 1, True),
    ("per_second", "merges a second", 0, False),
)
GOALS = {"crossings": 40, "per_second": 5}      # of MERGE in batches of 64
GOAL_OF = "merge64"
HYPERCALLS = ("memevent_op", "memory_op", "multicall", "domctl") + KERNEL


def parser():
    main = argparse.ArgumentParser(
        prog="bench/merging", description="Hypercalls, mappings and time of a merged page: our MERGE in batches against "
        "nominate, nominate, map, map, compare, share, one call each; in one boot of the real-Xen test bed, as Xen counts them.")
    main.add_argument("--rounds", type=int, default=5, metavar="N", help="of all ways, by turns (default 5)")
    main.add_argument("--memory", type=int, default=24, metavar="MIB", help="of each of the two guests (default 24)")
    main.add_argument("--pages", type=int, default=4096, metavar="N", help="pairs that are merged, at the most (default 4096)")
    boot.add_clock(main)
    boot.add_options(main)
    return main


def boot_and_merge(options):
    return boot.run(options, 180 + SECONDS_A_ROUND * options.rounds, ["--xen-tree", counting.tree(False)],
                    ["merging.sh", options.memory, options.pages, options.rounds], options.clock)


def of_a_page(phase, idle):
    """{name: a merged page's share} of one way in one round; idle: what dom0 does by itself in a nanosecond, by call."""
    merged, pairs, ns = int(phase["merged"]), int(phase["pairs"]), int(phase["ns"])
    if not merged or merged != pairs:
        raise figures.Unusable("%d of %d pairs were merged" % (merged, pairs))
    out = {call: max(0, phase["calls"].get(call, 0) - idle.get(call, 0) * ns) / merged for call in HYPERCALLS + ("in_multicalls",)}
    out["hypercalls"] = sum(out[call] for call in HYPERCALLS)
    out["maps"], out["mapped"] = int(phase["maps"]) / merged, int(phase["mapped"]) / merged
    out["crossings"] = out["hypercalls"] + out["maps"]
    out["us"] = ns / merged / 1000
    out["per_second"] = merged * 1e9 / ns
    return out


def rounds(runs):
    """{way: {name: [a value a round]}}, the rounds in the same order for all."""
    judged = [run for run, phases in runs.items() if "work" in phases]
    if len(judged) != 2:
        raise figures.Unusable("the guests have not verified their memory")
    for run in judged:
        figures.check(run, runs.pop(run))
    out = {}
    for number in sorted({int(run.rsplit("/", 1)[1]) for run in runs}):
        of_round = {run.split("/")[1]: phases["merge"] for run, phases in runs.items() if run.endswith("/%d" % number)}
        quiet = of_round.pop("idle")
        idle = {call: count / int(quiet["ns"]) for call, count in quiet["calls"].items()}
        for way, phase in of_round.items():
            for name, value in of_a_page(phase, idle).items():
                out.setdefault(way, {}).setdefault(name, []).append(value)
    return out


def times_better(table, way, name, lower):
    """Round by round against the baseline's of the same round."""
    pairs = [(theirs, ours) if lower else (ours, theirs)
             for ours, theirs in zip(table[way][name], table[BASELINE][name])]
    return [above / below for above, below in pairs] if all(below for _, below in pairs) else None


def cell(values, decimals):
    s = figures.summary(values)
    return "%.*f (%.*f-%.*f)" % (decimals, s["median"], decimals, s["least"], decimals, s["most"])


def as_text(machine, table):
    ways = [(way, title) for way, title in WAYS if way in table]
    lines = ["a merged page, %s" % machine, "the median of the rounds (least-most); one boot, the ways by turns, over the same pages; what an idle dom0 does is taken off",
             "", "%-38s" % "" + "".join("%26s" % title for _, title in ways)]
    for name, text, decimals, _ in ROWS:
        if any(any(table[way][name]) for way, _ in ways):
            lines.append("%-38s" % text + "".join("%26s" % cell(table[way][name], decimals) for way, _ in ways))
    lines.append("")
    for name, what in (("crossings", "hypercalls and mappings, times fewer"), ("hypercalls", "  hypercalls"),
                       ("per_second", "merges a second, times as many")):
        factors = [times_better(table, way, name, name != "per_second") for way, _ in ways]
        line = "%-38s" % what + "".join("%26s" % (cell(f, 1) if f else "-") for f in factors)
        if name in GOALS and GOAL_OF in table:
            reached = figures.summary(times_better(table, GOAL_OF, name, name != "per_second"))["median"] >= GOALS[name]
            line += "  goal %d at 64: %s" % (GOALS[name], "reached" if reached else "not reached")
        lines.append(line)
    return "\n".join(lines)


def as_json(machine, table):
    out = {"version": 1, "host": machine, "unit": "a merged page", "baseline": BASELINE, "goals": GOALS, "goal_of": GOAL_OF,
           "ways": {}}
    for way, values in table.items():
        out["ways"][way] = {}
        for name, _, _, lower in ROWS:
            entry = dict(figures.summary(values[name]), values=values[name], better="less" if lower else "more")
            factors = times_better(table, way, name, lower)
            entry["times_better"] = figures.summary(factors)["median"] if factors else None
            out["ways"][way][name] = entry
    return json.dumps(out, indent=1)


def main(arguments):
    options = parser().parse_args(arguments)

    def measure():
        table = rounds(figures.read(boot.lines(options, lambda: boot_and_merge(options))))
        machine = "an emulated AMD host, %s" % boot.CLOCKS[options.clock]
        return (as_json if options.json else as_text)(machine, table)

    return boot.main(measure)
