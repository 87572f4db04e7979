# SPDX-License-Identifier: GPL-2.0-only
"""What every measurement on a real Xen has: its last options, the boot in which dom0 measures, and what is said of a failure.

What a measurement counts, and how it is shown, is its own.
"""

import os
import subprocess
import sys

from bed import failure, progress

from . import figures

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
XENHOST = os.path.join(TOP, "tests", "system", "xenhost")
XENPERF = "/usr/lib/xen-4.17/bin/xenperf"
# What dom0 says for the figures, and what libxl says of each guest of ours.
NOT_FOR_PEOPLE = ("bench", "got a tsc mode string")

CLOCKS = {"host": "by its own clock", "turns": "by its own clock, its CPUs taking turns",
          "instructions": "by its instructions, one a nanosecond"}


def add_clock(parser):
    parser.add_argument("--clock", choices=sorted(CLOCKS), default="turns",
                        help="what time is measured by: the host's as the test bed runs it, which needs an idle machine; the "
                        "same with its CPUs taking turns (default); or its instructions, which no load disturbs")


def add_options(parser):
    parser.add_argument("--host", action="append", default=[], metavar="OPTION",
                        help="passed to `xenhost run` as it is, for instance --host=--build=DIR")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    parser.add_argument("--raw", metavar="FILE", help="keep dom0's lines there; or, with --again, read them from there")
    parser.add_argument("--again", action="store_true", help="no run: figures from --raw FILE")


def run(options, seconds, words, script, clock="host", cpu="amd"):
    """Yields dom0's lines as they come. words: xenhost's own; script: a file here, and its arguments."""
    command = [XENHOST, "run", "--cpu", cpu, "--timeout", str(seconds)] + words + options.host
    command += [os.path.join(HERE, script[0])] + [str(word) for word in script[1:]]
    environment = dict(os.environ)
    if clock != "host":
        environment["PATH"] = os.path.join(HERE, "clocks") + ":" + environment["PATH"]
        environment["BENCH_PAGING_CLOCK"] = clock
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, errors="replace", env=environment) as host:
        for line in host.stdout:
            yield line.rstrip("\r\n")
    if host.returncode:
        raise failure.Failure(host.returncode, "the measurement did not end as it should")


def add_guest():
    """For scripts that read guest.sh."""
    return ["--add", os.path.join(HERE, "guest.sh") + ":/root/guest.sh"]


def add_counters():
    """For scripts that read counters.sh and call xenperf."""
    if not os.path.exists(XENPERF):
        raise failure.Failure(failure.PREPARE, "%s is missing: package xen-utils-4.17" % XENPERF)
    return ["--add", os.path.join(HERE, "counters.sh") + ":/root/counters.sh", "--add", XENPERF + ":/root/xenperf"]


def lines(options, make):
    """What dom0 said: make() yields it, or --again has it from --raw. It is kept there, and people see their part of it."""
    if options.again:
        with open(options.raw) as source:
            return source.read().splitlines()
    out = []
    with open(options.raw or os.devnull, "w", buffering=1) as raw:
        for line in make():
            out.append(line)
            raw.write(line + "\n")
            if not line.startswith(NOT_FOR_PEOPLE):
                progress.say(line)
    return out


def main(measure):
    """measure() returns what is printed; returns the exit status."""
    try:
        print(measure(), flush=True)
    except BrokenPipeError:
        # Who reads it has seen enough; Python would complain of it once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except figures.Unusable as problem:
        progress.warn(str(problem))
        return 1
    except failure.Failure as problem:
        if problem.detail:
            sys.stderr.write(problem.detail.rstrip() + "\n")
        progress.warn(problem.sentence)
        return problem.status
    return 0
