# SPDX-License-Identifier: GPL-2.0-only
"""Starting an emulator so that it cannot outlive xenhost, and ending it."""

import ctypes
import os
import signal
import subprocess

PR_SET_PDEATHSIG = 1
GRACE = 3       # seconds between asking and killing


def start(command, output, cwd=None, env=None, keep=()):
    """A child in its own session (a terminal's Ctrl-C is ours to handle) that dies with us."""
    libc = ctypes.CDLL(None)
    parent = os.getpid()

    def tie():
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
    return subprocess.Popen(command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=output,
                            stderr=subprocess.STDOUT, start_new_session=True, preexec_fn=tie, pass_fds=keep)


def stop(child):
    if child is None or child.poll() is not None:
        return
    child.terminate()
    try:
        child.wait(GRACE)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
