# SPDX-License-Identifier: GPL-2.0-only
"""A Xen source tree whose build counts: Xen's own performance counters switched on, and what a benchmark says of others."""

import fnmatch
import os
import shutil

from bed import archive, cache, failure, progress

from .boot import TOP

# The option's entry gets a default, as alldefconfig asks for defaults only.
COUNTERS = ('bool "Performance Counters"\n', 'bool "Performance Counters"\n\tdefault y\n')


def tree(stock, without=None, more=()):
    """The tree's path; stock: without hypervisor-patches/; without: a pattern of patches that are left out; more: what else is
    counted, as (file below xen/, what is there once, what is put there)."""
    source = archive.xen_source()
    patches = os.path.join(TOP, "hypervisor-patches")
    log = os.path.join(cache.directory("logs"), "crossings-tree.log")
    edits = (("Kconfig.debug",) + COUNTERS,) + tuple(more)
    parts = [word for edit in edits for word in edit] + [without or "", ("file", source)]
    if not stock:
        for path in cache.tree_files(patches):
            if path.endswith(".md"):
                continue
            parts += [os.path.relpath(path, patches), ("file", path)]

    def make(where):
        open(log, "w").close()
        made = os.path.join(where, "tree")
        progress.run(["dpkg-source", "--no-check", "-x", source, made], "unpacking Xen's source", log)
        if not stock:
            room = patches
            if without:
                room = os.path.join(where, "patches")
                shutil.copytree(patches, room, ignore=lambda _, names: fnmatch.filter(names, without))
            progress.run([os.path.join(room, "apply"), made], "applying hypervisor-patches/", log)
        for path, old, new in edits:
            path = os.path.join(made, "xen", path)
            with open(path) as source_file:
                text = source_file.read()
            if text.count(old) != 1:
                raise failure.Failure(failure.PREPARE, "what counts is not where it was, in %s" % path)
            with open(path, "w") as source_file:
                source_file.write(text.replace(old, new))

    return os.path.join(cache.entry("crossings-tree", cache.digest(parts), make), "tree")
