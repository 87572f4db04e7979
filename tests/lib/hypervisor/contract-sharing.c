/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The contract of sharing, and of what dom0 maps.  Statuses are asked for while the guest is paused, so that each is what
 * it has to be; what its writes do, once it goes on.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <memevent/operations.h>

#include "contract-private.h"

#define RECORDS 64
/* A vCPU that found no memory has asked once more, or has gone on, within so long. */
#define SETTLE_MS 2000

/* Two frames of the guest's that are equal, and one that is like neither. */
struct pair {
    uint64_t a, b, other;
};

static bool find_pair(struct contract *c, struct pair *pair)
{
    uint64_t gfns[HYPERVISOR_MAP_MAX];
    int errors[HYPERVISOR_MAP_MAX], rc;
    const void *mapping;
    const char *octets;
    bool found = false;

    for ( unsigned int i = 0; i < c->count; i++ )
        gfns[i] = c->first + i;
    rc = c->hv->ops->map_frames(c->hv, c->domid, gfns, c->count, errors, &mapping);
    EXPECT(c, rc, 0);
    if ( rc )
        return false;
    octets = mapping;
    for ( unsigned int i = 0; i < c->count; i++ )
        EXPECT(c, errors[i], 0);
    for ( unsigned int i = 0; i < c->count && !found; i++ )
        for ( unsigned int j = i + 1; j < c->count && !found; j++ )
        {
            found = !memcmp(octets + i * (size_t)HYPERVISOR_PAGE_SIZE, octets + j * (size_t)HYPERVISOR_PAGE_SIZE,
                            HYPERVISOR_PAGE_SIZE);
            pair->a = c->first + i;
            pair->b = c->first + j;
        }
    for ( unsigned int i = 0; i < c->count && found; i++ )
        if ( memcmp(octets + i * (size_t)HYPERVISOR_PAGE_SIZE,
                    octets + (pair->a - c->first) * HYPERVISOR_PAGE_SIZE, HYPERVISOR_PAGE_SIZE) )
            pair->other = gfns[i];
    c->hv->ops->unmap_frames(c->hv, mapping, c->count);
    if ( !found || !pair->other )
        contract_fail(c, __FILE__, __LINE__, "the guest has no two frames that are equal, and one that is not");

    return found && pair->other;
}

static int share(struct contract *c, uint32_t call, uint64_t gfn, uint64_t *handle)
{
    struct hypervisor_operation one = { .call = call, .domid = c->domid, .gfn = gfn };
    int rc = c->hv->ops->submit(c->hv, &one, 1);

    if ( handle )
        *handle = one.sharing.handle;

    return rc ? rc : one.status;
}

static int merge(struct contract *c, uint64_t source, uint16_t client_domid, uint64_t client, uint32_t *outcome,
                 uint64_t *handle)
{
    struct hypervisor_operation one = {
        .call = SHARING_MERGE, .domid = c->domid, .gfn = source,
        .sharing = { .client_domid = client_domid, .client_gfn = client },
    };
    int rc = c->hv->ops->submit(c->hv, &one, 1);

    *outcome = one.sharing.outcome;
    *handle = one.sharing.handle;

    return rc ? rc : one.status;
}

/* What is asked of a pair, and what has to come of it. */
static void expect_merge(struct contract *c, uint64_t source, uint64_t client, int status, uint32_t outcome)
{
    uint64_t handle;
    uint32_t found;

    EXPECT(c, merge(c, source, c->domid, client, &found, &handle), status);
    EXPECT(c, found, outcome);
    EXPECT(c, handle != 0, !status);
}

static void expect_books(struct contract *c, const struct memory_info *before, const struct domain_info *domain,
                         int shared, int saved, int frames)
{
    struct memory_info memory;
    struct domain_info now;

    EXPECT(c, c->hv->ops->get_memory(c->hv, &memory), 0);
    EXPECT(c, memory.pages_shared - before->pages_shared, shared);
    EXPECT(c, memory.pages_saved - before->pages_saved, saved);
    EXPECT(c, c->hv->ops->get_domain(c->hv, c->domid, &now), 0);
    EXPECT(c, now.pages_shared - domain->pages_shared, frames);
    EXPECT(c, (long long)(now.pages - domain->pages), -frames);
}

