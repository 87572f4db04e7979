# SPDX-License-Identifier: GPL-2.0-only
"""bench/crossings: what a page out and a page in cost in hypercalls and in exits, before and after.

Two boots: a stock hypervisor, with upstream's pager and ours on upstream's interface, and the patched one with our
channels. Both hypervisors are built with Xen's own counters switched on, and with nothing else changed.
"""

import argparse
import json
import re

from bed import failure

from . import boot, counting, figures, upstream

SECONDS_A_RUN = 240     # generous: a machine under load is slower by much

SIDES = (
    ("upstream", "upstream's pager, stock Xen", True, "upstream"),
    ("stock", "ours, stock Xen", True, "ours"),
    ("channels", "ours, channels", False, "ours"),
)

# counter, what it says
ROWS = (
    ("pager", "hypercalls that the pager asks for"),
    ("hypercall:memevent_op", "  memevent_op"),
    ("hypercall:memory_op", "  memory_op"),
    ("hypercall:multicall", "  multicall: memory_op from libxenctrl, or in batches"),
    ("calls_from_multicall", "    calls in them"),
    ("hypercall:event_channel_op", "  event_channel_op: notifications, unmasking"),
    ("hypercall:sysctl", "  sysctl"),
    ("hypercall:domctl", "  domctl"),
    ("kernel", "hypercalls that dom0's kernel makes of them"),
    ("hypercall:mmu_update", "  mmu_update: page tables"),
    ("hypercall:mmuext_op", "  mmuext_op: flushes, address spaces"),
    ("hypercall:update_va_mapping", "  update_va_mapping"),
    ("hypercall:stack_switch", "  stack_switch: context switches"),
    ("hypercall:set_segment_base", "  set_segment_base: the same"),
    ("vmexits", "exits of the guest"),
    ("vmexit:npf", "  nested page faults"),
    ("page_faults", "page faults of dom0"),
)
# Others (iret, sched_op, vcpu_op, set_timer_op) go with interrupts and with idling, not with pages.
SUMS = {
    "pager": ("memevent_op", "memory_op", "multicall", "event_channel_op", "sysctl", "domctl"),
    "kernel": ("mmu_update", "mmuext_op", "update_va_mapping", "stack_switch", "set_segment_base"),
}
MEMEVENT = "arch_7"     # as xenperf calls our hypercall's number
NPF = "143"             # as Xen numbers them for its counters

PHASES = (("out", "a page out"), ("in", "a page in, on demand"),
          ("both", "both: a fault at random, with the page out for it"), ("sequential", "a page read in order"))


def parser():
    main = argparse.ArgumentParser(
        prog="bench/crossings", description="Hypercalls and exits a page out and a page in, as Xen counts them, on stock "
        "Xen and on our channels, in the real-Xen test bed. What waiting for it costs is measured by itself, and taken off.")
    main.add_argument("--rounds", type=int, default=5, metavar="N", help="guests for each pager (default 5)")
    main.add_argument("--hypervisors", default="stock,patched", metavar="NAME,...", help="which are booted, in this order")
    main.add_argument("--memory", type=int, default=32, metavar="MIB",
                      help="of the guest; half of it is paged out (default 32)")
    main.add_argument("--touches", type=int, default=3000, metavar="N", help="random touches a round (default 3000)")
    boot.add_options(main)
    return main


def count(options, stock, program):
    """Dom0's lines, with the side's name before the pager's."""
    pagers = [pager for _, _, on_stock, pager in SIDES if on_stock == stock]
    words = ["--vcpus", "2", "--xen-tree", counting.tree(stock),
             "--add", program + ":/root/upstream-xenpaging"] + boot.add_guest() + boot.add_counters()
    ours = "run=cross/stock/" if stock else "run=cross/channels/"
    for line in boot.run(options, 180 + SECONDS_A_RUN * options.rounds * len(pagers), words,
                         ["crossings.sh", options.memory, options.touches, options.rounds] + pagers):
        yield line.replace("run=cross/ours/", ours)


def rename(call):
    call = call.replace("hypercall:" + MEMEVENT, "hypercall:memevent_op")
    return re.sub(r"^vmexit:%s$" % NPF, "vmexit:npf", call)


def counts(phase, idle):
    """Each counter's growth that an idle host would not have had."""
    looks, idle_looks = int(phase["looked"]), int(idle["looked"])
    out = {rename(call): count - idle["calls"].get(call, 0) * looks / idle_looks
           for call, count in phase["calls"].items()}
    for name, calls in SUMS.items():
        out[name] = sum(out.get("hypercall:" + call, 0) for call in calls)
    return out


def rounds(runs):
    """{side: {phase: {counter: [a value a page, by round]}}}"""
    out = {}
    for run, phases in runs.items():
        side = run.split("/")[1]
        figures.check(run, phases)
        idle = phases["idle"]
        # A fault is what Xen saw of it: the guest knows only which touches were slow, and not all are.
        pages = {"out": figures._pages_out(phases["out"]), "both": phases["random"]["calls"]["vmexit:" + NPF],
                 "sequential": figures._touches(phases["sequential"], "seq")}
        per = {name: {call: count / pages[name] for call, count in counts(phases[phase], idle).items()}
               for name, phase in (("out", "out"), ("both", "random"), ("sequential", "sequential"))}
        per["in"] = {call: count - per["out"].get(call, 0) for call, count in per["both"].items()}
        for name, values in per.items():
            for call, value in values.items():
                out.setdefault(side, {}).setdefault(name, {}).setdefault(call, []).append(value)
    return out


def cell(table, side, phase, call):
    values = table.get(side, {}).get(phase, {}).get(call)
    if not values:
        return "-"
    s = figures.summary(values)
    return "%.2f (%.2f-%.2f)" % (s["median"], s["least"], s["most"])


def as_text(table):
    lines = ["crossings a page, as Xen counts them; the median of the rounds (least-most); an idle host's are taken off"]
    for phase, what in PHASES:
        lines += ["", "%-52s" % what + "".join("%26s" % title for _, title, _, _ in SIDES)]
        for call, text in ROWS:
            cells = [cell(table, side, phase, call) for side, _, _, _ in SIDES]
            if any(c != "-" for c in cells):
                lines.append(("%-52s" % text + "".join("%26s" % c for c in cells)).rstrip())
    return "\n".join(lines)


def as_json(table):
    return json.dumps({"version": 1, "unit": "a page", "sides": {
        side: {phase: {call: dict(figures.summary(values), values=values) for call, values in calls.items()}
               for phase, calls in phases.items()} for side, phases in table.items()}}, indent=1)


def count_all(options):
    boot.add_counters()
    program, _ = upstream.build(upstream.PAGER)
    for name in options.hypervisors.split(","):
        yield from count(options, name == "stock", program)


def main(arguments):
    options = parser().parse_args(arguments)

    def measure():
        if not set(options.hypervisors.split(",")) <= {"stock", "patched"}:
            raise failure.Failure(failure.USAGE, "--hypervisors: stock, patched, or both")
        table = rounds(figures.read(boot.lines(options, lambda: count_all(options))))
        return (as_json if options.json else as_text)(table)

    return boot.main(measure)
