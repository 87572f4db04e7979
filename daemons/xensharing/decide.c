/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The domains of decide, its memory and its numbers.  What happens to their pages is in decide-scan.c, decide-merge.c
 * and masters.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "decide-private.h"
#include "digest.h"

static uint64_t key_of(const void *opaque, uint32_t page)
{
    return page_key(opaque, page);
}

int decide_open(struct decide **out, enum decide_invalidates invalidates)
{
    struct decide *d = calloc(1, sizeof(*d));
    int rc;

    if ( !d )
        return -ENOMEM;
    d->invalidates = invalidates;
    d->has_merging = true;
    table_open(&d->fills, FILLS_MAX);
    table_open(&d->sharers, UINT32_MAX / 4);
    table_open(&d->promised, UINT32_MAX / 4);
    table_open(&d->recent, RECENT_MAX);
    table_open(&d->orphans, ORPHANS_MAX);
    table_open(&d->closed, CLOSED_MAX);
    rc = -ENOMEM;
    d->queue = calloc(DECIDE_PAIRS_MAX, sizeof(*d->queue));
    if ( !d->queue )
        goto fail;
    rc = pages_open(&d->pages);
    if ( !rc )
        rc = index_open(&d->index, key_of, d->pages);
    if ( rc )
        goto fail;
    *out = d;

    return 0;

 fail:
    decide_close(d);
    return rc;
}

void decide_close(struct decide *d)
{
    if ( !d )
        return;
    index_close(&d->index);
    pages_close(d->pages);
    free(d->queue);
    table_close(&d->closed);
    table_close(&d->orphans);
    table_close(&d->recent);
    table_close(&d->promised);
    table_close(&d->sharers);
    table_close(&d->fills);
    free(d);
}

void decide_set_invalidates(struct decide *d, enum decide_invalidates invalidates)
{
    if ( invalidates == d->invalidates )
        return;
    d->invalidates = invalidates;
    decide_doubt(d);
}

void decide_set_merging(struct decide *d, bool merging)
{
    d->has_merging = merging;
}

uint64_t decide_need(const struct decide *d, uint64_t frames)
{
    return pages_need(frames) + index_need(d->frames + frames) - index_need(d->frames);
}

/* ---- pages ---- */

void decide_set_state(struct decide *d, uint32_t page, uint16_t state)
{
    uint16_t *now = pages_state(d->pages, page);
    struct member *m = pages_owner(d->pages, page);

    m->kinds[state_kind(*now)]--;
    m->kinds[state_kind(state)]++;
    *now = state;
}

void decide_forget(struct decide *d, uint32_t page)
{
    enum page_kind kind = state_kind(*pages_state(d->pages, page));

    if ( kind == PAGE_UNIQUE || kind == PAGE_MASTER )
        masters_remove(d, page);
    decide_set_state(d, page, state_make(PAGE_UNKNOWN, 0, 0));
    *pages_digest(d->pages, page) = DIGEST_NEVER;
}

void decide_doubt(struct decide *d)
{
    for ( const struct member *m = d->pages->members; m; m = m->next )
        for ( uint32_t i = 0; i < m->sections_count; i++ )
            for ( uint32_t at = 0; m->sections[i] != PAGES_NONE && at < PAGES_SECTION; at++ )
            {
                uint32_t page = m->sections[i] << PAGES_SECTION_SHIFT | at;
                uint16_t state = *pages_state(d->pages, page);

                if ( state_kind(state) == PAGE_MASTER )
                    decide_set_state(d, page, state | STATE_FLAG);
                else if ( state_kind(state) == PAGE_SHARED && d->invalidates == DECIDE_INVALIDATES_ON )
                    decide_set_state(d, page, (state & ~KIND_MASK) | PAGE_DOUBTFUL);
                else
                    continue;
                d->total.doubted++;
            }
}

void decide_pass_ended(struct decide *d)
{
    d->total.passes++;
    d->total.hashed += d->pass.hashed;
    d->total.changed += d->pass.changed;
    d->total.zero += d->pass.zero;
    d->total.filled += d->pass.filled;
    d->total.pass_hashed = d->pass.hashed;
    d->total.pass_volatile = d->pass.changed;
    d->total.pass_cooling = d->pass.cooling;
    d->total.pass_zero = d->pass.zero;
    d->total.pass_filled = d->pass.filled;
    memset(&d->pass, 0, sizeof(d->pass));
    for ( struct member *m = d->pages->members; m; m = m->next )
    {
        m->pass_changed = m->changed;
        m->changed = 0;
    }
    masters_pass_ended(d);
    if ( d->has_lost && d->invalidates == DECIDE_INVALIDATES_ON )
        decide_doubt(d);
    d->has_lost = false;
}

/* ---- domains ---- */

static int set_frames(struct decide *d, uint64_t frames)
{
    int rc = index_set_limit(&d->index, frames);

    if ( !rc )
        d->frames = frames;

    return rc;
}

int decide_join(struct decide *d, uint16_t domid, uint16_t group, bool within, uint64_t frames)
{
    int rc = pages_join(d->pages, domid, group, within, frames);

    if ( rc )
        return rc;
    rc = set_frames(d, d->frames + frames);
    if ( rc )
        pages_leave(d->pages, domid);

    return rc;
}

