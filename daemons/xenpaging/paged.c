/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The life of one paged domain: attach, learn which frames have memory, fail without harm, detach.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <daemon/log.h>

#include "paged.h"
#include "resume.h"

/* The fd is only for waking up: events are taken before the loop sleeps. */
static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct paged *d = arg;

    (void)fd;
    (void)what;
    d->armed = false;
}

/* All but what a later pager, or a later attempt, goes on with. */
static void free_paged(struct paged *d)
{
    d->pager->paged_out_gone += d->statistics.paged_out;
    pagein_abandon(d);
    choose_close(d->choose);
    pages_close(d->pages);
    free(d);
}

void paged_abandon(struct paged *d)
{
    if ( d->readable )
        event_free(d->readable);
    memevent_leave(d->channel);
    store_domain_leave(d->store);
    free_paged(d);
}

int paged_open(struct pager *p, uint16_t domid, struct paged **out, const char **why)
{
    struct paged *d = calloc(1, sizeof(*d));
    char path[64];
    int rc;

    *out = NULL;
    *why = NULL;
    if ( !d )
        return -ENOMEM;
    d->pager = p;
    d->domid = domid;
    d->target = TARGET_NONE;
    d->last_evict = d->last_fault = d->last_flush = p->now - UINT32_MAX / 2;
    streams_init(&d->streams, p->settings->prefetch_limit);

    rc = p->hv->ops->get_domain(p->hv, domid, &d->info);
    if ( rc )
        goto fail;
    memcpy(d->uuid, d->info.uuid, sizeof(d->uuid));
    d->pages_now = d->info.pages;
    d->info_at = p->now;
    snprintf(path, sizeof(path), "/local/domain/%u/name", domid);
    if ( p->hv->ops->read_key(p->hv, path, d->name, sizeof(d->name)) < 0 )
        snprintf(d->name, sizeof(d->name), "domain %u", domid);

    rc = p->hv->ops->get_frame_limit(p->hv, domid, &d->frame_limit);
    if ( !rc && d->frame_limit > PAGES_LIMIT )
        d->frame_limit = PAGES_LIMIT;
    if ( !rc )
        rc = pages_open(&d->pages);
    if ( !rc )
        rc = choose_open(d->pages, &d->choose);
    if ( !rc )
        rc = store_domain_open(p->store, domid, d->uuid, &d->store);
    d->resumed = rc == 1;
    if ( rc >= 0 )
        rc = memevent_attach(p->hv, MEMEVENT_CLASS_PAGING, domid, &d->channel, why);
    if ( !rc )
        rc = loop_watch(p->loop, memevent_fd(d->channel), on_readable, d, &d->readable);
    if ( !rc && d->resumed )
        rc = resume_domain(d);
    if ( rc )
        goto fail;
    d->reports_touches = memevent_reports_touches(d->channel);

    *out = d;
    return 0;

 fail:
    /* What an earlier pager left is not this attempt's to throw away. */
    if ( d->resumed )
        paged_abandon(d);
    else
        paged_close(d);
    return rc;
}

void paged_close(struct paged *d)
{
    if ( !d )
        return;
    if ( d->readable )
        event_free(d->readable);
    memevent_detach(d->channel);
    store_domain_close(d->store);
    free_paged(d);
}

int paged_pause(struct paged *d)
{
    struct hypervisor *hv = d->pager->hv;
    int rc;

    store_domain_set_note(d->store, 1);
    rc = hv->ops->pause_domain(hv, d->domid);
    if ( rc )
        store_domain_set_note(d->store, 0);
    return rc;
}

void paged_unpause(struct paged *d)
{
    struct hypervisor *hv = d->pager->hv;

    hv->ops->unpause_domain(hv, d->domid);
    store_domain_set_note(d->store, 0);
}

bool paged_leave(struct paged *d)
{
    if ( paged_pause(d) )
        return false;
    if ( pagein_serve(d) || paged_left(d) )
        d->quiet_rounds = 0;
    else
        d->quiet_rounds++;
    if ( d->quiet_rounds >= LEAVE_QUIET_ROUNDS )
    {
        event_free(d->readable);
        d->readable = NULL;
        memevent_detach(d->channel);
        d->channel = NULL;
    }
    paged_unpause(d);
    return !d->channel;
}

