/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What merges and records do: pairs go out, come back with what became of them, and records say which pages have left.
 */
#include <errno.h>

#include <memevent/operations.h>

#include "decide-private.h"
#include "digest.h"

static uint32_t find(const struct decide *d, uint16_t domid, uint64_t gfn)
{
    const struct member *m = pages_member(d->pages, domid);

    return m ? pages_find(d->pages, m, gfn) : PAGES_NONE;
}

/* PENDING no more, as it was before. */
static void put_back(struct decide *d, uint32_t client)
{
    uint16_t state = *pages_state(d->pages, client);

    decide_set_state(d, client, state_make(state & STATE_FLAG ? PAGE_DOUBTFUL : PAGE_SEEN, state_heat(state), 0));
}

/* It cannot be nominated just now, and perhaps never. */
static void leave_alone(struct decide *d, uint32_t page, enum page_kind kind)
{
    unsigned int heat = state_heat(*pages_state(d->pages, page));

    if ( heat < HEAT_MAX )
        heat++;
    decide_set_state(d, page, state_make(kind, heat, 1U << (heat - 1)));
}

bool decide_offer(struct decide *d, uint32_t source, uint32_t client)
{
    uint16_t state = *pages_state(d->pages, client);

    if ( !d->has_merging )
        return false;
    if ( d->queue_count == DECIDE_PAIRS_MAX )
    {
        d->total.put_off++;
        return false;
    }
    d->queue[(d->queue_first + d->queue_count++) % DECIDE_PAIRS_MAX] = (struct queued){ source, client };
    masters_promise(d, source, client);
    decide_set_state(d, client, state_make(PAGE_PENDING, state_heat(state), 0) |
                     (state_kind(state) == PAGE_SEEN ? 0 : STATE_FLAG));

    return true;
}

unsigned int decide_take(struct decide *d, struct decide_pair *pairs, unsigned int max)
{
    unsigned int taken = 0;

    if ( d->has_records )
        table_clear(&d->recent);
    d->has_records = false;
    for ( ; taken < max && d->queue_count; d->queue_count-- )
    {
        const struct queued *queued = &d->queue[d->queue_first];
        enum page_kind kind = state_kind(*pages_state(d->pages, queued->source));

        d->queue_first = (d->queue_first + 1) % DECIDE_PAIRS_MAX;
        /* It is something else by now: next time. */
        if ( !d->has_merging || (kind != PAGE_UNIQUE && kind != PAGE_MASTER) ||
             *pages_digest(d->pages, queued->source) != *pages_digest(d->pages, queued->client) )
        {
            masters_told(d, queued->source, queued->client, false);
            put_back(d, queued->client);
            continue;
        }
        pairs[taken++] = (struct decide_pair){
            .source_gfn = pages_gfn(d->pages, queued->source),
            .client_gfn = pages_gfn(d->pages, queued->client),
            .source_domid = pages_owner(d->pages, queued->source)->domid,
            .client_domid = pages_owner(d->pages, queued->client)->domid,
            .again = *pages_state(d->pages, queued->client) & STATE_FLAG,
        };
    }
    d->total.candidates += taken;

    return taken;
}

/* The one to be merged into cannot be. */
static void source_failed(struct decide *d, uint32_t source, int status)
{
    enum page_kind kind;

    if ( source == PAGES_NONE || status == -ENOMEM )
        return;
    kind = state_kind(*pages_state(d->pages, source));
    if ( kind == PAGE_UNIQUE )
    {
        masters_remove(d, source);
        leave_alone(d, source, PAGE_SEEN);
    }
    else if ( kind == PAGE_MASTER )
        decide_set_state(d, source, *pages_state(d->pages, source) | STATE_FLAG);
}

static void client_failed(struct decide *d, uint32_t client, int status, bool again)
{
    if ( status == -ENOMEM )
        put_back(d, client);
    else
        /* What is shared can be nominated: it is not any more. */
        leave_alone(d, client, again ? PAGE_UNKNOWN : PAGE_SEEN);
}

static void succeed(struct decide *d, uint32_t source, uint32_t client, bool is_new)
{
    unsigned int heat = state_heat(*pages_state(d->pages, client));

    decide_set_state(d, client, state_make(PAGE_SHARED, heat, is_new ? 0 : DECIDE_SOON));
    if ( source == PAGES_NONE )
        return;
    masters_count(d, source, is_new);
    if ( d->recent.used == RECENT_MAX )
        table_clear(&d->recent);
    table_set(&d->recent, source, 1);
}

