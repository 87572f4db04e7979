/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What dom0 does to a guest's memory: mappings, and accesses through them.  A frame that is out is asked for, and waited
 * for; whoever writes gives a shared page a copy.  Also the hook, by which a test comes in between.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"

/* A mapping is a copy that was made in one instant; the pages themselves are only pinned. */
struct mapping {
    struct emulated_page **pages;
    uint16_t domid;
    uint64_t first;
    uint8_t octets[] __attribute__((aligned(HYPERVISOR_PAGE_SIZE)));
};

void emulated_step(struct emulated_host *host, enum emulated_step step, uint16_t domid, uint64_t gfn)
{
    emulated_hook hook = host->hook;
    void *opaque = host->hook_opaque;

    if ( !hook )
        return;
    pthread_mutex_unlock(&host->lock);
    hook(opaque, step, domid, gfn);
    pthread_mutex_lock(&host->lock);
}

/* The frame's page once it is there; NULL and *rc: it will not be. */
static struct emulated_frame *wait_for(struct emulated_host *host, uint16_t domid, uint64_t gfn, int *rc)
{
    struct emulated_domain *domain;
    struct emulated_frame *frame;

    for ( ;; )
    {
        domain = emulated_find(host, domid);
        frame = domain ? emulated_frame(domain, gfn) : NULL;
        *rc = !domain ? -ESRCH : !frame || frame->state == EMULATED_ABSENT ? -EINVAL : 0;
        if ( *rc )
            return NULL;
        if ( frame->state == EMULATED_MARKED )
            frame->state = EMULATED_RAM;
        if ( frame->state != EMULATED_OUT )
            return frame;
        /* Once: dom0 tries again until it is there, and the hypervisor knows that it was asked for. */
        if ( !frame->is_asked )
            frame->is_asked = !emulated_ask(domain, MEMEVENT_CLASS_PAGING, XEN_MEMEVENT_PAGING_POPULATE,
                                            EMULATED_FOREIGN, gfn);
        pthread_cond_wait(&host->changed, &host->lock);
    }
}

int emulated_map_frames(struct hypervisor *hv, uint16_t domid, const uint64_t *gfns, unsigned int count, int *errors,
                        const void **out)
{
    struct emulated_host *host = emulated_host_of(hv);
    struct mapping *mapping;
    unsigned int i;
    int rc = 0;

    *out = NULL;
    if ( !count || count > HYPERVISOR_MAP_MAX )
        return -EINVAL;
    mapping = aligned_alloc(HYPERVISOR_PAGE_SIZE, sizeof(*mapping) + (size_t)count * HYPERVISOR_PAGE_SIZE);
    if ( !mapping )
        return -ENOMEM;
    mapping->pages = calloc(count, sizeof(*mapping->pages));
    mapping->domid = domid;
    mapping->first = gfns[0];
    if ( !mapping->pages )
    {
        free(mapping);
        return -ENOMEM;
    }

    pthread_mutex_lock(&host->lock);
    host->counts.hypercalls++;
    host->counts.system_calls += 2;
    if ( !emulated_find(host, domid) )
        rc = -ESRCH;
    for ( i = 0; i < count && !rc; i++ )
    {
        struct emulated_frame *frame = wait_for(host, domid, gfns[i], &errors[i]);

        if ( !frame )
            continue;
        mapping->pages[i] = frame->page;
        frame->page->pins++;
        memcpy(mapping->octets + (size_t)i * HYPERVISOR_PAGE_SIZE, frame->page->octets, HYPERVISOR_PAGE_SIZE);
    }
    if ( !rc )
        emulated_step(host, EMULATED_STEP_MAPPED, domid, gfns[0]);
    pthread_mutex_unlock(&host->lock);
    if ( rc )
    {
        free(mapping->pages);
        free(mapping);
        return rc;
    }
    *out = mapping->octets;

    return 0;
}

void emulated_unmap_frames(struct hypervisor *hv, const void *octets, unsigned int count)
{
    struct emulated_host *host = emulated_host_of(hv);
    struct mapping *mapping;
    unsigned int i;

    if ( !octets )
        return;
    mapping = (struct mapping *)((uintptr_t)octets - offsetof(struct mapping, octets));
    pthread_mutex_lock(&host->lock);
    host->counts.system_calls++;
    for ( i = 0; i < count; i++ )
        if ( mapping->pages[i] )
            emulated_unpin_page(host, mapping->pages[i]);
    emulated_step(host, EMULATED_STEP_UNMAPPED, mapping->domid, mapping->first);
    pthread_mutex_unlock(&host->lock);
    free(mapping->pages);
    free(mapping);
}

int emulated_access_foreign(struct hypervisor *hv, uint16_t domid, uint64_t gfn, unsigned int offset, void *octets,
                            unsigned int size, bool is_write)
{
    struct emulated_host *host = emulated_host_of(hv);
    struct emulated_domain *domain;
    struct emulated_frame *frame;
    int rc;

    if ( offset >= HYPERVISOR_PAGE_SIZE || size > HYPERVISOR_PAGE_SIZE - offset )
        return -EINVAL;
    pthread_mutex_lock(&host->lock);
    frame = wait_for(host, domid, gfn, &rc);
    domain = emulated_find(host, domid);
    if ( frame && is_write && frame->state == EMULATED_SHARED )
    {
        rc = emulated_unshare(host, domain, gfn, XEN_MEMEVENT_UNSHARED, true);
        if ( rc )
            emulated_ask(domain, MEMEVENT_CLASS_OOM, XEN_MEMEVENT_OOM_UNSHARE, EMULATED_FOREIGN, gfn);
    }
    if ( !rc && is_write )
        memcpy(frame->page->octets + offset, octets, size);
    else if ( !rc )
        memcpy(octets, frame->page->octets + offset, size);
    pthread_mutex_unlock(&host->lock);

    return rc;
}
