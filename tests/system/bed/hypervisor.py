# SPDX-License-Identifier: GPL-2.0-only
"""Builds the hypervisor: Debian's Xen source, what hypervisor-patches/ adds, and our options.

Only xen/ of the source is built; the tools are Debian's own packages. With
--xen-tree another tree is built as it stands, without our patches; with --stock,
Debian's is. The configuration of all of them is hypervisor-patches/config.
"""

import os
import shutil
import subprocess

from . import archive, cache, failure, progress, sources

# Assertions, and the audit of sharing, which Xen has only in such a build. Looking at freed memory takes long under emulation.
DEBUG = """CONFIG_DEBUG=y
CONFIG_SCRUB_DEBUG=n
"""


def build(top, tree=None, jobs=2, stock=False, debug=False):
    """The directory that holds xen (for QEMU), xen.gz, xen-syms and build.log."""
    compiler = subprocess.run(["gcc", "-dumpfullversion"], stdout=subprocess.PIPE, text=True).stdout \
        if shutil.which("gcc") else ""
    with open(os.path.join(top, "hypervisor-patches", "config")) as lines:
        config = lines.read() + (DEBUG if debug else "")
    parts = [config, compiler]
    patches = None if stock else os.path.join(top, "hypervisor-patches")
    if tree:
        tree = os.path.realpath(tree)
        if not os.path.isdir(os.path.join(tree, "xen", "arch", "x86")):
            raise failure.Failure(failure.USAGE, "--xen-tree %s: no Xen source there "
                                  "(it has no xen/arch/x86)" % tree)
        for path in cache.tree_files(os.path.join(tree, "xen")):
            if not path.endswith((".o", ".d", ".cmd")) and os.path.isfile(path):
                status = os.stat(path)
                parts.append("%s %d %d" % (path, status.st_size, status.st_mtime_ns))
        source = None
    else:
        source = archive.xen_source()
        parts.append(("file", source))
        for path in cache.tree_files(patches) if patches else ():
            if path.endswith(".md"):
                continue
            parts += [os.path.relpath(path, patches), ("file", path)]
    key = cache.digest(parts)
    return cache.entry("hypervisor", key, lambda where: _make(where, source, tree, patches, config, jobs))


def _make(where, source, tree, patches, config, jobs):
    log = os.path.join(where, "build.log")
    work = os.path.join(where, "tree")
    minutes = max(1, round(2 / jobs))
    with progress.step("building the hypervisor (about %d minute%s, once for these sources)"
                       % (minutes, "" if minutes == 1 else "s")):
        try:
            if tree:
                # The whole tree, because xen/ reaches into tools/ and config/; objects stay behind.
                shutil.copytree(tree, work, symlinks=True,
                                ignore=shutil.ignore_patterns(".git", "*.o", "*.o.cmd", "*.o.d"))
                progress.run(["make", "-C", work + "/xen", "clean"], "cleaning Xen's tree", log)
            else:
                sources.unpacked(source, patches, work, log)
            fragment = os.path.join(where, "config")
            with open(fragment, "w") as out:
                out.write(config)
            env = dict(os.environ, KCONFIG_ALLCONFIG=fragment, LC_ALL="C")
            # What an outer make told its own recipes is not meant for Xen's build.
            for name in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "CFLAGS", "LDFLAGS", "CPPFLAGS"):
                env.pop(name, None)
            for path in (".config", "xen/.config"):
                if os.path.exists(os.path.join(work, path)):
                    os.unlink(os.path.join(work, path))
            progress.run(["make", "-C", work + "/xen", "alldefconfig"],
                         "configuring the hypervisor", log, env=env)
            _check_configuration(config, os.path.join(work, "xen", ".config"))
            del env["KCONFIG_ALLCONFIG"]
            progress.run(["make", "-C", work + "/xen", "-j%d" % jobs],
                         "building the hypervisor", log, env=env)
        except failure.Failure as problem:
            # The entry is thrown away when it is tried again: keep the log where it can be found.
            kept = os.path.join(cache.directory("logs"), "hypervisor.log")
            shutil.copy(log, kept)
            problem.sentence = problem.sentence.replace(log, kept)
            raise
        for name in ("xen", "xen.gz", "xen-syms", ".config"):
            shutil.copy(os.path.join(work, "xen", name), os.path.join(where, name.lstrip(".")))
        shutil.rmtree(work)


def _check_configuration(wanted, path):
    """An option that Xen does not know, or whose needs are not met, vanishes without a word."""
    with open(path) as lines:
        effective = {line.strip() for line in lines}
    for line in wanted.splitlines():
        if line.endswith("=y") and line not in effective:
            raise failure.Failure(failure.PREPARE, "the hypervisor's option %s did not become effective" % line)
