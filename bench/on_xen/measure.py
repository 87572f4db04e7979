# SPDX-License-Identifier: GPL-2.0-only
"""One run of bench/paging: the order of the rounds, the boot, and what came out of it."""

import argparse
import os
import tempfile

from bed import failure

from . import boot, figures, report, upstream

COUNT_MEMORY = 24       # MiB of a guest whose pager is traced: each system call is many times dearer then
SECONDS_A_ROUND = 240   # generous: a machine under load is slower by much


def parser():
    main = argparse.ArgumentParser(
        prog="bench/paging", description="Our pager against upstream's, with its two missing fields set, in one boot "
        "of the real-Xen test bed. Absolute times are an emulated machine's; the ratios and the counts are the figures.")
    main.add_argument("--rounds", type=int, default=3, metavar="N", help="timed rounds of each pager (default 3)")
    main.add_argument("--counts", type=int, default=1, metavar="N",
                      help="rounds under strace, for system calls and hypercalls (default 1)")
    main.add_argument("--guest-vcpus", default="1,4", metavar="N,...",
                      help="guests to measure with; all but the first get one timed round (default 1,4)")
    main.add_argument("--memory", type=int, default=128, metavar="MIB",
                      help="of the guest; half of it stays resident (default 128)")
    main.add_argument("--touches", type=int, default=4000, metavar="N", help="random touches a round (default 4000)")
    main.add_argument("--passes", type=int, default=1, metavar="N", help="sequential passes a round (default 1)")
    main.add_argument("--pagers", default="upstream,ours", metavar="NAME,...", help="in this order, in turn")
    main.add_argument("--vcpus", type=int, default=2, metavar="N", help="the host's CPUs (default 2)")
    boot.add_clock(main)
    main.add_argument("--ours", default="", metavar="OPTIONS", help="options for our pager, for instance "
                      "--ours=--poll-limit=1000; upstream's takes the defaults")
    boot.add_options(main)
    return main


def plan(options):
    """Lines for dom0.sh. The pagers alternate within each round, so that a busy machine meets both."""
    pagers = options.pagers.split(",")
    vcpus = [int(n) for n in options.guest_vcpus.split(",")]
    if not set(pagers) <= set(figures.PAGERS):
        raise failure.Failure(failure.USAGE, "--pagers: one or both of %s" % ", ".join(figures.PAGERS))
    rounds = [("time", number, vcpus[0]) for number in range(1, options.rounds + 1)]
    rounds += [("time", 1, other) for other in vcpus[1:]]
    rounds += [("count", number, vcpus[0]) for number in range(1, options.counts + 1)]
    memory = {"time": options.memory, "count": min(options.memory, COUNT_MEMORY)}
    return [(kind, pager, number, cpus, memory[kind], options.touches, options.passes)
            for kind, number, cpus in rounds for pager in pagers]


def run(options, program):
    """Dom0's lines, those that begin a round with how far it has come."""
    steps = plan(options)
    done = 0
    with tempfile.TemporaryDirectory(prefix="bench-paging-") as where:
        path = os.path.join(where, "plan")
        with open(path, "w") as out:
            out.write("".join("%s %s %d %d %d %d %d\n" % step for step in steps))
        words = ["--vcpus", str(options.vcpus), "--add", program + ":/root/upstream-xenpaging",
                 "--add", path + ":/root/plan"] + boot.add_guest()
        for line in boot.run(options, 120 + SECONDS_A_ROUND * len(steps), words,
                             ["dom0.sh", "/root/plan"] + options.ours.split(), options.clock):
            if line.startswith(("== time/", "== count/")):
                done += 1
                line = "%d of %d: %s" % (done, len(steps), line[3:])
            yield line


def main(arguments):
    options = parser().parse_args(arguments)

    def measure():
        program, version = upstream.build(upstream.PAGER)
        runs = figures.read(boot.lines(options, lambda: run(options, program)))
        machine = "an emulated AMD host with %d CPUs, %s" % (options.vcpus, boot.CLOCKS[options.clock])
        return (report.as_json if options.json else report.as_text)(version, machine, figures.rounds(runs),
                                                                    figures.calls(runs))

    return boot.main(measure)
