/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pages on their way in: from an event, or on our own account, through the store to the hypervisor, and
 * the answers to who waited.  Several are in flight; each is answered when it is there, in any order.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <daemon/log.h>

#include "ahead.h"
#include "paged.h"
#include "resume.h"

int pagein_open(struct pager *p)
{
    p->load_buffer = p->hv->ops->alloc_buffer(p->hv, LOADS_MAX);
    if ( !p->load_buffer )
        return -ENOMEM;
    for ( unsigned int i = 0; i < LOADS_MAX; i++ )
    {
        p->loads[i].page = (char *)p->load_buffer + (size_t)i * HYPERVISOR_PAGE_SIZE;
        p->loads[i].next = p->free_loads;
        p->free_loads = &p->loads[i];
    }
    p->free_load_count = LOADS_MAX;
    return 0;
}

void pagein_close(struct pager *p)
{
    p->hv->ops->free_buffer(p->hv, p->load_buffer, LOADS_MAX);
    p->load_buffer = NULL;
}

void pagein_free_load(struct pager *p, struct load *load)
{
    if ( load->held )
        p->held_count--;
    load->paged = NULL;
    load->dropped = load->held = load->here = false;
    load->next = p->free_loads;
    p->free_loads = load;
    p->free_load_count++;
}

/* Answers all who wait for the frame.  They are sent off with the next flush. */
static void answer_waiting(struct paged *d, uint64_t gfn)
{
    for ( unsigned int i = 0; i < d->waiting_count; )
    {
        if ( d->waiting[i].gfn != gfn )
        {
            i++;
            continue;
        }
        memevent_answer(d->channel, d->waiting[i].id);
        d->waiting[i] = d->waiting[--d->waiting_count];
    }
}

/* Pages asked about in one step of a rescan: one crossing, and those who wait for a page do not notice. */
#define RESCAN_PAGES      256U

/* Pages that could not be read are left alone for so long. */
#define UNREADABLE_MS     1000U

/* Nobody is stopped for a page that nobody needs yet. */
static void unreadable(struct paged *d, uint64_t gfn, bool demanded, int error)
{
    struct page *page = pages_find(d->pages, gfn);

    if ( page )
        page->flags |= PAGE_UNREADABLE;
    if ( !d->unreadable )
        d->unreadable_at = d->pager->now;
    d->unreadable = true;
    if ( demanded || d->phase == PAGED_LEAVING )
        paged_fail(d, gfn, error);
    else
        log_message(LOG_ERR, LOG_DOMAIN(d->domid, d->name, "page-unreadable"),
                    "page %#" PRIx64 " cannot be read back (%s); nobody needs it yet, and when somebody does the domain "
                    "will be paused: look after the disk and the host's memory", gfn, strerror(-error));
}

bool pagein_start_load(struct paged *d, uint64_t gfn, bool demanded, bool prefetched)
{
    struct pager *p = d->pager;
    struct load *load = p->free_loads;
    struct page *page = pages_find(d->pages, gfn);
    int rc;

    if ( page && (page->flags & PAGE_HELD) )
    {
        ahead_release(d, gfn, demanded);
        return true;
    }
    if ( !load || !page || (!demanded && p->free_load_count <= LOADS_FOR_FAULTS) )
        return false;
    rc = store_get(d->store, gfn, load->page, load);
    if ( rc < 0 )
    {
        if ( rc != -EAGAIN )
            unreadable(d, gfn, demanded, rc);
        return false;
    }
    p->free_loads = load->next;
    p->free_load_count--;
    load->paged = d;
    load->gfn = gfn;
    load->demanded = demanded;
    load->prefetched = prefetched;
    page->flags |= PAGE_LOADING;
    load->next = NULL;
    if ( rc == 0 )
    {
        load->next = d->ready;
        d->ready = load;
    }
    return true;
}

