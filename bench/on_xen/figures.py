# SPDX-License-Identifier: GPL-2.0-only
"""From the lines that dom0.sh prints to figures: one value a round, then median and spread over the rounds.

A figure knows its unit, which way is better, and what the project aims at; how it is shown is report.py's.
"""

import re
import statistics

PAGERS = ("ours", "upstream")
PAGE_KIB = 4

# Requests of /dev/xen/privcmd and /dev/xen/evtchn that lead to a hypercall, as strace prints them.
HYPERCALL = "0x305000"
MAP_BATCH = ("0x205002", "0x205004")
NOTIFY = "0x44504"


class Unusable(Exception):
    pass


def read(lines):
    """{run: {phase: record}}; a record holds totals, `guest` {command: values} and `calls` {call: count}."""
    runs = {}
    for line in lines:
        if not line.startswith("bench: "):
            continue
        values = dict(word.split("=", 1) for word in line.split()[1:])
        phase = runs.setdefault(values["run"], {}).setdefault(
            values["phase"], {"guest": {}, "calls": {}})
        if "guest" in values:
            phase["guest"][values["guest"]] = values
        elif "call" in values:
            phase["calls"][values["call"]] = int(values["count"])
        else:
            phase.update(values)
    return runs


def check_words(run, phases):
    for name, phase in phases.items():
        for command, values in phase["guest"].items():
            if int(values.get("bad", 0)):
                raise Unusable("%s: the guest found %s wrong words in %s (%s)"
                               % (run, values["bad"], name, command))


def check(run, phases):
    """The guest's own verification judges: no figure of a run that lost a bit counts."""
    check_words(run, phases)
    if "verify" not in phases.get("work", {"guest": {}})["guest"]:
        raise Unusable("%s did not end with the guest's verification" % run)


def _pages_out(phase):
    return max(1, (int(phase["kib_before"]) - int(phase["kib"])) // PAGE_KIB)


def _ms(phase):
    return sum(int(values["ms"]) for values in phase["guest"].values())


def _touches(phase, command):
    return int(phase["guest"][command]["touches"])


def _slow(phase, command):
    return max(1, int(phase["guest"][command]["slow"]))


def _system_calls(phase):
    return sum(phase["calls"].values())


def hypercalls(calls):
    """Those the pager itself asks for: each privcmd hypercall, each mapped batch, each notification."""
    return sum(count for call, count in calls.items()
               if call.startswith("ioctl:") and call.rsplit(":", 1)[1] in (HYPERCALL, NOTIFY) + MAP_BATCH)


def _timed(phases):
    out, rand, seq = phases["out"], phases["random"], phases["sequential"]
    fault, stream = rand["guest"]["rand"], seq["guest"]["seq"]
    yield "random_p50_us", int(fault["p50us"])
    yield "random_p99_us", int(fault["p99us"])
    yield "random_max_us", int(fault["maxus"])
    yield "random_faults_per_second", 1000 * _slow(rand, "rand") / max(1, int(fault["ms"]))
    yield "sequential_pages_per_second", 1000 * _touches(seq, "seq") / max(1, int(stream["ms"]))
    yield "sequential_waits_per_1000_pages", 1000 * _slow(seq, "seq") / _touches(seq, "seq")
    yield "out_pages_per_second", 1000 * _pages_out(out) / max(1, int(out["wall_ms"]))
    yield "work_ms", _ms(phases["work"])
    yield "work_times_unpaged", _ms(phases["work"]) / max(1, _ms(phases["unpaged"]))
    yield "cpu_us_per_page_out", int(out["cpu_ns"]) / 1000 / _pages_out(out)
    yield "cpu_us_per_random_fault", int(rand["cpu_ns"]) / 1000 / _slow(rand, "rand")
    yield "cpu_us_per_sequential_page", int(seq["cpu_ns"]) / 1000 / _touches(seq, "seq")
    yield "work_dom0_seconds", float(phases["work"]["dom0_to"]) - float(phases["work"]["dom0_from"])
    yield "kib_above_target", max(int(phase["kib"]) for phase in (rand, seq)) - int(out["kib"])


def _counted(phases):
    out, rand, seq = phases["out"], phases["random"], phases["sequential"]
    pages, faults, touched = _pages_out(out), _slow(rand, "rand"), _touches(seq, "seq")
    calls_out, calls_both = _system_calls(out) / pages, _system_calls(rand) / faults
    hyper_out, hyper_both = hypercalls(out["calls"]) / pages, hypercalls(rand["calls"]) / faults
    yield "system_calls_per_page_out", calls_out
    yield "system_calls_per_fault_and_page_out", calls_both
    yield "system_calls_per_page_in", calls_both - calls_out
    yield "system_calls_per_sequential_page", _system_calls(seq) / touched
    yield "hypercalls_per_page_out", hyper_out
    yield "hypercalls_per_fault_and_page_out", hyper_both
    yield "hypercalls_per_page_in", hyper_both - hyper_out
    yield "hypercalls_per_sequential_page", hypercalls(seq["calls"]) / touched


def rounds(runs):
    """{vcpus: {figure: {pager: [a value a round]}}}"""
    out = {}
    for run, phases in runs.items():
        kind, pager, _, vcpus = run.split("/")
        check(run, phases)
        for name, value in (_timed if kind == "time" else _counted)(phases):
            out.setdefault(int(vcpus), {}).setdefault(name, {}).setdefault(pager, []).append(value)
    return out


def calls(runs):
    """{pager: {phase: {call: count}}} over all counting runs, with the pages of each phase."""
    out = {}
    for run, phases in runs.items():
        kind, pager, _, _ = run.split("/")
        if kind != "count":
            continue
        for phase, per in (("out", _pages_out), ("random", lambda p: _slow(p, "rand")),
                           ("sequential", lambda p: _touches(p, "seq"))):
            entry = out.setdefault(pager, {}).setdefault(phase, {"pages": 0, "calls": {}})
            entry["pages"] += per(phases[phase])
            for call, count in phases[phase]["calls"].items():
                call = re.sub(r"^ioctl:(?:/dev/xen/)?(.*):(0x[0-9a-f]+)$", name_ioctl, call)
                entry["calls"][call] = entry["calls"].get(call, 0) + count
    return out


def name_ioctl(match):
    path, number = match.groups()
    words = {HYPERCALL: "hypercall", NOTIFY: "notify"}
    words.update(dict.fromkeys(MAP_BATCH, "map batch"))
    return "ioctl %s %s" % (path, words.get(number, number))


def summary(values):
    return {"median": statistics.median(values), "least": min(values), "most": max(values),
            "rounds": len(values)}
