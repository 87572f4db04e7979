/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One protected domain: its channel, what its frames may be used for, and the scans that its vCPUs wait for. guard.c
 * begins and ends it, events.c takes what the hypervisor says, scans.c what scanners say; broker.c and domains.c know
 * when. The invariant that all of them keep:
 *
 *     a frame is executable only as the octets that were judged, or that nobody judged in time where that is allowed.
 */
#ifndef AV_GUARD_H
#define AV_GUARD_H

#include <event2/event.h>

#include <hypervisor/hypervisor.h>
#include <memevent/memevent.h>

#include "pages.h"
#include "policy.h"
#include "scanner.h"

/* With the NUL; xl takes no longer names. */
#define GUARD_NAME_BYTES   128u
#define GUARD_UUID_BYTES   37u

/* Pages of a domain that flip too often to be stopped each time; others are stopped. */
#define GUARD_VOLATILE_MAX 256u

struct broker;
struct guard;

/* A vCPU that waits to execute a page. */
struct waiter {
    uint64_t id;                  /* of the event */
    uint32_t vcpu;
    bool     steps;               /* its instruction writes to what it executes: it is carried out by emulation */
};

/* Octets of a page on their way to a verdict. */
struct scan {
    struct scan *next;
    uint64_t id;
    uint64_t gfn, gla, rip, cr3, rsp;
    bool     has_gla;
    uint32_t vcpu;
    bool     is_fresh;            /* its octets were not taken yet */
    bool     is_under_way;        /* a scanner has it */
    bool     is_over;             /* nobody waits, and the frame may have other octets by now */
    bool     has_run;             /* the octets may have been executed before they were judged */
    bool     flips;               /* too often to be stopped each time */
    unsigned int tries;
    uint64_t began, deadline;     /* ns, monotonic */
    uint8_t  digest[SCAN_DIGEST_BYTES];
    void    *page;                /* the octets, until a scanner has judged them */
    unsigned int waiters_count, waiters_room;
    struct waiter *waiters;
};

/* What a vCPU did last: an instruction that comes again and again without progress. */
struct guard_vcpu {
    uint64_t rip, registers;
    unsigned int repeats;
};

struct guard_statistics {
    uint64_t events, fetches, writes, others;
    uint64_t scans;               /* pages that were not known */
    uint64_t cached;              /* pages that were */
    uint64_t verdicts[POLICY_UNJUDGED + 1];
    uint64_t denied;              /* executions */
    uint64_t late;                /* scans whose deadline passed */
    uint64_t disturbed;           /* scans whose page was written meanwhile */
    uint64_t stepped;             /* instructions that were emulated */
    uint64_t unreadable;          /* pages that could not be looked at */
    uint64_t volatile_pages;      /* times that a page became so */
    uint64_t findings, findings_left_out;
    uint64_t waited_ns, waited_most_ns;     /* from event to answer, by fetches */
};

struct guard {
    struct guard *next;
    struct broker *broker;
    struct domain_info info;
    uint16_t domid;
    char name[GUARD_NAME_BYTES];
    char uuid[GUARD_UUID_BYTES];

    struct memevent_channel *channel;
    struct event *readable;
    bool has_events;              /* there may be some that were not taken */
    struct pages *pages;
    bool is_swept;                /* all its memory was restricted once */
    bool is_gone;                 /* the domain dies, or its channel makes no sense: it is closed soon */
    int  failure;                 /* why it could not be restricted; 0 */

    struct scan *scans;
    struct guard_vcpu *vcpus;
    uint64_t volatiles[GUARD_VOLATILE_MAX];
    uint64_t volatile_since[GUARD_VOLATILE_MAX];    /* seconds */
    unsigned int volatiles_count;

    uint64_t findings_second;     /* limits how many a second are written */
    unsigned int findings_count;
    struct guard_statistics statistics;
};

/*
 * Begins to protect a domain, or goes on where a former broker stopped. -errno; *why, static, or NULL: what stands in the
 * way.
 */
int  guard_open(struct guard **out, struct broker *broker, const struct domain_info *info, const char *name,
                const char *uuid, const char **why);
/* lift: all access is given back and nobody waits; else it stays as it is for the next broker. Frees it. */
void guard_close(struct guard *guard, bool lift);

/* Restricts some more of its memory. true: there is more to do now. */
bool guard_sweep(struct guard *guard);

/* Copies a frame of its memory. -ENXIO: there is none, or it is paged out; -errno. */
int  guard_read(struct guard *guard, uint64_t gfn, void *page);

/* Takes some of what the hypervisor says. true: there may be more. */
bool events_take(struct guard *guard);

/* ---- scans.c ---- */

/* The scan of what the frame has now; NULL: none. */
struct scan *scans_find(struct guard *guard, uint64_t gfn);
/* Begins one; its octets are taken by scans_go(). NULL: no memory. */
struct scan *scans_begin(struct guard *guard, uint64_t gfn);
int  scans_wait(struct scan *scan, const struct waiter *waiter);
/* Somebody writes to the frame: who waits tries again, and finds other octets. */
void scans_disturb(struct guard *guard, struct scan *scan);
/* Takes the octets of fresh scans, and asks the cache and the scanner. */
void scans_go(struct guard *guard);
/* What the scanner says. false: it is not about this domain. */
bool scans_take(struct guard *guard, const struct scan_result *result);
/* Deadlines, and scans that found no room. Returns when to be called again, ns; UINT64_MAX: whenever. */
uint64_t scans_tick(struct guard *guard, uint64_t now);
/* Pages that flip too often. */
void scans_tick_volatile(struct guard *guard, uint64_t second);
/* Lets all waiters go on. */
void scans_release(struct guard *guard);
void scans_close(struct guard *guard);

/* Tells the hypervisor what became of frames, and then whom to let go on. */
void guard_publish(struct guard *guard);
void guard_answer(struct guard *guard, uint64_t id, uint32_t actions);

#endif /* AV_GUARD_H */
