# SPDX-License-Identifier: GPL-2.0-only
"""bench/introspection: what guarding executions costs. On this machine, a page's way to its verdict by the tier that has it; on a
real Xen, executions and guest requests that have to be judged, against upstream's xen-access, and a guest's work that is guarded."""

import argparse
import json
import os
import random
import shutil
import subprocess
import tempfile

from bed import failure

from . import boot, counting, figures, upstream

PAGES_A_MIB = 256
SECONDS_A_ROUND = 600   # generous: a machine under load is slower by much

JUDGES = (("off", "nobody"), ("upstream", "upstream's xen-access"), ("strings", "two strings, in the broker"), ("yara", "YARA, a worker"))
VCPUS = (1, 4)
TRIPS = (("exec", "a page executed"), ("request", "a guest request"))
WORK = (("cold", "for the first time"), ("warm", "again"))
GOAL = 5                # percent of exits added to a guest's work that was done before
NOT_WATCHED = {("strings", "request")}      # the broker's own scanner does not ask for them

# As Xen numbers them for its counters: a nested page fault, an EPT violation
NESTED = {"amd": "vmexit:143", "intel": "vmexit:48"}
CALLS = ("memevent_op", "event_channel_op", "memory_op", "mmu_update", "update_va_mapping", "mmuext_op", "multicall", "domctl")
NAMES = {"multicall": "multicall (libxenctrl's memory_op)"}
MEMEVENT = "arch_7"     # as xenperf calls our hypercall's number

TIERS = (("digest", "all", "SHA-256 of the page"), ("known", "all", "a verdict that is known, with it"),
         ("rules1", "all", "a worker, YARA with 1 rule"), ("rules1", "plugin", "  of it YARA"), ("rules1", "hop", "  of it the way there and back"),
         ("rules1000", "all", "a worker, YARA with 1,000 rules"), ("rules1000", "plugin", "  of it YARA"),
         ("rules1000", "hop", "  of it the way there and back"),
         ("signatures1", "all", "a worker, ClamAV with 1 signature"), ("signatures1", "plugin", "  of it ClamAV"),
         ("signatures1000", "all", "a worker, ClamAV with 1,000 signatures"), ("signatures1000", "plugin", "  of it ClamAV"))
COUNTS = (1, 1000)      # of rules and of signatures


def parser():
    main = argparse.ArgumentParser(
        prog="bench/introspection", description="What guarding executions costs: natively a page's way to its verdict, and, in one boot "
        "of the real-Xen test bed, executions and guest requests that have to be judged, and the exits of a guest's work.")
    main.add_argument("--parts", default="native,xen", metavar="NAME,...", help="native, xen, or both (default)")
    main.add_argument("--build", default=".", metavar="DIR", help="where the suite is built, for native (default: here)")
    main.add_argument("--rounds", type=int, default=3, metavar="N", help="of all ways, by turns (default 3)")
    main.add_argument("--scans", type=int, default=2000, metavar="N", help="pages of a native round (default 2000)")
    main.add_argument("--cpu", choices=sorted(NESTED), default="amd", help="the emulated host's make (default amd)")
    main.add_argument("--judges", default=",".join(judge for judge, _ in JUDGES), metavar="NAME,...", help="by turns (default: all)")
    main.add_argument("--pages", type=int, default=1024, metavar="N", help="that are executed, a multiple of 256 (default 1024)")
    main.add_argument("--requests", type=int, default=1000, metavar="N", help="guest requests (default 1000)")
    main.add_argument("--files", type=int, default=12, metavar="N", help="of the guest's work; 0: none of it (default 12)")
    boot.add_clock(main)
    boot.add_options(main)
    return main


# ---- on this machine ----

def write_rules(path, count):
    """Rules that match nothing; the same ones each time."""
    draw = random.Random(count)
    with open(path, "w") as out:
        for i in range(count):
            out.write('rule r%d { strings: $a = "bench-%032x" $b = { %s } condition: any of them }\n' % (
                i, draw.getrandbits(128), " ".join("%02x" % draw.randrange(256) for _ in range(16))))
    os.chmod(path, 0o644)


def write_signatures(path, count):
    """A database for ClamAV, whose signatures match nothing either."""
    draw = random.Random(count)
    os.mkdir(path)
    with open(os.path.join(path, "bench.ndb"), "w") as out:
        for i in range(count):
            out.write("Bench.N%d:0:*:%s\n" % (i, "%032x" % draw.getrandbits(128)))
    os.chmod(path, 0o755)
    os.chmod(os.path.join(path, "bench.ndb"), 0o644)


