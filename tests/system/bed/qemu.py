# SPDX-License-Identifier: GPL-2.0-only
"""The AMD host: QEMU's software emulation of SVM with nested paging.

com1 is the hypervisor's console and com2 the script's line; both come out on
unix sockets. KVM is never used, so the host is the same everywhere.
"""

import os
import shutil
import socket
import subprocess
import time

from . import failure, process

PROGRAM = "qemu-system-x86_64"

# qemu64 because richer models make Xen 4.17 or its dom0 fail under emulation;
# rdrand, as a dom0 without any source of randomness waits for it at boot.
CPU = "qemu64,+svm,+npt,+rdrand"
# Idle states hang under emulation, and its mitigations cost without protecting anything.
XEN_OPTIONS = ("cpuidle=0", "spec-ctrl=no")

# The host's CPUs take turns on one thread. With a thread each, one that holds a lock or is to answer an interrupt
# waits for the machine's scheduler while the others spin: on two cores that was several times slower, not faster.
# With several of them an interrupt from one to another is lost now and then, and Xen then leaves a vCPU that could run
# waiting for ever (all CPUs idle, dom0's vCPU runnable, its events pending): so one CPU is the default.
ACCELERATOR = "tcg,thread=single"

MACHINE = ("-machine", "pc")
# The emulated IOMMU exists only on the newer chip set, which boots more slowly.
IOMMU_MACHINE = ("-machine", "q35", "-device", "amd-iommu")

TIMEOUT = 600       # seconds for boot and script, unless the user says otherwise
CONNECT = 10        # seconds that QEMU may take to open its sockets


class Host:
    """A running emulator: two sockets and a process."""

    def __init__(self, run, parts, where):
        if not shutil.which(PROGRAM):
            raise failure.Failure(failure.PREPARE, "%s is not installed (package "
                                  "qemu-system-x86)" % PROGRAM)
        lines = [os.path.join(where, name) for name in ("com1", "com2")]
        command = [PROGRAM, "-display", "none", "-no-reboot", "-nodefaults",
                   *(IOMMU_MACHINE if run.iommu else MACHINE),
                   "-m", str(run.memory), "-smp", str(run.vcpus), "-cpu", CPU,
                   "-accel", ACCELERATOR, "-monitor", "none",
                   "-kernel", parts.xen, "-append", run.xen_command_line(XEN_OPTIONS),
                   "-initrd", "%s %s,%s" % (parts.kernel, run.dom0_command_line(), parts.initrd)]
        for path in lines:
            name = os.path.basename(path)
            command += ["-chardev", "socket,id=%s,path=%s,server=on,wait=on" % (name, path),
                        "-serial", "chardev:" + name]
        for image, snapshot in parts.disks:
            number = len([c for c in command if c.startswith("ide-hd")])
            if number == 0:
                command += ["-device", "ahci,id=ahci"]
            command += ["-drive", "if=none,id=disk%d,file=%s,format=raw,snapshot=%s"
                        % (number, image.replace(",", ",,"), "on" if snapshot else "off"),
                        "-device", "ide-hd,drive=disk%d,bus=ahci.%d" % (number, number)]
        self.log = os.path.join(where, "emulator.log")
        with open(self.log, "wb") as out:
            self.process = process.start(command, out, cwd=where)
        # QEMU opens the sockets in order and waits for each: connect in the same order.
        self.console, self.line = [self._connect(path) for path in lines]

    def _connect(self, path):
        deadline = time.monotonic() + CONNECT
        while time.monotonic() < deadline and self.process.poll() is None:
            link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                link.connect(path)
                return link
            except OSError:
                link.close()
                time.sleep(0.02)
        self.stop()
        raise failure.Failure(failure.HOST_ENDED, "QEMU did not start", open(self.log).read())

    def stop(self):
        process.stop(self.process)
