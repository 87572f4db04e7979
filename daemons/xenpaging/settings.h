/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an admin can set for xenpaging, and the table that the command line, the configuration file, the
 * man page's list and the shell completion come from.
 */
#ifndef XENPAGING_SETTINGS_H
#define XENPAGING_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include <daemon/options.h>

struct settings {
    bool     foreground;          /* log to stderr */
    bool     verbose;
    char    *host;                /* NULL: the Xen that this is dom0 of */
    uint32_t domid;               /* with options_origin(): the one domain to page */
    uint64_t memory_limit;        /* bytes of the compressed pool */
    char    *spill_directory;
    uint64_t spill_limit;         /* bytes; 0: no file */
    uint32_t prefetch_limit;      /* pages; 0: nothing is fetched ahead */
    uint32_t poll_limit;          /* microseconds */
    char    *run_directory;
    char    *state_directory;     /* NULL: as pager.c says */
    char    *metrics;             /* NULL: none are written */
    char    *metrics_socket;      /* NULL: there is none */
};

extern const struct options_program settings_program;

/* On an emulated host it is that one's directory that is used, where none was set.  0 or -errno. */
int settings_follow_host(struct settings *settings, const struct options *options);

#endif
