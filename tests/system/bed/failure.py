# SPDX-License-Identifier: GPL-2.0-only
"""How a run can fail, and the exit status that says so.

The statuses lie above 100 so that they are not taken for those of a dom0
script, which are passed through unchanged. README.md lists them; a test
script may rely on them.
"""

XEN_PANIC = 101      # the hypervisor panicked
DOM0_CRASH = 102     # dom0's kernel panicked
GUEST_CRASH = 103    # a guest crashed, or its kernel panicked
TIMEOUT = 104        # neither the script nor a crash ended the run in time
HOST_ENDED = 105     # the emulator ended, or dom0 shut down or rebooted, before the script did
NOT_UP = 106         # dom0 came up without a working Xen toolstack
PREPARE = 107        # something could not be downloaded or built
USAGE = 108          # the command line makes no sense
EMULATOR = 109       # a Linux kernel panicked, in a way that is known to be the emulator's doing

NAMES = {
    XEN_PANIC: "Xen panicked",
    DOM0_CRASH: "dom0 crashed",
    GUEST_CRASH: "a guest crashed",
    TIMEOUT: "time is up",
    HOST_ENDED: "the host ended early",
    NOT_UP: "dom0 did not come up",
    PREPARE: "preparing failed",
    USAGE: "wrong usage",
    EMULATOR: "the emulator broke a kernel",
}


class Failure(Exception):
    """Ends the run: one of the statuses above, a sentence, and what belongs to it (a log's tail)."""

    def __init__(self, status, sentence, detail=""):
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.detail = detail
