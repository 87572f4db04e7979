/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * examine: plugins over the memory in a file, for authors of rules and of plugins, without Xen and without a broker.
 */
#ifndef AV_EXAMINE_H
#define AV_EXAMINE_H

#include <stdio.h>

#include "settings.h"

/* Exit status besides those of sysexits.h: something suspicious or malicious is in there. */
#define EXAMINE_FOUND 1

/* Everything that --image asks for; findings go to `out`. Returns the exit status. */
int examine_run(const struct settings *settings, FILE *out);

/* --plugin NAME:help, which needs no image: prints it, and returns an exit status; -1: nobody asked. */
int examine_help(const struct settings *settings, FILE *out);

#endif /* AV_EXAMINE_H */
