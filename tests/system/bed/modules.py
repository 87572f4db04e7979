# SPDX-License-Identifier: GPL-2.0-only
"""Kernel modules for Linux guests, built against the headers of the guests' kernel.

Sources are in tests/system/modules. The headers come from Debian's archive in the kernel's own version and are unpacked, not
installed; they are kept beside the kernel, and the modules in the cache.
"""

import glob
import os
import re
import shutil

from . import archive, cache, progress

SOURCES = "tests/system/modules"


def _headers(kernel, version):
    """The directory that modules are made with, unpacked beside the kernel."""
    final = os.path.join(kernel, "headers")
    with cache.lock("kernel-headers"):
        if not os.path.isdir(final):
            log = os.path.join(cache.directory("logs"), "kernel-headers.log")
            work = final + ".partial"
            shutil.rmtree(work, ignore_errors=True)
            os.makedirs(work)
            with progress.step("fetching the headers of Debian's kernel (about 14 MB, once)"):
                archive.download(["linux-headers-" + version, "linux-headers-%s-common" % re.sub("-[a-z0-9]+$", "", version),
                                  "linux-kbuild-" + ".".join(version.split(".")[:2])], work, log)
            makefile = os.path.join(work, "usr/src/linux-headers-" + version, "Makefile")
            with open(makefile) as source:
                text = source.read()
            with open(makefile, "w") as out:
                out.write(text.replace("/usr/src/", os.path.join(final, "usr/src/")))
            os.rename(work, final)
    return os.path.join(final, "usr/src/linux-headers-" + version)


def build(top, kernel, jobs):
    """The modules' paths."""
    with open(os.path.join(kernel, "version")) as source:
        version = source.read().strip()
    parts = [version, ("file", __file__)]
    for path in cache.tree_files(os.path.join(top, SOURCES)):
        parts += [os.path.basename(path), ("file", path)]

    def make(where):
        headers = _headers(kernel, version)
        work = os.path.join(where, "work")
        shutil.copytree(os.path.join(top, SOURCES), work)
        with progress.step("building modules for the guests' kernel (a few seconds, once)"):
            progress.run(["make", "-C", headers, "-j%d" % jobs, "M=" + work, "KCFLAGS=-Werror", "modules"],
                         "building modules for the guests' kernel", os.path.join(where, "log"))
        for path in glob.glob(os.path.join(work, "*.ko")):
            shutil.copy(path, where)
        shutil.rmtree(work)

    return sorted(glob.glob(os.path.join(cache.entry("modules", cache.digest(parts), make), "*.ko")))