/* Nominated for nothing, and given back by who did it. */
static void expect_private(struct contract *c, uint64_t gfn)
{
    EXPECT(c, share(c, SHARING_UNSHARE, gfn, NULL), -ENOENT);
}

static void ask_held(struct contract *c, const struct pair *pair)
{
    const void *mapping;
    int error;

    EXPECT(c, c->hv->ops->map_frames(c->hv, c->domid, &pair->b, 1, &error, &mapping), 0);
    expect_merge(c, pair->a, pair->b, -EBUSY, MEMEVENT_CLIENT);
    expect_merge(c, pair->b, pair->a, -EBUSY, MEMEVENT_SOURCE);
    EXPECT(c, share(c, SHARING_NOMINATE, pair->b, NULL), -EBUSY);
    if ( mapping )
        c->hv->ops->unmap_frames(c->hv, mapping, 1);
    expect_private(c, pair->a);
    expect_private(c, pair->b);
}

static void ask_sharing(struct contract *c, const struct pair *pair)
{
    uint64_t handle, first, limit = 0;
    struct memory_info before;
    struct domain_info domain;
    uint32_t outcome;
    uint8_t state = 0;
    int errors;

    EXPECT(c, c->hv->ops->get_memory(c->hv, &before), 0);
    EXPECT(c, c->hv->ops->get_domain(c->hv, c->domid, &domain), 0);
    expect_private(c, pair->a);
    expect_merge(c, pair->a, pair->other, -EILSEQ, MEMEVENT_DIFFERENT);
    expect_private(c, pair->a);
    expect_private(c, pair->other);
    expect_books(c, &before, &domain, 0, 0, 0);

    EXPECT(c, merge(c, pair->a, c->domid, pair->b, &outcome, &first), 0);
    EXPECT(c, outcome, MEMEVENT_MERGED);
    expect_books(c, &before, &domain, 1, 1, 2);
    EXPECT(c, merge(c, pair->a, c->domid, pair->b, &outcome, &handle), 0);
    EXPECT(c, outcome, MEMEVENT_ALREADY);
    EXPECT(c, handle == first, 1);
    EXPECT(c, share(c, SHARING_NOMINATE, pair->b, &handle), 0);
    EXPECT(c, handle == first, 1);
    EXPECT(c, c->hv->ops->query_frames(c->hv, c->domid, pair->b, 1, &state), 0);
    EXPECT(c, state, FRAME_RAM);
    /* Another that is not equal takes none of it apart. */
    expect_merge(c, pair->a, pair->other, -EILSEQ, MEMEVENT_DIFFERENT);
    expect_books(c, &before, &domain, 1, 1, 2);

    EXPECT(c, share(c, SHARING_UNSHARE, pair->b, NULL), 0);
    expect_private(c, pair->b);
    expect_books(c, &before, &domain, 1, 0, 1);
    EXPECT(c, share(c, SHARING_UNSHARE, pair->a, NULL), 0);
    expect_books(c, &before, &domain, 0, 0, 0);

    /* What it was is never again. */
    EXPECT(c, merge(c, pair->a, c->domid, pair->b, &outcome, &handle), 0);
    EXPECT(c, handle != first, 1);
    EXPECT(c, share(c, SHARING_UNSHARE, pair->a, NULL), 0);
    EXPECT(c, share(c, SHARING_UNSHARE, pair->b, NULL), 0);
    ask_held(c, pair);

    EXPECT(c, merge(c, pair->a, 0x7fef, pair->b, &outcome, &handle), -ESRCH);
    EXPECT(c, c->hv->ops->get_frame_limit(c->hv, c->domid, &limit), 0);
    EXPECT(c, share(c, SHARING_NOMINATE, limit + 16, NULL), -EINVAL);
    errors = c->hv->ops->audit_sharing(c->hv);
    EXPECT(c, errors, errors == -EOPNOTSUPP ? errors : 0);
    expect_books(c, &before, &domain, 0, 0, 0);
}

