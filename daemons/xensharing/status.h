/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the sharer tells people and programs: filled in by the sharer's own thread once a second, written from there
 * as the status file (JSON) and as metrics (Prometheus' text).  Plain figures; no byte of a guest's page and no
 * digest of one.
 *
 * The names in the file are those here; man/xen-memevent-status.5 has them all.  Figures are totals since the daemon
 * started unless "now" is said.  Frames and pages are of 4 KiB.  Texts and arrays stay the caller's and are only
 * read.
 */
#ifndef XENSHARING_STATUS_H
#define XENSHARING_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hypervisor/hypervisor.h>

struct history_sample;
struct metrics;

/* Not known, or there is none: the field is left out of the file. */
#define SHARING_STATUS_NONE UINT64_MAX

/* How things are now: in all groups, in one, or in a domain.  What is not known there is SHARING_STATUS_NONE. */
struct sharing_status_pages {
    uint64_t pages;               /* populated, as far as scanned */
    uint64_t sharing;             /* guests' pages that stand on a shared page */
    uint64_t shared;              /* pages that they stand on; of a domain: its own masters */
    uint64_t saved;               /* sharing - shared: pages that the host has free because of it */
    uint64_t unique;              /* unchanged between two passes, and like no other */
    uint64_t unsettled;           /* neither: not seen twice yet, or another each time, or left alone */
    uint64_t volatile_;           /* of unsettled: changed in the last pass; "volatile" in the file */
    uint64_t cooling;             /* of unsettled: left alone for a while, as they were written soon after a merge */
    uint64_t doubtful;            /* of sharing: to be asked about, because invalidates were lost */
};

struct sharing_status_count {     /* refusals by errno's name, invalidates by reason */
    const char *name;             /* "EBUSY"; "unshared" */
    uint64_t count;
};

struct sharing_status_group {
    const char *name;
    const char *origin;           /* "configuration" or "xenstore" */
    bool within;                  /* are pages of one domain shared with each other, where the domain does not say */
    uint64_t domains;             /* members now */
    struct sharing_status_pages now;
    uint64_t merged, unshared;    /* pages that began to share, and that stopped (written, given up, left) */
};

struct sharing_status_domain {
    uint32_t domid;
    const char *name;             /* as xenstore has it: a guest's admin may have chosen it */
    const char *uuid;             /* 36 characters */
    const char *group;            /* NULL: none, and nothing of it is shared */
    const char *group_origin;     /* "configuration" or "xenstore"; NULL with no group */
    bool within;
    const char *state;            /* "scanning", "leaving", "paused"...; with a refusal the file says "refused" */
    const char *refusal;          /* why it is not shared although it has a group; NULL: it is */
    struct sharing_status_pages now;
    uint64_t scanned;             /* pages looked at */
    uint64_t merged, unshared;
};

struct sharing_status {
    bool stopping;
    struct hypervisor *hypervisor;        /* asked for its name and counts; NULL: left out */
    uint64_t started;                     /* wall clock, seconds since 1970 */

    struct {
        uint64_t total, free;             /* memory of the host now, in pages */
        uint64_t need;                    /* pages that would be wanted now if everything shared were written */
        uint64_t overcommit_percent;      /* (used + need) of total, now */
        uint64_t overcommit_limit;        /* percent; merging stops there */
        uint64_t xen_shared, xen_saved;   /* as Xen counts them, whoever merged: struct memory_info */
        bool merging;                     /* false: stopped by the limit */
    } host;
    struct sharing_status_pages now;      /* of all groups */

    struct {
        uint64_t pass;                    /* number of the pass that goes on or ended last; 0: none has begun */
        bool scanning;                    /* a pass goes on */
        uint64_t pass_started;            /* wall clock, seconds since 1970 */
        uint64_t pass_milliseconds;       /* the last whole one took so long; NONE before the first */
        uint64_t next_pass_milliseconds;  /* until the next begins; NONE: not known */
        uint64_t pass_pages, pass_done;   /* of the pass that goes on: pages there are, and that it is through with */
        uint64_t scanned;                 /* pages looked at: hashed, or passed over because the state says so */
        uint64_t hashed;
        uint64_t zero, filled;            /* of hashed: pages of zeros; of one repeated word, zeros not among them */
        uint64_t mapped;                  /* calls that mapped pages */
        uint64_t cpu_permille;            /* of one CPU, lately, all threads */
        uint64_t cpu_limit_percent;       /* of one CPU; the cap */
        uint64_t cpu_milliseconds;        /* used so far */
        uint64_t threads;
        uint64_t index_bytes;             /* all that is known of pages, now */
        uint64_t index_limit_bytes;       /* NONE: none */
    } scan;

    struct {
        uint64_t candidates;              /* pairs of pages with equal digests that Xen was asked about */
        uint64_t compared;                /* of these, byte by byte */
        uint64_t merged, already, different, busy, stale;
        uint64_t unmerged;                /* given back by us: domains that left, SIGTERM with at-exit = undo */
        uint64_t batches;                 /* calls that carried them */
        const struct sharing_status_count *refused;
        size_t refused_count;
    } merge;

    struct {
        const char *transport;            /* "memevent channel"; NULL: none, shared pages are looked at in each pass */
        uint64_t received, lost;
        uint64_t unknown;                 /* of received: of pages that are not, or no longer, known as shared */
        uint64_t doubted;                 /* pages that became doubtful because records were lost */
        uint64_t re_examined;             /* of these, asked about since */
        const struct sharing_status_count *reasons;
        size_t reasons_count;
    } invalidates;

    const struct sharing_status_group *groups;
    size_t groups_count;
    const struct sharing_status_domain *domains;
    size_t domains_count;
};

/* Writes PATH anew, whole or not at all.  0, -ENOMEM, or what open(), write() and rename() say. */
int  status_write(const struct sharing_status *s, const char *path);
void status_remove(const char *path);

/*
 * The same as metrics.  status_metrics_open() names the families (lib/daemon/metrics.h has the other calls); call
 * status_metrics_fill() and then metrics_write(), once a second at most: node_exporter reads when it is asked.
 */
int  status_metrics_open(struct metrics **out, const char *daemon);
int  status_metrics_fill(struct metrics *metrics, const struct sharing_status *s);

/* The figures of the history (lib/daemon/history.h), in the order of the samples that status_sample() fills in. */
extern const char *const status_history_figures[];
extern const size_t status_history_count;
void status_sample(const struct sharing_status *s, struct history_sample *sample);

#endif
