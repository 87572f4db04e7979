/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an admin can set for av-introspect, and the table that the command line, the configuration file, the man page's
 * list and the shell completion come from.
 */
#ifndef AV_SETTINGS_H
#define AV_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include <daemon/options.h>

/* What becomes of a page that nobody has judged in time. */
enum settings_unjudged {
    UNJUDGED_RUNS,                /* fail-open: it is executed, and the scan goes on */
    UNJUDGED_WAITS,               /* fail-closed: its vCPU waits on; what nobody can judge is denied */
};

/* What a stop leaves behind. */
enum settings_exit {
    EXIT_LIFT,                    /* all access is given back, and nothing waits */
    EXIT_GUARD,                   /* guests stay as restricted as they are, and wait for the next broker */
};

struct settings {
    char    *host;                /* NULL: the Xen that this is dom0 of */
    bool     foreground;          /* log to stderr */
    bool     verbose;
    char    *protect;             /* patterns of names and UUIDs, lines of them; NULL: only xenstore names any */
    char    *plugins;             /* lines NAME[:OPTION=VALUE...] */
    char    *plugin_directory;
    char    *image;               /* scan this file of memory and end; NULL: guard domains */
    char    *cr3;                 /* with image: of the address space, in C's notation; NULL: those of the vCPUs */
    bool     json;                /* with image */
    uint32_t deadline;            /* milliseconds that a vCPU waits for a verdict */
    unsigned int unjudged;        /* enum settings_unjudged */
    unsigned int at_exit;         /* enum settings_exit */
    uint32_t flips;               /* verdicts a second for one page, beyond which it is looked at in intervals only */
    uint32_t cache;               /* pages whose verdict is kept */
    char    *policy;              /* file; NULL: the built-in one */
    char    *findings;            /* file of JSON lines */
    uint64_t findings_limit;      /* octets of it, after which it is set aside */
    char    *hook;                /* program that the action `hook` runs; NULL: none */
    char    *worker_user;
    char    *worker;              /* program */
    uint64_t worker_memory;       /* octets */
    uint32_t worker_hang;         /* milliseconds for one page */
    uint32_t workers;             /* processes of a domain */
    char    *run_directory;
    char    *metrics;             /* file; NULL: none */
    char    *metrics_socket;      /* NULL: none */
};

extern const struct options_program settings_program;

/* On an emulated host it is that one's directory that is used, where none was set.  0 or -errno. */
int settings_follow_host(struct settings *settings, const struct options *options);

#endif
