# SPDX-License-Identifier: GPL-2.0-only
"""One run of bench/paging: the order of the rounds, the boot, and what came out of it."""

import argparse
import os
import subprocess
import sys
import tempfile

from bed import failure, progress

from . import figures, report, upstream

HERE = os.path.dirname(os.path.abspath(__file__))
XENHOST = os.path.join(os.path.dirname(os.path.dirname(HERE)), "tests", "system", "xenhost")
COUNT_MEMORY = 24       # MiB of a guest whose pager is traced: each system call is many times dearer then
SECONDS_A_ROUND = 240   # generous: a machine under load is slower by much

CLOCKS = {"host": "by its own clock", "turns": "by its own clock, its CPUs taking turns",
          "instructions": "by its instructions, one a nanosecond"}


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
    main.add_argument("--clock", choices=sorted(CLOCKS), default="turns",
                      help="what time is measured by: the host's as the test bed runs it, which needs an idle machine; the "
                      "same with its CPUs taking turns (default); or its instructions, which no load disturbs")
    main.add_argument("--ours", default="", metavar="OPTIONS", help="options for our pager, for instance "
                      "--ours=--poll-limit=1000; upstream's takes the defaults")
    main.add_argument("--host", action="append", default=[], metavar="OPTION",
                      help="passed to `xenhost run` as it is, for instance --host=--build=DIR")
    main.add_argument("--json", action="store_true", help="print JSON instead of the table")
    main.add_argument("--raw", metavar="FILE", help="keep dom0's lines there; or, with --again, read them from there")
    main.add_argument("--again", action="store_true", help="no run: figures from --raw FILE")
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
    """Dom0's lines."""
    steps = plan(options)
    lines = []
    with tempfile.TemporaryDirectory(prefix="bench-paging-") as where:
        path = os.path.join(where, "plan")
        with open(path, "w") as out:
            out.write("".join("%s %s %d %d %d %d %d\n" % step for step in steps))
        command = [XENHOST, "run", "--cpu", "amd", "--vcpus", str(options.vcpus),
                   "--timeout", str(120 + SECONDS_A_ROUND * len(steps)),
                   "--add", program + ":/root/upstream-xenpaging", "--add", path + ":/root/plan",
                   "--add", os.path.join(HERE, "guest.sh") + ":/root/guest.sh"]
        command += options.host + [os.path.join(HERE, "dom0.sh"), "/root/plan"] + options.ours.split()
        done = 0
        environment = dict(os.environ)
        if options.clock != "host":
            environment["PATH"] = os.path.join(HERE, "clocks") + ":" + environment["PATH"]
            environment["BENCH_PAGING_CLOCK"] = options.clock
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, errors="replace",
                              env=environment) as host, \
                open(options.raw or os.devnull, "w", buffering=1) as raw:
            for line in host.stdout:
                lines.append(line.rstrip("\r\n"))
                raw.write(lines[-1] + "\n")
                if line.startswith(("== time/", "== count/")):
                    done += 1
                    progress.say("%d of %d: %s" % (done, len(steps), line[3:].strip()))
                elif not line.startswith(("bench", "got a tsc mode string")):
                    progress.say(line.rstrip())
        if host.returncode:
            raise failure.Failure(host.returncode, "the measurement did not end as it should")
    return lines


def main(arguments):
    options = parser().parse_args(arguments)
    try:
        program, version = upstream.build()
        if options.again:
            with open(options.raw) as source:
                lines = source.read().splitlines()
        else:
            lines = run(options, program)
        runs = figures.read(lines)
        rounds, calls = figures.rounds(runs), figures.calls(runs)
    except figures.Unusable as problem:
        progress.warn(str(problem))
        return 1
    except failure.Failure as problem:
        if problem.detail:
            sys.stderr.write(problem.detail.rstrip() + "\n")
        progress.warn(problem.sentence)
        return problem.status
    machine = "an emulated AMD host with %d CPUs, %s" % (options.vcpus, CLOCKS[options.clock])
    print((report.as_json if options.json else report.as_text)(version, machine, rounds, calls))
    return 0
