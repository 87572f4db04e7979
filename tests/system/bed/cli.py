# SPDX-License-Identifier: GPL-2.0-only
"""xenhost's command line, and the order in which a run is prepared, made and judged."""

import argparse
import os
import random
import shlex
import shutil
import signal
import sys
import tempfile

from . import archive, bochs, dom0, failure, hypervisor, modules, progress, qemu, suite, \
    supervisor, systemd

MEMORY = 2048       # MiB of the host
MEMORY_LEAST = 1024
DOM0_SHARE = 2      # dom0 gets one part in so many of the host's memory ...
DOM0_MOST = 1024    # ... but not more MiB than this

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

EPILOG = """\
exit status of run: the script's own, or
""" + "\n".join("  %d  %s" % item for item in sorted(failure.NAMES.items())) + """

The script runs in dom0 as root, in /root, with its output on stdout. It finds
the suite as installed, xl and Xen's tools, guests under /guests, and shell
functions in /usr/lib/xenhost/functions.sh. See tests/system/README.md.
"""


EMULATORS = {"amd": qemu, "intel": bochs}


class Parser(argparse.ArgumentParser):
    def error(self, message):
        self.print_usage(sys.stderr)
        progress.warn(message)
        sys.exit(failure.USAGE)


class Run:
    """What one run is asked to be; the words of its three command lines come from here."""

    def __init__(self, options):
        self.options = options
        self.memory = options.mem
        self.vcpus = options.vcpus or 1
        self.dom0_memory = options.dom0_mem or min(DOM0_MOST, options.mem // DOM0_SHARE)
        self.timeout = options.timeout
        self.script = getattr(options, "script", None)
        self.arguments = getattr(options, "arguments", [])
        self.allow_guest_crash = options.guest_crash == "allow"
        self.root = options.root
        self.with_qemu = options.with_qemu
        self.iommu = options.iommu
        if self.iommu and options.cpu != "amd":
            raise failure.Failure(failure.USAGE, "--iommu is for --cpu amd")
        if self.iommu and self.root == "systemd":
            raise failure.Failure(failure.USAGE, "--iommu and --root systemd do not go together: "
                                  "the disk of that root is on another machine type")
        self.show_console = options.console
        self.nonce = "%016x" % random.SystemRandom().getrandbits(64)
        self.add = [self._added(item) for item in options.add]
        if self.memory < MEMORY_LEAST:
            raise failure.Failure(failure.USAGE, "--mem %d: a host needs at least %d MiB"
                                  % (self.memory, MEMORY_LEAST))
        if self.dom0_memory > self.memory - 256:
            raise failure.Failure(failure.USAGE, "--dom0-mem %d leaves Xen less than 256 MiB of %d"
                                  % (self.dom0_memory, self.memory))
        if self.vcpus < 1 or not 1 <= options.dom0_vcpus <= self.vcpus:
            raise failure.Failure(failure.USAGE, "--vcpus must be at least 1, and --dom0-vcpus "
                                  "between 1 and that")
        if options.cpu == "intel" and self.vcpus != 1:
            raise failure.Failure(failure.USAGE, "--vcpus %d: the Intel host has one CPU only, "
                                  "as Debian's Bochs is built" % self.vcpus)
        if options.cpu == "intel" and options.root == "systemd":
            raise failure.Failure(failure.USAGE, "--root systemd needs --cpu amd: Bochs would take "
                                  "more than ten minutes to boot it")
        if self.script and not os.path.isfile(self.script):
            raise failure.Failure(failure.USAGE, "no such script: %s" % self.script)

    @staticmethod
    def _added(item):
        source, _, destination = item.partition(":")
        if not os.path.exists(source):
            raise failure.Failure(failure.USAGE, "--add %s: no such file: %s" % (item, source))
        name = os.path.basename(os.path.normpath(source))
        if not destination:
            destination = "/root/" + name
        if not destination.startswith("/"):
            raise failure.Failure(failure.USAGE, "--add %s: the destination must begin with /" % item)
        if destination.endswith("/"):
            destination += name
        return source, destination

    def xen_command_line(self, emulator):
        words = ["console=com1", "com1=115200", "loglvl=all", "guest_loglvl=all", "noreboot",
                 "dom0_mem=%dM,max:%dM" % (self.dom0_memory, self.dom0_memory),
                 "dom0_max_vcpus=%d" % self.options.dom0_vcpus]
        return " ".join(words + list(emulator) + self.options.xen_option)

    def dom0_command_line(self):
        return " ".join(["console=hvc0", "oops=panic", "panic=0", "rdinit=/init"]
                        + (["systemd.unit=xenhost.target", "SYSTEMD_COLORS=0"]
                           if self.root == "systemd" else [])
                        + self.options.dom0_option)

    def script_place(self):
        return "/usr/lib/xenhost/script/" + os.path.basename(self.script)

    def configuration(self):
        columns, rows = shutil.get_terminal_size()
        return "".join("xenhost_%s=%s\n" % (key, shlex.quote(str(value))) for key, value in (
            ("nonce", self.nonce), ("root", self.root), ("mode", "run" if self.script else "shell"),
            ("term", os.environ.get("TERM", "dumb")), ("rows", rows), ("columns", columns)))

    def starter(self):
        """A script that starts the script: an executable by itself, anything else by sh."""
        if not self.script:
            return "#!/bin/sh\n"
        with open(self.script, "rb") as source:
            direct = source.read(4)
        command = [self.script_place()] + self.arguments
        if not direct.startswith((b"#!", b"\x7fELF")):
            command.insert(0, "sh")
        return "#!/bin/sh\nexec " + " ".join(shlex.quote(word) for word in command) + "\n"


class Parts:
    """The files that an emulator boots."""

    def __init__(self, options, where):
        jobs = os.cpu_count() or 1
        self.disks = []
        self.kernel_directory = archive.kernel()
        self.kernel = os.path.join(self.kernel_directory, "vmlinuz")
        self.xen = os.path.join(hypervisor.build(TOP, options.xen_tree, jobs, options.stock, options.debug),
                                "xen")
        if options.suite:
            if not os.path.isdir(options.suite):
                raise failure.Failure(failure.USAGE, "--suite %s: no such directory" % options.suite)
            self.suite, self.tiny = os.path.realpath(options.suite), options.tiny
        else:
            self.suite, self.tiny = suite.build(TOP, where, options.build, jobs, getattr(options, "with_clamav", False))
            self.tiny = options.tiny or self.tiny
        self.modules = []
        if getattr(options, "guest_modules", False):
            self.modules = modules.build(TOP, self.kernel_directory, jobs)
        dom0.base(self.kernel_directory)
        if options.root == "systemd":
            self.disks.append((systemd.image(), True))

    def assemble(self, run, where):
        self.initrd = os.path.join(where, "dom0.img")
        tree = dom0.additions(run, self.suite, self.tiny, self.modules)
        dom0.assemble(self.kernel_directory, tree, self.initrd)


def parser():
    main = Parser(prog="xenhost", formatter_class=argparse.RawDescriptionHelpFormatter,
                  description="Boots a real Xen host in software emulation; no hardware "
                  "virtualisation and no root needed.", epilog=EPILOG)
    commands = main.add_subparsers(dest="command", metavar="COMMAND", required=True,
                                   parser_class=Parser)
    for name, text in (("run", "run SCRIPT in dom0 and exit with its status"),
                       ("shell", "an interactive prompt in dom0 (Ctrl-] ends it)"),
                       ("build", "only fetch and build what a run needs")):
        one = commands.add_parser(name, help=text, description=text, epilog=EPILOG,
                                  formatter_class=argparse.RawDescriptionHelpFormatter)
        one.add_argument("--cpu", choices=sorted(EMULATORS), default="amd",
                         help="amd: SVM and NPT, emulated by QEMU (default); intel: VMX and EPT, "
                         "emulated by Bochs, one CPU and several times slower")
        one.add_argument("--root", choices=("small", "systemd"), default="small",
                         help="dom0's root: a small initramfs (default), or Debian with systemd")
        one.add_argument("--suite", metavar="DIR", help="an installed tree (DESTDIR) to use instead "
                         "of building the suite from this source tree")
        one.add_argument("--build", metavar="DIR", help="build and install the suite in this "
                         "configured build directory")
        one.add_argument("--tiny", metavar="FILE", help="the kernel for /guests/tiny")
        one.add_argument("--xen-tree", metavar="DIR", help="build the hypervisor from this Xen "
                         "source tree as it stands")
        one.add_argument("--stock", action="store_true", help="build Debian's source without "
                         "hypervisor-patches/, only with paging and sharing switched on")
        one.add_argument("--debug", action="store_true", help="build the hypervisor with its "
                         "assertions and the audit of sharing, as CONFIG_DEBUG does")
        if name != "build":
            one.add_argument("--mem", type=int, default=MEMORY, metavar="MIB",
                             help="the host's memory (default %d)" % MEMORY)
            one.add_argument("--dom0-mem", type=int, metavar="MIB", help="dom0's part of it "
                             "(default: half, at most %d)" % DOM0_MOST)
            one.add_argument("--vcpus", type=int, metavar="N",
                             help="the host's CPUs (default 1; intel: always 1)")
            one.add_argument("--dom0-vcpus", type=int, default=1, metavar="N",
                             help="dom0's vCPUs (default 1)")
            one.add_argument("--add", action="append", default=[], metavar="FILE[:DEST]",
                             help="put a file or directory into dom0 (default /root/NAME)")
            one.add_argument("--iommu", action="store_true",
                             help="the host has an IOMMU (amd only)")
            one.add_argument("--with-qemu", action="store_true",
                             help="put QEMU into dom0, for HVM guests (package qemu-system-xen)")
            one.add_argument("--with-clamav", action="store_true",
                             help="build the suite with libclamav, which is 50 MiB more in dom0's memory "
                             "(package libclamav-dev)")
            one.add_argument("--guest-modules", action="store_true",
                             help="put kernel modules for Linux guests into dom0 (/guests/modules)")
            one.add_argument("--xen-option", action="append", default=[], metavar="KEY=VALUE",
                             help="a word for Xen's command line")
            one.add_argument("--dom0-option", action="append", default=[], metavar="KEY=VALUE",
                             help="a word for dom0's kernel command line")
            one.add_argument("--guest-crash", choices=("fail", "allow"), default="fail",
                             help="whether a crashing guest ends the run (default fail)")
            one.add_argument("--timeout", type=float, metavar="S", help="end a hanging run "
                             "(default amd %d, intel %d; shell: never)"
                             % (qemu.TIMEOUT, bochs.TIMEOUT))
            one.add_argument("--keep-logs", metavar="DIR", help="leave Xen's log, the script's "
                             "output and the guests' consoles there")
            one.add_argument("--console", action="store_true", help="show Xen's and dom0's console "
                             "on stderr as well")
            one.add_argument("--quiet", action="store_true", help="no progress, only failures")
        if name == "run":
            one.add_argument("script", metavar="SCRIPT")
            one.add_argument("arguments", nargs=argparse.REMAINDER, metavar="ARGUMENT")
    return main


def boot(options):
    run = Run(options)
    if run.timeout is None and run.script:
        run.timeout = EMULATORS[options.cpu].TIMEOUT
    where = tempfile.mkdtemp(prefix="xenhost-")
    host = None
    try:
        parts = Parts(options, where)
        parts.assemble(run, where)
        progress.say("booting a Xen host: %s, %d CPU%s, %d MiB, of which dom0 has %d"
                     % ({"amd": "AMD", "intel": "Intel"}[options.cpu], run.vcpus,
                        "" if run.vcpus == 1 else "s", run.memory, run.dom0_memory))
        host = EMULATORS[options.cpu].Host(run, parts, where)
        return supervisor.Supervisor(host, run, where).watch()
    finally:
        if host:
            host.stop()
        if options.keep_logs:
            os.makedirs(options.keep_logs, exist_ok=True)
            for name in os.listdir(where):
                if name.endswith(".log"):
                    shutil.copy(os.path.join(where, name), options.keep_logs)
        shutil.rmtree(where, ignore_errors=True)


def _terminated(number, frame):
    raise SystemExit(128 + number)


def main(arguments):
    signal.signal(signal.SIGTERM, _terminated)
    signal.signal(signal.SIGHUP, _terminated)
    options = parser().parse_args(arguments)
    progress.quiet = getattr(options, "quiet", False)
    try:
        if options.command == "build":
            with tempfile.TemporaryDirectory(prefix="xenhost-") as where:
                Parts(options, where)
            return 0
        return boot(options)
    except failure.Failure as problem:
        if problem.detail:
            sys.stderr.write(problem.detail.rstrip() + "\n")
        progress.warn("%s: %s" % (failure.NAMES[problem.status], problem.sentence))
        return problem.status
    except KeyboardInterrupt:
        progress.warn("interrupted")
        return 128 + signal.SIGINT
