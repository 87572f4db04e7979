/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What becomes of pages: the operations of submit(), memory of the host, sharing and what it tells of.  Who waits
 * for a page is in vcpu.c, how he is told of in channel.c.
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
    if ( --page->references )
        return;
    host->pages_used--;
    free(page);
}

static void tell_frame(struct emulated_host *host, const struct emulated_domain *domain, uint64_t gfn,
                       enum xen_memevent_reason reason)
{
    const struct xen_memevent_record record = {
        .what = gfn, .domid = domain->domid, .kind = XEN_MEMEVENT_GFN, .reason = reason,
    };

    emulated_tell(host, &record);
}

static void tell_handle(struct emulated_host *host, uint64_t handle, enum xen_memevent_reason reason)
{
    const struct xen_memevent_record record = { .what = handle, .kind = XEN_MEMEVENT_HANDLE, .reason = reason };

    emulated_tell(host, &record);
}

int emulated_unshare(struct emulated_host *host, struct emulated_domain *domain, uint64_t gfn,
                     enum xen_memevent_reason reason, bool copy)
{
    struct emulated_frame *frame = emulated_frame(domain, gfn);
    struct emulated_page *shared = frame->page, *own = NULL;

    if ( shared->references == 1 )
    {
        /* The last one keeps it. */
        tell_handle(host, shared->handle, reason);
        shared->handle = 0;
        frame->state = EMULATED_RAM;
        return 0;
    }

    if ( copy )
    {
        own = emulated_alloc_page(host);
        if ( !own )
            return -ENOMEM;
        memcpy(own->octets, shared->octets, sizeof(own->octets));
    }
    tell_frame(host, domain, gfn, reason);
    emulated_put_page(host, shared);
    frame->page = own;
    frame->state = own ? EMULATED_RAM : EMULATED_ABSENT;

    return 0;
}

void emulated_drop_frame(struct emulated_host *host, struct emulated_domain *domain, uint64_t gfn,
                         enum xen_memevent_reason reason)
{
    struct emulated_frame *frame = emulated_frame(domain, gfn);

    if ( frame->state == EMULATED_ABSENT )
        return;
    if ( frame->state == EMULATED_OUT )
        domain->pages_out--;
    else
        domain->pages--;
    if ( frame->state == EMULATED_SHARED )
        emulated_unshare(host, domain, gfn, reason, false);
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
    if ( frame->held )
        return -EBUSY;
    memcpy(data, frame->page->octets, HYPERVISOR_PAGE_SIZE);
    emulated_put_page(host, frame->page);
    frame->page = NULL;
    frame->state = EMULATED_OUT;
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
        if ( frame->state != EMULATED_RAM || frame->held )
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

/* ---- sharing ---- */

static int nominate(struct emulated_host *host, struct emulated_frame *frame)
{
    if ( !frame || (frame->state != EMULATED_RAM && frame->state != EMULATED_SHARED) || frame->held )
        return -EBUSY;
    if ( frame->state == EMULATED_RAM )
    {
        frame->state = EMULATED_SHARED;
        frame->page->handle = ++host->last_handle;
    }

    return 0;
}

static int merge(struct emulated_host *host, struct emulated_domain *domain, struct hypervisor_operation *operation)
{
    struct emulated_domain *client_domain = emulated_find(host, operation->sharing.client_domid);
    struct emulated_frame *source = emulated_frame(domain, operation->gfn), *client;
    int rc;

    if ( !client_domain )
        return -ESRCH;
    client = emulated_frame(client_domain, operation->sharing.client_gfn);
    rc = nominate(host, source);
    operation->sharing.outcome = rc ? XEN_MEMEVENT_SOURCE : 0;
    if ( rc )
        return rc;
    rc = nominate(host, client);
    operation->sharing.outcome = rc ? XEN_MEMEVENT_CLIENT : 0;
    if ( rc )
        return rc;
    operation->sharing.outcome = XEN_MEMEVENT_ALREADY;
    operation->sharing.handle = source->page->handle;
    if ( source->page == client->page )
        return 0;
    if ( memcmp(source->page->octets, client->page->octets, HYPERVISOR_PAGE_SIZE) )
    {
        operation->sharing.outcome = XEN_MEMEVENT_DIFFERENT;
        operation->sharing.handle = 0;
        return -EILSEQ;
    }
    if ( client->page->references == 1 )
        tell_handle(host, client->page->handle, XEN_MEMEVENT_REPLACED);
    else
        tell_frame(host, client_domain, operation->sharing.client_gfn, XEN_MEMEVENT_REPLACED);
    emulated_put_page(host, client->page);
    source->page->references++;
    client->page = source->page;
    operation->sharing.outcome = XEN_MEMEVENT_MERGED;

    return 0;
}

static int share(struct emulated_host *host, struct emulated_domain *domain, struct hypervisor_operation *operation)
{
    struct emulated_frame *frame = emulated_frame(domain, operation->gfn);
    int rc;

    switch ( operation->call )
    {
    case SHARING_NOMINATE:
        rc = nominate(host, frame);
        if ( !rc )
            operation->sharing.handle = frame->page->handle;
        return rc;

    case SHARING_MERGE:
        return merge(host, domain, operation);

    case SHARING_UNSHARE:
        if ( !frame || frame->state != EMULATED_SHARED )
            return -ENOENT;
        return emulated_unshare(host, domain, operation->gfn, XEN_MEMEVENT_UNSHARED, true);

    default:
        return -ENOSYS;
    }
}

void emulated_carry_out(struct emulated_host *host, struct hypervisor_operation *operation)
{
    struct emulated_domain *domain = emulated_find(host, operation->domid);

    host->counts.operations++;
    if ( !domain )
        operation->status = -ESRCH;
    else if ( operation->call >> 24 == XEN_MEMEVENT_FAMILY_PAGING )
        operation->status = page(host, domain, operation);
    else if ( operation->call >> 24 == XEN_MEMEVENT_FAMILY_SHARING )
        operation->status = share(host, domain, operation);
    else
        operation->status = -ENOSYS;
}
