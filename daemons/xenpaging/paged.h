/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One domain that is being paged, and the pager of the host that it belongs to: what paged.c, pagein.c,
 * pageout.c, domains.c, rounds.c, pager.c and status.c share.  Everything runs on the thread of the event loop.
 */
#ifndef XENPAGING_PAGED_H
#define XENPAGING_PAGED_H

#include <stdbool.h>
#include <stdint.h>

#include <daemon/loop.h>
#include <hypervisor/hypervisor.h>
#include <memevent/memevent.h>

#include "choose.h"
#include "latency.h"
#include "oom.h"
#include "pages.h"
#include "settings.h"
#include "state.h"
#include "store.h"
#include "store-stage.h"
#include "stream.h"

/*
 * Pages evicted in one step.  A fault that comes meanwhile waits for the step's end, so it is small while
 * faults keep coming, and large enough for its fixed six system calls to be nothing a page when they do not.
 */
#define STEP_PAGES        128U
#define STEP_PAGES_BUSY   32U
_Static_assert(STEP_PAGES <= STORE_STAGE_PAGES, "a step's pages have their place on the stage");

/* Pages on their way in at a time, all domains together; each has a page of memory that the hypervisor reads. */
#define LOADS_MAX         STORE_READS_MAX

/* Of these, kept for those who wait: nothing is fetched ahead with the last ones. */
#define LOADS_FOR_FAULTS  32U

/* Of these, at most so many lie ready for markers: a few readers of a few domains at a time. */
#define LOADS_HELD_MAX    16U

/*
 * A domain has a few frames far above its memory (rings, shared information); the search for frames ends
 * when all but so many were found, instead of asking about a million empty ones for them.
 */
#define FRAMES_UNSOUGHT   64U

/* Requests that wait for pages at a time: a stock ring has 8.  More stay on the channel until some are answered. */
#define WAITING_MAX       64U

/* Rounds in a row in which a channel must be found empty before it is closed. */
#define LEAVE_QUIET_ROUNDS 2U

/* A target that says: everything in. */
#define TARGET_NONE       UINT64_MAX

struct metrics;
struct metrics_socket;
struct paged;
struct pager;

/* A page on its way in. */
struct load {
    struct load *next;
    struct paged *paged;          /* NULL: the domain went away meanwhile */
    uint64_t gfn;
    void *page;
    bool demanded;                /* somebody waits for it; otherwise it is fetched ahead or brought back */
    bool prefetched;
    bool dropped;                 /* the guest gave the page up meanwhile: the bytes must not be given to it */
    bool held;                    /* a marker's: it is given when it is touched, */
    bool here;                    /* and its bytes have been read */
};

enum paged_phase {
    PAGED_RUNNING,
    PAGED_LEAVING,                /* everything is brought in, then the channel is given up */
    PAGED_GONE,                   /* the domain does not exist any more */
};

struct paged_statistics {
    uint64_t faults;              /* pages that the guest or dom0 waited for */
    uint64_t paged_in;            /* pages given back, for whatever reason */
    uint64_t paged_out;
    uint64_t prefetched;
    uint64_t dropped;             /* given up by the guest while they were out */
    uint64_t no_memory;           /* page-ins that had to be repeated because the host had no free page */
};

struct paged {
    struct paged *next;
    struct pager *pager;
    uint16_t domid;
    uint8_t uuid[16];
    char name[64];                /* for messages; as the tool stack calls it, cut */
    enum paged_phase phase;
    uint64_t missing;             /* pages that are out, and whose bytes an earlier pager did not leave */
    bool failed;                  /* a page cannot be given back: the domain is paused until it can, */
    bool lost;                    /* which it never can: nobody has its bytes */
    bool resumed;                 /* an earlier pager was killed: its marks may still be there, and */
    bool is_resuming;             /* so may what was on its channel: a drop may be older than what is stored */
    uint64_t failed_gfn;
    bool unreadable;              /* some pages are marked so, and since when: */
    uint32_t unreadable_at;

