/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Going on after an earlier pager's death.  The hypervisor knows which frames are out; the store knows their bytes, and
 * may know some too many: of a page that was loaded when the death came before the forgetting.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <daemon/log.h>

#include "resume.h"

/* Frames asked about at a time. */
#define ASK_FRAMES 256U
_Static_assert(ASK_FRAMES <= HYPERVISOR_BATCH_MAX, "one submission");

/* A hypercall that met a page just when Linux moved it fails in passing: tried so often. */
#define ASK_ATTEMPTS 8U

enum answer {
    ANSWER_OUT,
    ANSWER_MARKED,
    ANSWER_NEITHER,
    ANSWER_NONE,                  /* the hypervisor did not say; see error */
};

/* Upstream's hypervisor cannot be asked what is out.  What has no memory and bytes in the store is, or does not care. */
static int ask_upstream(struct hypervisor *hv, uint16_t domid, const uint64_t *gfns, unsigned int count,
                        enum answer *out)
{
    uint8_t state;

    for ( unsigned int i = 0; i < count; i++ )
    {
        int rc = hv->ops->query_frames(hv, domid, gfns[i], 1, &state);

        if ( rc < 0 )
            return rc;
        out[i] = state == FRAME_EMPTY ? ANSWER_OUT : ANSWER_NEITHER;
    }
    return 0;
}

static int ask(struct hypervisor *hv, uint16_t domid, const uint64_t *gfns, unsigned int count, enum answer *out)
{
    struct hypervisor_operation ops[ASK_FRAMES];
    int rc = -EFAULT;

    for ( unsigned int attempt = 0; rc == -EFAULT && attempt < ASK_ATTEMPTS; attempt++ )
    {
        for ( unsigned int i = 0; i < count; i++ )
            ops[i] = (struct hypervisor_operation){ .call = PAGING_QUERY, .domid = domid, .gfn = gfns[i] };
        rc = hv->ops->submit(hv, ops, count);
    }
    if ( !rc && ops[0].status == -ENOSYS )
        rc = -ENOSYS;
    if ( rc == -ENOSYS || rc == -EINVAL )
        return ask_upstream(hv, domid, gfns, count, out);
    if ( rc )
        return rc;
    for ( unsigned int i = 0; i < count; i++ )
    {
        if ( ops[i].status && ops[i].status != -EAGAIN && ops[i].status != -ENOENT )
            return ops[i].status;
        out[i] = !ops[i].status ? ANSWER_OUT : ops[i].status == -EAGAIN ? ANSWER_MARKED : ANSWER_NEITHER;
    }
    return 0;
}

int resume_is_out(struct paged *d, uint64_t gfn)
{
    enum answer answer;
    int rc = ask(d->pager->hv, d->domid, &gfn, 1, &answer);

    return rc ? rc : answer == ANSWER_OUT;
}

/* ---- before domains are opened ---- */

/* Whether the domain that an earlier pager left something of is there. */
static bool is_there(struct pager *p, uint16_t domid, const uint8_t *uuid)
{
    struct domain_info info;
    int rc = p->hv->ops->get_domain(p->hv, domid, &info);

    if ( rc && rc != -ESRCH )
        return true;              /* it may be: whoever opens it finds out */
    return !rc && !info.is_dying && !memcmp(info.uuid, uuid, sizeof(info.uuid));
}

static void forget_the_gone(struct pager *p)
{
    uint8_t uuid[STORE_IDENTITY_SIZE];
    uint16_t domid = 0;

    for ( ; store_domain_left(p->store, &domid, uuid); domid++ )
    {
        if ( is_there(p, domid, uuid) )
            continue;
        log_message(LOG_INFO, LOG_DOMAIN(domid, NULL, "domain-gone"),
                    "domain %u went while no pager ran: what was stored of it is forgotten", domid);
        store_domain_drop(p->store, domid);
    }
}

/* One page of the stage that is out: its bytes go before what the store has. */
static int keep(struct pager *p, struct store_domain *d, uint64_t gfn, const void *bytes)
{
    int rc;

    if ( !store_reserve(p->store, 1) )
        return -ENOSPC;
    store_forget(d, gfn);
    rc = store_put(d, gfn, bytes);
    if ( rc )
        store_unreserve(p->store, 1);
    return rc;
}

