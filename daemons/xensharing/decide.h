/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which pages are hashed, and which are offered to be merged with which: all that is known of pages, as a pure state
 * machine.  Calls no hypervisor and reads no clock: who scans and merges asks here and tells here.  It may be wrong
 * about what is shared; that costs work or a merge that does not come about, never a byte: Xen compares.
 *
 * A pass goes over all frames of all members:
 *
 *     decide_visit() -> frames to hash -> decide_absent() or decide_scanned() for each
 *     records of the INVALIDATE channel -> decide_invalidated(), decide_lost()
 *     decide_take() -> pairs to merge  -> decide_merged() for each
 *     records once more
 *     decide_pass_ended()
 *
 * Order: the results of pairs that were taken are told before any record that is read from the channel after
 * those merges; else a page that was written to right after its merge would be taken for shared.
 *
 * On a stock hypervisor (DECIDE_INVALIDATES_NONE) nothing may be shared yet when a domain joins: a page that third
 * domains share must not be a client there, and decide knows only of what it was told.
 *
 * For one thread.
 */
#ifndef XENSHARING_DECIDE_H
#define XENSHARING_DECIDE_H

#include <stdbool.h>
#include <stdint.h>

#include <memevent/memevent.h>

/*
 * Pages that become one at most, besides the master.  Xen finds a sharer by a hash of 512 lists (512 list heads in two
 * pages), which an unshare walks: 4 each.
 */
#define SHARERS_MAX 2048U

/* A page that keeps being written after its merge is left alone for 1, 2, 4 ... passes, at most so many. */
#define DECIDE_COOL_MAX 128U
/* Written within so many passes after its merge: soon. */
#define DECIDE_SOON 8U
/* A shared page that stays so for so many passes is believed to be one less hot. */
#define DECIDE_STAYS 32U
/* A page that is another at each pass is looked at only every so many passes, in the end. */
#define DECIDE_VOLATILE_MAX 4U

/* Pairs that wait to be taken, at most; then pages wait for the next pass.  Take after each decide_visit(). */
#define DECIDE_PAIRS_MAX 8192U

/* How the end of sharing is learned of. */
enum decide_invalidates {
    DECIDE_INVALIDATES_ON   = 0,  /* by the channel: what is shared is not hashed again */
    DECIDE_INVALIDATES_NONE = 1,  /* there is none: what is shared is hashed at each pass, too */
    DECIDE_INVALIDATES_OFF  = 2,  /* not at all, to measure what that costs: what is shared is believed for ever */
};

struct decide;

/* Merge the client's page into the source's. */
struct decide_pair {
    uint64_t source_gfn, client_gfn;
    uint16_t source_domid, client_domid;
    bool     again;               /* is believed to be merged already, and only asked about: decide's own */
};

/* Since the start unless it says otherwise; pages. */
struct decide_statistics {
    uint64_t passes;
    uint64_t visited;             /* frames looked at in our books */
    uint64_t hashed;
    uint64_t zero, filled;        /* of hashed: of zeros; of one repeated word, zeros not among them */
    uint64_t changed;             /* of hashed: not as they were at the pass before */
    uint64_t candidates;          /* pairs taken */
    uint64_t merged, already, different, stale;
    uint64_t busy;                /* somebody held one of the two */
    uint64_t refused;             /* any other reason */
    uint64_t put_off;             /* pairs for which the queue had no room */
    uint64_t doubted;             /* shared pages that were asked about after records were lost */
    uint64_t invalidated;         /* frames that left a shared page, as records said */
    uint64_t cooled;              /* of these: soon, and left alone */
    uint64_t promoted;            /* shared pages that took the place of a master that left */
    uint64_t masters_full;        /* masters that have SHARERS_MAX */
    uint64_t losses;              /* decide_lost() */
    uint64_t no_place;            /* pages that found no place in the index: many of one content, not shared within */
    /* Now. */
    uint64_t kinds[8];            /* by enum page_kind */
    uint64_t index_entries;
    uint64_t octets;              /* of memory for all of it */
    /* In the last pass that ended. */
    uint64_t pass_hashed, pass_volatile, pass_cooling, pass_zero, pass_filled;
};

