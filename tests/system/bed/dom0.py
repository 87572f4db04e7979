# SPDX-License-Identifier: GPL-2.0-only
"""The small dom0: one initramfs of busybox, Xen's tools and what a test host needs.

Two archives make it. The base comes from installed packages and Debian's
kernel and is cached; the second one, made for each run and appended to it,
holds the suite, the script and the files it was given. The kernel unpacks
both, the second over the first.
"""

import glob
import io
import os
import shutil

from . import cache, cpio, failure, progress

HERE = os.path.dirname(os.path.abspath(__file__))
XEN_LIB = "/usr/lib/xen-4.17"

# What HVM guests need: the path is the one that libxl starts.
DEVICE_MODEL = "/usr/libexec/xen-qemu-system-i386"
ROMS = ("/usr/share/qemu/kvmvapic.bin", "/usr/share/qemu/linuxboot*.bin",
        "/usr/share/qemu/multiboot*.bin", "/usr/share/seabios/bios-256k.bin",
        "/usr/share/seabios/vgabios-stdvga.bin")

# The modules that are loaded or may be wanted by a script, with what they depend on.
MODULES = ("xen-evtchn xen-gntdev xen-gntalloc xen-privcmd xenfs xen-blkback xen-blkfront xen-netback xen-netfront loop brd "
           "ext4 crc32c_generic crc32c-intel ahci ata_piix sd_mod tun").split()

# Programs of the machine that scripts may count on, beside busybox and Xen's own.
PROGRAMS = ("bash", "mke2fs", "setsid", "stdbuf", "taskset", "strace")
OPTIONAL = ("strace", "stdbuf", "taskset", "setsid")


def modules(tree, kernel, names=MODULES):
    """Copies `names` and what they need, and the list that modprobe reads."""
    version = open(os.path.join(kernel, "version")).read().strip()
    base = os.path.join(kernel, "lib", "modules", version)
    needs, wanted, todo = {}, set(), []
    for line in open(os.path.join(base, "modules.dep")):
        path, rest = line.split(":", 1)
        needs[path] = rest.split()
    by_name = {os.path.basename(p)[:-3].replace("-", "_"): p for p in needs}
    todo = [by_name[n.replace("-", "_")] for n in names if n.replace("-", "_") in by_name]
    while todo:
        path = todo.pop()
        if path not in wanted:
            wanted.add(path)
            todo += needs[path]
    for path in wanted:
        tree.file(os.path.join(base, path), "lib/modules/%s/%s" % (version, path))
    tree.text("lib/modules/%s/modules.dep" % version,
              "".join("%s: %s\n" % (p, " ".join(needs[p])) for p in sorted(wanted)))
    # Aliases let the kernel ask for a file system or a cipher by what it is; only ours are kept.
    names = {os.path.basename(p)[:-3].replace("-", "_") for p in wanted}
    with open(os.path.join(base, "modules.alias")) as source:
        aliases = [line for line in source if line.rsplit(None, 1)[-1] in names]
    tree.text("lib/modules/%s/modules.alias" % version, "".join(aliases))
    tree.file(os.path.join(base, "modules.builtin"), "lib/modules/%s/modules.builtin" % version)


def busybox(tree, where="bin"):
    import subprocess
    program = shutil.which("busybox")
    if not program:
        raise failure.Failure(failure.PREPARE, "busybox is not installed (package busybox-static)")
    tree.file(program, where + "/busybox")
    for applet in subprocess.run([program, "--list"], stdout=subprocess.PIPE,
                                 text=True).stdout.split():
        if applet != "busybox":
            tree.link("%s/%s" % (where, applet), "busybox")


def guest_initrd():
    """The ramdisk of the Linux guests, as bytes."""
    tree = cpio.Tree()
    for name in ("proc", "sys", "dev", "tmp", "root"):
        tree.directory(name)
    tree.node("dev/console", 5, 1)
    tree.node("dev/null", 1, 3, 0o666)
    tree.link("bin", "usr/bin")
    tree.link("sbin", "usr/sbin")
    busybox(tree)
    tree.file(os.path.join(HERE, "guest", "init"), "init", 0o755)
    out = io.BytesIO()
    tree.write(out)
    return out.getvalue()


def guests(tree, kernel):
    tree.directory("guests")
    tree.file(os.path.join(kernel, "vmlinuz"), "guests/linux", 0o644)
    tree.text("guests/linux.initrd", guest_initrd())


def harness(tree):
    """Dom0's side of the harness; the same in both roots."""
    for name in ("channel.sh", "functions.sh"):
        tree.file(os.path.join(HERE, "dom0", name), "usr/lib/xenhost/" + name, 0o644)
    for name in ("run-script", "watch-guests"):
        tree.file(os.path.join(HERE, "dom0", name), "usr/lib/xenhost/" + name, 0o755)
    tree.file(os.path.join(HERE, "dom0", "enter-systemd"), "usr/lib/xenhost/enter-systemd", 0o644)
    tree.copy(os.path.join(HERE, "dom0", "systemd-root"), "usr/lib/xenhost/root")


