/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The sharer of a host: from its settings to its exit status, and what its parts know of each other.  One thread has
 * all of it; those of scan.h see only what they are asked.
 */
#ifndef XENSHARING_SHARER_H
#define XENSHARING_SHARER_H

#include <event2/event.h>

#include <daemon/loop.h>
#include <hypervisor/hypervisor.h>
#include <memevent/memevent.h>

#include "decide.h"
#include "digest.h"
#include "estimate.h"
#include "groups.h"
#include "pace.h"
#include "scan.h"
#include "settings.h"

/* Kinds of refusal that are told apart; more than a merge can have. */
#define SHARER_ERRNOS   16U
/* Reasons of records: enum memevent_reason, and what is none of them. */
#define SHARER_REASONS  6U

struct guest;
struct history;
struct metrics;
struct metrics_socket;

/* What is known of merges besides decide.h's books. */
struct merge_statistics {
    uint64_t batches;
    struct { int error; uint64_t count; } refused[SHARER_ERRNOS];
};

struct invalidate_statistics {
    uint64_t received, lost;
    uint64_t reasons[SHARER_REASONS];
};

struct sharer {
    const struct settings *settings;
    struct hypervisor *hv;
    struct hypervisor_info info;
    struct groups *groups;
    struct digest *digest;
    struct decide *decide;
    struct scan *scan;
    struct pace pace;
    struct estimate estimate;
    struct memory_info memory;
    int lock_fd;
    int exit_status;

    struct loop *loop;
    struct event *watches, *found, *records, *second, *watchdog;
    struct event *due;            /* the next chunk, or pass */
    struct event *leave;          /* goes on with guests that leave */

    struct guest *guests;         /* all domains of the host but dom0 */
    uint64_t tickets;

    /* The pass that goes on. */
    bool scanning;
    uint64_t pass;                /* its number */
    struct guest *at;             /* whose chunks are handed out */
    uint64_t started, ended;      /* ns of the monotonic clock; ended: 0 before the first */
    uint64_t started_wall;        /* seconds since 1970 */
    uint64_t pass_ns;             /* what the last one took */
    uint64_t pass_pages, pass_done;

    struct memevent_channel *channel; /* NULL: none */
    bool records_left;            /* more wait than one turn takes */
    struct merge_statistics merges;
    struct invalidate_statistics invalidates;
    uint64_t unmerged;            /* frames that were given back by us */

    bool stopping;
    uint64_t began;               /* wall clock, seconds */
    struct history *history;      /* NULL: none */
    struct metrics *metrics;      /* NULL: none */
    struct metrics_socket *metrics_socket; /* NULL until it is needed, or none */
    bool publish_failed;          /* was said */
};

/*
 * Shares until told to stop.  Returns an exit status of sysexits(3).  Logs what happens.
 */
int sharer_run(const struct settings *settings);

/* ---- pass.c ---- */

/* Goes on with the pass as far as its pace allows, begins the next, or sleeps until it is due. */
void pass_advance(struct sharer *s);
/* Answers of the threads. */
void pass_take_found(struct sharer *s);
/* A guest is about to be freed. */
void pass_forget(struct sharer *s, const struct guest *g);
/* Milliseconds until the next pass begins; UINT64_MAX: not known. */
uint64_t pass_next(const struct sharer *s);

/* ---- merge.c ---- */

/* Asks Xen about all pairs that wait. */
void merge_all(struct sharer *s);

/* ---- invalidate.c ---- */

/* 0, or -errno with a sentence logged.  A hypervisor without the channel is no error. */
int  invalidate_open(struct sharer *s);
void invalidate_close(struct sharer *s);
/* Takes what is there, within bounds; true: there may be more. */
bool invalidate_take(struct sharer *s);
/* Asks to be woken; true: nothing waits. */
bool invalidate_arm(struct sharer *s);

/* ---- report.c ---- */

void report_open(struct sharer *s);
void report_close(struct sharer *s);
/* Once a second. */
void report(struct sharer *s);

#endif
