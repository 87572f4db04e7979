/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Upstream's vm_event rings, for a hypervisor without channels: paging's and the monitor's. Their page lies in the guest's
 * frame space until it is in use, and is taken out of the guest's reach then.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "xen-host.h"

/* Xen's public headers name the integer types without declaring them: they come last. */
#include <xen/hvm/params.h>
#include <xen/io/ring.h>
#include <xen/vm_event.h>

/* The domain is paused meanwhile: it could write into the page. */
static int take_page(struct xen_host *host, struct xen_ring *ring, uint32_t *remote_port)
{
    uint64_t param;
    xen_pfn_t gfn;
    uint8_t state;
    int rc, error = 0;
    bool populated = false;

    if ( xc_hvm_param_get(host->xc, ring->domid, HVM_PARAM_PAGING_RING_PFN, &param) )
        return -errno;
    gfn = param;
    rc = xen_query_frames(&host->hv, ring->domid, gfn, 1, &state);
    if ( rc )
        return rc;
    if ( state == FRAME_EMPTY )
    {
        if ( xc_domain_populate_physmap_exact(host->xc, ring->domid, 1, 0, 0, &gfn) )
            return -errno;
        populated = true;
    }

    ring->ring.page = xenforeignmemory_map(host->memory, ring->domid, PROT_READ | PROT_WRITE, 1, &gfn,
                                           &error);
    if ( !ring->ring.page || error )
    {
        rc = ring->ring.page ? error : -errno;
        goto fail;
    }
    memset(ring->ring.page, 0, HYPERVISOR_PAGE_SIZE);
    SHARED_RING_INIT((vm_event_sring_t *)ring->ring.page);

    if ( xc_mem_paging_enable(host->xc, ring->domid, remote_port) )
    {
        rc = -errno;
        goto fail;
    }
    ring->enabled = true;
    return xc_domain_decrease_reservation_exact(host->xc, ring->domid, 1, 0, &gfn) ? -errno : 0;

 fail:
    /* What was put into the guest's frame space for the ring is taken out again. */
    if ( ring->ring.page )
        xenforeignmemory_unmap(host->memory, ring->ring.page, 1);
    ring->ring.page = NULL;
    if ( populated )
        xc_domain_decrease_reservation_exact(host->xc, ring->domid, 1, 0, &gfn);
    return rc;
}

static int attach_paging(struct xen_host *host, struct xen_ring *ring, const char **why)
{
    uint32_t remote_port = 0;
    int rc = xen_pause_domain(&host->hv, ring->domid);

    if ( rc )
        return rc;
    rc = take_page(host, ring, &remote_port);
    if ( !rc )
        rc = xen_ring_bind(host, ring, ring->domid, remote_port);
    xen_unpause_domain(&host->hv, ring->domid);
    if ( !ring->enabled )
        *why = xen_paging_refusal(rc);
    return rc;
}

static int check_monitor(struct xen_host *host, uint16_t domid, const char **why)
{
    struct domain_info domain;
    int rc = xen_get_domain(&host->hv, domid, &domain);

    if ( rc )
        return rc;
    if ( domain.is_dying )
        return -ESRCH;
    if ( !domain.is_hvm )
    {
        *why = "a PV guest's memory accesses cannot be watched, because it manages its own page tables: "
               "make it a PVH or HVM guest (type=\"pvh\")";
        return -EPROTOTYPE;
    }
    if ( !domain.has_hap )
    {
        *why = "watching memory accesses needs hardware-assisted paging (HAP), which this domain does not have: "
               "set hap=1 in its configuration, on a CPU with nested paging";
        return -ENODEV;
    }
    return 0;
}

/* The library does all of what take_page() does.  The page holds nothing yet: nobody has asked for an event. */
static int attach_monitor(struct xen_host *host, struct xen_ring *ring, const char **why)
{
    uint32_t remote_port = 0;

    ring->ring.page = xc_monitor_enable(host->xc, ring->domid, &remote_port);
    if ( !ring->ring.page )
    {
        if ( errno == EBUSY )
            *why = "another program monitors this domain, or did and died without detaching: stop the other one; if there is "
                   "none, vCPUs of the domain may wait for ever, and it must be restarted";
        return errno ? -errno : -EIO;
    }
    ring->enabled = true;
    if ( !xen_access_is_there(host, ring->domid) )
    {
        *why = "this hypervisor watches memory accesses on Intel's processors only: boot the one of this suite, which "
               "hypervisor-patches/build makes";
        return -EOPNOTSUPP;
    }
    return xen_ring_bind(host, ring, ring->domid, remote_port);
}

int xen_vm_event_attach(struct xen_host *host, enum memevent_class class, uint16_t domid, struct hypervisor_ring **out,
                        const char **why)
{
    struct xen_ring *ring;
    int rc = class == MEMEVENT_CLASS_PAGING ? xen_check_paging(host, domid, why) : check_monitor(host, domid, why);

    if ( rc )
        return rc;

    ring = xen_ring_new(class, domid);
    if ( !ring )
        return -ENOMEM;
    ring->ring.size = HYPERVISOR_PAGE_SIZE;

    rc = class == MEMEVENT_CLASS_PAGING ? attach_paging(host, ring, why) : attach_monitor(host, ring, why);
    if ( rc )
    {
        xen_vm_event_detach(host, ring);
        return rc;
    }
    *out = &ring->ring;
    return 0;
}

void xen_vm_event_detach(struct xen_host *host, struct xen_ring *ring)
{
    if ( ring->ring.page )
        xenforeignmemory_unmap(host->memory, ring->ring.page, 1);
    /* Of a domain that is gone there is nothing to disable; the hypervisor has done it. */
    if ( ring->enabled && ring->class == MEMEVENT_CLASS_PAGING )
        xc_mem_paging_disable(host->xc, ring->domid);
    else if ( ring->enabled )
        xc_monitor_disable(host->xc, ring->domid);
    if ( ring->events )
        xenevtchn_close(ring->events);      /* unbinds the port with it */
    free(ring);
}
