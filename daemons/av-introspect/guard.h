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

#include "gaps.h"
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

/* Octets of a page, or another event, on their way to a verdict. */
struct scan {
    struct scan *next;
    uint64_t id;
    enum scan_kind kind;          /* but SCAN_PAGE: there is no frame, gfn is MEMEVENT_NO_GFN */
    uint64_t gfn, gla, rip, cr3;
    uint64_t gpr[16];             /* as in struct memevent_details */
    uint64_t values[4];
    uint32_t instruction_bytes;   /* SCAN_INTERRUPT: of the breakpoint */
    bool     has_gla, has_registers;
    struct hypervisor_registers registers;  /* of its vCPU, when that stood still for it */
    uint32_t vcpu;
    uint8_t  urgency;             /* enum scan_urgency, of what the scanner has or had last */
    bool     is_decided;          /* and others are told of it now */
    bool     is_denied;
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
    uint64_t monitored;           /* events that are about no page */
    uint64_t told, untold;        /* what plugins were told of after it was decided; that there was no room for */
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
    struct gap left;              /* until then: as a former broker left it */
    struct gap_length gap;        /* from then on: for how long nobody guarded it */
    bool is_gone;                 /* the domain dies, or its channel makes no sense: it is closed soon */
    int  failure;                 /* why it could not be restricted; 0 */
    uint32_t monitors;            /* 1 << enum scan_kind, that the hypervisor tells of */
    uint64_t untold;              /* of statistics.untold: those that plugins know of by now */
    bool wants_rescan;            /* a plugin asks that all is judged anew */

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

/* Copies frames of its memory, at most SCAN_FRAMES_MAX. status: 0; -ENXIO: there is none, or it is paged out; -errno. */
void guard_read(struct guard *guard, const uint64_t *gfns, uint32_t count, void *pages, int32_t *status);

/* Takes some of what the hypervisor says. true: there may be more. */
bool events_take(struct guard *guard);

/* ---- scans.c ---- */

/*
 * Scans of a domain for which nobody waits, at a time: they are not worth more memory.
 */
#define SCANS_OVER_MAX 128U

/* One that nothing is known of yet; NULL: no memory. And its end, whoever waits. */
struct scan *scans_make(struct guard *guard, uint64_t gfn);
void scans_drop(struct guard *guard, struct scan *scan);
/* What the event itself says of its vCPU's. */
void scans_note_registers(struct scan *scan, const struct memevent_details *details);
/* Gives it to the scanner for the first time. A vCPU whose event nobody decides goes on. */
void scans_submit(struct guard *guard, struct scan *scan);
/* What is in its frame: the cache knows it, or the scanner gets it. It may be over, and gone, afterwards. */
void scans_look_up(struct guard *guard, struct scan *scan, const void *octets);
/* Its waiters go on, and nobody waits for it any more. */
void scans_let_go(struct guard *guard, struct scan *scan);
unsigned int scans_over(const struct guard *guard);

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
/* Lets all waiters go on. */
void scans_release(struct guard *guard);
void scans_close(struct guard *guard);

/* ---- volatile-pages.c: those that flip too often ---- */

void volatile_begin(struct guard *guard, uint64_t gfn);
void volatile_tick(struct guard *guard, uint64_t second);

/* ---- monitors.c ---- */

/* Has the hypervisor tell of what plugins want to be told of now, and of nothing else. */
void monitors_follow(struct guard *guard);
void monitors_end(struct guard *guard);
/* false: it is of no kind that anybody knows, or there is no memory. */
bool monitors_take(struct guard *guard, const struct memevent_event *event, const struct memevent_details *details);
/* Somebody decides events of the kind, so that the vCPU waits. */
bool monitors_decided(const struct guard *guard, enum scan_kind kind);
/* Plugins that want to know are told of how much they were not told. */
void monitors_overflow(struct guard *guard);
void monitors_answer(struct guard *guard, const struct scan *scan, const struct waiter *waiter);

/* ---- reports.c ---- */

/* For people, static: "page", "control register". */
const char *reports_name_of(enum scan_kind kind);
/* Tells of what was found, as the policy wants; returns all that it wants done, POLICY_*. */
unsigned int reports_of_scan(struct guard *guard, const struct scan *scan, const struct scan_result *result, bool from_cache);
/* The same for what nobody asked about, and does it. */
void reports_of_tick(struct guard *guard, const struct scan_result *result);

/* Crashes or pauses the domain, if actions say so. */
void guard_stop_domain(struct guard *guard, unsigned int actions);

/* Tells the hypervisor what became of frames, and then whom to let go on. */
void guard_publish(struct guard *guard);
void guard_answer(struct guard *guard, uint64_t id, uint32_t actions);

#endif /* AV_GUARD_H */