void pagein_read_done(void *arg, void *cookie, int result)
{
    struct pager *p = arg;
    struct load *load = cookie;
    struct paged *d = load->paged;

    if ( d && !result && !load->dropped && load->held )
    {
        load->here = true;
        return;
    }
    if ( d && !result && !load->dropped )
    {
        load->next = d->ready;
        d->ready = load;
        return;
    }
    if ( d && !load->dropped )
    {
        struct page *page = pages_find(d->pages, load->gfn);

        if ( page )
            page->flags &= ~(PAGE_LOADING | PAGE_HELD | PAGE_MARKER);
        if ( store_has(d->store, load->gfn) )
            unreadable(d, load->gfn, load->demanded, result);
    }
    pagein_free_load(p, load);
}

/* The guest has the page again: what the pager knows of it follows. */
static void note_in(struct paged *d, uint64_t gfn, const struct load *load)
{
    struct page *page = pages_make(d->pages, gfn);

    if ( load )
    {
        store_forget(d->store, gfn);
        d->pages_now++;
        d->last_brought = d->pager->now;
        d->statistics.paged_in++;
        if ( load->prefetched )
            d->statistics.prefetched++;
    }
    if ( !load || load->demanded )
        choose_touched(d->choose, gfn, d->pager->now);
    else if ( page )
        pages_set(d->pages, page, PAGE_RESIDENT, d->pager->now);
}

/* What the hypervisor said of one load.  load is NULL for a frame that needed no bytes. */
static void settle(struct paged *d, uint64_t gfn, struct load *load, int status)
{
    switch ( status )
    {
    case 0:
    case -ENOENT:                 /* not out any more: somebody was faster, or the guest gave it up */
        note_in(d, gfn, load);
        answer_waiting(d, gfn);
        break;
    case -ENOMEM:
        if ( load )
        {
            d->statistics.no_memory++;
            d->pager->memory_short = true;
            d->pager->memory_short_at = d->pager->now;
            load->next = d->stuck;
            d->stuck = load;
            return;
        }
        break;
    case -EFAULT:
        /* Our own page was being moved: it is tried again like one for which there was no memory. */
        if ( load )
        {
            load->next = d->stuck;
            d->stuck = load;
            return;
        }
        break;
    case -ESRCH:
        break;                    /* the domain is going; so are those who wait */
    default:
        if ( load )
        {
            struct page *page = pages_find(d->pages, gfn);

            if ( page )
                page->flags &= ~PAGE_LOADING;
        }
        else if ( status != -EINVAL )
            break;                /* only its state was to be changed: no bytes are missing, and it is tried again */
        paged_fail(d, gfn, status);
        break;
    }
    if ( load )
        pagein_free_load(d->pager, load);
}

static void release_touched(struct paged *d)
{
    struct hypervisor_operation ops[WAITING_MAX];
    unsigned int count = d->touched_count;

    if ( !count )
        return;
    for ( unsigned int i = 0; i < count; i++ )
        ops[i] = (struct hypervisor_operation){
            .call = PAGING_LOAD, .domid = d->domid, .status = -EIO, .gfn = d->touched[i],
        };
    d->touched_count = 0;
    /* Each has its own status, whatever became of the others. */
    d->pager->hv->ops->submit(d->pager->hv, ops, count);
    for ( unsigned int i = 0; i < count; i++ )
        settle(d, ops[i].gfn, NULL, ops[i].status);
}

static void load_ready(struct paged *d)
{
    struct hypervisor_operation ops[LOADS_MAX];
    struct load *loads[LOADS_MAX];
    unsigned int count = 0;

    while ( d->ready )
    {
        struct load *load = d->ready;

        d->ready = load->next;
        if ( load->dropped )
        {
            pagein_free_load(d->pager, load);
            continue;
        }
        loads[count] = load;
        ops[count++] = (struct hypervisor_operation){
            .call = PAGING_LOAD, .domid = d->domid, .status = -EIO, .gfn = load->gfn, .data = load->page,
        };
    }
    if ( !count )
        return;
    d->pager->hv->ops->submit(d->pager->hv, ops, count);
    for ( unsigned int i = 0; i < count; i++ )
        settle(d, ops[i].gfn, loads[i], ops[i].status);
}

void pagein_finish(struct paged *d)
{
    release_touched(d);
    load_ready(d);
    memevent_flush(d->channel);
}

/*
 * A page that is on its way in was given up: its bytes must not arrive any more, because the guest may have populated
 * the frame anew by then, and that may have been paged out since.
 */
