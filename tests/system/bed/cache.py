# SPDX-License-Identifier: GPL-2.0-only
"""Where everything that is downloaded or built is kept, outside the source tree.

An entry is a directory named by the hash of what it is made from. It is made
under a lock and a temporary name and then renamed, so a killed build leaves
nothing that looks finished, and two runs at once share one build.
"""

import contextlib
import fcntl
import glob
import hashlib
import os
import shutil

KEEP = 4    # finished entries of one kind that are kept when a new one is made


def root():
    path = os.environ.get("XEN_MEMEVENT_CACHE")
    if not path:
        base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        path = os.path.join(base, "xen-memevent")
    os.makedirs(path, exist_ok=True)
    return path


def directory(*parts):
    path = os.path.join(root(), *parts)
    os.makedirs(path, exist_ok=True)
    return path


@contextlib.contextmanager
def lock(name):
    with open(os.path.join(directory("locks"), name), "w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def digest(parts):
    """A short hash of strings, bytes and ("file", path) pairs, in order."""
    total = hashlib.sha256()
    for part in parts:
        if isinstance(part, tuple):
            with open(part[1], "rb") as source:
                part = source.read()
        if isinstance(part, str):
            part = part.encode()
        total.update(b"%d:" % len(part))
        total.update(part)
    return total.hexdigest()[:16]


def tree_files(top):
    """Every file below `top`, sorted; version control and Python's leavings left out."""
    for where, dirs, files in os.walk(top):
        dirs[:] = sorted(d for d in dirs if d not in (".git", "__pycache__"))
        for name in sorted(files):
            yield os.path.join(where, name)


def entry(kind, key, make):
    """The directory of `key`; if it is not there, make(directory) fills it first."""
    final = os.path.join(directory(kind), key)
    with lock("%s-%s" % (kind, key)):
        if not os.path.isdir(final):
            # What a killed run was making may still be written to by what it had started.
            for left in glob.glob(glob.escape(final) + ".*.partial"):
                shutil.rmtree(left, ignore_errors=True)
            partial = "%s.%d.partial" % (final, os.getpid())
            os.makedirs(partial)
            make(partial)
            os.rename(partial, final)
            _prune(os.path.dirname(final), final)
        else:
            os.utime(final)
    return final


def _prune(where, newest):
    """Removes the entries that were not used for longest; one in use a day ago stays."""
    import time
    names = [os.path.join(where, n) for n in os.listdir(where) if not n.endswith(".partial")]
    names = sorted((n for n in names if n != newest), key=os.path.getmtime, reverse=True)
    for old in names[KEEP:]:
        if time.time() - os.path.getmtime(old) > 86400:
            shutil.rmtree(old, ignore_errors=True)
