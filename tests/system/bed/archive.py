# SPDX-License-Identifier: GPL-2.0-only
"""What is fetched from Debian's archive: Xen's source and the kernel package.

Nothing is installed and the machine's own package lists stay as they are:
for source packages a private list is derived from the machine's sources, so
whatever mirror it uses is used here as well. Fetched once, kept in the cache.
"""

import glob
import os
import re
import shutil
import subprocess

from . import cache, failure, progress

# The version that the patches are made for. If the archive no longer has it,
# the other versions of the same release that it lists are tried, newest first.
XEN_VERSION = "4.17.5+72-g01140da4e8-1"
XEN_RELEASE = "4.17."

KERNEL = "linux-image-amd64"


def debian_sources(kind):
    """The machine's Debian sources as deb822 stanzas of `kind` (deb, deb-src), third parties left out."""
    out = []
    for path in ["/etc/apt/sources.list"] + sorted(glob.glob("/etc/apt/sources.list.d/*.list")):
        if not os.path.exists(path):
            continue
        for line in open(path):
            match = re.match(r"\s*deb(?:-src)?\s+(\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s+(.*\bmain\b)", line)
            if match and "debian" in match.group(2):
                options, uri, suite, components = match.groups()
                stanza = "Types: %s\nURIs: %s\nSuites: %s\nComponents: main\n" % (kind, uri, suite)
                signed = re.search(r"signed-by=([^\]\s]+)", options or "")
                if signed:
                    stanza += "Signed-By: %s\n" % signed.group(1)
                if "trusted=yes" in (options or ""):
                    stanza += "Trusted: yes\n"
                out.append(stanza)
    for path in sorted(glob.glob("/etc/apt/sources.list.d/*.sources")):
        text = re.sub(r"(?m)^#.*\n", "", open(path).read())
        for stanza in re.split(r"\n\s*\n", text):
            if "debian" in stanza and re.search(r"(?m)^Components:.*\bmain\b", stanza):
                out.append(re.sub(r"(?m)^Types:.*", "Types: " + kind, stanza.strip()) + "\n")
    return "\n".join(dict.fromkeys(out))


def _private_apt(log):
    """apt-get options for a private list of source packages, brought up to date."""
    sources = debian_sources("deb-src")
    if not sources:
        raise failure.Failure(failure.PREPARE, "no Debian archive with component main in "
                              "/etc/apt/sources.list or /etc/apt/sources.list.d; "
                              "Xen's source comes from there (or use --xen-tree DIR)")
    base = cache.directory("apt")
    for part in ("parts", "lists/partial", "archives/partial"):
        os.makedirs(os.path.join(base, part), exist_ok=True)
    with open(os.path.join(base, "parts", "debian.sources"), "w") as out:
        out.write(sources)
    options = ["-o", "Dir::Etc::SourceList=/dev/null",
               "-o", "Dir::Etc::SourceParts=%s/parts" % base,
               "-o", "Dir::State::Lists=%s/lists" % base,
               "-o", "Dir::Cache=%s" % base]
    if os.geteuid() == 0:
        options += ["-o", "APT::Sandbox::User=root"]
    progress.run(["apt-get"] + options + ["update"], "reading Debian's list of source packages", log)
    return options


def xen_source():
    """The path of Xen's .dsc, its archives beside it."""
    where = cache.directory("source")
    with cache.lock("xen-source"):
        marker = os.path.join(where, "version")
        if os.path.exists(marker):
            version = open(marker).read().strip()
            found = glob.glob(os.path.join(where, "xen_%s.dsc" % glob.escape(version)))
            if found:
                return found[0]
        log = os.path.join(cache.directory("logs"), "xen-source.log")
        with progress.step("fetching Xen's source from Debian's archive (about 5 MB, once)"):
            options = _private_apt(log)
            listed = subprocess.run(["apt-cache"] + options + ["showsrc", "xen"], text=True,
                                    stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
            versions = re.findall(r"(?m)^Version: (%s\S*)" % re.escape(XEN_RELEASE), listed)
            order = [v for v in (XEN_VERSION,) if v in versions]
            order += sorted((v for v in set(versions) if v not in order), reverse=True)
            for version in order:
                try:
                    progress.run(["apt-get"] + options +
                                 ["source", "--download-only", "xen=" + version],
                                 "fetching xen " + version, log, cwd=where)
                except failure.Failure as problem:
                    progress.say("  xen %s is listed but cannot be had; trying another" % version)
                    last = problem
                    continue
                with open(marker, "w") as out:
                    out.write(version + "\n")
                if version != XEN_VERSION:
                    progress.warn("using xen %s; the archive no longer has %s"
                                  % (version, XEN_VERSION))
                return os.path.join(where, "xen_%s.dsc" % version)
        if order:
            raise last
        raise failure.Failure(failure.PREPARE, "Debian's archive, as this machine uses it, lists no "
                              "xen %s* source: use bookworm, or --xen-tree DIR" % XEN_RELEASE,
                              progress.tail(log))


def download(packages, work, log):
    """Fetches binary packages of the machine's lists and unpacks them in the directory `work`."""
    options = ["-o", "APT::Sandbox::User=root"] if os.geteuid() == 0 else []
    progress.run(["apt-get"] + options + ["download"] + packages,
                 "fetching %s (if it is gone from the archive, run `apt-get update`)" % " ".join(packages), log, cwd=work)
    for package in glob.glob(os.path.join(work, "*.deb")):
        progress.run(["dpkg-deb", "-x", package, work], "unpacking " + os.path.basename(package), log)
        os.unlink(package)


def kernel():
    """The directory with Debian's kernel: vmlinuz, lib/modules/VERSION with modules.dep, version."""
    where = cache.directory("kernel")
    with cache.lock("kernel"):
        final = os.path.join(where, "current")
        if os.path.exists(os.path.join(final, "version")):
            return final
        log = os.path.join(cache.directory("logs"), "kernel.log")
        with progress.step("fetching Debian's kernel package (about 70 MB, once)"):
            shown = subprocess.run(["apt-cache", "show", "--no-all-versions", KERNEL], text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
            real = re.search(r"(?m)^Depends: (linux-image-\S+)", shown)
            if not real:
                raise failure.Failure(failure.PREPARE, "apt knows no package %s: run `apt-get "
                                      "update` as root first" % KERNEL)
            work = final + ".partial"
            shutil.rmtree(work, ignore_errors=True)
            os.makedirs(work)
            download([real.group(1)], work, log)
            image = glob.glob(os.path.join(work, "boot", "vmlinuz-*"))[0]
            version = os.path.basename(image)[len("vmlinuz-"):]
            os.rename(image, os.path.join(work, "vmlinuz"))
            depmod = shutil.which("depmod") or "/sbin/depmod"
            progress.run([depmod, "-b", work, version], "listing the kernel's modules", log)
            with open(os.path.join(work, "version"), "w") as out:
                out.write(version + "\n")
            shutil.rmtree(final, ignore_errors=True)
            os.rename(work, final)
    return final
