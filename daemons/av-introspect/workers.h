/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * workers: the scanner of the installed program (scanner.h). One loader for the host; for each domain some worker processes
 * that nobody else has, started when there is work for them, and replaced when they die, hang or grow. A request that a worker died
 * of is given to the next, until it is clear that it is the page: then it is SCAN_REFUSED, and the same page is from then on.
 */
#ifndef AV_WORKERS_H
#define AV_WORKERS_H

#include "plugins.h"
#include "scanner.h"

struct workers_options {
    const char *program;                /* av-worker's path */
    const char *directory;              /* of plugins */
    const char *plugins;                /* lines NAME[:option=value,...] */
    const char *user;                   /* the workers' and the loader's, if we are root */
    uint64_t memory;                    /* octets that a worker may have besides what it was born with */
    uint32_t hang_ms;                   /* a request that takes longer costs its worker */
    uint32_t processes;                 /* of one domain, at most; so many scans at a time */
};

#define WORKERS_MEMORY     (UINT64_C(256) << 20)
#define WORKERS_HANG_MS    10000u
#define WORKERS_PROCESSES  4u

/* 0, and *scanner is filled in; or -errno and words. Plugins are still being loaded: workers_wait(). */
int workers_open(struct scanner *scanner, const struct workers_options *options, struct plugins_words *words);

/* Until plugins are loaded. 0; -ETIME; or what was wrong, with words for people. */
int workers_wait(const struct scanner *scanner, uint32_t milliseconds, struct plugins_words *words);

/*
 * Rules have changed: the loader reads them anew, workers that have the old ones end after what they are doing, and
 * generation() is another. What is wrong is logged, and everything stays. 0 or -errno.
 */
int workers_reload(const struct scanner *scanner);

#endif /* AV_WORKERS_H */
