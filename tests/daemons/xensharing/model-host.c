/* SPDX-License-Identifier: GPL-2.0-only */
/* The model of a host, and of a daemon over it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <memevent/operations.h>

#include "daemons/xensharing/digest.h"
#include "daemons/xensharing/pages.h"

#include "../xenpaging/random.h"
#include "model-host.h"

#define CHUNK 512U

/* A page of memory that is shared: who has it. */
struct model_frame {
    uint32_t count, size;
    struct model_sharer {
        uint16_t domid;
        uint32_t gfn;
    } *sharers;
};

void model_open(struct model *m, uint64_t seed, enum decide_invalidates invalidates, unsigned int ring)
{
    memset(m, 0, sizeof(*m));
    m->random = seed;
    m->ring = ring;
    m->records = calloc(ring, sizeof(*m->records));
    m->sharers_max = SHARERS_MAX;
    assert_non_null(m->records);
    assert_int_equal(decide_open(&m->decide, invalidates), 0);
}

static struct model_page *page_of(struct model *m, uint16_t domid, uint64_t gfn)
{
    assert_true(domid < MODEL_DOMAINS && m->domains[domid].is_there && gfn < m->domains[domid].frames);
    return &m->domains[domid].pages[gfn];
}

static void tell(struct model *m, uint16_t domid, uint64_t gfn, uint8_t reason)
{
    if ( m->is_deaf )
        return;
    if ( m->records_count == m->ring )
        m->lost++;
    else
        m->records[m->records_count++] = (struct memevent_record){
            .what = gfn, .domid = domid, .kind = MEMEVENT_RECORD_GFN, .reason = reason,
        };
}

/* ---- what is shared ---- */

static void add_sharer(struct model *m, struct model_frame *f, uint16_t domid, uint32_t gfn)
{
    if ( f->count == f->size )
    {
        f->size = f->size ? f->size * 2 : 2;
        f->sharers = realloc(f->sharers, f->size * sizeof(*f->sharers));
        assert_non_null(f->sharers);
    }
    f->sharers[f->count++] = (struct model_sharer){ domid, gfn };
    page_of(m, domid, gfn)->frame = f;
    if ( f->count > m->most_sharers )
        m->most_sharers = f->count;
}

static void remove_sharer(struct model *m, struct model_frame *f, uint16_t domid, uint32_t gfn)
{
    uint32_t i = 0;

    while ( f->sharers[i].domid != domid || f->sharers[i].gfn != gfn )
        assert_true(++i < f->count);
    f->sharers[i] = f->sharers[--f->count];
    page_of(m, domid, gfn)->frame = NULL;
    if ( f->count )
        m->saved--;
    else
    {
        m->shared_frames--;
        free(f->sharers);
        free(f);
    }
}

static void unshare(struct model *m, uint16_t domid, uint64_t gfn, uint8_t reason)
{
    struct model_page *p = page_of(m, domid, gfn);

    if ( !p->frame )
        return;
    remove_sharer(m, p->frame, domid, gfn);
    tell(m, domid, gfn, reason);
}

/* True: was private. */
static bool nominate(struct model *m, uint16_t domid, uint64_t gfn)
{
    struct model_page *p = page_of(m, domid, gfn);
    struct model_frame *f;

    if ( p->frame )
        return false;
    f = calloc(1, sizeof(*f));
    assert_non_null(f);
    m->shared_frames++;
    add_sharer(m, f, domid, gfn);

    return true;
}

/* What no merge may do. */
static void judge(struct model *m, const struct model_frame *f, uint64_t content)
{
    const struct model_domain *first = &m->domains[f->sharers[0].domid];
    unsigned int of_domain[MODEL_DOMAINS] = { 0 };

    for ( uint32_t i = 0; i < f->count; i++ )
    {
        const struct model_domain *d = &m->domains[f->sharers[i].domid];

        m->wrong_bytes += page_of(m, f->sharers[i].domid, f->sharers[i].gfn)->content != content;
        m->wrong_group += d->group != first->group;
        if ( ++of_domain[f->sharers[i].domid] > 1 && !d->within )
            m->wrong_within++;
    }
    m->too_many += f->count > m->sharers_max + 1;
}

