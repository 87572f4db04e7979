# SPDX-License-Identifier: GPL-2.0-only
"""Watches a running host until the script ends, something crashes, or time is up.

Everything that the host and its guests print is kept in files of the run's
directory; the script's output goes to stdout as it comes.
"""

import os
import re
import select
import subprocess
import sys
import termios
import time
import tty

from . import channel, crashes, failure, progress

SETTLE = 2.0        # seconds a crash may go on printing before the host is ended
XEN_KEYS_WAIT = 3   # seconds for Xen to answer the debug keys after a timeout
XEN_KEYS = b"\x01\x01\x01" + b"qr0"     # domains, run queues, dom0's registers; then back to dom0
# QEMU loses a timer interrupt now and then; its only CPU then sleeps until something else interrupts it, and Xen finds that
# its platform timer has gone round meanwhile. A character on Xen's console is such a thing, and this one means nothing.
NUDGE_AFTER = 15    # seconds of silence
NUDGE = b"\0"
OVERSLEPT = "Platform timer appears to have unexpectedly wrapped"
BOOT_PULSE = 30     # seconds between signs of life until the script starts, off a terminal
# Interrupts are off there, so that no processor delivers one; QEMU does, to a kernel that runs in SVM's guest mode.
DOUBLE_INTERRUPT = b"RIP: 0010:asm_sysvec_xen_hvm_callback+0x0/"
ENDING = 5          # seconds the emulator may take to exit once it has closed its lines
TAIL = 40           # lines of each console that a failure shows
ESCAPE = 0x1d       # Ctrl-] leaves the interactive shell


class Lines:
    """Cuts a stream into lines and keeps it in a file."""

    def __init__(self, path):
        self.file = open(path, "wb", buffering=0)
        self.rest = b""

    def feed(self, data):
        self.file.write(data)
        *lines, self.rest = (self.rest + data).split(b"\n")
        return [line.decode(errors="replace").rstrip("\r") for line in lines]