int resume_stage(struct pager *p)
{
    const char *bytes = store_stage_pages(p->stage);
    struct store_domain *d = NULL;
    uint16_t domid, last = 0;
    uint64_t gfn;
    enum answer answer;
    int rc;

    forget_the_gone(p);
    for ( unsigned int i = 0; (rc = store_stage_get(p->stage, i, &domid, &gfn)) != 0; i++ )
    {
        if ( rc < 0 )
        {
            log_message(LOG_CRIT, LOG_HOST("state-damaged"),
                        "what was being paged out when the earlier pager died is damaged: a page may be lost, and its domain "
                        "is paused when it needs it");
            continue;
        }
        if ( !d || domid != last )
            d = store_domain_get(p->store, domid);
        last = domid;
        if ( !d )
            continue;             /* gone */
        rc = ask(p->hv, domid, &gfn, 1, &answer);
        if ( !rc && answer == ANSWER_OUT )
            rc = keep(p, d, gfn, bytes + (size_t)i * HYPERVISOR_PAGE_SIZE);
        if ( rc && rc != -ESRCH )
            return rc;
    }
    store_stage_end(p->stage);
    return 0;
}

/* ---- a domain that was attached ---- */

static void resume_run(struct paged *d)
{
    /* It may have died before it paused the domain: then there is nothing to undo.  Whoever else pauses domains is not
     * told apart in that instant; a page that still cannot be read pauses it anew. */
    if ( store_domain_note(d->store) && d->info.is_paused )
        d->pager->hv->ops->unpause_domain(d->pager->hv, d->domid);
    if ( store_domain_note(d->store) )
        store_domain_set_note(d->store, 0);
}

static int check_some(struct paged *d, const uint64_t *gfns, unsigned int count)
{
    enum answer answer[ASK_FRAMES];
    int rc = count ? ask(d->pager->hv, d->domid, gfns, count, answer) : 0;

    for ( unsigned int i = 0; !rc && i < count; i++ )
        if ( answer[i] != ANSWER_OUT )
        {
            struct page *page = pages_find(d->pages, gfns[i]);

            pagein_forget(d, gfns[i]);
            if ( page && page->state == PAGE_OUT )
                pages_set(d->pages, page, PAGE_ABSENT, d->pager->now);
        }
    return rc;
}

int resume_check(struct paged *d)
{
    uint64_t gfns[ASK_FRAMES], gfn = 0;
    unsigned int count = 0;
    int rc = 0;

    for ( ; !rc && store_next(d->store, &gfn); gfn++ )
    {
        gfns[count++] = gfn;
        if ( count < ASK_FRAMES )
            continue;
        rc = check_some(d, gfns, count);
        count = 0;
    }
    return rc ? rc : check_some(d, gfns, count);
}

int resume_domain(struct paged *d)
{
    uint64_t before = store_count(d->store);
    int rc = resume_check(d);

    if ( rc )
        return rc;
    for ( uint64_t gfn = 0; store_next(d->store, &gfn); gfn++ )
    {
        struct page *page = pages_make(d->pages, gfn);

        if ( !page )
            return -ENOMEM;
        pages_set(d->pages, page, PAGE_OUT, d->pager->now);
    }
    d->is_resuming = true;
    resume_run(d);
    log_message(LOG_NOTICE, LOG_DOMAIN(d->domid, d->name, "resumed"),
                "an earlier pager of %s was killed: going on with the %" PRIu64 " pages that are out (%" PRIu64
                " more had come in)", d->name, store_count(d->store), before - store_count(d->store));
    return 0;
}

void resume_marks(struct paged *d, const uint64_t *gfns, unsigned int count)
{
    enum answer answer[ASK_FRAMES];

    while ( count )
    {
        unsigned int some = count < ASK_FRAMES ? count : ASK_FRAMES;

        if ( ask(d->pager->hv, d->domid, gfns, some, answer) )
            return;
        for ( unsigned int i = 0; i < some; i++ )
            if ( answer[i] == ANSWER_MARKED )
                choose_nominated(d->choose, gfns[i], 0, d->pager->now);
        gfns += some;
        count -= some;
    }
}
