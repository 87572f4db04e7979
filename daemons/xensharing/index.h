/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Key -> page number: where a page of this content is.  Open addressing over buckets of one cache line, each with the
 * page numbers, an octet of each key, and a count of entries that found it full and went on; so a look-up that finds
 * nothing seldom reads more than a line or two, and nothing stays behind when an entry goes.  Keys are not kept: the
 * owner of the pages is asked.  Several entries may have one key.
 *
 * The table has no power of two for its size: it grows by a quarter at a time, so that it is never much larger than
 * what it holds.  Buckets are in the order of keys, so it grows and shrinks in place, from one end to the other, a
 * part with each call; a key is either in the old order or in the new one.  For one thread.
 */
#ifndef XENSHARING_INDEX_H
#define XENSHARING_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#define INDEX_SLOTS      12U      /* entries of a bucket: what fits in 64 octets */
/* Entries for each 10 places when the table is as large as it may get: 5.93 octets an entry. */
#define INDEX_LOAD_TENTHS 9U
/*
 * Buckets that are looked at from a key's first on.  When the table is as full as it may get, runs of some dozens of
 * full buckets are seen; only many entries of one key need more, and they get no place.
 */
#define INDEX_PROBES_MAX 256U
/* Buckets that are brought into a new order with each index_step(). */
#define INDEX_STEP       64U
/* Buckets that there are at least: a page of them. */
#define INDEX_LEAST      64U

#define INDEX_NONE       UINT32_MAX

struct index_bucket {
    uint8_t tags[INDEX_SLOTS];    /* an octet of the key; 0: free */
    uint8_t overflow;             /* entries that found no place here and are further on; 255: so many or more, for ever */
    uint8_t zero[3];
    uint32_t pages[INDEX_SLOTS];
};
_Static_assert(sizeof(struct index_bucket) == 64, "a cache line");

/* Key of a page that is in the index. */
typedef uint64_t index_key(const void *opaque, uint32_t page);

struct index {
    index_key *key;
    const void *opaque;
    struct index_bucket *buckets;
    uint32_t reserved;            /* buckets that there is address space for */
    uint32_t count;               /* in use */
    uint32_t old;                 /* as many as there were, while the order changes; else 0 */
    uint32_t next;                /* of the old: growing, all from here on have the new order; shrinking, all before */
    uint64_t used;                /* entries */
    uint64_t limit;               /* entries there will be at most */
    uint64_t full;                /* entries that got no place, so far */
};

struct index_cursor {
    uint64_t key;
    uint32_t first, count;        /* bucket that the key begins at, in a table of so many */
    uint32_t probe, slot;
};

int  index_open(struct index *x, index_key *key, const void *opaque);
void index_close(struct index *x);      /* zeroed: accepted */

/* Octets that an index of so many entries takes at most. */
uint64_t index_need(uint64_t entries);
uint64_t index_allocated(const struct index *x);

/* Entries there can be at most: all frames of all members.  The table gets that large only when it must.  -ENOMEM. */
int  index_set_limit(struct index *x, uint64_t entries);

/* -ENOSPC: no place within INDEX_PROBES_MAX; then it is counted in full. */
int  index_insert(struct index *x, uint64_t key, uint32_t page);
/* False: it was not there. */
bool index_remove(struct index *x, uint64_t key, uint32_t page);

/* All pages of one key, in no order: begin, then next until INDEX_NONE.  No change in between. */
void index_begin(const struct index *x, struct index_cursor *c, uint64_t key);
uint32_t index_next(const struct index *x, struct index_cursor *c);

/* Does a bounded part of what is left to do about the table's size. */
void index_step(struct index *x);

#endif
