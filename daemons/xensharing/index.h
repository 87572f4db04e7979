/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Key -> page number: where a page of this content is.  Open addressing over buckets of one cache line, each with the page
 * numbers, an octet of each key, and a count of entries that found it full and went on; so a look-up that finds nothing
 * seldom reads more than a line or two, and nothing stays behind when an entry goes.  Keys are not kept: the owner of the
 * pages is asked.  Several entries may have one key.
 *
 * The table has no power of two for its size and grows by an eighth at a time, so that it is never much larger than
 * what it holds.  Buckets are in the order of keys: while it grows, the new table fills from its start as the old one's
 * memory is given back from its start.  For one thread.
 */
#ifndef XENSHARING_INDEX_H
#define XENSHARING_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#define INDEX_SLOTS      12U      /* entries of a bucket: what fits in 64 octets */
/* Entries for each 10 places when the table is as large as it may get: 5.93 octets an entry. */
#define INDEX_LOAD_TENTHS 9U
/* Buckets that are looked at from a key's first on.  Only many entries of one key need more, and they get no place. */
#define INDEX_PROBES_MAX 32U
/* Buckets moved with each index_step(). */
#define INDEX_STEP       64U

#define INDEX_NONE       UINT32_MAX

struct index_bucket {
    uint8_t tags[INDEX_SLOTS];    /* an octet of the key; 0: free */
    uint8_t overflow;             /* entries that wanted to be here and are further on; 255: at least so many, for ever */
    uint8_t zero[3];
    uint32_t pages[INDEX_SLOTS];
};
_Static_assert(sizeof(struct index_bucket) == 64, "a cache line");

struct index_table {
    struct index_bucket *buckets;
    uint32_t count;               /* of buckets */
    uint32_t used;                /* entries */
    uint32_t released;            /* buckets from the start whose memory went back */
};

/* Key of a page that is in the index. */
typedef uint64_t index_key(const void *opaque, uint32_t page);

struct index {
    index_key *key;
    const void *opaque;
    struct index_table now, old;  /* old: being moved from; count 0: nothing is */
    uint32_t moved;               /* buckets of old that are empty now */
    uint64_t limit;               /* entries there will be at most */
    uint64_t full;                /* entries that got no place, so far */
};

struct index_cursor {
    uint64_t key;
    uint32_t probe, slot;
    bool in_old;
};

int  index_open(struct index *x, index_key *key, const void *opaque);
void index_close(struct index *x);      /* zeroed: accepted */

/* Octets that an index of so many entries takes at most. */
uint64_t index_need(uint64_t entries);
uint64_t index_allocated(const struct index *x);

/* Entries there can be at most: all frames of all members.  The table gets that large only when it must. */
void index_set_limit(struct index *x, uint64_t entries);

/* -ENOSPC: no place within INDEX_PROBES_MAX, or the limit; -ENOMEM. */
int  index_insert(struct index *x, uint64_t key, uint32_t page);
/* False: it was not there. */
bool index_remove(struct index *x, uint64_t key, uint32_t page);

/* All pages of one key, in no order: begin, then next until INDEX_NONE.  No change in between. */
void index_begin(struct index_cursor *c, uint64_t key);
uint32_t index_next(const struct index *x, struct index_cursor *c);

/* Does a bounded part of what is left to do about growing. */
void index_step(struct index *x);

#endif