/* The bytes are not the same: which of the two is not what it was is for the next pass to find out. */
static void differ(struct decide *d, uint32_t source, uint32_t client)
{
    *pages_digest(d->pages, client) = DIGEST_NEVER;
    decide_set_state(d, client, state_make(PAGE_UNKNOWN, state_heat(*pages_state(d->pages, client)), 0));
    if ( source != PAGES_NONE && state_kind(*pages_state(d->pages, source)) == PAGE_MASTER )
        decide_set_state(d, source, *pages_state(d->pages, source) | STATE_FLAG);
}

/* Which number in the statistics a result goes to; NULL: none. */
static uint64_t *counter(struct decide_statistics *total, int status, uint32_t outcome)
{
    if ( !status && outcome == MEMEVENT_MERGED )
        return &total->merged;
    if ( !status && outcome == MEMEVENT_ALREADY )
        return &total->already;
    if ( status == -EILSEQ )
        return &total->different;
    if ( outcome == MEMEVENT_STALE )
        return &total->stale;
    if ( status == -EBUSY )
        return &total->busy;

    return status == -ECANCELED ? NULL : &total->refused;
}

void decide_merged(struct decide *d, const struct decide_pair *pair, int status, uint32_t outcome)
{
    uint32_t source = find(d, pair->source_domid, pair->source_gfn);
    uint32_t client = find(d, pair->client_domid, pair->client_gfn);
    uint64_t *count = counter(&d->total, status, outcome);

    if ( count )
        (*count)++;
    if ( source != PAGES_NONE )
        masters_told(d, source, client, !status && outcome);
    if ( client == PAGES_NONE || state_kind(*pages_state(d->pages, client)) != PAGE_PENDING )
        return;

    if ( !status && (outcome == MEMEVENT_MERGED || outcome == MEMEVENT_ALREADY) )
    {
        if ( outcome == MEMEVENT_MERGED )
            pages_owner(d->pages, client)->merged++;
        succeed(d, source, client, outcome == MEMEVENT_MERGED || !pair->again);
    }
    else if ( status == -EILSEQ )
        differ(d, source, client);
    else if ( status && outcome == MEMEVENT_CLIENT )
        client_failed(d, client, status, pair->again);
    else
    {
        if ( status && outcome == MEMEVENT_SOURCE )
            source_failed(d, source, status);
        put_back(d, client);
    }
}

void decide_depart(struct decide *d, uint32_t page, bool written)
{
    uint16_t state = *pages_state(d->pages, page);
    bool was_master = state_kind(state) == PAGE_MASTER;
    unsigned int heat = was_master ? 0 : state_heat(state), passes = 0;

    pages_owner(d->pages, page)->unshared++;
    if ( written && !was_master )
    {
        if ( state_passes(state) < DECIDE_SOON )
        {
            if ( heat < HEAT_MAX )
                heat++;
            passes = 1U << (heat - 1);
            d->total.cooled++;
        }
        else
            heat -= heat > 0;
    }
    if ( !was_master )
        masters_left(d, page);
    decide_forget(d, page);
    decide_set_state(d, page, state_make(PAGE_UNKNOWN, heat, passes));
}

void decide_invalidated(struct decide *d, const struct memevent_record *record)
{
    uint32_t page;
    uint16_t state;

    d->has_records = true;
    /* A handle that is no more says of no frame what is not said of it by name; what was merged on is still shared. */
    if ( record->kind != MEMEVENT_RECORD_GFN || d->invalidates != DECIDE_INVALIDATES_ON ||
         record->reason == MEMEVENT_REPLACED || record->reason == MEMEVENT_UNDONE )
        return;
    page = find(d, record->domid, record->what);
    if ( page == PAGES_NONE )
        return;

    state = *pages_state(d->pages, page);
    switch ( state_kind(state) )
    {
    case PAGE_MASTER:
        /* It may have been written to and then merged into again, all before this was read: its bytes know. */
        if ( record->reason == MEMEVENT_UNSHARED && table_get(&d->recent, page) )
        {
            decide_set_state(d, page, state | STATE_FLAG);
            masters_hide(d, page);
            break;
        }
        /* Fallthrough */
    case PAGE_SHARED:
    case PAGE_DOUBTFUL:
        d->total.invalidated++;
        decide_depart(d, page, record->reason == MEMEVENT_UNSHARED);
        break;

    default:
        /* It left long ago, as far as is known. */
        break;
    }
}

void decide_lost(struct decide *d)
{
    d->total.losses++;
    d->has_lost = true;
}
