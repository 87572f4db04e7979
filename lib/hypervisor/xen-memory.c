/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Memory of the real Xen: mappings of guests' frames to be read, and what the whole host has.  Which frames are there
 * is xen-domain.c's.
 */
#include <errno.h>
#include <sys/mman.h>

#include "xen-host.h"

_Static_assert(sizeof(xen_pfn_t) == sizeof(uint64_t), "frame numbers go as they come");

int xen_map_frames(struct hypervisor *hv, uint16_t domid, const uint64_t *gfns, unsigned int count, int *errors,
                   const void **out)
{
    struct xen_host *host = xen_host_of(hv);

    *out = NULL;
    if ( !count || count > HYPERVISOR_MAP_MAX )
        return -EINVAL;
    xen_count(&host->counts.hypercalls, 1);
    xen_count(&host->counts.system_calls, 2);
    *out = xenforeignmemory_map(host->memory, domid, PROT_READ, count, (const xen_pfn_t *)gfns, errors);
    if ( !*out )
        return errno ? -errno : -EIO;
    /* The kernel's are negative, the library's own are not. */
    for ( unsigned int i = 0; i < count; i++ )
        errors[i] = errors[i] > 0 ? -errors[i] : errors[i];

    return 0;
}

void xen_unmap_frames(struct hypervisor *hv, const void *mapping, unsigned int count)
{
    struct xen_host *host = xen_host_of(hv);

    if ( !mapping )
        return;
    xen_count(&host->counts.system_calls, 1);
    xenforeignmemory_unmap(host->memory, (void *)mapping, count);
}

/* Without MEM_SHARING Xen has no such number; nothing is shared then. */
static uint64_t pages_or_none(long pages)
{
    return pages > 0 ? pages : 0;
}

int xen_get_memory(struct hypervisor *hv, struct memory_info *out)
{
    struct xen_host *host = xen_host_of(hv);
    xc_physinfo_t info = { 0 };

    xen_count(&host->counts.hypercalls, 3);
    xen_count(&host->counts.system_calls, 3);
    if ( xc_physinfo(host->xc, &info) )
        return -errno;
    *out = (struct memory_info){
        .pages = info.total_pages, .pages_free = info.free_pages,
        .pages_shared = pages_or_none(xc_sharing_used_frames(host->xc)),
        .pages_saved = pages_or_none(xc_sharing_freed_pages(host->xc)),
    };

    return 0;
}
