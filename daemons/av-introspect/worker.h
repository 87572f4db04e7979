/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * worker: one process that looks into one domain. It comes out of the loader by fork(), with its plugins, and ends when it
 * is told to, when its broker ends, or when something is wrong.
 */
#ifndef AV_WORKER_H
#define AV_WORKER_H

#include <stdint.h>

#include "plugins.h"

struct worker_places {
    int in, out;                        /* shared memory */
    int wake, tell;                     /* eventfds: read one, write the other */
    uint64_t memory;
};

/* Serves; never returns. Called in the forked process, with all signals as they are by default. */
void worker_serve(struct plugins *plugins, const struct worker_places *places) __attribute__((noreturn));

/* Where plugins' words go in a worker; in the loader it passes them on to *other. */
void worker_log(int level, const char *plugin, const char *text, plugins_log *other, void *arg);

#endif /* AV_WORKER_H */
