# SPDX-License-Identifier: GPL-2.0-only
"""The suite as `make install` puts it: built out of tree from the source tree xenhost lies in.

Nothing but autoreconf's own output is written into the source tree. The build
directory stays in the cache, so the next run builds only what changed. What is
installed is the run's own: another one that begins now must not take it away.
"""

import hashlib
import os
import shutil

from . import cache, failure, progress

CONFIGURE = ("--prefix=/usr", "--sysconfdir=/etc", "--localstatedir=/var")
# libclamav and what it needs are 50 MiB, which dom0 would have in memory.
CLAMAV = {True: "--with-clamav", False: "--without-clamav"}
TINY = "tests/guest/guest.elf"      # our own guest, below the build directory
PROGRAMS = "tests/system/programs"  # what system tests run in dom0; there too
MEASURES = ("bench/grant-calls", "bench/merges")    # and what benchmarks do
PLUGINS = "tests/daemons/av-introspect/plugins/.libs"   # that do what they must not
IN_DOM0 = "usr/lib/xenhost/programs"
PLUGINS_IN_DOM0 = "usr/lib/xenhost/plugins"


def build(top, where, builddir=None, jobs=2, clamav=False):
    """Installs below the directory `where`; returns (the installed tree, the tiny guest or None)."""
    if not os.path.exists(os.path.join(top, "configure.ac")):
        raise failure.Failure(failure.PREPARE, "%s has no configure.ac to build the suite from; "
                              "give an installed tree with --suite DIR" % top)
    key = hashlib.sha256(os.path.realpath(builddir or top).encode()).hexdigest()[:12]
    if clamav and not builddir:
        key += "-clamav"
    log = os.path.join(cache.directory("logs"), "suite-%s.log" % key)
    with cache.lock("suite-" + key):
        open(log, "w").close()
        work = builddir or cache.directory("build", key)
        install = os.path.join(where, "suite")
        if not builddir:
            _configure(top, work, log, CLAMAV[clamav])
        with progress.step("building the suite (a minute at first, then only what changed)"):
            progress.run(["make", "-C", work, "-j%d" % jobs], "building the suite", log)
            progress.run(["make", "-C", work, "install", "DESTDIR=" + install],
                         "installing the suite", log)
        os.makedirs(os.path.join(install, IN_DOM0))
        programs = [os.path.join(PROGRAMS, name) for name in sorted(os.listdir(os.path.join(work, PROGRAMS)))]
        for name in programs + list(MEASURES):
            program = os.path.join(work, name)
            if os.path.isfile(program) and os.access(program, os.X_OK):
                shutil.copy(program, os.path.join(install, IN_DOM0))
        os.makedirs(os.path.join(install, PLUGINS_IN_DOM0))
        plugins = os.path.join(work, PLUGINS)
        for name in sorted(os.listdir(plugins)) if os.path.isdir(plugins) else ():
            if name.endswith(".so") and not os.path.islink(os.path.join(plugins, name)):
                shutil.copy(os.path.join(plugins, name), os.path.join(install, PLUGINS_IN_DOM0))
        tiny = os.path.join(work, TINY)
        return install, shutil.copy(tiny, where) if os.path.exists(tiny) else None


def _configure(top, work, log, clamav):
    script = os.path.join(top, "configure")
    if not os.path.exists(script) or \
            os.path.getmtime(script) < os.path.getmtime(os.path.join(top, "configure.ac")):
        with progress.step("preparing configure"):
            progress.run(["autoreconf", "-fi", top], "autoreconf", log)
    status = os.path.join(work, "config.status")
    if not os.path.exists(status) or os.path.getmtime(status) < os.path.getmtime(script):
        with progress.step("configuring the suite (about 15 seconds)"):
            progress.run([os.path.realpath(script)] + list(CONFIGURE) + [clamav], "configure", log, cwd=work)