void pagein_forget(struct paged *d, uint64_t gfn)
{
    if ( store_forget(d->store, gfn) == 0 )
        d->statistics.dropped++;
    ahead_forget(d, gfn);
    for ( unsigned int i = 0; i < LOADS_MAX; i++ )
        if ( d->pager->loads[i].paged == d && d->pager->loads[i].gfn == gfn )
            d->pager->loads[i].dropped = true;
    /* Nothing will come for a vCPU that touched it before another gave it up: that one finds out by trying again. */
    answer_waiting(d, gfn);
}

/* Its frame is not out any more. */
static void give_up(struct paged *d, uint64_t gfn)
{
    struct page *page = pages_find(d->pages, gfn);

    pagein_forget(d, gfn);
    if ( page )
        pages_set(d->pages, page, PAGE_ABSENT, d->pager->now);
}

static void take_drop(struct paged *d, const struct memevent_event *event)
{
    /*
     * What an earlier pager was told it may have acted on: then the frame was populated anew, and is out again with other
     * bytes.  If the hypervisor does not say, they are kept: too many do no harm.
     */
    if ( !(d->is_resuming || (event->flags & MEMEVENT_FLAG_AGAIN)) || !resume_is_out(d, event->gfn) )
        give_up(d, event->gfn);
    memevent_answer(d->channel, event->id);
}

bool pagein_rescan(struct paged *d)
{
    struct hypervisor_operation ops[RESCAN_PAGES];
    unsigned int count;

    if ( !d->rescan_id )
        return false;
    for ( count = 0; count < RESCAN_PAGES && store_next(d->store, &d->rescan_from); count++ )
        ops[count] = (struct hypervisor_operation){
            .call = PAGING_QUERY, .domid = d->domid, .gfn = d->rescan_from++,
        };
    if ( count )
    {
        uint64_t first = ops[0].gfn;

        if ( d->pager->hv->ops->submit(d->pager->hv, ops, count) )
        {
            d->rescan_from = first;
            return false;
        }
        for ( unsigned int i = 0; i < count; i++ )
            if ( ops[i].status == -EAGAIN || ops[i].status == -ENOENT )
                give_up(d, ops[i].gfn);
    }
    if ( count < RESCAN_PAGES )
    {
        memevent_answer(d->channel, d->rescan_id);
        d->rescan_id = 0;
    }
    memevent_flush(d->channel);
    return true;
}

static void take(struct paged *d, const struct memevent_event *event)
{
    const struct page *page = pages_find(d->pages, event->gfn);
    bool is_marker = page && (page->flags & PAGE_MARKER), is_ready;
    struct stream_window window = { 0 };

    switch ( event->kind )
    {
    case MEMEVENT_PAGING_POPULATE:
    case MEMEVENT_PAGING_TOUCHED:
        break;
    case MEMEVENT_PAGING_DROP:
        take_drop(d, event);
        return;
    case MEMEVENT_PAGING_RESCAN:
        d->rescan_id = event->id;
        d->rescan_from = 0;
        return;
    default:
        memevent_answer(d->channel, event->id);
        return;
    }
    d->waiting[d->waiting_count++] = *event;
    if ( event->kind == MEMEVENT_PAGING_TOUCHED || !store_has(d->store, event->gfn) )
    {
        d->touched[d->touched_count++] = event->gfn;
        if ( is_marker )
            ahead_want(d, streams_marker(&d->streams, event->gfn));
        return;
    }
    is_ready = page && (page->flags & PAGE_HELD);
    if ( page && !(page->flags & PAGE_LOADING) )
        pagein_start_load(d, event->gfn, true, false);
    if ( is_marker )
        window = streams_marker(&d->streams, event->gfn);
    if ( !is_ready )
    {
        d->statistics.faults++;
        d->last_fault = d->pager->now;
    }
    if ( !window.count )
        window = streams_fault(&d->streams, event->gfn);
    ahead_want(d, window);
}

