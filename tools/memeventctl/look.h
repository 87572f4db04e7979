/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Looking at what daemons write: where their files are, in which form they are shown, and how often.  What is shown,
 * and what it means, is each subcommand's.
 */
#ifndef MEMEVENTCTL_LOOK_H
#define MEMEVENTCTL_LOOK_H

#include <argp.h>
#include <limits.h>
#include <stdbool.h>

#include "status.h"

#define LOOK_DIRECTORY "/run/xen-memevent"

/* Keys of options that have no letter; a subcommand's own begin at LOOK_KEYS. */
enum { LOOK_JSON = 1, LOOK_RUN_DIRECTORY, LOOK_HOST, LOOK_KEYS };

struct look {
    const char *directory;        /* of the status files; LOOK_DIRECTORY to begin with */
    char emulated[PATH_MAX];      /* that of the --host that was given */
    bool json;
    unsigned int watch;           /* seconds; 0: once */
};

/* --json, --run-directory, --host, --watch and --version; any other key is ARGP_ERR_UNKNOWN. */
error_t look_parse(struct look *look, int key, char *argument, struct argp_state *state);

/* A whole number from 1 to `most`, or the end with a word about --option and its unit. */
unsigned int look_parse_number(struct argp_state *state, const char *option, const char *text, unsigned int most,
                               const char *unit);

/* Seconds of a clock that nobody sets. */
double look_now(void);

/* Opens the list of a daemon's files there.  An exit status, after a word to stderr. */
int look_read(const struct look *look, const char *daemon, struct status_list *list);

/* On a terminal: home, and clear what is below. */
void look_clear(const struct look *look);

/*
 * Shows once, or until it is interrupted.  show() gets the files, those of the time before (an empty list at first)
 * and the seconds between, and returns an exit status; EX_IOERR and EX_OSERR end it.
 */
int look_repeatedly(const struct look *look, const char *daemon,
                    int (*show)(const void *request, const struct status_list *list, const struct status_list *before,
                                double seconds),
                    const void *request);

#endif
