# SPDX-License-Identifier: GPL-2.0-only
"""A Debian dom0 with systemd, as a disk image: made by mmdebstrap once, never written to.

The small dom0's initramfs boots first, puts the run's files onto the disk and
hands over (dom0/enter-systemd). What is written there goes to a throw-away
overlay of the emulator.
"""

import os
import re

from . import archive, cache, failure, progress

PACKAGES = ("systemd", "systemd-sysv", "udev", "dbus", "kmod", "procps", "iproute2", "e2fsprogs",
            "strace", "xen-utils-4.17", "xen-utils-common", "xenstore-utils",
            # What the suite's programs are linked with, as its own packages would bring it.
            "libcap-ng0", "libevent-core-2.1-7", "libjson-c5", "liblz4-1", "libsmartcols1", "liburing2",
            "libxxhash0")
SIZE = "3G"         # of the (sparse) image; what a test may write to the root file system
RELEASE = "bookworm"
VERSION = "1"       # counts changes of the recipe below


def image():
    """The path of the ext4 image, which holds the root file system without a partition table."""
    key = cache.digest([VERSION, RELEASE, SIZE, *PACKAGES])
    return os.path.join(cache.entry("systemd-root", key, _make), "root.img")


def _make(where):
    log = os.path.join(cache.directory("logs"), "systemd-root.log")
    sources = os.path.join(where, "debian.sources")
    text = archive.debian_sources("deb")
    if not re.search(r"(?m)^Suites:.*\b%s\b" % RELEASE, text):
        raise failure.Failure(failure.PREPARE, "the Debian dom0 is made from %s, which is not in "
                              "this machine's apt sources" % RELEASE)
    with open(sources, "w") as out:
        out.write(text)
    tar, tree, target = (os.path.join(where, n) for n in ("root.tar", "root", "root.img"))
    with progress.step("making a Debian dom0 with systemd (about 1 minute, once)"):
        progress.run(["mmdebstrap", "--variant=minbase", "--include=" + ",".join(PACKAGES),
                      "--aptopt=Acquire::Languages \"none\"",
                      "--dpkgopt=path-exclude=/usr/share/doc/*",
                      "--dpkgopt=path-exclude=/usr/share/man/*",
                      "--dpkgopt=path-exclude=/usr/share/locale/*",
                      RELEASE, tar, sources], "mmdebstrap", log)
        pack = ('mkdir "$2" && tar -C "$2" -xf "$1" --exclude="./dev/*" && '
                'truncate -s %s "$3" && mke2fs -q -F -t ext4 -L dom0 -d "$2" "$3" && rm -rf "$2" "$1"'
                % SIZE)
        command = ["sh", "-c", pack, "sh", tar, tree, target]
        if os.geteuid() != 0:
            command.insert(0, "fakeroot")
        progress.run(command, "making the disk image", log)
