# SPDX-License-Identifier: GPL-2.0-only
"""Upstream's pager, out of the Xen source that the test bed has fetched, with answers.patch on it.

Only its own four files are unpacked and compiled, against the installed Xen headers and with the flags
of Xen's own build that matter.
"""

import os
import subprocess
import tarfile

from bed import archive, cache, failure, progress

HERE = os.path.dirname(os.path.abspath(__file__))
PATCH = os.path.join(HERE, "answers.patch")
WHERE = "tools/xenpaging/"
SOURCES = ("xenpaging.c", "file_ops.c", "policy_default.c", "pagein.c")
FLAGS = ("-O2", "-fomit-frame-pointer", "-std=gnu99", "-Wall", "-Wno-unused", "-D__XEN_TOOLS__",
         "-D__XEN_INTERFACE_VERSION__=__XEN_LATEST_INTERFACE_VERSION__", "-pthread")
LIBRARIES = ("-lxenctrl", "-lxenstore", "-lxenevtchn", "-lxentoollog")


def _unpack(tarball, where):
    with tarfile.open(tarball) as source:
        for member in source:
            name = member.name.split("/", 1)[-1]
            if member.isfile() and name.startswith(WHERE):
                path = os.path.join(where, name)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "wb") as out:
                    out.write(source.extractfile(member).read())


def build():
    """Returns (the program, the version it is of)."""
    description = archive.xen_source()
    version = os.path.basename(description)[len("xen_"):-len(".dsc")]
    tarball = description[:-len(".dsc")].rsplit("-", 1)[0] + ".orig.tar.xz"
    log = os.path.join(cache.directory("logs"), "upstream-xenpaging.log")

    def make(where):
        with progress.step("building upstream's xenpaging, repaired (once)"):
            open(log, "w").close()
            _unpack(tarball, where)
            progress.run(["patch", "-p1", "--fuzz=0", "-i", PATCH], "repairing upstream's xenpaging",
                         log, cwd=where)
            progress.run(["gcc"] + list(FLAGS) + ["-o", os.path.join(where, "xenpaging")] +
                         list(SOURCES) + list(LIBRARIES), "building upstream's xenpaging", log,
                         cwd=os.path.join(where, WHERE))
    compiler = subprocess.run(["gcc", "-dumpfullversion"], stdout=subprocess.PIPE).stdout
    key = cache.digest([version, compiler, " ".join(FLAGS + LIBRARIES), ("file", PATCH)])
    program = os.path.join(cache.entry("upstream-xenpaging", key, make), "xenpaging")
    if not os.path.exists(program):
        raise failure.Failure(failure.PREPARE, "upstream's xenpaging was not built, see %s" % log)
    return program, version.split("+")[0].split("-")[0]
