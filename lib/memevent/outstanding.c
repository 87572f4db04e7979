/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Places and ids of outstanding requests; every operation is O(1).  What a request was is kept by the
 * transport, and the lock by the channel.
 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "outstanding.h"

#define GENERATION_BITS    (64 - OUTSTANDING_INDEX_BITS)
#define GENERATION_MASK    ((UINT64_C(1) << GENERATION_BITS) - 1)
#define INDEX_MASK         ((UINT64_C(1) << OUTSTANDING_INDEX_BITS) - 1)
#define GENERATION_UNIT_NS 64

uint64_t outstanding_first_generation(void)
{
    struct timespec now;

    /* It cannot fail: the clock is known and the pointer good. */
    clock_gettime(CLOCK_BOOTTIME, &now);

    return ((uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec) / GENERATION_UNIT_NS;
}

int outstanding_open(struct outstanding *table, uint32_t limit, uint64_t first)
{
    uint32_t i;

    *table = (struct outstanding){ .first = first & GENERATION_MASK, .limit = limit };

    if ( limit == 0 || limit > OUTSTANDING_LIMIT_MAX )
        return -EINVAL;

    table->free = calloc(limit, sizeof(*table->free));
    table->places = calloc(limit, sizeof(*table->places));
    if ( !table->free || !table->places )
    {
        outstanding_close(table);
        return -ENOMEM;
    }

    for ( i = 0; i < limit; i++ )
    {
        table->free[i] = limit - 1 - i;
        table->places[i].generation = table->first;
    }

    return 0;
}

void outstanding_close(struct outstanding *table)
{
    free(table->places);
    free(table->free);
    *table = (struct outstanding){ 0 };
}

int outstanding_take(struct outstanding *table, uint64_t *id)
{
    struct outstanding_place *place;
    uint32_t index;

    if ( table->count == table->limit )
        return -ENOSPC;

    index = table->free[table->limit - ++table->count];
    place = &table->places[index];
    place->generation = (place->generation + 1) & GENERATION_MASK;
    place->in_use = true;

    *id = (place->generation << OUTSTANDING_INDEX_BITS) | (index + 1);

    return (int)index;
}

int outstanding_find(const struct outstanding *table, uint64_t id)
{
    uint64_t generation = id >> OUTSTANDING_INDEX_BITS;
    uint64_t index = (id & INDEX_MASK) - 1;    /* of a 0: beyond every limit */
    const struct outstanding_place *place;
    uint64_t uses, use;

    if ( index >= table->limit )
        return -ENOENT;

    place = &table->places[index];

    /* Uses count from 1; differences are right also where generations wrap. */
    uses = (place->generation - table->first) & GENERATION_MASK;
    use = (generation - table->first) & GENERATION_MASK;

    if ( use == 0 || use > uses )
        return -ENOENT;
    if ( use < uses || !place->in_use )
        return -EALREADY;

    return (int)index;
}

int outstanding_release(struct outstanding *table, uint64_t id)
{
    int index = outstanding_find(table, id);

    if ( index < 0 )
        return index;

    table->places[index].in_use = false;
    table->free[table->limit - table->count--] = (uint32_t)index;

    return index;
}
