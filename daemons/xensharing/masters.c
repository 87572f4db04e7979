/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pages that others may become: found by content, counted, replaced when they leave, closed when they have all the
 * sharers that they can have.
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
    return state_passes(*pages_state(d->pages, page));
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

    return sharers_of(d, master) + table_get(&d->promised, master) < SHARERS_MAX;
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
    uint64_t key = page_key(d->pages, page), orphan = table_get(&d->orphans, key);
    uint32_t sharers = sharers_of(d, page);

    if ( sharers )
    {
        /* Another class of this content is waiting: who comes may be of either. */
        uint8_t domains = domains_of(d, page) | ORPHAN_DOMAINS(orphan);

        if ( sharers < ORPHAN_SHARERS(orphan) )
            sharers = ORPHAN_SHARERS(orphan);
        table_set(&d->orphans, key, ORPHAN(sharers, domains, ORPHAN_LIVES));
    }
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
    table_set(&d->closed, page_key(d->pages, page), CLOSED_FULL);
    d->total.masters_full++;
}

void masters_promise(struct decide *d, uint32_t source, uint32_t client)
{
    const struct member *m = owner(d, client);

    /* No memory: one sharer too many is no harm. */
    table_set(&d->promised, source, table_get(&d->promised, source) + 1);
    if ( !m->within )
        decide_set_state(d, source, *pages_state(d->pages, source) | domain_bit(m) << PASSES_SHIFT);
}

void masters_told(struct decide *d, uint32_t source, uint32_t client, bool joined)
{
    uint64_t promised = table_get(&d->promised, source);
    uint16_t *state = pages_state(d->pages, source);

    /* Its domain had none in there when the place was kept. */
    if ( !joined && client != PAGES_NONE && !owner(d, client)->within &&
         (state_kind(*state) == PAGE_UNIQUE || state_kind(*state) == PAGE_MASTER) )
        *state &= ~(domain_bit(owner(d, client)) << PASSES_SHIFT);
    if ( promised > 1 )
        table_set(&d->promised, source, promised - 1);
    else
        table_remove(&d->promised, source);
}

void masters_count(struct decide *d, uint32_t source, bool counted)
{
    enum page_kind kind = state_kind(*pages_state(d->pages, source));

    if ( kind == PAGE_UNIQUE || kind == PAGE_MASTER )
        describe(d, source, sharers_of(d, source) + counted, domains_of(d, source));
}

/* A page of this content that has sharers, or else one without, or PAGES_NONE. */
static uint32_t find_any(const struct decide *d, uint64_t key)
{
    uint64_t fill = table_get(&d->fills, key);
    uint32_t found = fill ? fill - 1 : PAGES_NONE, next;
    struct index_cursor cursor;

    index_begin(&d->index, &cursor, key);
    for ( unsigned int i = 0; i < MASTERS_LOOKED_AT && (found == PAGES_NONE || !sharers_of(d, found)); i++ )
    {
        next = index_next(&d->index, &cursor);
        if ( next == INDEX_NONE )
            break;
        found = next;
    }

    return found;
}

bool masters_promote(struct decide *d, uint32_t page)
{
    uint64_t key, orphan;
    uint32_t other;

    if ( !d->orphans.used )
        return false;
    key = page_key(d->pages, page);
    orphan = table_get(&d->orphans, key);
    /* Where there are several classes of one content, which of them the page is in is not known. */
    if ( !orphan || owner(d, page)->leaves || masters_has_closed(d, page) )
        return false;

    other = find_any(d, key);
    if ( other == PAGES_NONE || !sharers_of(d, other) )
    {
        /* One that is alone, and was quicker, may join. */
        if ( other != PAGES_NONE )
        {
            erase(d, other);
            decide_set_state(d, other, state_make(PAGE_SEEN, state_heat(*pages_state(d->pages, other)), 0));
        }
        table_remove(&d->orphans, key);
        if ( !insert(d, page) )
            return false;
        d->total.promoted++;
        describe(d, page, ORPHAN_SHARERS(orphan) - 1, ORPHAN_DOMAINS(orphan));
        return true;
    }
    /*
     * The one page that was left of a pair is shared with nobody, and another has its content: ask all that may be it.
     * (Of larger classes more than this page would move, uncounted; on a stock hypervisor it must not be a client at
     * all.)
     */
    if ( ORPHAN_SHARERS(orphan) == 1 && d->invalidates == DECIDE_INVALIDATES_ON && owner(d, page)->within &&
         sharers_of(d, other) < SHARERS_IN_TABLE && suits(d, other, page) && decide_offer(d, other, page) )
        return true;
    masters_hide(d, page);

    return false;
}

void masters_hide(struct decide *d, uint32_t page)
{
    uint64_t key = page_key(d->pages, page);

    if ( !table_get(&d->closed, key) )
        table_set(&d->closed, key, CLOSED_HIDDEN);
}

void masters_left(struct decide *d, uint32_t page)
{
    uint64_t key = page_key(d->pages, page), fill = table_get(&d->fills, key);
    uint32_t master = fill ? fill - 1 : PAGES_NONE, found;
    const struct member *one = owner(d, page);
    struct index_cursor cursor;

    if ( one->within || table_get(&d->closed, key) || table_get(&d->orphans, key) )
        return;
    for ( const struct member *m = d->pages->members; m; m = m->next )
        if ( m != one && !m->within && domain_bit(m) == domain_bit(one) )
            return;
    index_begin(&d->index, &cursor, key);
    while ( (found = index_next(&d->index, &cursor)) != INDEX_NONE )
    {
        if ( master != PAGES_NONE )
            return;
        master = found;
    }
    if ( master != PAGES_NONE && state_kind(*pages_state(d->pages, master)) == PAGE_MASTER )
        *pages_state(d->pages, master) &= ~(domain_bit(one) << PASSES_SHIFT);
}

bool masters_has_closed(const struct decide *d, uint32_t page)
{
    return table_get(&d->closed, page_key(d->pages, page)) == CLOSED_FULL;
}

void masters_forget_domain(struct decide *d, const struct member *gone)
{
    uint16_t bit = domain_bit(gone) << PASSES_SHIFT;

    for ( const struct member *m = d->pages->members; m; m = m->next )
        if ( m != gone && !m->within && domain_bit(m) == domain_bit(gone) )
            return;
    for ( const struct member *m = d->pages->members; m; m = m->next )
        for ( uint32_t i = 0; i < m->sections_count; i++ )
            for ( uint32_t at = 0; m->sections[i] != PAGES_NONE && at < PAGES_SECTION; at++ )
            {
                uint16_t *state = &d->pages->sections[m->sections[i]].states[at];

                if ( state_kind(*state) == PAGE_UNIQUE || state_kind(*state) == PAGE_MASTER )
                    *state &= ~bit;
            }
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
