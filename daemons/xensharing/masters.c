/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pages that others may become: found by content, counted, replaced when they leave, closed when they have all the sharers
 * that they can have.
 *
 * Nobody is taken off a count when it leaves: which of several masters of one content it had is not known.  So a count
 * says too much, and never too little; what is lost is one page in SHARERS_MAX merges.
 */
#include "decide-private.h"
#include "digest.h"

static struct member *owner(const struct decide *d, uint32_t page)
{
    return pages_owner(d->pages, page);
}

static uint32_t sharers_of(const struct decide *d, uint32_t page)
{
    uint16_t state = *pages_state(d->pages, page);

    if ( state_kind(state) != PAGE_MASTER )
        return 0;

    return state_heat(state) == SHARERS_IN_TABLE ? table_get(&d->sharers, page) : state_heat(state);
}

/* Domains of which no page may join, because one of theirs is in already and they do not share within. */
static uint8_t domains_of(const struct decide *d, uint32_t page)
{
    uint16_t state = *pages_state(d->pages, page);

    return state_kind(state) == PAGE_MASTER ? state_passes(state) : 0;
}

/* One bit for a domain; two that have the same keep each other out, and nothing worse. */
static uint8_t domain_bit(const struct member *m)
{
    return 1U << m->slot % 8;
}

static bool suits(const struct decide *d, uint32_t master, uint32_t page)
{
    enum page_kind kind = state_kind(*pages_state(d->pages, master));
    const struct member *one = owner(d, page), *other = owner(d, master);

    if ( master == page || (kind != PAGE_UNIQUE && kind != PAGE_MASTER) || other->leaves )
        return false;
    if ( one->group != other->group || *pages_digest(d->pages, page) != *pages_digest(d->pages, master) )
        return false;
    if ( !one->within && (one == other || (domains_of(d, master) & domain_bit(one))) )
        return false;

    return sharers_of(d, master) < SHARERS_MAX;
}

uint32_t masters_find(const struct decide *d, uint32_t page)
{
    uint64_t key = page_key(d->pages, page), fill;
    struct index_cursor cursor;
    uint32_t master;

    if ( owner(d, page)->leaves )
        return PAGES_NONE;
    if ( digest_is_filled(*pages_digest(d->pages, page)) )
    {
        fill = table_get(&d->fills, key);
        if ( fill && suits(d, fill - 1, page) )
            return fill - 1;
    }
    index_begin(&d->index, &cursor, key);
    for ( unsigned int i = 0; i < MASTERS_LOOKED_AT; i++ )
    {
        master = index_next(&d->index, &cursor);
        if ( master == INDEX_NONE )
            break;
        if ( suits(d, master, page) )
            return master;
    }

    return PAGES_NONE;
}

static bool insert(struct decide *d, uint32_t page)
{
    uint64_t key = page_key(d->pages, page);

    if ( digest_is_filled(*pages_digest(d->pages, page)) && !table_get(&d->fills, key) &&
         table_set(&d->fills, key, (uint64_t)page + 1) )
        return true;

    return !index_insert(&d->index, key, page);
}

bool masters_enter(struct decide *d, uint32_t page)
{
    if ( owner(d, page)->leaves || !insert(d, page) )
        return false;
    decide_set_state(d, page, state_make(PAGE_UNIQUE, state_heat(*pages_state(d->pages, page)), 0));

    return true;
}

static void erase(struct decide *d, uint32_t page)
{
    uint64_t key = page_key(d->pages, page);

    if ( table_get(&d->fills, key) == (uint64_t)page + 1 )
        table_remove(&d->fills, key);
    else
        index_remove(&d->index, key, page);
    table_remove(&d->sharers, page);
}

void masters_remove(struct decide *d, uint32_t page)
{
    uint32_t sharers = sharers_of(d, page);

    if ( sharers )
        table_set(&d->orphans, page_key(d->pages, page), ORPHAN(sharers, domains_of(d, page), ORPHAN_LIVES));
    erase(d, page);
}

/* A master's state. */
static void describe(struct decide *d, uint32_t page, uint32_t sharers, uint8_t domains)
{
    unsigned int shown = sharers;

    if ( sharers >= SHARERS_IN_TABLE )
    {
        shown = SHARERS_IN_TABLE;
        /* No memory: rather closed than uncounted. */
        if ( !table_set(&d->sharers, page, sharers) )
            sharers = SHARERS_MAX;
    }
    decide_set_state(d, page, state_make(PAGE_MASTER, shown, domains));
    if ( sharers < SHARERS_MAX )
        return;
    erase(d, page);
    decide_set_state(d, page, state_make(PAGE_SHARED, 0, DECIDE_SOON));
    table_set(&d->closed, page_key(d->pages, page), 1);
    d->total.masters_full++;
}

void masters_count(struct decide *d, uint32_t source, uint32_t client, bool counted)
{
    enum page_kind kind = state_kind(*pages_state(d->pages, source));
    const struct member *m = owner(d, client);

    if ( kind == PAGE_UNIQUE || kind == PAGE_MASTER )
        describe(d, source, sharers_of(d, source) + counted,
                 domains_of(d, source) | (m->within ? 0 : domain_bit(m)));
}

bool masters_promote(struct decide *d, uint32_t page)
{
    uint64_t key, orphan;
    uint32_t other;

    if ( !d->orphans.used )
        return false;
    key = page_key(d->pages, page);
    orphan = table_get(&d->orphans, key);
    if ( !orphan || owner(d, page)->leaves )
        return false;
    /*
     * The one page that was left of a pair is not shared with anybody, and another has its content.  (Of larger classes
     * more than this page would move, uncounted; on a stock hypervisor it must not be a client at all.)
     */
    if ( ORPHAN_SHARERS(orphan) == 1 && d->invalidates == DECIDE_INVALIDATES_ON && owner(d, page)->within )
    {
        other = masters_find(d, page);
        if ( other != PAGES_NONE && decide_offer(d, other, page) )
        {
            table_remove(&d->orphans, key);
            return true;
        }
    }
    table_remove(&d->orphans, key);
    if ( !insert(d, page) )
        return false;
    d->total.promoted++;
    describe(d, page, ORPHAN_SHARERS(orphan) - 1, ORPHAN_DOMAINS(orphan));

    return true;
}

bool masters_has_closed(const struct decide *d, uint32_t page)
{
    return table_get(&d->closed, page_key(d->pages, page));
}

static uint64_t grow_older(uint64_t orphan)
{
    /* The passes are the lowest octet; without any it is nothing. */
    return ORPHAN_PASSES(orphan) > 1 ? orphan - 1 : 0;
}

void masters_pass_ended(struct decide *d)
{
    table_change(&d->orphans, grow_older);
}