def _base_tree(kernel):
    tree = cpio.Tree()
    for name in cpio.MERGED:
        tree.directory("usr/" + name)
        tree.link(name, "usr/" + name)
    for name in ("proc", "sys", "dev", "run", "tmp", "root", "mnt", "etc/xen", "var/log/xen",
                 "var/lib/xen", "var/lib/xenstored", "etc/xen/scripts"):
        tree.directory(name)
    tree.link("var/run", "/run")
    tree.link("var/lock", "/run/lock")
    tree.node("dev/console", 5, 1)
    tree.node("dev/null", 1, 3, 0o666)
    tree.text("etc/passwd", "root:x:0:0:root:/root:/bin/bash\n"
                            "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n")
    tree.text("etc/group", "root:x:0:\nnogroup:x:65534:\n")
    tree.text("etc/nsswitch.conf", "passwd: files\ngroup: files\n")
    tree.text("etc/hosts", "127.0.0.1 localhost dom0\n")
    tree.text("etc/mtab", "")
    tree.text("etc/xen/xl.conf", "")
    busybox(tree)

    tools = glob.glob(XEN_LIB + "/bin/*")
    if not tools:
        raise failure.Failure(failure.PREPARE, "Xen's tools are not installed (package xen-utils-4.17)")
    for path in sorted(tools):
        if cpio.is_elf(path) and not path.endswith(("oxenstored", "xen-kdd")):
            tree.program(path)
            tree.link("usr/sbin/" + os.path.basename(path), path)
    tree.file(XEN_LIB + "/boot/hvmloader", XEN_LIB + "/boot/hvmloader")
    for path in sorted(glob.glob("/usr/bin/xenstore*")):
        if os.path.islink(path):
            tree.link(path, os.readlink(path))
        else:
            tree.program(path)
    for name in PROGRAMS:
        path = shutil.which(name, path="/usr/bin:/bin:/usr/sbin:/sbin")
        if path:
            tree.program(path)
        elif name not in OPTIONAL:
            raise failure.Failure(failure.PREPARE, "%s is not installed" % name)
    tree.link("sbin/mkfs.ext4", "mke2fs")
    # xl ends threads at exit, for which libc loads libgcc_s by name: ldd does not see it.
    for name in ("libgcc_s.so.1", "libnss_files.so.2"):
        for path in glob.glob("/lib/x86_64-linux-gnu/" + name):
            tree.file(path, path)
    modules(tree, kernel)
    harness(tree)
    tree.file(os.path.join(HERE, "dom0", "init"), "init", 0o755)
    guests(tree, kernel)
    return tree


def base(kernel):
    """The cached archive of everything that does not change between runs."""
    tree = _base_tree(kernel)

    def make(where):
        with progress.step("packing the small dom0 (a few seconds, once)"):
            with open(os.path.join(where, "dom0.cpio"), "wb") as out:
                tree.write(out)
    return os.path.join(cache.entry("dom0", cache.digest(tree.fingerprint()), make), "dom0.cpio")


def device_model(tree):
    """QEMU as Xen's device model, with the firmware that an HVM guest without graphics needs."""
    if not os.path.exists(DEVICE_MODEL):
        raise failure.Failure(failure.PREPARE, "--with-qemu: %s is not there (package "
                              "qemu-system-xen)" % DEVICE_MODEL)
    tree.program(DEVICE_MODEL)
    tree.copy("/usr/share/qemu/keymaps", "usr/share/qemu/keymaps")
    for pattern in ROMS:
        for path in glob.glob(pattern):
            tree.file(path, path)


def additions(run, suite, tiny=None, guest_modules=()):
    """The tree of one run: the suite, the script, the files to add, and run.conf."""
    tree = cpio.Tree()
    if suite:
        tree.copy(suite, "/")
        for path in cache.tree_files(suite):
            if os.access(path, os.X_OK) or ".so" in path:
                tree.needed(path, search=suite)
    if tiny:
        tree.file(tiny, "guests/tiny", 0o644)
    for path in guest_modules:
        tree.file(path, "guests/modules/" + os.path.basename(path), 0o644)
    if run.with_qemu:
        device_model(tree)
    for source, destination in run.add:
        if os.path.isdir(source):
            tree.copy(source, destination)
            for path in cache.tree_files(source):
                tree.needed(path)
        else:
            tree.file(source, destination)
            tree.needed(source)
    tree.text("usr/lib/xenhost/start", run.starter(), 0o755)
    if run.script:
        tree.file(run.script, run.script_place(), 0o755)
        tree.needed(run.script)
    if run.root == "systemd":
        libraries = tree.libraries
        tree = tree.below(lambda path: "libraries" if path in libraries else "overlay")
    tree.text("usr/lib/xenhost/run.conf", run.configuration())
    return tree


def assemble(kernel, tree, out):
    """Writes both archives, one behind the other, to the file `out`."""
    with open(out, "wb") as target:
        with open(base(kernel), "rb") as source:
            shutil.copyfileobj(source, target, 1 << 20)
        target.write(b"\0" * (-target.tell() % 512))
        tree.write(target)
