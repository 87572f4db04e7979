# SPDX-License-Identifier: GPL-2.0-only
"""The Intel host: Bochs, which emulates VMX with EPT. One CPU, and slow.

Bochs boots a CD that GRUB makes of the same files as on the AMD host. Its
serial ports are pseudo-terminals here. Bochs has no display of its own that
works without X in every mode, so it gets a virtual one.
"""

import os
import shutil
import time
import tty

from . import failure, process, progress

# A CPU with EPT and unrestricted guests; the speed is what Bochs takes a
# virtual second to be, and close to what it reaches, so that timers are fair.
CPU = "model=corei7_haswell_4770, count=1, ips=200000000, reset_on_triple_fault=0, ignore_bad_msrs=1"
XEN_OPTIONS = ("cpuidle=0", "spec-ctrl=no")

TIMEOUT = 1800
DISPLAY_WAIT = 10       # seconds Xvfb may take to name its display
BIOS = "/usr/share/bochs/BIOS-bochs-latest"
VGABIOS = ("/usr/share/bochs/VGABIOS-lgpl-latest", "/usr/share/vgabios/vgabios.bin")

GRUB = """set timeout=0
set gfxpayload=text
menuentry xen {
    multiboot /boot/xen %s
    module /boot/vmlinuz %s
    module /boot/dom0.img
}
"""

CONFIG = """config_interface: textconfig
display_library: x
megs: %(memory)d
cpu: %(cpu)s
romimage: file=%(bios)s
vgaromimage: file=%(vgabios)s
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=cdrom, path=%(iso)s, status=inserted
boot: cdrom
log: %(log)s
panic: action=fatal
error: action=report
info: action=ignore
debug: action=ignore
com1: enabled=1, mode=term, dev=%(com1)s
com2: enabled=1, mode=term, dev=%(com2)s
clock: sync=none, time0=utc
private_colormap: enabled=0
mouse: enabled=0
speaker: enabled=0
"""


class Pty:
    """One serial line; looks like a socket to the supervisor."""

    def __init__(self):
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        self.name = os.ttyname(self.slave)

    def fileno(self):
        return self.master

    def recv(self, size):
        return os.read(self.master, size)

    def sendall(self, data):
        os.write(self.master, data)


class Host:
    def __init__(self, run, parts, where):
        for program, package in (("bochs", "bochs"), ("Xvfb", "xvfb"), ("xorriso", "xorriso"),
                                 ("grub-mkrescue", "grub-common")):
            if not shutil.which(program):
                raise failure.Failure(failure.PREPARE, "%s is not installed (package %s)"
                                      % (program, package))
        self.display = None
        self.process = None
        iso = self._iso(run, parts, where)
        self.console, self.line = Pty(), Pty()
        self.log = os.path.join(where, "emulator.log")
        config, commands = os.path.join(where, "bochsrc"), os.path.join(where, "commands")
        with open(config, "w") as out:
            out.write(CONFIG % {
                "memory": run.memory, "cpu": CPU, "bios": BIOS, "iso": iso,
                "vgabios": next(p for p in VGABIOS if os.path.exists(p) or p == VGABIOS[-1]),
                "log": os.path.join(where, "bochs.log"),
                "com1": self.console.name, "com2": self.line.name})
        # Debian's Bochs has its debugger built in, which waits for a command at the start.
        with open(commands, "w") as out:
            out.write("continue\n")
        try:
            with open(self.log, "wb") as out:
                display = self._start_display(out, where)
                self.process = process.start(["bochs", "-q", "-f", config, "-rc", commands], out,
                                             cwd=where, env=dict(os.environ, DISPLAY=display,
                                                                 TERM="dumb"))
        except BaseException:
            self.stop()
            raise

    def _iso(self, run, parts, where):
        top = os.path.join(where, "cd")
        boot = os.path.join(top, "boot")
        os.makedirs(os.path.join(boot, "grub"))
        shutil.copy(parts.xen, os.path.join(boot, "xen"))
        shutil.copy(parts.kernel, os.path.join(boot, "vmlinuz"))
        os.rename(parts.initrd, os.path.join(boot, "dom0.img"))
        with open(os.path.join(boot, "grub", "grub.cfg"), "w") as out:
            out.write(GRUB % (run.xen_command_line(XEN_OPTIONS), run.dom0_command_line()))
        iso = os.path.join(where, "host.iso")
        log = os.path.join(where, "cd.log")
        with progress.step("making the boot CD"):
            progress.run(["grub-mkrescue", "-d", "/usr/lib/grub/i386-pc", "-o", iso, top],
                         "making the boot CD", log)
        shutil.rmtree(top)
        return iso

    def _start_display(self, out, where):
        """Xvfb chooses a free display number and writes it to a pipe."""
        read, write = os.pipe()
        self.display = process.start(["Xvfb", "-displayfd", str(write), "-screen", "0",
                                      "1024x768x24", "-nolisten", "tcp"], out, cwd=where,
                                     keep=(write,))
        os.close(write)
        number = b""
        deadline = time.monotonic() + DISPLAY_WAIT
        os.set_blocking(read, False)
        while not number.endswith(b"\n") and time.monotonic() < deadline:
            try:
                number += os.read(read, 16)
            except BlockingIOError:
                time.sleep(0.05)
            if self.display.poll() is not None:
                break
        os.close(read)
        if not number.strip():
            raise failure.Failure(failure.HOST_ENDED, "Xvfb did not start", open(self.log).read())
        return ":" + number.decode().strip()

    def stop(self):
        process.stop(self.process)
        process.stop(self.display)