static int merge(struct model *m, const struct decide_pair *pair, uint32_t *outcome)
{
    uint16_t sd = pair->source_domid, cd = pair->client_domid;
    struct model_page *source = page_of(m, sd, pair->source_gfn), *client = page_of(m, cd, pair->client_gfn);
    struct model_frame *from;
    bool undo_source, undo_client, others = false;
    int rc = 0;

    m->merges++;
    *outcome = MEMEVENT_SOURCE;
    if ( random_below(&m->random, 1000) < m->no_memory )
        return -ENOMEM;
    if ( source->is_absent || (source->is_held && !source->frame) )
        return source->is_absent ? -EINVAL : -EBUSY;
    undo_source = nominate(m, sd, pair->source_gfn);
    *outcome = MEMEVENT_CLIENT;
    if ( client->is_absent || (client->is_held && !client->frame) )
    {
        rc = client->is_absent ? -EINVAL : -EBUSY;
        undo_client = false;
        goto undo;
    }
    undo_client = nominate(m, cd, pair->client_gfn);
    *outcome = MEMEVENT_ALREADY;
    if ( source->frame == client->frame )
        return 0;
    *outcome = MEMEVENT_DIFFERENT;
    if ( source->content != client->content && !m->skips_comparison )
    {
        rc = -EILSEQ;
        goto undo;
    }

    *outcome = MEMEVENT_MERGED;
    from = client->frame;
    for ( uint32_t i = 0; i < from->count; i++ )
        others |= from->sharers[i].domid != sd && from->sharers[i].domid != cd;
    for ( uint32_t i = 0; i < from->count; )
    {
        struct model_sharer s = from->sharers[i];

        if ( s.domid != sd && s.domid != cd )
        {
            i++;
            continue;
        }
        from->sharers[i] = from->sharers[--from->count];
        add_sharer(m, source->frame, s.domid, s.gfn);
        if ( others )
            tell(m, s.domid, s.gfn, MEMEVENT_REPLACED);
    }
    if ( !from->count )
    {
        m->shared_frames--;
        m->saved++;
        free(from->sharers);
        free(from);
    }
    judge(m, source->frame, source->content);

    return 0;

 undo:
    if ( undo_client )
        unshare(m, cd, pair->client_gfn, MEMEVENT_UNDONE);
    if ( undo_source )
        unshare(m, sd, pair->source_gfn, MEMEVENT_UNDONE);
    return rc;
}

/* ---- guests ---- */

uint64_t model_fresh(struct model *m)
{
    return random_next(&m->random) | UINT64_C(1) << 40;
}

void model_create(struct model *m, uint16_t domid, uint16_t group, bool within, uint64_t frames)
{
    struct model_domain *d = &m->domains[domid];

    assert_false(d->is_there);
    *d = (struct model_domain){ .is_there = true, .group = group, .within = within, .frames = frames };
    d->pages = calloc(frames, sizeof(*d->pages));
    assert_non_null(d->pages);
    for ( uint64_t gfn = 0; gfn < frames; gfn++ )
        d->pages[gfn].content = model_fresh(m);
}

void model_join(struct model *m, uint16_t domid)
{
    struct model_domain *d = &m->domains[domid];

    assert_int_equal(decide_join(m->decide, domid, d->group, d->within, d->frames), 0);
    d->is_member = true;
}

void model_leave(struct model *m, uint16_t domid)
{
    uint64_t gfn = 0;

    decide_leave(m->decide, domid, 0);
    for ( ; decide_next_shared(m->decide, domid, &gfn); gfn++ )
        unshare(m, domid, gfn, MEMEVENT_UNSHARED);
    while ( decide_leave(m->decide, domid, 1000) )
        ;
    assert_false(decide_is_member(m->decide, domid));
    m->domains[domid].is_member = false;
}

