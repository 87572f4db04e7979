# SPDX-License-Identifier: GPL-2.0-only
"""Recognises a crash in what the host's console and the guests' consoles say.

The host's console carries Xen's own lines, marked "(XEN)", and those of
dom0's kernel, unmarked. A line of a guest that writes to Xen's debug port is
marked "(XEN) (dN)" and says nothing about the host.
"""

import re

from . import failure

CONSOLE = (
    (failure.XEN_PANIC, re.compile(r"\(XEN\) (Panic on CPU \d+|FATAL TRAP|FATAL PAGE FAULT|"
                                   r"Xen BUG at|Assertion '.*' failed|Xen stack overflow|\*\*\* DOUBLE FAULT)")),
    (failure.DOM0_CRASH, re.compile(r"\(XEN\) (Domain 0 \(vcpu#\d+\) crashed|Hardware Dom0 crashed)|"
                                    r"\(XEN\) .*domain_crash\w* called .*d0v")),
    (failure.DOM0_CRASH, re.compile(r"^(?!\(XEN\)).*(Kernel panic - not syncing|end Kernel panic)")),
    (failure.HOST_ENDED, re.compile(r"\(XEN\) Hardware Dom0 (shutdown|halted)")),
    (failure.GUEST_CRASH, re.compile(r"\(XEN\) Domain [1-9]\d* (\(vcpu#\d+\) crashed|reported crashed)|"
                                     r"\(XEN\) .*\bd[1-9]\d*v\d+ Triple fault")),
)

GUEST = re.compile(r"Kernel panic - not syncing")
MARKED = re.compile(r"^\(XEN\) \(d\d+\)")
STAMP = re.compile(r"^\(XEN\) \[[^\]]*\] ")


def in_console(line):
    """(status, the line) if the host's console line tells of a crash, else None."""
    line = STAMP.sub("(XEN) ", line.rstrip())
    if MARKED.match(line):
        return None
    for status, pattern in CONSOLE:
        if pattern.search(line):
            return status, line
    return None


def in_guest(name, line):
    if GUEST.search(line):
        return failure.GUEST_CRASH, "guest %s: %s" % (name, line.strip())
    return None
