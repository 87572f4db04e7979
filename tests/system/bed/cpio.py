# SPDX-License-Identifier: GPL-2.0-only
"""A root file system as a dictionary, and how to write it as a cpio archive ("newc").

Everything belongs to root in the archive, whoever writes it. Paths are kept
in Debian's merged form (/lib is usr/lib), because the kernel unpacks a second
archive over the first and a directory would replace a symlink.
"""

import os
import stat
import subprocess

MERGED = ("bin", "sbin", "lib", "lib32", "lib64")
ELF = b"\x7fELF"


class Tree:
    def __init__(self):
        self.entries = {}       # path without leading slash -> (mode, payload)
        self.looked_up = set()  # binaries whose libraries are in the tree already
        self.libraries = set()  # paths of those libraries

    def _place(self, path):
        path = os.path.normpath("/" + path).lstrip("/")
        first, slash, rest = path.partition("/")
        if slash and first in MERGED:
            path = "usr/" + path
        parent = os.path.dirname(path)
        if parent and parent not in self.entries:
            self.directory(parent)
        return path

    def directory(self, path, mode=0o755):
        path = self._place(path)
        if path not in self.entries or not stat.S_ISLNK(self.entries[path][0]):
            self.entries[path] = (stat.S_IFDIR | mode, b"")

    def text(self, path, content, mode=0o644):
        data = content.encode() if isinstance(content, str) else content
        self.entries[self._place(path)] = (stat.S_IFREG | mode, data)

    def link(self, path, target):
        self.entries[self._place(path)] = (stat.S_IFLNK | 0o777, target.encode())

    def node(self, path, major, minor, mode=0o600):
        self.entries[self._place(path)] = (stat.S_IFCHR | mode, (major, minor))

    def file(self, source, path, mode=None):
        """One file; a symlink is followed."""
        source = os.path.realpath(source)
        mode = stat.S_IMODE(os.stat(source).st_mode) if mode is None else mode
        self.entries[self._place(path)] = (stat.S_IFREG | mode, source)

    def copy(self, top, path):
        """A directory with all that it holds; symlinks stay symlinks."""
        self.directory(path, stat.S_IMODE(os.stat(top).st_mode))
        for where, dirs, files in os.walk(top):
            below = os.path.join(path, os.path.relpath(where, top))
            for name in dirs + files:
                full = os.path.join(where, name)
                if os.path.islink(full):
                    self.link(os.path.join(below, name), os.readlink(full))
                elif os.path.isdir(full):
                    self.directory(os.path.join(below, name), stat.S_IMODE(os.stat(full).st_mode))
                elif os.path.isfile(full):
                    self.file(full, os.path.join(below, name))

    def program(self, source, path=None):
        """A program of this machine and the shared libraries it needs, where it expects them."""
        self.file(source, path or source)
        self.needed(source)

    def needed(self, source, search=None):
        """The shared libraries of `source`; those found below `search` are taken to be in the tree."""
        source = os.path.realpath(source)
        if source in self.looked_up or not is_elf(source):
            return
        self.looked_up.add(source)
        env = dict(os.environ, LC_ALL="C")
        if search:
            env["LD_LIBRARY_PATH"] = os.path.join(search, "usr/lib")
        answer = subprocess.run(["ldd", source], env=env, stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL, text=True).stdout
        for line in answer.splitlines():
            words = line.split()
            library = words[2] if "=>" in words and len(words) > 2 else words[0] if words else ""
            if library.startswith("/") and not (search and library.startswith(search)):
                self.file(library, library)
                self.libraries.add(self._place(library))

    def below(self, place):
        """The same files one directory deeper; place(path) names it."""
        tree = Tree()
        for path, entry in self.entries.items():
            # With the directories on the way there: the kernel leaves out what lies in none.
            tree.entries[tree._place("%s/%s" % (place(path), path))] = entry
        return tree

    def write(self, out):
        for number, path in enumerate(sorted(self.entries), 1):
            mode, payload = self.entries[path]
            device = (0, 0)
            if isinstance(payload, tuple):
                device, payload = payload, b""
            elif isinstance(payload, str):
                with open(payload, "rb") as source:
                    payload = source.read()
            self._member(out, number, path, mode, payload, device)
        self._member(out, 0, "TRAILER!!!", 0, b"", (0, 0))

    @staticmethod
    def _member(out, number, path, mode, payload, device):
        name = path.encode() + b"\0"
        links = 2 if stat.S_ISDIR(mode) else 1
        fields = (number, mode, 0, 0, links, 0, len(payload), 0, 0, device[0], device[1],
                  len(name), 0)
        out.write(b"070701" + b"".join(b"%08X" % f for f in fields) + name)
        out.write(b"\0" * (-(110 + len(name)) % 4))
        out.write(payload)
        out.write(b"\0" * (-len(payload) % 4))

    def fingerprint(self):
        """Strings that change when the archive would."""
        for path in sorted(self.entries):
            mode, payload = self.entries[path]
            yield "%s %o" % (path, mode)
            if isinstance(payload, str):
                status = os.stat(payload)
                yield "%s %d %d" % (payload, status.st_size, status.st_mtime_ns)
            else:
                yield repr(payload)


def is_elf(path):
    try:
        with open(path, "rb") as source:
            return source.read(4) == ELF
    except OSError:
        return False
