/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What becomes of pages: memory of the host, and the operations of submit(), of which those of sharing are in
 * sharing.c.  Who waits for a page is in vcpu.c, how he is told of in channel.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"

struct emulated_frame *emulated_frame(struct emulated_domain *domain, uint64_t gfn)
{
    return gfn < domain->frame_count ? &domain->frames[gfn] : NULL;
}

struct emulated_page *emulated_alloc_page(struct emulated_host *host)
{
    struct emulated_page *page;

    if ( host->pages_used >= host->pages_limit )
        return NULL;
    page = calloc(1, sizeof(*page));
    if ( !page )
        return NULL;
    page->references = 1;
    host->pages_used++;

    return page;
}

void emulated_put_page(struct emulated_host *host, struct emulated_page *page)
{
    if ( --page->references || page->pins )
        return;
    host->pages_used--;
    free(page);
}

void emulated_unpin_page(struct emulated_host *host, struct emulated_page *page)
{
    if ( --page->pins || page->references )
        return;
    host->pages_used--;
    free(page);
}

void emulated_drop_frame(struct emulated_host *host, struct emulated_domain *domain, uint64_t gfn,
                         enum xen_memevent_reason reason)
{
    struct emulated_frame *frame = emulated_frame(domain, gfn);

    if ( frame->state == EMULATED_ABSENT )
        return;
    if ( frame->state == EMULATED_SHARED )
        emulated_unshare(host, domain, gfn, reason, false);
    if ( frame->state == EMULATED_OUT )
        domain->pages_out--;
    else if ( frame->page )
        domain->pages--;
    if ( frame->page )
        emulated_put_page(host, frame->page);
    frame->page = NULL;
    frame->state = EMULATED_ABSENT;
}

/* ---- paging ---- */

static int evict(struct emulated_host *host, struct emulated_domain *domain, struct emulated_frame *frame, void *data)
{
    if ( frame->state != EMULATED_MARKED )
        return -EAGAIN;
    if ( frame->held || frame->page->pins )
        return -EBUSY;
    memcpy(data, frame->page->octets, HYPERVISOR_PAGE_SIZE);
    emulated_put_page(host, frame->page);
    frame->page = NULL;
    frame->state = EMULATED_OUT;
    frame->is_asked = false;
    domain->pages--;
    domain->pages_out++;

    return 0;
}

static int load(struct emulated_host *host, struct emulated_domain *domain, struct emulated_frame *frame,
                const void *data)
{
    struct emulated_page *page;

    if ( frame->state == EMULATED_MARKED && !data )
    {
        frame->state = EMULATED_RAM;
        return 0;
    }
    if ( frame->state != EMULATED_OUT )
        return -ENOENT;
    if ( !data )
        return -EINVAL;
    page = emulated_alloc_page(host);
    if ( !page )
        return -ENOMEM;
    memcpy(page->octets, data, sizeof(page->octets));
    frame->page = page;
    frame->state = EMULATED_RAM;
    domain->pages++;
    domain->pages_out--;
    /* Foreign ones try again; the guest's own vCPUs wait for their answers. */
    pthread_cond_broadcast(&host->changed);

    return 0;
}

static int page(struct emulated_host *host, struct emulated_domain *domain, const struct hypervisor_operation *operation)
{
    struct emulated_frame *frame = emulated_frame(domain, operation->gfn);

    if ( !domain->channels[XEN_MEMEVENT_CLASS_PAGING].live )
        return -ENODEV;
    if ( !frame )
        return operation->call == PAGING_NOMINATE ? -EBUSY : operation->call == PAGING_EVICT ? -EAGAIN : -ENOENT;

    switch ( operation->call )
    {
    case PAGING_NOMINATE:
        if ( frame->state != EMULATED_RAM || frame->held || frame->page->pins )
            return -EBUSY;
        frame->state = EMULATED_MARKED;
        return 0;

    case PAGING_EVICT:
        return evict(host, domain, frame, operation->data);

    case PAGING_LOAD:
        return load(host, domain, frame, operation->data);

    case PAGING_RELEASE:
        if ( frame->state != EMULATED_MARKED )
            return -ENOENT;
        frame->state = EMULATED_RAM;
        return 0;

    case PAGING_QUERY:
        return frame->state == EMULATED_OUT ? 0 : frame->state == EMULATED_MARKED ? -EAGAIN : -ENOENT;

    default:
        return -ENOSYS;
    }
}

/* ---- all of them ---- */

void emulated_carry_out(struct emulated_host *host, struct hypervisor_operation *operation)
{
    struct emulated_domain *domain = emulated_find(host, operation->domid);

    host->counts.operations++;
    if ( !domain )
        operation->status = -ESRCH;
    else if ( operation->call >> 24 == XEN_MEMEVENT_FAMILY_PAGING )
        operation->status = page(host, domain, operation);
    else if ( operation->call >> 24 == XEN_MEMEVENT_FAMILY_SHARING )
        operation->status = emulated_share(host, operation);
    else if ( operation->call == ACCESS_SET )
        operation->status = emulated_set_access(domain, operation);
    else
        operation->status = -ENOSYS;
}
