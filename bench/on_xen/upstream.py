# SPDX-License-Identifier: GPL-2.0-only
"""Upstream's programs that ours are measured against, out of the Xen source that the test bed has fetched, each with a patch of ours.

Only a program's own files are unpacked and compiled, against the installed Xen headers and with the flags of Xen's own build that
matter.
"""

import collections
import os
import subprocess
import tarfile

from bed import archive, cache, failure, progress

HERE = os.path.dirname(os.path.abspath(__file__))
FLAGS = ("-O2", "-fomit-frame-pointer", "-std=gnu99", "-Wall", "-Wno-unused", "-D__XEN_TOOLS__",
         "-D__XEN_INTERFACE_VERSION__=__XEN_LATEST_INTERFACE_VERSION__", "-pthread")
LIBRARIES = ("-lxenctrl", "-lxenstore", "-lxenevtchn", "-lxentoollog")

# where: its directory; needs: what else is unpacked, files or directories; patch: what it gets, and what that makes of it
Program = collections.namedtuple("Program", "where sources needs patch becomes")

PAGER = Program("tools/xenpaging/", ("xenpaging.c", "file_ops.c", "policy_default.c", "pagein.c"), ("tools/xenpaging/",), "answers.patch", "repaired")
ACCESS = Program("tools/misc/", ("xen-access.c",), ("tools/include/xen-tools/",), "requests.patch", "with guest requests")


def _unpack(tarball, wanted, where):
    with tarfile.open(tarball) as source:
        for member in source:
            name = member.name.split("/", 1)[-1]
            if member.isfile() and name.startswith(wanted):
                path = os.path.join(where, name)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "wb") as out:
                    out.write(source.extractfile(member).read())


def build(program):
    """Returns (the program's path, the version it is of)."""
    name = os.path.splitext(program.sources[0])[0]
    what = "upstream's %s, %s" % (name, program.becomes)
    description = archive.xen_source()
    version = os.path.basename(description)[len("xen_"):-len(".dsc")]
    tarball = description[:-len(".dsc")].rsplit("-", 1)[0] + ".orig.tar.xz"
    log = os.path.join(cache.directory("logs"), "upstream-%s.log" % name)
    patch = os.path.join(HERE, program.patch)

    def make(where):
        with progress.step("building %s (once)" % what):
            open(log, "w").close()
            _unpack(tarball, tuple(program.where + source for source in program.sources) + program.needs, where)
            progress.run(["patch", "-p1", "--fuzz=0", "-i", patch], "patching %s" % what, log, cwd=where)
            progress.run(["gcc"] + list(FLAGS) + ["-I", os.path.join(where, "tools/include"), "-o", os.path.join(where, name)] +
                         list(program.sources) + list(LIBRARIES), "building %s" % what, log, cwd=os.path.join(where, program.where))
    compiler = subprocess.run(["gcc", "-dumpfullversion"], stdout=subprocess.PIPE).stdout
    key = cache.digest([version, compiler, " ".join(FLAGS + LIBRARIES), " ".join(program.sources + program.needs), ("file", patch)])
    path = os.path.join(cache.entry("upstream-" + name, key, make), name)
    if not os.path.exists(path):
        raise failure.Failure(failure.PREPARE, "%s was not built, see %s" % (what, log))
    return path, version.split("+")[0].split("-")[0]