def scan(options):
    """Lines of bench/scans. Plugins are loaded only from where nobody else can write."""
    build = os.path.abspath(options.build)
    program, worker = os.path.join(build, "bench", "scans"), os.path.join(build, "daemons", "av-introspect", "av-worker")
    yara, clamav = (os.path.join(build, "daemons", "av-introspect", "plugins", name, ".libs", name + ".so") for name in ("yara", "clamav"))
    for path in program, worker, yara:
        if not os.path.exists(path):
            raise failure.Failure(failure.PREPARE, "%s is missing: name a directory where the suite is built, --build DIR" % path)
    with tempfile.TemporaryDirectory(prefix="bench-introspection-") as where:
        os.chmod(where, 0o755)
        kinds = [("rules", yara, "rules", write_rules)]
        if os.path.exists(clamav):      # the suite can be built without it
            kinds.append(("signatures", clamav, "database", write_signatures))
        words = []
        for tier, plugin, option, write in kinds:
            os.chmod(shutil.copy(plugin, where), 0o755)
            for count in COUNTS:
                path = os.path.join(where, "%s%d" % (tier, count))
                write(path, count)
                words.append("%s=%s:%s=%s" % (os.path.basename(path), os.path.basename(plugin)[:-len(".so")], option, path))
        done = subprocess.run([program, worker, where, str(options.rounds), str(options.scans)] + words, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise failure.Failure(done.returncode, "bench/scans did not end as it should")
    return done.stdout.splitlines()


def tiers(runs):
    """{(tier, part): {figure: [nanoseconds a round]}}"""
    out = {}
    for run, phases in runs.items():
        kind, tier, _ = run.split("/")
        for part, values in phases.items() if kind == "scan" else ():
            for name in ("p50", "p99"):
                out.setdefault((tier, part), {}).setdefault(name, []).append(int(values[name]))
    return out


# ---- on Xen ----

def guard(options):
    """Dom0's lines."""
    program, _ = upstream.build(upstream.ACCESS)
    judges = options.judges.split(",")
    words = ["--xen-tree", counting.tree(False), "--add", program + ":/root/xen-access",
             "--add", os.path.join(boot.TOP, "tests/system/tests/guarded.sh") + ":/root/guarded.sh"]
    yield from boot.run(options, 300 + SECONDS_A_ROUND * options.rounds * len(judges), words + boot.add_counters(),
                        ["introspection.sh", options.rounds, options.pages // PAGES_A_MIB, options.requests, options.files] + judges,
                        options.clock, options.cpu)


def of_a_trip(phase, trip, nested):
    guest = phase["guest"][trip]
    count = int(guest["touches"])
    calls = {name.replace(MEMEVENT, "memevent_op"): number for name, number in phase["calls"].items()}
    out = {"p50_us": int(guest["p50us"]), "p99_us": int(guest["p99us"]), "per_second": int(guest["persec"]),
           "exits": calls["vmexits"] / count, "nested": calls.get(nested, 0) / count}
    out.update({call: calls.get("hypercall:" + call, 0) / count for call in CALLS})
    return out


def rounds(runs, nested):
    """{judge: {phase: {figure: [a value a round]}}}; what is added to the guest's work is against nobody's of the same round."""
    out = {}
    for run, phases in runs.items():
        kind, judge, number = run.split("/")
        if kind != "guard":
            continue
        figures.check_words(run, phases)
        table = out.setdefault(judge, {})
        for trip, vcpus in ((trip, vcpus) for trip, _ in TRIPS for vcpus in VCPUS):
            if (judge, trip) in NOT_WATCHED:
                continue
            phase = "%s%d" % (trip, vcpus)
            for name, value in of_a_trip(phases[phase], trip, nested).items():
                table.setdefault(phase, {}).setdefault(name, []).append(value)
        for phase, _ in WORK:
            if phase not in phases:
                continue
            exits = phases[phase]["calls"]["vmexits"]
            # Nobody's second time is a guest whose own caches are warm, as are those of all others by then.
            alone = runs["guard/off/%s" % number]["warm"]["calls"]["vmexits"]
            values = {"exits": exits, "nested": phases[phase]["calls"].get(nested, 0), "added_percent": 100 * (exits - alone) / alone}
            for name, value in values.items():
                table.setdefault(phase, {}).setdefault(name, []).append(value)
    return out


# ---- shown ----

TRIP_ROWS = (("p50_us", "until the guest goes on, p50, us", 0), ("p99_us", "  p99", 0), ("per_second", "a second", 0),
             ("exits", "exits of the guest", 2), ("nested", "  for the nested tables", 2)) + tuple(
                 (call, "hypercalls: " + NAMES.get(call, call), 2) for call in CALLS)
WORK_ROWS = (("exits", "exits of the guest", 0), ("nested", "  for the nested tables", 0),
             ("added_percent", "exits added to nobody's, %", 1))


def cell(values, decimals):
    s = figures.summary(values)
    return "%.*f (%.*f-%.*f)" % (decimals, s["median"], decimals, s["least"], decimals, s["most"])


def block(table, title, phase, rows):
    judges = [(judge, text) for judge, text in JUDGES if phase in table.get(judge, {})]
    if not judges:
        return
    yield "%-46s" % title + "".join("%32s" % text for _, text in judges)
    for name, text, decimals in rows:
        if any(any(table[judge][phase][name]) for judge, _ in judges):
            yield "  %-44s" % text + "".join("%32s" % cell(table[judge][phase][name], decimals) for judge, _ in judges)
    yield ""


def as_text(machine, scans, table):
    lines = ["the median of the rounds (least-most)", ""]
    if scans:
        lines.append("%-46s%32s%32s" % ("a page's verdict, on this machine, us", "p50", "p99"))
        for tier, part, text in (row for row in TIERS if row[:2] in scans):
            lines.append("  %-44s" % text + "".join(
                "%32s" % cell([ns / 1000 for ns in scans[tier, part][name]], 1) for name in ("p50", "p99")))
        lines.append("")
    if table:
        lines += ["on %s; one boot, one guest, who judges by turns" % machine, ""]
        for trip, text in TRIPS:
            for vcpus in VCPUS:
                lines += block(table, "%s, %d vCPU%s" % (text, vcpus, "s" * (vcpus > 1)), "%s%d" % (trip, vcpus), TRIP_ROWS)
        for phase, text in WORK:
            lines += block(table, "the guest's work, " + text, phase, WORK_ROWS)
        for judge, text in JUDGES[1:]:
            if "warm" not in table.get(judge, {}):
                continue
            added = figures.summary(table[judge]["warm"]["added_percent"])["median"]
            lines.append("goal: under %d %% of exits added by %s when the work was done before: %s" % (
                GOAL, text, "reached" if added < GOAL else "not reached"))
    return "\n".join(lines).rstrip()


def with_values(values):
    return dict(figures.summary(values), values=values)


def as_json(machine, scans, table):
    return json.dumps({
        "version": 1, "host": machine, "goal_added_percent": GOAL,
        "scan_nanoseconds": {"%s/%s" % key: {name: with_values(v) for name, v in values.items()} for key, values in scans.items()},
        "judges": {judge: {phase: {name: with_values(v) for name, v in values.items()} for phase, values in phases.items()}
                   for judge, phases in table.items()}}, indent=1)


def measure_all(options, parts):
    if "native" in parts:
        yield from scan(options)
    if "xen" in parts:
        yield from guard(options)


def main(arguments):
    options = parser().parse_args(arguments)

    def measure():
        parts = options.parts.split(",")
        if not set(parts) <= {"native", "xen"}:
            raise failure.Failure(failure.USAGE, "--parts: native, xen, or both")
        if set(options.judges.split(",")) - {judge for judge, _ in JUDGES}:
            raise failure.Failure(failure.USAGE, "--judges: of %s" % ", ".join(judge for judge, _ in JUDGES))
        if options.pages <= 0 or options.pages % PAGES_A_MIB:
            raise failure.Failure(failure.USAGE, "--pages: a multiple of %d" % PAGES_A_MIB)
        runs = figures.read(boot.lines(options, lambda: measure_all(options, parts)))
        machine = "an emulated %s host" % ("Intel" if options.cpu == "intel" else "AMD")
        if options.cpu == "amd":
            machine += ", " + boot.CLOCKS[options.clock]
        return (as_json if options.json else as_text)(machine, tiers(runs), rounds(runs, NESTED[options.cpu]))

    return boot.main(measure)
