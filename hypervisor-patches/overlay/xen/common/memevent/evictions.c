/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A list of evictions under way.  It is short: no longer than there are CPUs, as nobody who evicts is
 * interrupted by another.
 */
#include <xen/lib.h>
#include <xen/memevent-evictions.h>

void memevent_evictions_init(struct memevent_evictions *evictions)
{
    spin_lock_init(&evictions->lock);
    evictions->first = NULL;
}

void memevent_eviction_begin(struct memevent_evictions *evictions, struct memevent_eviction *eviction, uint64_t gfn)
{
    struct memevent_eviction *other;

    eviction->gfn = gfn;
    eviction->overtaken = false;

    spin_lock(&evictions->lock);
    for ( other = evictions->first; other; other = other->next )
        if ( other->gfn == gfn )
            other->overtaken = true;
    eviction->next = evictions->first;
    evictions->first = eviction;
    spin_unlock(&evictions->lock);
}

bool memevent_eviction_end(struct memevent_evictions *evictions, struct memevent_eviction *eviction)
{
    struct memevent_eviction **link;
    bool overtaken;

    spin_lock(&evictions->lock);
    for ( link = &evictions->first; *link != eviction; link = &(*link)->next )
        ASSERT(*link);
    *link = eviction->next;
    overtaken = eviction->overtaken;
    spin_unlock(&evictions->lock);

    return !overtaken;
}