class Supervisor:
    def __init__(self, host, run, where):
        self.host = host
        self.run = run
        self.where = where
        self.splitter = channel.Splitter(run.nonce)
        self.console = Lines(os.path.join(where, "xen.log"))
        self.output = open(os.path.join(where, "script.log"), "wb", buffering=0)
        self.guests = {}
        self.up = False
        self.allow_crash = run.allow_guest_crash
        self.verdict = None         # (failure's status, sentence), reported once SETTLE is over
        self.judged_at = None
        self.status = None
        self.interactive = run.script is None

    def watch(self):
        """The script's exit status. Raises Failure for everything else."""
        started = time.monotonic()
        deadline = started + self.run.timeout if self.run.timeout else None
        pulse = started + BOOT_PULSE
        nudge = started + NUDGE_AFTER
        saved = None
        sources = {self.host.console.fileno(): self._console, self.host.line.fileno(): self._line}
        if self.interactive:
            if sys.stdin.isatty():
                saved = termios.tcgetattr(0)
            sources[0] = self._keyboard
        try:
            while self.status is None:
                now = time.monotonic()
                if self.verdict and now >= self.judged_at + SETTLE:
                    raise self._failure(*self.verdict)
                if deadline and now >= deadline and not self.verdict:
                    self._ask_xen(sources)
                    raise self._failure(failure.TIMEOUT, "no end after %d s (%s)" % (
                        self.run.timeout, "the script was running" if self.up
                        else "dom0 had not come up yet"))
                if not self.up and now >= pulse and not self.verdict:
                    progress.say("  still booting, %d s" % (now - started))
                    pulse = now + BOOT_PULSE
                ready = select.select(list(sources), [], [], 0.5)[0]
                if ready:
                    nudge = now + NUDGE_AFTER
                elif now >= nudge:
                    self._nudge()
                    nudge = now + NUDGE_AFTER
                was_up = self.up
                for number in ready:
                    if not sources[number]():
                        del sources[number]
                if self.up and not was_up:
                    progress.say("dom0 is up after %.0f s" % (time.monotonic() - started))
                    if saved:
                        tty.setraw(0)
                if self.host.line.fileno() not in sources or self.host.process.poll() is not None:
                    self._drain(sources)
                    if self.status is None:
                        raise self._failure(*(self.verdict or self._ended()))
        finally:
            if saved:
                termios.tcsetattr(0, termios.TCSADRAIN, saved)
        if self.verdict:
            raise self._failure(*self.verdict)
        return self.status

    def _ended(self):
        try:
            status = self.host.process.wait(ENDING)
        except subprocess.TimeoutExpired:
            status = "unknown"
        if status == 0:
            return failure.HOST_ENDED, "dom0 powered off or rebooted the host before the script ended"
        return failure.HOST_ENDED, "the emulator ended by itself (status %s)" % status

    def _drain(self, sources):
        for number in list(sources):
            while number in sources and select.select([number], [], [], 0)[0]:
                if number == 0 or not sources[number]():
                    del sources[number]

    def _read(self, source):
        try:
            return source.recv(65536)
        except OSError:
            return b""

    def _console(self):
        data = self._read(self.host.console)
        for line in self.console.feed(data):
            if self.run.show_console:
                sys.stderr.write(line + "\n")
            if OVERSLEPT in line:
                progress.say("  the emulator lost a timer interrupt: the host stood still until it was nudged")
            self._judge(crashes.in_console(line))
        return bool(data)

    def _line(self):
        data = self._read(self.host.line)
        plain, records = self.splitter.feed(data)
        if not data:
            plain = self.splitter.flush()
        # Before "up" the line carries only what the firmware and the kernel's probing leave there.
        if plain and self.up:
            self.output.write(plain)
            sys.stdout.buffer.write(plain)
            sys.stdout.buffer.flush()
        for record in records:
            self._record(record)
        return bool(data)

    def _record(self, record):
        verb, _, text = record.partition(" ")
        if verb == "up":
            self.up = True
        elif verb == "exit":
            self.status = int(text)
        elif verb == "fail":
            self._judge((failure.NOT_UP, text))
        elif verb == "guests-may-crash":
            self.allow_crash = True
        elif verb == "guest":
            name, _, line = text.partition(" ")
            if name not in self.guests:
                safe = re.sub(r"[^A-Za-z0-9._-]", "_", name)
                self.guests[name] = Lines(os.path.join(self.where, "guest-%s.log" % safe))
            self.guests[name].feed((line + "\n").encode())
            self._judge(crashes.in_guest(name, line))

    def _judge(self, verdict):
        """Takes note of the first crash; a worse one (a lower status) replaces it."""
        if not verdict or verdict[0] == failure.GUEST_CRASH and self.allow_crash:
            return
        if self.verdict is None:
            self.judged_at = time.monotonic()
        if self.verdict is None or verdict[0] < self.verdict[0]:
            self.verdict = verdict

    def _keyboard(self):
        data = os.read(0, 4096)
        if ESCAPE in data:
            raise KeyboardInterrupt
        if self.up:
            self.host.line.sendall(data or b"\x04")
        return bool(data)

    def _nudge(self):
        try:
            self.host.console.sendall(NUDGE)
        except OSError:
            pass

    def _ask_xen(self, sources):
        """A hang: lets Xen say where everybody is, which its log then holds."""
        try:
            self.host.console.sendall(XEN_KEYS)
        except OSError:
            return
        until = time.monotonic() + XEN_KEYS_WAIT
        number = self.host.console.fileno()
        while number in sources and time.monotonic() < until:
            if select.select([number], [], [], 0.2)[0] and not self._console():
                break

    def _is_emulators(self, status):
        """Does the kernel's trace show an interrupt on the first instruction of the same interrupt's handler?"""
        logs = {failure.GUEST_CRASH: [guest.file.name for guest in self.guests.values()],
                failure.DOM0_CRASH: [self.console.file.name]}.get(status, [])
        return any(DOUBLE_INTERRUPT in open(path, "rb").read() for path in logs)

    def _failure(self, status, sentence):
        detail = []
        if self._is_emulators(status):
            status = failure.EMULATOR
            sentence += "; the emulator delivered an interrupt to it twice, see tests/system/README.md"
        for name in sorted(self.guests):
            detail += self._tail("guest %s's console" % name, self.guests[name].file.name)
        if self.up:
            detail += self._tail("the script's output", self.output.name, 10)
        detail += self._tail("Xen's log and dom0's kernel", self.console.file.name, 2 * TAIL)
        if status == failure.HOST_ENDED:
            detail += self._tail("the emulator", self.host.log)
        return failure.Failure(status, sentence, "\n".join(detail))

    @staticmethod
    def _tail(title, path, lines=TAIL):
        text = progress.tail(path, lines).replace("\0", "")
        return ["--- the end of %s:" % title, text] if text else []
