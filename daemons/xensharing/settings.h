/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an admin can set for xensharing, and the table that the command line, the configuration file, the man page's
 * list and the shell completion come from.
 */
#ifndef XENSHARING_SETTINGS_H
#define XENSHARING_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include <daemon/options.h>

enum settings_exit { EXIT_KEEP, EXIT_UNDO };

struct settings {
    char    *host;                /* NULL: the Xen that this is dom0 of */
    bool     foreground;          /* log to stderr */
    bool     verbose;
    char    *groups;              /* lines of groups.h; NULL: only xenstore names any */
    bool     within;              /* pages of one domain are shared with each other */
    char    *within_groups;       /* names, a line each, of groups in which they are without that; NULL: none */
    uint32_t cpu_limit;           /* percent of one CPU */
    uint32_t threads;             /* that hash */
    uint32_t period;              /* milliseconds from one pass's start to the next's, at least */
    uint32_t overcommit;          /* percent of the host's memory */
    uint64_t memory_limit;        /* bytes for what is known of pages */
    unsigned int at_exit;         /* enum settings_exit */
    bool     invalidates;         /* no: for measurements */
    char    *run_directory;
    char    *history;             /* file */
    char    *metrics;             /* file; NULL: none */
    char    *metrics_socket;      /* NULL: none */
};

extern const struct options_program settings_program;

/* On an emulated host it is that one's directory that is used, where none was set.  0 or -errno. */
int settings_follow_host(struct settings *settings, const struct options *options);

#endif