/* Of one domain. */
struct decide_domain {
    uint64_t frames;
    uint64_t kinds[8];            /* by enum page_kind */
    uint64_t shared;              /* frames that are shared */
    uint64_t saved;               /* of these, frames that are another's page */
    uint64_t merged, unshared;    /* since it joined */
    uint64_t pass_volatile;       /* frames that changed in the last pass that ended */
};

/* -ENOMEM. */
int  decide_open(struct decide **out, enum decide_invalidates invalidates);
void decide_close(struct decide *d);    /* NULL is accepted */
/* A channel came or went.  What is shared is doubted first. */
void decide_set_invalidates(struct decide *d, enum decide_invalidates invalidates);
/* Off: no pairs come out any more, until it is on. */
void decide_set_merging(struct decide *d, bool merging);

/* Octets of memory that so many more frames will take at most.  To be said before they join. */
uint64_t decide_need(const struct decide *d, uint64_t frames);

/*
 * frames: one more than the highest frame number.  group: any number; only pages of domains with the same one are ever
 * offered as a pair.  within: pages of this domain may be merged with each other, directly or as sharers of a third
 * page.
 * -EEXIST, -EINVAL, -ENOMEM.
 */
int  decide_join(struct decide *d, uint16_t domid, uint16_t group, bool within, uint64_t frames);
/* It has frames of higher numbers now.  -ENOENT, -ENOMEM; fewer are ignored, 0. */
int  decide_grow(struct decide *d, uint16_t domid, uint64_t frames);
/*
 * Forgets up to budget frames of a domain that dies or leaves, from the first call on of none of whose pages anything
 * comes out; returns how many frames are left to do: call again until 0, then it is no member.  0: is no member.
 * Not while pairs were taken that were not told of.
 */
uint64_t decide_leave(struct decide *d, uint16_t domid, uint64_t budget);
bool decide_is_member(const struct decide *d, uint16_t domid);

/*
 * Once a pass for each frame of each member: fills gfns with those of the count frames from first on that are to be
 * hashed.  Ask which of them are there, hash those, and tell of all.
 */
unsigned int decide_visit(struct decide *d, uint16_t domid, uint64_t first, unsigned int count, uint64_t *gfns);
/* The frame has no memory, or was not to be reached. */
void decide_absent(struct decide *d, uint16_t domid, uint64_t gfn);
/* Its digest, by digest.h. */
void decide_scanned(struct decide *d, uint16_t domid, uint64_t gfn, uint64_t digest);

/* Up to max pairs to merge; each must be told of by decide_merged(). */
unsigned int decide_take(struct decide *d, struct decide_pair *pairs, unsigned int max);
/*
 * What came of it: status and outcome of the operation (enum memevent_outcome; 0: none).  -ECANCELED, 0: it was not
 * tried.
 */
void decide_merged(struct decide *d, const struct decide_pair *pair, int status, uint32_t outcome);

void decide_invalidated(struct decide *d, const struct memevent_record *record);
/* Records were lost: what is shared will be asked about in the next pass. */
void decide_lost(struct decide *d);

void decide_pass_ended(struct decide *d);

/*
 * The next frame from *gfn on that is believed to be shared, for who unshares them: true, and *gfn is it; false: no
 * more.  Also of a domain that leaves, for what was not forgotten yet.
 */
bool decide_next_shared(const struct decide *d, uint16_t domid, uint64_t *gfn);

void decide_get_statistics(const struct decide *d, struct decide_statistics *out);
/* -ENOENT. */
int  decide_get_domain(const struct decide *d, uint16_t domid, struct decide_domain *out);

#endif
