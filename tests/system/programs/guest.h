/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Talking to the self-checking guest (tests/guest) from a program: a line onto its console, its words out of the
 * log of that console. Nothing here waits, so that the caller can serve the guest's events meanwhile.
 */
#ifndef TESTS_SYSTEM_PROGRAMS_GUEST_H
#define TESTS_SYSTEM_PROGRAMS_GUEST_H

#include <stddef.h>

struct guest {
    const char *tty, *log;          /* the caller's: the console's device, and the file of what it printed */
    long said;                      /* where in the log the answer to the last line begins */
};

/* Types a program onto the console. The guest must have said that it is ready. 0 or -errno. */
int guest_tell(struct guest *g, const char *program);

/*
 * 1 once the guest is ready again; its last line that contains `what` is then in `line`, which is empty
 * if there is none. 0 before that, -errno if the log cannot be read.
 */
int guest_answered(const struct guest *g, const char *what, char *line, size_t size);

#endif
