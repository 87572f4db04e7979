# SPDX-License-Identifier: GPL-2.0-only
"""What xenhost says while it works: always on stderr, so that stdout is the script's alone.

On a terminal a running step counts its seconds in place; elsewhere it prints
one line at its start and another one every PULSE seconds.
"""

import os
import subprocess
import sys
import threading
import time

from . import failure

PULSE = 20          # seconds between signs of life of a long step, off a terminal
TAIL_LINES = 30     # how much of a failed command's output is shown

quiet = False


def say(text):
    if not quiet:
        warn(text)


def warn(text):
    sys.stderr.write("xenhost: %s\n" % text)
    sys.stderr.flush()


class step:
    """`with step("building the hypervisor (about 1 minute, once)"):` keeps a person informed."""

    def __init__(self, text):
        self.text = text
        self.done = threading.Event()

    def __enter__(self):
        self.start = time.monotonic()
        self.tty = sys.stderr.isatty() and not quiet
        say(self.text + ("" if self.tty else " ..."))
        self.thread = threading.Thread(target=self._pulse, daemon=True)
        self.thread.start()
        return self

    def _pulse(self):
        while not self.done.wait(1 if self.tty else PULSE):
            seconds = int(time.monotonic() - self.start)
            if self.tty:
                sys.stderr.write("\rxenhost:   %d s " % seconds)
                sys.stderr.flush()
            else:
                say("  still %s, %d s" % (self.text.split(" (")[0], seconds))

    def __exit__(self, kind, value, trace):
        self.done.set()
        self.thread.join()
        if self.tty:
            sys.stderr.write("\r")
        seconds = time.monotonic() - self.start
        if kind is None and seconds > 2:
            say("  done, %.0f s" % seconds)
        return False


def run(command, what, log, cwd=None, env=None):
    """Runs one command with its output in the file `log`; a failure shows that file's tail."""
    with open(log, "ab") as out:
        out.write(("+ %s\n" % " ".join(command)).encode())
        out.flush()
        try:
            result = subprocess.run(command, cwd=cwd, env=env, stdin=subprocess.DEVNULL,
                                    stdout=out, stderr=subprocess.STDOUT)
        except FileNotFoundError:
            raise failure.Failure(failure.PREPARE, "%s: the program %s is not installed "
                                  "(see tests/system/bed/packages)" % (what, command[0]))
    if result.returncode:
        raise failure.Failure(failure.PREPARE, "%s failed (status %d); the whole log is %s"
                              % (what, result.returncode, log), tail(log))


def tail(path, lines=TAIL_LINES):
    try:
        with open(path, "rb") as source:
            source.seek(0, os.SEEK_END)
            source.seek(max(0, source.tell() - 200 * lines))
            text = source.read().decode(errors="replace").replace("\r", "")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])
