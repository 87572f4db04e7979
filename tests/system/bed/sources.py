# SPDX-License-Identifier: GPL-2.0-only
"""Parts of Xen's own C, for what compiles them in user space: tests and measurements share this.

Event channels have our patches in them; hypervisor-patches/shim/events has the headers that stand in for the rest of
Xen. The bookkeeping of grant mappings is Xen's without a patch, cut out of its file, to be measured against ours.
"""

import os
import shutil
import subprocess

from . import archive, cache, failure, progress

# Relative to the tree's xen/: what is compiled, what it includes of Xen's own, and the public headers.
KEPT = ("common/event_2l.c", "common/event_fifo.c", "common/event_channel.h", "common/event-nlevel.c",
        "common/event-nlevel-tree.c", "include/xen/event.h", "include/xen/event-nlevel.h",
        "include/xen/event-nlevel-tree.h", "include/public")
COMPILED = tuple(name for name in KEPT if name.endswith(".c"))

# From the first string to before the second: a mapping, how one is found by its handle, and the lists of free ones.
MAPTRACK = (("struct grant_mapping {", "/* Number of grant table frames."),
            ("#define MAPTRACK_PER_PAGE", "#define SHGNT_PER_PAGE_V1"),
            ("#define INVALID_MAPTRACK_HANDLE", "/* Number of grant table entries."))

# Xen's style, and files of which only a part is used, are not what the compiler has to be asked about.
FLAGS = ("-std=gnu11", "-Wall", "-Wextra", "-Werror", "-Wno-pointer-arith", "-Wno-unused-function",
         "-Wno-unused-parameter", "-Wno-sign-compare",
         "-D__XEN_INTERFACE_VERSION__=__XEN_LATEST_INTERFACE_VERSION__")


def event_channels(top, fetch=True):
    """The directory that holds them as a tree's xen/ does. None: not there, and not to be fetched."""
    if not fetch and not os.path.exists(os.path.join(cache.directory("source"), "version")):
        return None
    source = archive.xen_source()
    patches = os.path.join(top, "hypervisor-patches")
    parts = [("file", __file__), ("file", source)]
    for path in cache.tree_files(patches):
        if not path.endswith(".md") and os.path.join(patches, "shim") + os.sep not in path:
            parts += [os.path.relpath(path, patches), ("file", path)]
    return cache.entry("event-sources", cache.digest(parts), lambda where: _take(where, source, patches))


def unpacked(source, patches, work, log):
    """Xen's tree with what apply puts into it, as `work`. Without patches it is Debian's."""
    progress.run(["dpkg-source", "--no-check", "-x", source, work], "unpacking Xen's source", log)
    apply = os.path.join(patches, "apply") if patches else None
    if apply and os.path.exists(apply):
        progress.run([apply, work], "applying hypervisor-patches/", log)


def _take(where, source, patches):
    work = os.path.join(where, "tree")
    unpacked(source, patches, work, os.path.join(where, "log"))
    for name in KEPT:
        old, new = os.path.join(work, "xen", name), os.path.join(where, name)
        os.makedirs(os.path.dirname(new), exist_ok=True)
        os.rename(old, new)
    shutil.rmtree(work)


def grant_mappings():
    """The directory with maptrack-lists.c: what Xen without our patches has between a grant mapping and its handle."""
    source = archive.xen_source()
    return cache.entry("maptrack-lists", cache.digest([("file", __file__), ("file", source)]),
                       lambda where: _cut(where, source))


def _cut(where, source):
    work = os.path.join(where, "tree")
    unpacked(source, None, work, os.path.join(where, "log"))
    with open(os.path.join(work, "xen", "common", "grant_table.c")) as file:
        text = file.read()
    with open(os.path.join(where, "maptrack-lists.c"), "w") as file:
        for first, behind in MAPTRACK:
            begin = text.find(first)
            end = text.find(behind, begin)
            if begin < 0 or end < 0:
                raise failure.Failure(failure.PREPARE, "Xen's grant_table.c does not have '%s' before '%s'"
                                      % (first, behind))
            file.write(text[begin:end])
    shutil.rmtree(work)


def compile_with(top, xen, program, files, options=(), shims=()):
    """Makes `program` of these files of ours and of Xen's, each seeing `shims` before the shim's own headers."""
    shim = os.path.join(top, "hypervisor-patches", "shim")
    compiled(program, list(shims) + [os.path.join(shim, "events"), shim, os.path.join(xen, "include"), top],
             [os.path.join(top, name) for name in files] + [os.path.join(xen, name) for name in COMPILED], options)


def compiled(program, includes, files, options=()):
    """Makes `program` of files of which some have Xen's C in them."""
    command = [os.environ.get("CC", "gcc")] + list(FLAGS)
    for path in includes:
        command += ["-I", path]
    # The options last, as libraries are looked into for what the files before them want.
    done = subprocess.run(command + ["-o", program] + list(files) + list(options),
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise failure.Failure(failure.PREPARE, "Xen's own C cannot be compiled in user space", done.stdout)
