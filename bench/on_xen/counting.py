# SPDX-License-Identifier: GPL-2.0-only
"""A Xen source tree whose build counts: Xen's own performance counters switched on, and nothing else changed."""

import os

from bed import archive, cache, failure, progress

from .boot import TOP

# The option's entry gets a default, as alldefconfig asks for defaults only.
COUNTERS = ('bool "Performance Counters"\n', 'bool "Performance Counters"\n\tdefault y\n')


def tree(stock):
    """The tree's path; stock: without hypervisor-patches/."""
    source = archive.xen_source()
    patches = os.path.join(TOP, "hypervisor-patches")
    log = os.path.join(cache.directory("logs"), "crossings-tree.log")
    parts = ["".join(COUNTERS), ("file", source)]
    if not stock:
        for path in cache.tree_files(patches):
            parts += [os.path.relpath(path, patches), ("file", path)]

    def make(where):
        open(log, "w").close()
        made = os.path.join(where, "tree")
        progress.run(["dpkg-source", "--no-check", "-x", source, made], "unpacking Xen's source", log)
        if not stock:
            progress.run([os.path.join(patches, "apply"), made], "applying hypervisor-patches/", log)
        path = os.path.join(made, "xen", "Kconfig.debug")
        with open(path) as kconfig:
            text = kconfig.read()
        if text.count(COUNTERS[0]) != 1:
            raise failure.Failure(failure.PREPARE, "Xen's performance counters are not where they were, in %s" % path)
        with open(path, "w") as kconfig:
            kconfig.write(text.replace(*COUNTERS))

    return os.path.join(cache.entry("crossings-tree", cache.digest(parts), make), "tree")