uint64_t paged_left(const struct paged *d)
{
    uint64_t left = store_count(d->store) + pages_count(d->pages, PAGE_NOMINATED) + d->waiting_count +
                    (d->rescan_id != 0) + d->missing;

    /* Bytes that the store would not keep are nowhere but in these. */
    for ( const struct load *load = d->stuck; load; load = load->next )
        left += !store_has(d->store, load->gfn);
    return left;
}

void paged_refresh(struct paged *d, uint32_t at_most_ms_old)
{
    struct pager *p = d->pager;
    int rc;

    if ( p->now - d->info_at < at_most_ms_old )
        return;
    rc = p->hv->ops->get_domain(p->hv, d->domid, &d->info);
    if ( rc == -ESRCH || (!rc && (d->info.is_dying || memcmp(d->uuid, d->info.uuid, sizeof(d->uuid)))) )
        d->phase = PAGED_GONE;
    d->pages_now = d->info.pages;
    d->info_at = p->now;
    /* What the guest gives up of them is missed by nobody. */
    if ( d->missing > d->info.pages_paged )
        d->missing = d->info.pages_paged;
}

static void note_frame(struct paged *d, uint64_t gfn, enum frame_state state)
{
    struct page *page = state == FRAME_RAM ? pages_make(d->pages, gfn) : pages_find(d->pages, gfn);

    if ( !page )
        return;
    if ( state == FRAME_RAM )
    {
        d->scan_found++;
        if ( page->state == PAGE_OUT && !(page->flags & PAGE_LOADING) )
        {
            /* It was given up and populated anew, and the message about it did not reach us. */
            pagein_forget(d, gfn);
            pages_set(d->pages, page, PAGE_RESIDENT, d->pager->now);
        }
        else if ( page->state == PAGE_ABSENT )
            pages_set(d->pages, page, PAGE_RESIDENT, d->pager->now);
    }
    else if ( page->state == PAGE_RESIDENT || page->state == PAGE_NOMINATED )
        pages_set(d->pages, page, PAGE_ABSENT, d->pager->now);
}

static void find_marks(struct paged *d, uint64_t first, unsigned int count)
{
    uint64_t gfns[HYPERVISOR_QUERY_MAX];
    unsigned int resident = 0;

    for ( uint64_t gfn = first; gfn < first + count; gfn++ )
    {
        const struct page *page = pages_find(d->pages, gfn);

        if ( page && page->state == PAGE_RESIDENT )
            gfns[resident++] = gfn;
    }
    resume_marks(d, gfns, resident);
}

bool paged_scan_step(struct paged *d)
{
    struct pager *p = d->pager;
    uint8_t states[HYPERVISOR_QUERY_MAX];
    uint64_t left = d->frame_limit - d->scan;
    unsigned int count = left < HYPERVISOR_QUERY_MAX ? left : HYPERVISOR_QUERY_MAX;

    if ( !count )
        return false;
    if ( p->hv->ops->query_frames(p->hv, d->domid, d->scan, count, states) )
    {
        d->scan = d->frame_limit;
        return false;
    }
    for ( unsigned int i = 0; i < count; i++ )
        note_frame(d, d->scan + i, states[i]);
    if ( d->resumed )
        find_marks(d, d->scan, count);
    memevent_flush(d->channel);   /* what note_frame() may have answered */
    d->scan += count;
    /* No mark of an earlier pager's may be overlooked: it would be there when we are not any more. */
    if ( !d->resumed && d->scan_found + FRAMES_UNSOUGHT >= d->info.pages )
        d->scan = d->frame_limit;
    if ( d->scan == d->frame_limit )
        d->resumed = false;
    return true;
}

void paged_fail(struct paged *d, uint64_t gfn, int error)
{
    const char *what = error == -EBADMSG ? "its stored bytes are not the ones that were stored (checksum)" :
                       error == -EIO     ? "the file of stored pages cannot be read" : strerror(-error);

    log_message(d->failed ? LOG_ERR : LOG_CRIT, LOG_DOMAIN(d->domid, d->name, "page-in-failed"),
                "page %#" PRIx64 " cannot be given back: %s. The domain is paused, so that it never sees a wrong byte. "
                "Reading is tried again every second and the domain goes on if it succeeds: look after the disk under "
                "%s and the host's memory; if they are beyond repair, 'xl destroy %u' and start it anew",
                gfn, what, d->pager->settings->spill_directory, d->domid);
    d->lost |= !store_has(d->store, gfn);
    d->failed_gfn = gfn;
    if ( d->failed )
        return;
    d->failed = true;
    paged_pause(d);
}
