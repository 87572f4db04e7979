/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a pass leads to: which frames are due, and what their digests say.  A page is offered, or becomes one that
 * others are offered, when its digest is that of the pass before.
 */
#include "decide-private.h"
#include "digest.h"

static void set_kind(struct decide *d, uint32_t page, enum page_kind kind, unsigned int heat, unsigned int passes)
{
    decide_set_state(d, page, state_make(kind, heat, passes));
}

/* Another pass without a change; a page that stays loses heat. */
static void stay(struct decide *d, uint32_t page, uint16_t state)
{
    unsigned int heat = state_heat(state), passes = state_passes(state) + 1;

    if ( passes >= DECIDE_STAYS )
    {
        heat -= heat > 0;
        passes = DECIDE_SOON;
    }
    set_kind(d, page, state_kind(state), heat, passes);
}

/* True if it has to be hashed; false if it was offered, or may stay as it is. */
static bool visit_doubtful(struct decide *d, uint32_t page)
{
    uint32_t master;

    /* Asked by a merge it could bring along pages of its domain, or a whole class.  Its bytes tell nearly as much. */
    if ( !pages_owner(d->pages, page)->within || !d->has_merging || masters_has_closed(d, page) )
        return true;
    master = masters_find(d, page);
    if ( master == PAGES_NONE )
    {
        if ( !masters_promote(d, page) )
            return true;
        if ( state_kind(*pages_state(d->pages, page)) != PAGE_MASTER )
            return false;
        /* It may be written to and private for long, and then no record ever says so. */
        decide_set_state(d, page, *pages_state(d->pages, page) | STATE_FLAG);
        return true;
    }
    decide_offer(d, master, page);

    return false;
}

static bool visit_page(struct decide *d, uint32_t page)
{
    uint16_t state = *pages_state(d->pages, page);

    switch ( state_kind(state) )
    {
    case PAGE_UNKNOWN:
    case PAGE_SEEN:
    case PAGE_ABSENT:
        if ( !state_passes(state) )
            return true;
        d->pass.cooling++;
        set_kind(d, page, state_kind(state), state_heat(state), state_passes(state) - 1);
        return false;

    case PAGE_UNIQUE:
        return true;

    case PAGE_PENDING:
        return false;

    case PAGE_SHARED:
        stay(d, page, state);
        if ( d->invalidates == DECIDE_INVALIDATES_OFF || masters_promote(d, page) )
            return false;
        return d->invalidates == DECIDE_INVALIDATES_NONE;

    case PAGE_MASTER:
        return d->invalidates == DECIDE_INVALIDATES_NONE || (state & STATE_FLAG);

    case PAGE_DOUBTFUL:
        return visit_doubtful(d, page);
    }

    return false;
}

unsigned int decide_visit(struct decide *d, uint16_t domid, uint64_t first, unsigned int count, uint64_t *gfns)
{
    const struct member *m = pages_member(d->pages, domid);
    unsigned int due = 0;

    if ( !m || m->leaves )
        return 0;
    index_step(&d->index);
    for ( uint64_t gfn = first; gfn < first + count && gfn < m->frames; gfn++ )
    {
        uint32_t page = pages_find(d->pages, m, gfn);

        d->total.visited++;
        if ( page == PAGES_NONE || visit_page(d, page) )
            gfns[due++] = gfn;
    }

    return due;
}

void decide_absent(struct decide *d, uint16_t domid, uint64_t gfn)
{
    const struct member *m = pages_member(d->pages, domid);
    uint32_t page = m && !m->leaves ? pages_find(d->pages, m, gfn) : PAGES_NONE;

    if ( page == PAGES_NONE || state_kind(*pages_state(d->pages, page)) == PAGE_PENDING )
        return;
    decide_forget(d, page);
    set_kind(d, page, PAGE_ABSENT, 0, 0);
}

/* It is not what it was: to be looked at again, the less often the more often that was so. */
static void see(struct decide *d, uint32_t page, uint64_t digest, bool changed)
{
    unsigned int heat = state_heat(*pages_state(d->pages, page)), passes = 0;

    if ( changed )
    {
        d->pass.changed++;
        pages_owner(d->pages, page)->changed++;
        if ( heat < HEAT_VOLATILE )
            heat++;
        passes = (1U << ((heat < HEAT_VOLATILE ? heat : HEAT_VOLATILE) - 1)) - 1;
    }
    *pages_digest(d->pages, page) = digest;
    set_kind(d, page, PAGE_SEEN, heat, passes);
}

/* Did not change: somebody has the same, or others may become this one. */
static void settle(struct decide *d, uint32_t page)
{
    uint16_t state = *pages_state(d->pages, page);
    uint32_t master = masters_find(d, page);

    set_kind(d, page, PAGE_SEEN, state_heat(state), 0);
    if ( master != PAGES_NONE )
        decide_offer(d, master, page);
    else if ( !masters_enter(d, page) )
        set_kind(d, page, PAGE_SEEN, state_heat(state), DECIDE_VOLATILE_MAX);
}

void decide_scanned(struct decide *d, uint16_t domid, uint64_t gfn, uint64_t digest)
{
    struct member *m = pages_member(d->pages, domid);
    uint32_t page = m && !m->leaves ? pages_make(d->pages, m, gfn) : PAGES_NONE;
    uint16_t state;
    bool same;

    d->pass.hashed++;
    d->pass.zero += digest == DIGEST_ZERO;
    d->pass.filled += digest_is_filled(digest) && digest != DIGEST_ZERO;
    if ( page == PAGES_NONE || digest == DIGEST_NEVER )
        return;
    state = *pages_state(d->pages, page);
    same = *pages_digest(d->pages, page) == digest;

    switch ( state_kind(state) )
    {
    case PAGE_UNKNOWN:
    case PAGE_ABSENT:
        see(d, page, digest, false);
        break;

    case PAGE_SEEN:
        if ( same )
            settle(d, page);
        else
            see(d, page, digest, true);
        break;

    case PAGE_UNIQUE:
        if ( same )
            break;
        masters_remove(d, page);
        see(d, page, digest, true);
        break;

    case PAGE_DOUBTFUL:
        if ( same )
        {
            set_kind(d, page, PAGE_SHARED, state_heat(state), state_passes(state));
            break;
        }
        /* Fallthrough */
    case PAGE_SHARED:
    case PAGE_MASTER:
        if ( same )
        {
            if ( state_kind(state) == PAGE_MASTER )
                decide_set_state(d, page, state & ~STATE_FLAG);
            break;
        }
        /* Nobody has said so, but it is not what it was. */
        decide_depart(d, page, true);
        if ( !state_passes(*pages_state(d->pages, page)) )
            see(d, page, digest, false);
        break;

    case PAGE_PENDING:
        break;
    }
}