void contract_sharing(struct contract *c)
{
    struct hypervisor_info info;
    const char *why = NULL;
    struct pair pair = { 0 };

    EXPECT(c, c->hv->ops->probe(c->hv, &info), 0);
    EXPECT(c, info.has_sharing, 1);
    EXPECT(c, c->hv->ops->enable_sharing(c->hv, c->domid, &why), 0);
    EXPECT(c, c->hv->ops->enable_sharing(c->hv, 0x7fef, &why), -ESRCH);
    EXPECT(c, c->hv->ops->pause_domain(c->hv, c->domid), 0);
    if ( find_pair(c, &pair) )
        ask_sharing(c, &pair);
    EXPECT(c, c->hv->ops->unpause_domain(c->hv, c->domid), 0);
}

/* ---- records ---- */

struct seen {
    unsigned int frames, handles;
    uint64_t lost;
};

/* Those about a frame and about a handle, with a reason, of what is there. */
static void take(struct contract *c, uint64_t gfn, uint64_t handle, uint8_t reason, struct seen *seen)
{
    struct memevent_record records[RECORDS];
    uint64_t lost;
    int got;

    do {
        got = memevent_take_records(c->channel, records, RECORDS, &lost);
        EXPECT(c, got >= 0, 1);
        seen->lost += lost;
        for ( int i = 0; i < got; i++ )
        {
            seen->frames += records[i].kind == MEMEVENT_RECORD_GFN && records[i].domid == c->domid &&
                            records[i].what == gfn && records[i].reason == reason;
            seen->handles += records[i].kind == MEMEVENT_RECORD_HANDLE && records[i].what == handle &&
                             records[i].reason == reason;
        }
    } while ( got > 0 );
}

/* Until it was seen, for as long as the deadline's wake-ups let one wait. */
static struct seen wait_for(struct contract *c, uint64_t gfn, uint64_t handle, uint8_t reason)
{
    struct pollfd one = { .fd = memevent_fd(c->channel), .events = POLLIN };
    double end = contract_now() + PATIENCE_MS / 1000.0;
    struct seen seen = { 0 };

    for ( ;; )
    {
        take(c, gfn, handle, reason, &seen);
        if ( (seen.frames && (!handle || seen.handles)) || contract_now() > end )
            return seen;
        if ( !memevent_arm(c->channel) )
            poll(&one, 1, PATIENCE_MS);
    }
}

void contract_records(struct contract *c)
{
    struct memevent_channel_info info;
    struct pair pair = { 0 };
    struct seen seen;
    uint64_t handle;
    uint32_t outcome;

    if ( !contract_attach(c, MEMEVENT_CLASS_INVALIDATE) )
        return;
    EXPECT(c, c->hv->ops->pause_domain(c->hv, c->domid), 0);
    if ( find_pair(c, &pair) )
    {
        /* Of two frames one leaves, and then the last, and with it the handle. */
        EXPECT(c, merge(c, pair.a, c->domid, pair.b, &outcome, &handle), 0);
        EXPECT(c, share(c, SHARING_UNSHARE, pair.b, NULL), 0);
        seen = wait_for(c, pair.b, 0, MEMEVENT_UNSHARED);
        EXPECT(c, seen.frames, 1);
        EXPECT(c, share(c, SHARING_UNSHARE, pair.a, NULL), 0);
        seen = wait_for(c, pair.a, handle, MEMEVENT_UNSHARED);
        EXPECT(c, seen.frames, 1);
        EXPECT(c, seen.handles, 1);

        /* And by the guest's own writes, both. */
        EXPECT(c, merge(c, pair.a, c->domid, pair.b, &outcome, &handle), 0);
    }
    EXPECT(c, c->hv->ops->unpause_domain(c->hv, c->domid), 0);
    if ( pair.other )
    {
        seen = wait_for(c, pair.a, 0, MEMEVENT_UNSHARED);
        EXPECT(c, seen.frames, 1);
    }
    EXPECT(c, memevent_get_channel_info(c->channel, &info), 0);
    EXPECT(c, info.produced >= 3, 1);
    contract_detach(c);
    (void)share(c, SHARING_UNSHARE, pair.a, NULL);
    (void)share(c, SHARING_UNSHARE, pair.b, NULL);
}

/* ---- no memory ---- */