void model_kill(struct model *m, uint16_t domid)
{
    struct model_domain *d = &m->domains[domid];

    if ( d->is_member )
        while ( decide_leave(m->decide, domid, 1000) )
            ;
    for ( uint64_t gfn = 0; gfn < d->frames; gfn++ )
        unshare(m, domid, gfn, MEMEVENT_DYING);
    free(d->pages);
    memset(d, 0, sizeof(*d));
}

void model_write(struct model *m, uint16_t domid, uint64_t gfn, uint64_t content)
{
    struct model_page *p = page_of(m, domid, gfn);

    p->is_absent = false;
    unshare(m, domid, gfn, MEMEVENT_UNSHARED);
    p->content = content;
}

void model_give_up(struct model *m, uint16_t domid, uint64_t gfn)
{
    unshare(m, domid, gfn, MEMEVENT_DESTROYED);
    page_of(m, domid, gfn)->is_absent = true;
}

void model_close(struct model *m)
{
    for ( uint16_t domid = 0; domid < MODEL_DOMAINS; domid++ )
        if ( m->domains[domid].is_there )
            model_kill(m, domid);
    assert_int_equal(m->saved, 0);
    assert_int_equal(m->shared_frames, 0);
    decide_close(m->decide);
    free(m->records);
}

/* ---- the daemon ---- */

static uint64_t digest_of(uint64_t content)
{
    uint64_t state = content, digest = random_next(&state);

    if ( !content )
        return DIGEST_ZERO;

    return content < MODEL_FILLS ? digest | DIGEST_FILLED : (digest & ~(uint64_t)DIGEST_FILLED);
}

void model_drain(struct model *m)
{
    for ( unsigned int i = 0; i < m->records_count; i++ )
        decide_invalidated(m->decide, &m->records[i]);
    m->records_count = 0;
    if ( m->lost != m->lost_told )
        decide_lost(m->decide);
    m->lost_told = m->lost;
}

static void merge_all(struct model *m)
{
    struct decide_pair pairs[CHUNK];
    uint32_t outcomes[CHUNK];
    int statuses[CHUNK];
    unsigned int count;

    while ( (count = decide_take(m->decide, pairs, CHUNK)) > 0 )
    {
        for ( unsigned int i = 0; i < count; i++ )
        {
            if ( m->meanwhile )
                m->meanwhile(m);
            statuses[i] = merge(m, &pairs[i], &outcomes[i]);
        }
        for ( unsigned int i = 0; i < count; i++ )
            decide_merged(m->decide, &pairs[i], statuses[i], outcomes[i]);
    }
}

static void scan(struct model *m, uint16_t domid, uint64_t first)
{
    uint64_t gfns[CHUNK];
    unsigned int count = decide_visit(m->decide, domid, first, CHUNK, gfns);

    for ( unsigned int i = 0; i < count; i++ )
    {
        const struct model_page *p = page_of(m, domid, gfns[i]);

        if ( p->is_absent )
            decide_absent(m->decide, domid, gfns[i]);
        else
            decide_scanned(m->decide, domid, gfns[i], digest_of(p->content));
    }
}

void model_pass(struct model *m, void (*during)(struct model *m))
{
    for ( uint16_t domid = 0; domid < MODEL_DOMAINS; domid++ )
        for ( uint64_t first = 0; m->domains[domid].is_member && first < m->domains[domid].frames; first += CHUNK )
        {
            scan(m, domid, first);
            if ( during )
                during(m);
            model_drain(m);
            merge_all(m);
            model_drain(m);
        }
    decide_pass_ended(m->decide);
}

/* ---- what is right ---- */

struct offline {
    uint64_t content;
    uint16_t group, domid;
    bool within;
};

