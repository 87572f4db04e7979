# SPDX-License-Identifier: GPL-2.0-only
"""bench/introspection: what guarding executions costs: a page's way to its verdict, by the tier that has it."""

import argparse
import json
import os
import random
import shutil
import subprocess
import tempfile

from bed import failure

from . import boot, figures

TIERS = (("digest", "all", "SHA-256 of the page"), ("known", "all", "a verdict that is known, with it"),
         ("rules1", "all", "a worker, YARA with 1 rule"), ("rules1", "plugin", "  of it YARA"), ("rules1", "hop", "  of it the way there and back"),
         ("rules1000", "all", "a worker, YARA with 1,000 rules"), ("rules1000", "plugin", "  of it YARA"),
         ("rules1000", "hop", "  of it the way there and back"))


def parser():
    main = argparse.ArgumentParser(
        prog="bench/introspection", description="What guarding executions costs on this machine: a page's way to its verdict, by the "
        "tier that has it. No Xen is needed.")
    main.add_argument("--build", default=".", metavar="DIR", help="where the suite is built (default: here)")
    main.add_argument("--rounds", type=int, default=5, metavar="N", help="of all tiers, by turns (default 5)")
    main.add_argument("--pages", type=int, default=2000, metavar="N", help="a round (default 2000)")
    main.add_argument("--json", action="store_true", help="print JSON instead of the table")
    return main


def write_rules(path, count):
    """Rules that match nothing; the same ones each time."""
    draw = random.Random(count)
    with open(path, "w") as out:
        for i in range(count):
            out.write('rule r%d { strings: $a = "bench-%032x" $b = { %s } condition: any of them }\n' % (
                i, draw.getrandbits(128), " ".join("%02x" % draw.randrange(256) for _ in range(16))))
    os.chmod(path, 0o644)


def scan(options):
    """Lines of bench/scans. Plugins are loaded only from where nobody else can write."""
    build = os.path.abspath(options.build)
    program, worker = os.path.join(build, "bench", "scans"), os.path.join(build, "daemons", "av-introspect", "av-worker")
    plugin = os.path.join(build, "daemons", "av-introspect", "plugins", "yara", ".libs", "yara.so")
    for path in program, worker, plugin:
        if not os.path.exists(path):
            raise failure.Failure(failure.PREPARE, "%s is missing: name a directory where the suite is built, --build DIR" % path)
    with tempfile.TemporaryDirectory(prefix="bench-introspection-") as where:
        os.chmod(where, 0o755)
        os.chmod(shutil.copy(plugin, where), 0o755)
        rules = [os.path.join(where, "rules%d" % count) for count in (1, 1000)]
        for path in rules:
            write_rules(path, int(os.path.basename(path)[len("rules"):]))
        done = subprocess.run([program, worker, where, str(options.rounds), str(options.pages)] + rules, stdout=subprocess.PIPE, text=True)
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


def cell(values, decimals):
    s = figures.summary(values)
    return "%.*f (%.*f-%.*f)" % (decimals, s["median"], decimals, s["least"], decimals, s["most"])


def as_text(table):
    lines = ["the median of the rounds (least-most)", "",
             "%-46s%32s%32s" % ("a page's verdict, on this machine, us", "p50", "p99")]
    for tier, part, text in TIERS:
        lines.append("  %-44s" % text + "".join(
            "%32s" % cell([ns / 1000 for ns in table[tier, part][name]], 1) for name in ("p50", "p99")))
    return "\n".join(lines)


def with_values(values):
    return dict(figures.summary(values), values=values)


def as_json(table):
    return json.dumps({"version": 1, "unit": "nanoseconds a page", "tiers": {
        "%s/%s" % key: {name: with_values(v) for name, v in values.items()} for key, values in table.items()}}, indent=1)


def main(arguments):
    options = parser().parse_args(arguments)

    def measure():
        return (as_json if options.json else as_text)(tiers(figures.read(scan(options))))

    return boot.main(measure)
