/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of decide share: the 16 bits of a page's state, the tables for what only few pages have, and the
 * steps from kind to kind.  decide.c has domains and numbers, decide-scan.c what a scan leads to, decide-merge.c what
 * merges and records do, masters.c who is a master and of how many.
 *
 *   15 14       7 6       3 2   0
 *  +--+----------+---------+-----+
 *  |  |  passes  |  heat   |kind |   SHARED, DOUBTFUL: passes since the merge; all others: passes to be left alone
 *  +--+----------+---------+-----+   bit 15, of PENDING: was DOUBTFUL
 *  |  | domains  |  heat   |  2  |   UNIQUE, MASTER: domains of which no page may join, by slot
 *  +--+----------+---------+-----+
 *  |  | domains  | sharers |  5  |   MASTER: how many sharers, SHARERS_IN_TABLE: more than there is room for; bit 15:
 *  +--+----------+---------+-----+   to be hashed again
 */
#ifndef XENSHARING_DECIDE_PRIVATE_H
#define XENSHARING_DECIDE_PRIVATE_H

#include "decide.h"
#include "index.h"
#include "pages.h"
#include "table.h"

#define KIND_MASK         0x0007U
#define HEAT_SHIFT        3
#define HEAT_MASK         0x0078U
#define PASSES_SHIFT      7
#define PASSES_MASK       0x7f80U
#define STATE_FLAG        0x8000U
#define SHARERS_IN_TABLE  15U

/* 1 << (HEAT_MAX - 1) passes are DECIDE_COOL_MAX. */
#define HEAT_MAX          8U
_Static_assert(1U << (HEAT_MAX - 1) == DECIDE_COOL_MAX, "the most heat is the longest wait");
/* Of a page that is another at each pass: 1 << (HEAT_VOLATILE - 1) - 1 passes between two looks, and the look. */
#define HEAT_VOLATILE     3U
_Static_assert(1U << (HEAT_VOLATILE - 1) == DECIDE_VOLATILE_MAX, "the most heat of being volatile");

/*
 * Limits of the tables.  Words that fill pages, of all groups: guests have few, and others go into the index.  Classes
 * without a master wait for one for two passes: more of them than this at once stay without.
 */
#define FILLS_MAX         1024U
#define ORPHANS_MAX       (1U << 20)
#define CLOSED_MAX        (1U << 16)
/* Sources of a few batches; then it begins anew. */
#define RECENT_MAX        (1U << 11)
/* Entries of one key that are looked at for a master: more than one or two come of domains that do not share within. */
#define MASTERS_LOOKED_AT 8U

struct queued {
    uint32_t source, client;
};

struct decide {
    enum decide_invalidates invalidates;
    bool has_merging;
    bool has_lost;                /* since the pass began */
    struct pages *pages;
    struct index index;
    struct table fills;           /* key of a filled page -> its master, plus 1 */
    struct table sharers;         /* master -> how many, of SHARERS_IN_TABLE */
    struct table promised;        /* master -> pairs with it that are in the queue or out */
    struct table recent;          /* source -> 1: merged into since records were read */
    bool has_records;             /* were read since pairs were taken */
    struct table orphans;         /* key -> what its master was: ORPHAN() */
    struct table closed;          /* key -> CLOSED_*: there was a class of it that has no master now */
    uint64_t frames;              /* of all members */
    struct queued *queue;         /* DECIDE_PAIRS_MAX, a ring */
    uint32_t queue_first, queue_count;
    struct decide_statistics total;
    struct {
        uint64_t hashed, changed, cooling, zero, filled;
    } pass;
};

/* A class that lost its master: sharers it had, domains that may not join, passes left to live. */
#define ORPHAN(sharers, domains, passes) ((uint64_t)(sharers) << 16 | (uint64_t)(domains) << 8 | (passes))
#define ORPHAN_SHARERS(orphan) ((uint32_t)((orphan) >> 16))
#define ORPHAN_DOMAINS(orphan) ((uint8_t)((orphan) >> 8))
#define ORPHAN_PASSES(orphan)  ((uint8_t)(orphan))
/* To the end of this pass and of the next one: each of its pages is visited once. */
#define ORPHAN_LIVES  2U

#define CLOSED_FULL   1U          /* it has all sharers that it can have */
#define CLOSED_HIDDEN 2U          /* another class of the content was there first */

static inline enum page_kind state_kind(uint16_t state)
{
    return state & KIND_MASK;
}

static inline unsigned int state_heat(uint16_t state)
{
    return (state & HEAT_MASK) >> HEAT_SHIFT;
}

static inline unsigned int state_passes(uint16_t state)
{
    return (state & PASSES_MASK) >> PASSES_SHIFT;
}

static inline uint16_t state_make(enum page_kind kind, unsigned int heat, unsigned int passes)
{
    return kind | heat << HEAT_SHIFT | passes << PASSES_SHIFT;
}

/* What a page is looked up by: its digest and its group. */
static inline uint64_t page_key(const struct pages *pages, uint32_t page)
{
    return *pages_digest(pages, page) + pages_owner(pages, page)->group * UINT64_C(0x9e3779b97f4a7c15);
}

/* decide.c */
/* A page's state; keeps count of kinds. */
void decide_set_state(struct decide *d, uint32_t page, uint16_t state);
/* The page is nobody's any more: out of the index, and whatever it was the master of is without one. */
void decide_forget(struct decide *d, uint32_t page);
/* A page left what it shared, by a write or because nobody knows how: forgotten, and left alone if that was soon. */
void decide_depart(struct decide *d, uint32_t page, bool written);
/* To the queue, as PENDING.  False: it is full, or nothing is to be merged now. */
bool decide_offer(struct decide *d, uint32_t source, uint32_t client);
/* What is shared is to be asked about. */
void decide_doubt(struct decide *d);

/* masters.c */
/* Who can take this page, or PAGES_NONE. */
uint32_t masters_find(const struct decide *d, uint32_t page);
/* Others may become this page from now on; it is UNIQUE then.  False: there is no place for it. */
bool masters_enter(struct decide *d, uint32_t page);
/* It is UNIQUE or MASTER, and others may not become it any more. */
void masters_remove(struct decide *d, uint32_t page);
/* A pair is on its way, and has been told of: each is kept a place. */
void masters_promise(struct decide *d, uint32_t source, uint32_t client);
void masters_told(struct decide *d, uint32_t source, uint32_t client, bool joined);
/* Some page became this one's, or, uncounted, was it already and was counted then. */
void masters_count(struct decide *d, uint32_t source, bool counted);
/* A SHARED page takes the place of a master that left, if one did; true if it is no more SHARED. */
bool masters_promote(struct decide *d, uint32_t page);
/* Some class of this page's content is full: which one the page is in cannot be asked. */
bool masters_has_closed(const struct decide *d, uint32_t page);
/*
 * A sharer left.  If its domain does not share within, another page of it may come in its place, where it is known
 * which master that was: there never was but one class of its content.
 */
void masters_left(struct decide *d, uint32_t page);
/* There may be a class of this page's content that has no master. */
void masters_hide(struct decide *d, uint32_t page);
/* A domain that does not share within has no pages any more. */
void masters_forget_domain(struct decide *d, const struct member *gone);
void masters_pass_ended(struct decide *d);

#endif
