# SPDX-License-Identifier: GPL-2.0-only
"""The figures as a table for people and as JSON for programs, both from the same place."""

import json

from . import figures

# name, what it says, decimals, better is lower, goal as a factor against upstream or None
FIGURES = (
    ("random_p50_us", "fault at a random touch, p50, us", 0, True, 5),
    ("random_p99_us", "  p99", 0, True, None),
    ("random_max_us", "  longest", 0, True, None),
    ("random_faults_per_second", "random faults a second", 0, False, None),
    ("sequential_pages_per_second", "sequential pages a second", 0, False, 10),
    ("sequential_waits_per_1000_pages", "  waits felt in 1,000 of them", 0, True, None),
    ("out_pages_per_second", "pages out a second", 0, False, None),
    ("work_ms", "guest's program, ms", 0, True, None),
    ("work_times_unpaged", "  times as long as unpaged", 1, True, None),
    ("cpu_us_per_page_out", "pager's CPU a page out, us", 1, True, None),
    ("cpu_us_per_random_fault", "  a random fault", 1, True, None),
    ("cpu_us_per_sequential_page", "  a sequential page", 1, True, None),
    ("work_dom0_seconds", "dom0's CPU for the guest's program, s", 1, True, None),
    ("kib_above_target", "most above the target, KiB", 0, True, None),
    ("system_calls_per_page_out", "system calls a page out", 2, True, 10),
    ("system_calls_per_page_in", "  a page in", 2, True, None),
    ("system_calls_per_fault_and_page_out", "  both", 2, True, None),
    ("system_calls_per_sequential_page", "  a sequential page", 2, True, None),
    ("hypercalls_per_page_out", "hypercalls a page out", 2, True, None),
    ("hypercalls_per_page_in", "  a page in", 2, True, None),
    ("hypercalls_per_fault_and_page_out", "  both", 2, True, None),
    ("hypercalls_per_sequential_page", "  a sequential page", 2, True, None),
)


def _factor(name, by_pager):
    """How many times better ours is; None if there is nothing to compare."""
    lower = next(entry[3] for entry in FIGURES if entry[0] == name)
    ours, theirs = (figures.summary(by_pager[p])["median"] if p in by_pager else None
                    for p in figures.PAGERS)
    if ours is None or theirs is None:
        return None
    above, below = (theirs, ours) if lower else (ours, theirs)
    return above / below if above > 0 and below > 0 else None


def as_json(version, machine, rounds, calls):
    out = {"version": 1, "baseline": "upstream %s repaired" % version, "host": machine, "guests": []}
    for vcpus, table in sorted(rounds.items()):
        entry = {"vcpus": vcpus, "figures": {}}
        for name, _, _, lower, goal in FIGURES:
            if name not in table:
                continue
            entry["figures"][name] = {
                "better": "less" if lower else "more", "goal": goal, "times_better": _factor(name, table[name]),
                "pagers": {pager: dict(figures.summary(values), values=values)
                           for pager, values in table[name].items()}}
        out["guests"].append(entry)
    out["calls"] = calls
    return json.dumps(out, indent=1)


def _cell(values, decimals):
    s = figures.summary(values)
    text = "%.*f" % (decimals, s["median"])
    if s["rounds"] > 1:
        text += " (%.*f-%.*f)" % (decimals, s["least"], decimals, s["most"])
    return text


def _table(vcpus, table, version):
    yield "%-37s %24s %24s %7s" % ("guest with %d vCPU%s" % (vcpus, "" if vcpus == 1 else "s"), "ours",
                                   "upstream %s repaired" % version, "times")
    for name, text, decimals, _, goal in FIGURES:
        if name not in table:
            continue
        cells = [_cell(table[name][p], decimals) if p in table[name] else "-" for p in figures.PAGERS]
        factor = _factor(name, table[name])
        yield ("%-37s %24s %24s %7s %s" % (
            text, cells[0], cells[1], "%.1f" % factor if factor else "-",
            "" if goal is None or factor is None else
            "goal %d: %s" % (goal, "reached" if factor >= goal else "not reached"))).rstrip()


def _call_table(calls):
    for phase, what in (("out", "a page out"), ("random", "a random fault, with the page out for it"),
                        ("sequential", "a sequential page")):
        yield "system calls %s" % what
        names = sorted({c for p in calls for c in calls[p].get(phase, {"calls": ()})["calls"]})
        per = {p: {c: calls[p][phase]["calls"].get(c, 0) / calls[p][phase]["pages"] for c in names}
               for p in calls if phase in calls[p]}
        for name in sorted(names, key=lambda c: -max(per[p][c] for p in per)):
            if max(per[p][name] for p in per) >= 0.01:
                yield "  %-32s %24s %24s" % ((name,) + tuple(
                    "%.3f" % per[p][name] if p in per else "-" for p in figures.PAGERS))


def as_text(version, machine, rounds, calls):
    lines = ["paging, %s" % machine, "the median of the rounds, and their least and most; one boot, the pagers in turn", ""]
    for vcpus, table in sorted(rounds.items()):
        lines += list(_table(vcpus, table, version)) + [""]
    if calls:
        lines += list(_call_table(calls))
    return "\n".join(lines)
