/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The table of requests that were taken and not answered, and the ids that name them.
 *
 * What a request was is remembered by the transport, in an array of its own with the same
 * indices.  Locking is the caller's.
 *
 *  63                                        12 11            0
 * +--------------------------------------------+---------------+
 * |                 generation                 |  index plus 1 |
 * +--------------------------------------------+---------------+
 *
 * Each place in the table counts its uses in its own generation, which begins at a number
 * higher than any that an earlier attachment reached.  So of every id it can be told, by looking
 * at one place, whether it is outstanding, was answered, or never was.  No id is 0.
 */
#ifndef MEMEVENT_OUTSTANDING_H
#define MEMEVENT_OUTSTANDING_H

#include <stdbool.h>
#include <stdint.h>

#define OUTSTANDING_INDEX_BITS 12

/* The index is stored plus one. */
#define OUTSTANDING_LIMIT_MAX ((1u << OUTSTANDING_INDEX_BITS) - 1)

struct outstanding_place {
    uint64_t generation;          /* of its latest use */
    bool     in_use;
};

struct outstanding {
    uint64_t first;               /* the generation before any use */
    uint32_t limit;               /* places */
    uint32_t count;               /* in use */
    uint32_t *free;               /* a stack of limit - count indices */
    struct outstanding_place *places;
};

/*
 * A first generation for an attachment that begins now: the time since boot, in units of 64 ns.
 * A place cannot be used twice within one unit (between two uses lie an answer, a
 * notification and a fault), so a later attachment begins above every earlier one.  The 52 bits
 * last for nine years.
 */
uint64_t outstanding_first_generation(void);

/* 0 or -ENOMEM, -EINVAL (limit is 0 or above OUTSTANDING_LIMIT_MAX). */
int  outstanding_open(struct outstanding *table, uint32_t limit, uint64_t first);
void outstanding_close(struct outstanding *table);    /* of a zeroed table, too */

/* Takes a free place and returns its index; *id is its new id.  -ENOSPC. */
int  outstanding_take(struct outstanding *table, uint64_t *id);

/* The index of the place that id names and that is in use.  -ENOENT: there never was such an id; -EALREADY. */
int  outstanding_find(const struct outstanding *table, uint64_t id);

/* The same, and gives the place back. */
int  outstanding_release(struct outstanding *table, uint64_t id);

#endif /* MEMEVENT_OUTSTANDING_H */