    struct memevent_channel *channel;
    struct event *readable;
    bool armed;
    bool broken;                  /* the ring makes no sense: nothing more can be taken from it */
    bool reports_touches;         /* memevent_reports_touches(); if not, nominated pages are asked about */
    uint64_t ask_from;            /* where asking goes on */
    uint64_t rescan_id;           /* the request to look which pages are out; 0: there is none, */
    uint64_t rescan_from;         /* and how far that is done */

    struct store_domain *store;
    struct pages *pages;
    struct choose *choose;
    struct streams streams;

    struct memevent_event waiting[WAITING_MAX];
    unsigned int waiting_count;
    uint64_t touched[WAITING_MAX];    /* frames that need no bytes, only their state back */
    unsigned int touched_count;
    struct stream_window windows[STREAM_COUNT];
    unsigned int window_count;
    struct load *ready;           /* bytes are there, the hypervisor is to be given them */
    struct load *stuck;           /* the hypervisor had no memory for them */

    uint64_t target;              /* pages, or TARGET_NONE */
    struct domain_info info;
    int64_t pages_now;            /* info.pages, kept up with what was done since */
    uint32_t info_at;
    uint32_t last_fault;
    uint32_t last_evict;
    uint32_t last_brought;        /* when a page last came in */
    uint32_t last_flush;          /* of the device model's cache */
    bool was_suspended;
    unsigned int quiet_rounds;    /* of leaving, without a request */

    uint64_t scan;                /* next frame to ask about; frame_limit: nothing to ask */
    uint64_t scan_found;
    uint64_t frame_limit;
    uint64_t bring_from;          /* where bringing in, and giving nominations back, goes on */
    uint64_t release_from;

    struct latency service;       /* from taking an event to its answer, nanoseconds */
    struct paged_statistics statistics;
};

struct pager {
    const struct settings *settings;
    const struct inherited *left; /* by an earlier pager, with the service manager; NULL after the start */
    struct hypervisor *hv;
    struct store *store;
    struct loop *loop;
    struct paged *first;
    bool stopping;
    bool single;                  /* one domain, named on the command line */
    bool has_channel;             /* the hypervisor's channel outlives us */
    int exit_status;
    char status_name[32];         /* of the status file, without directory and ".json" */

    uint32_t now;                 /* milliseconds, wrapping; read once a round */
    char state_what[256];         /* the name of what could not be opened of it */
    struct state state;           /* where store and stage are kept for a later pager */
    struct store_stage *stage;    /* where pages lie while they are evicted */
    struct load loads[LOADS_MAX];
    void *load_buffer;
    struct load *free_loads;
    unsigned int free_load_count;
    unsigned int held_count;      /* loads that are held */

    uint32_t memory_short_at;     /* when the host last had no page for us, and */
    bool memory_short;
    uint32_t store_full_at;
    bool store_full;
    struct oom *oom;              /* oom.c's: who is listened to, */
    struct oom_statistics oom_statistics;
    bool oom_missing;             /* the hypervisor has no such channel, */
    bool oom_waits;               /* somebody waits now, */
    bool oom_short;               /* and without success since, and when last */
    uint32_t oom_short_since, oom_short_at;
    bool oom_said;                /* that was said, and when */
    uint32_t oom_said_at;
    uint64_t paged_out_gone;      /* pages evicted from domains that are paged no more */
    bool store_woken;             /* the store's descriptor was readable */
    uint64_t poll_ns;             /* how long polling lasts now; adapts */

    struct event *housekeeping, *store_readable, *watches, *watchdog;
    uint32_t last_second;
    int lock_fd;

    struct metrics *metrics;      /* NULL until they are first written */
    struct metrics_socket *metrics_socket; /* the same */
    uint64_t metrics_started;
    int metrics_error;            /* of the last time, so that it is said once */
};

/* paged.c: from attach to detach. */