unsigned int pagein_serve(struct paged *d)
{
    struct memevent_event event;
    uint64_t from = latency_clock(), time;
    unsigned int taken = 0;
    int rc = 0;

    while ( d->waiting_count < WAITING_MAX && d->touched_count < WAITING_MAX )
    {
        rc = memevent_next(d->channel, &event);
        if ( rc != 1 )
            break;
        take(d, &event);
        taken++;
    }
    if ( rc < 0 && !d->broken )
    {
        d->broken = true;
        log_message(LOG_CRIT, LOG_DOMAIN(d->domid, d->name, "ring-broken"),
                    "the paging ring makes no sense (%s): its page faults cannot be served any more, and the domain "
                    "waits; destroy and restart it, and report this with the output of 'xl dmesg'", strerror(-rc));
    }
    if ( rc == 0 )
        d->is_resuming = false;
    if ( !taken )
        return 0;
    pagein_finish(d);
    time = latency_clock() - from;
    for ( unsigned int i = 0; i < taken; i++ )
        latency_add(&d->service, time);
    ahead_fetch(d);
    return taken;
}

void pagein_retry(struct paged *d)
{
    while ( d->stuck )
    {
        struct load *load = d->stuck;

        d->stuck = load->next;
        load->next = d->ready;
        d->ready = load;
    }
    if ( d->failed && store_has(d->store, d->failed_gfn) )
    {
        const struct page *page = pages_find(d->pages, d->failed_gfn);

        if ( page && !(page->flags & PAGE_LOADING) )
            pagein_start_load(d, d->failed_gfn, true, false);
    }
    for ( unsigned int i = 0; i < d->waiting_count; i++ )
    {
        const struct page *page = pages_find(d->pages, d->waiting[i].gfn);

        if ( !page || page->state != PAGE_OUT )
            d->touched[d->touched_count++] = d->waiting[i].gfn;
        else if ( !(page->flags & PAGE_LOADING) )
            pagein_start_load(d, d->waiting[i].gfn, true, false);
    }
    if ( d->ready || d->touched_count )
        pagein_finish(d);
}

unsigned int pagein_bring(struct paged *d, unsigned int max)
{
    uint64_t gfn = d->bring_from;
    unsigned int started = 0;

    if ( d->unreadable && d->pager->now - d->unreadable_at >= UNREADABLE_MS )
    {
        pages_clear_flag(d->pages, PAGE_UNREADABLE);
        d->unreadable = false;
    }
    while ( started < max )
    {
        const struct page *page;

        if ( !store_next(d->store, &gfn) )
        {
            /* What could not be started on the way is found on the next round. */
            d->bring_from = 0;
            break;
        }
        page = pages_find(d->pages, gfn);
        if ( page && !(page->flags & (PAGE_LOADING | PAGE_UNREADABLE)) )
        {
            if ( !pagein_start_load(d, gfn, false, false) && d->pager->free_load_count <= LOADS_FOR_FAULTS )
                break;
            started++;
        }
        d->bring_from = ++gfn;
    }
    if ( d->ready )
        pagein_finish(d);
    return started;
}

void pagein_return(struct paged *d, uint64_t gfn, const void *bytes)
{
    struct pager *p = d->pager;
    struct load *load = p->free_loads;
    struct page *page = pages_find(d->pages, gfn);

    if ( !load || !page )
    {
        paged_fail(d, gfn, -ENOBUFS);
        return;
    }
    p->free_loads = load->next;
    p->free_load_count--;
    pages_set(d->pages, page, PAGE_OUT, p->now);
    page->flags |= PAGE_LOADING;
    memcpy(load->page, bytes, HYPERVISOR_PAGE_SIZE);
    *load = (struct load){ .next = d->ready, .paged = d, .gfn = gfn, .page = load->page, .demanded = true };
    d->ready = load;
    pagein_finish(d);
}

void pagein_abandon(struct paged *d)
{
    struct load **lists[] = { &d->ready, &d->stuck };

    ahead_abandon(d);
    for ( unsigned int i = 0; i < 2; i++ )
    {
        while ( *lists[i] )
        {
            struct load *load = *lists[i];

            *lists[i] = load->next;
            load->paged = NULL;
            pagein_free_load(d->pager, load);
        }
    }
    for ( unsigned int i = 0; i < LOADS_MAX; i++ )
        if ( d->pager->loads[i].paged == d )
            d->pager->loads[i].paged = NULL;
}