static int compare_offline(const void *a, const void *b)
{
    const struct offline *one = a, *other = b;

    if ( one->group != other->group )
        return one->group < other->group ? -1 : 1;
    if ( one->content != other->content )
        return one->content < other->content ? -1 : 1;
    return (int)one->domid - other->domid;
}

uint64_t model_mergeable(const struct model *m)
{
    uint64_t total = 0, count = 0, mergeable = 0;
    struct offline *all;

    for ( unsigned int i = 0; i < MODEL_DOMAINS; i++ )
        total += m->domains[i].is_member ? m->domains[i].frames : 0;
    all = calloc(total + 1, sizeof(*all));
    assert_non_null(all);
    for ( unsigned int i = 0; i < MODEL_DOMAINS; i++ )
        for ( uint64_t gfn = 0; m->domains[i].is_member && gfn < m->domains[i].frames; gfn++ )
        {
            const struct model_page *p = &m->domains[i].pages[gfn];

            if ( !p->is_absent && (!p->is_held || p->frame) )
                all[count++] = (struct offline){ p->content, m->domains[i].group, i, m->domains[i].within };
        }
    qsort(all, count, sizeof(*all), compare_offline);
    for ( uint64_t i = 0, end; i < count; i = end )
    {
        /* Of one content and group: the frames that are needed are what a domain has that does not share within. */
        uint64_t needed = 1, alone = 0;

        for ( end = i; end < count && all[end].content == all[i].content && all[end].group == all[i].group; end++ )
        {
            alone = end > i && all[end].domid == all[end - 1].domid && !all[end].within ? alone + 1 : 1;
            if ( alone > needed )
                needed = alone;
        }
        if ( needed < (end - i + m->sharers_max) / (m->sharers_max + 1) )
            needed = (end - i + m->sharers_max) / (m->sharers_max + 1);
        mergeable += end - i - needed;
    }
    free(all);

    return mergeable;
}

unsigned int model_effectiveness(const struct model *m)
{
    uint64_t mergeable = model_mergeable(m);

    return mergeable ? m->saved * 1000 / mergeable : 1000;
}

void model_judge(const struct model *m)
{
    assert_int_equal(m->wrong_bytes, 0);
    assert_int_equal(m->wrong_group, 0);
    assert_int_equal(m->wrong_within, 0);
    assert_int_equal(m->too_many, 0);
}

void model_check(const struct model *m, bool exact)
{
    struct decide_statistics statistics;
    struct decide_domain domain;
    uint64_t shared = 0, believed = 0, wrong = 0, in_index;

    model_judge(m);
    decide_get_statistics(m->decide, &statistics);
    /* Who can be a master is in the index, and nobody else. */
    in_index = statistics.kinds[PAGE_UNIQUE] + statistics.kinds[PAGE_MASTER];
    assert_true(statistics.index_entries <= in_index);
    assert_true(statistics.index_entries + statistics.no_place >= in_index);
    for ( unsigned int i = 0; i < MODEL_DOMAINS; i++ )
    {
        uint64_t frames = 0;

        if ( !m->domains[i].is_member )
            continue;
        assert_int_equal(decide_get_domain(m->decide, i, &domain), 0);
        for ( unsigned int kind = 0; kind < PAGE_KINDS; kind++ )
            frames += domain.kinds[kind];
        assert_int_equal(frames, m->domains[i].frames);
        believed += domain.shared;
        for ( uint64_t gfn = 0; gfn < m->domains[i].frames; gfn++ )
            shared += m->domains[i].pages[gfn].frame != NULL;
        if ( !exact )
            continue;
        for ( uint64_t gfn = 0; decide_next_shared(m->decide, i, &gfn); gfn++ )
            wrong += !m->domains[i].pages[gfn].frame;
    }
    /*
     * Where a page is written what it held before, just as another is merged into it, it cannot be known whether it
     * was before or after that.
     */
    if ( exact )
    {
        assert_true(wrong <= shared / 500);
        assert_true(believed - wrong <= shared && believed + shared / 500 >= shared);
    }
}