int decide_grow(struct decide *d, uint16_t domid, uint64_t frames)
{
    const struct member *m = pages_member(d->pages, domid);
    uint64_t more;
    int rc;

    if ( !m || m->leaves )
        return -ENOENT;
    if ( frames <= m->frames )
        return 0;
    more = frames - m->frames;
    rc = pages_resize(d->pages, domid, frames);

    return rc ? rc : set_frames(d, d->frames + more);
}

/* No pair of a domain that leaves stays in the queue. */
static void purge_queue(struct decide *d, const struct member *m)
{
    uint32_t kept = 0;

    for ( uint32_t i = 0; i < d->queue_count; i++ )
    {
        struct queued queued = d->queue[(d->queue_first + i) % DECIDE_PAIRS_MAX];
        uint16_t state = *pages_state(d->pages, queued.client);

        if ( pages_owner(d->pages, queued.source) == m || pages_owner(d->pages, queued.client) == m )
        {
            masters_told(d, queued.source, queued.client, false);
            decide_set_state(d, queued.client, state_make(state & STATE_FLAG ? PAGE_DOUBTFUL : PAGE_SEEN,
                                                          state_heat(state), 0));
        }
        else
            d->queue[(d->queue_first + kept++) % DECIDE_PAIRS_MAX] = queued;
    }
    d->queue_count = kept;
}

uint64_t decide_leave(struct decide *d, uint16_t domid, uint64_t budget)
{
    struct member *m = pages_member(d->pages, domid);
    uint64_t frames;

    if ( !m )
        return 0;
    if ( !m->leaves )
    {
        m->leaves = true;
        m->left = m->frames;
        purge_queue(d, m);
    }
    while ( m->left && budget )
    {
        uint64_t in_section = m->left & (PAGES_SECTION - 1);
        uint32_t page = pages_find(d->pages, m, m->left - 1);

        if ( page == PAGES_NONE )
        {
            /* All of a section that was never made. */
            m->left -= in_section ? in_section : PAGES_SECTION;
            continue;
        }
        decide_forget(d, page);
        m->left--;
        budget--;
    }
    if ( m->left || !budget )
        return m->left ? m->left : 1;

    frames = m->frames;
    if ( !m->within )
        masters_forget_domain(d, m);
    pages_leave(d->pages, domid);
    /* Less is always to be had. */
    set_frames(d, d->frames - frames);

    return 0;
}

bool decide_is_member(const struct decide *d, uint16_t domid)
{
    return pages_member(d->pages, domid);
}

bool decide_next_shared(const struct decide *d, uint16_t domid, uint64_t *gfn)
{
    const struct member *m = pages_member(d->pages, domid);
    uint64_t end = !m ? 0 : m->leaves ? m->left : m->frames;

    for ( ; *gfn < end; (*gfn)++ )
    {
        uint32_t page = pages_find(d->pages, m, *gfn);
        uint16_t state;

        if ( page == PAGES_NONE )
        {
            *gfn |= PAGES_SECTION - 1;
            continue;
        }
        state = *pages_state(d->pages, page);
        switch ( state_kind(state) )
        {
        case PAGE_SHARED:
        case PAGE_MASTER:
        case PAGE_DOUBTFUL:
            return true;

        case PAGE_PENDING:
            if ( state & STATE_FLAG )
                return true;
            break;

        default:
            break;
        }
    }

    return false;
}

/* ---- numbers ---- */

static void count_kinds(const struct member *m, uint64_t *kinds)
{
    uint64_t known = 0;

    for ( unsigned int kind = 1; kind < PAGE_KINDS; kind++ )
    {
        kinds[kind] += m->kinds[kind];
        known += m->kinds[kind];
    }
    kinds[PAGE_UNKNOWN] += m->frames - known;
}

void decide_get_statistics(const struct decide *d, struct decide_statistics *out)
{
    *out = d->total;
    out->hashed += d->pass.hashed;
    out->changed += d->pass.changed;
    out->zero += d->pass.zero;
    out->filled += d->pass.filled;
    for ( const struct member *m = d->pages->members; m; m = m->next )
        count_kinds(m, out->kinds);
    out->no_place = d->index.full;
    out->index_entries = d->index.used + d->fills.used;
    out->octets = sizeof(*d) + DECIDE_PAIRS_MAX * sizeof(*d->queue) + pages_allocated(d->pages) +
                  index_allocated(&d->index) + table_allocated(&d->fills) + table_allocated(&d->sharers) +
                  table_allocated(&d->promised) + table_allocated(&d->recent) + table_allocated(&d->orphans) +
                  table_allocated(&d->closed);
}

int decide_get_domain(const struct decide *d, uint16_t domid, struct decide_domain *out)
{
    const struct member *m = pages_member(d->pages, domid);

    if ( !m )
        return -ENOENT;
    *out = (struct decide_domain){
        .frames = m->frames, .merged = m->merged, .unshared = m->unshared, .pass_volatile = m->pass_changed,
    };
    count_kinds(m, out->kinds);
    out->saved = m->kinds[PAGE_SHARED] + m->kinds[PAGE_DOUBTFUL];
    out->shared = out->saved + m->kinds[PAGE_MASTER];

    return 0;
}