/* Attaches.  On failure *why may be a sentence for people, or NULL. */
int  paged_open(struct pager *p, uint16_t domid, struct paged **out, const char **why);
/* Detaches at once and frees; pages that are out are lost, so: only when there are none, or no domain. */
void paged_close(struct paged *d);
/* Frees, and leaves channel and pages to a later pager: only where memevent_can_reattach(). */
void paged_abandon(struct paged *d);
/*
 * Closes the channel of a domain that has all its memory, without leaving anybody behind.  A vCPU that saw a page out
 * a moment before it came in still puts its request on the ring, or waits for a place there: so the domain is paused,
 * which lets each vCPU finish that, and the channel is closed only when it was empty twice and the guest ran between.
 * True: it is closed.  False: call again in a later round.
 */
bool paged_leave(struct paged *d);
/* What is left to do before a close loses nothing: pages out, nominated, and requests not answered. */
uint64_t paged_left(const struct paged *d);
void paged_refresh(struct paged *d, uint32_t at_most_ms_old);
/* Asks about a stretch of frames which of them have memory.  True: there is more to ask. */
bool paged_scan_step(struct paged *d);
/*
 * Pauses the domain and lets it go on.  That it is paused by us is kept for a later pager, as the domain does not go on
 * by itself when we are killed.
 */
int  paged_pause(struct paged *d);
void paged_unpause(struct paged *d);
/* A page cannot be given back now: pauses the domain, says so.  error: -EBADMSG, -EIO, ... */
void paged_fail(struct paged *d, uint64_t gfn, int error);

/* pagein.c */
int  pagein_open(struct pager *p);
void pagein_close(struct pager *p);
/*
 * Starts bringing a page in.  False: it could not even be started, for want of a buffer or a place in the store's
 * queue; try again later.
 */
bool pagein_start_load(struct paged *d, uint64_t gfn, bool demanded, bool prefetched);
/* The load has ended, whatever came of it. */
void pagein_free_load(struct pager *p, struct load *load);
/* Takes and serves what is in the channel.  Returns how many events there were. */
unsigned int pagein_serve(struct paged *d);
/* A read of the store has ended: store_done_fn. */
void pagein_read_done(void *arg, void *cookie, int result);
/* Hands what is ready to the hypervisor and answers who waited. */
void pagein_finish(struct paged *d);
/* The guest gave the page up, or populated it anew: its stored bytes, and those on their way, are nobody's. */
void pagein_forget(struct paged *d, uint64_t gfn);
/* Looks for pages that were given up without an event, if that was asked for; a bounded step.  True: there is more. */
bool pagein_rescan(struct paged *d);
/* Tries again what had no memory, no buffer, or no readable bytes. */
void pagein_retry(struct paged *d);
/* Starts bringing up to max pages in that nobody waits for.  Returns how many. */
unsigned int pagein_bring(struct paged *d, unsigned int max);
/* A page that is out, with bytes that the store would not keep: it goes back at once. */
void pagein_return(struct paged *d, uint64_t gfn, const void *bytes);
/* The domain goes: its loads in flight become nobody's. */
void pagein_abandon(struct paged *d);

/* pageout.c: one bounded step towards the target, or out of the domain.  True: there may be more to do now. */
bool pageout_step(struct paged *d);
/* Nominates a few random pages for the working-set estimate; once a second. */
void pageout_sample(struct paged *d);
/* Nominates one page as a marker of a sequential reader, where its touch is reported. */
void pageout_mark(struct paged *d, uint64_t gfn);

/* status.c: writes the status file for people and programs. */
int status_write(struct pager *p);
/* At an end in order: a file that outlives its pager says that pages went with it. */
void status_remove(struct pager *p);

/* metrics.c: writes the metrics, if they are wanted; says once when it cannot. */
void pager_metrics_write(struct pager *p);
/* Before the loop is closed.  `remove`: an end in order, after which nobody is to take the last figures for today's. */
void pager_metrics_close(struct pager *p, bool remove);

#endif