void contract_no_memory(struct contract *c)
{
    struct memevent_event event;
    struct pair pair = { 0 };
    unsigned int asked = 0;
    uint64_t handle;
    uint32_t outcome;
    bool has_given = false;

    if ( !c->means )
    {
        printf("  without means to take the host's memory\n");
        return;
    }
    if ( !contract_attach(c, MEMEVENT_CLASS_OOM) )
        return;
    EXPECT(c, c->hv->ops->pause_domain(c->hv, c->domid), 0);
    if ( find_pair(c, &pair) )
    {
        EXPECT(c, merge(c, pair.a, c->domid, pair.b, &outcome, &handle), 0);
        EXPECT(c, c->means->take_memory(c->means->opaque), 0);
        EXPECT(c, share(c, SHARING_UNSHARE, pair.b, NULL), -ENOMEM);
    }
    EXPECT(c, c->hv->ops->unpause_domain(c->hv, c->domid), 0);
    /* The first to write waits, and asks again for as long as there is nothing. */
    while ( pair.other && contract_wait_event(c, &event, has_given ? SETTLE_MS : PATIENCE_MS) )
    {
        asked++;
        EXPECT(c, event.kind, MEMEVENT_OOM_UNSHARE);
        EXPECT(c, event.gfn == pair.a || event.gfn == pair.b, 1);
        EXPECT(c, event.flags, MEMEVENT_FLAG_VCPU_PAUSED);
        if ( asked == 3 )
        {
            EXPECT(c, c->means->give_memory(c->means->opaque), 0);
            has_given = true;
        }
        EXPECT(c, memevent_answer(c->channel, event.id), 0);
        EXPECT(c, memevent_flush(c->channel), 0);
    }
    EXPECT(c, asked >= 3 || !pair.other, 1);
    if ( pair.other && !has_given )
        EXPECT(c, c->means->give_memory(c->means->opaque), 0);
    contract_detach(c);
    (void)share(c, SHARING_UNSHARE, pair.a, NULL);
    (void)share(c, SHARING_UNSHARE, pair.b, NULL);
}

/* ---- dom0's mappings ---- */

struct mapper {
    struct contract *c;
    pthread_t thread;
    uint64_t gfn;
    const void *mapping;
    int rc, error;
};

static void *run_mapper(void *argument)
{
    struct mapper *m = argument;

    m->rc = m->c->hv->ops->map_frames(m->c->hv, m->c->domid, &m->gfn, 1, &m->error, &m->mapping);

    return NULL;
}

/* A page that is out and that dom0 maps is asked for by nobody of the guest's, and dom0 waits for it. */
void contract_foreign(struct contract *c)
{
    struct mapper m = { .c = c, .gfn = c->first + 4 };
    struct memevent_event event = { 0 };

    if ( !contract_attach(c, MEMEVENT_CLASS_PAGING) )
        return;
    EXPECT(c, c->hv->ops->pause_domain(c->hv, c->domid), 0);
    /* Nobody of the guest's comes in between. */
    if ( contract_take_out(c, 4) && !pthread_create(&m.thread, NULL, run_mapper, &m) )
    {
        EXPECT(c, contract_wait_event(c, &event, PATIENCE_MS), 1);
        EXPECT(c, event.gfn, m.gfn);
        EXPECT(c, event.kind, MEMEVENT_PAGING_POPULATE);
        EXPECT(c, event.flags, MEMEVENT_FLAG_FOREIGN);
        contract_load(c, 4);
        EXPECT(c, memevent_answer(c->channel, event.id), 0);
        EXPECT(c, memevent_flush(c->channel), 0);
        pthread_join(m.thread, NULL);
        EXPECT(c, m.rc, 0);
        EXPECT(c, m.error, 0);
        if ( m.mapping )
        {
            EXPECT(c, memcmp(m.mapping, c->pages + 4 * (size_t)HYPERVISOR_PAGE_SIZE, HYPERVISOR_PAGE_SIZE), 0);
            c->hv->ops->unmap_frames(c->hv, m.mapping, 1);
        }
    }
    EXPECT(c, c->hv->ops->unpause_domain(c->hv, c->domid), 0);
    contract_detach(c);
}
