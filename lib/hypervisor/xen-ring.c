/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Rings: which kind the hypervisor has, their event channels, and upstream's vm_event ring, whose page is taken out
 * of the guest's reach.  Channels are xen-channel.c's; what is on a ring is lib/memevent's business.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "xen-host.h"

/* Xen's public headers name the integer types without declaring them: they come last. */
#include <xen/event_channel.h>
#include <xen/hvm/params.h>
#include <xen/io/ring.h>
#include <xen/vm_event.h>

/*
 * FIFO priorities: 0 is served first, 7 is everybody's default, 15 is served last.  A vCPU waits for each of the
 * reliable ones, and one that found no memory may hold up everybody else; an invalidate is never urgent.
 */
static const uint8_t priorities[] = {
    [MEMEVENT_CLASS_OOM]        = 1,
    [MEMEVENT_CLASS_PAGING]     = 2,
    [MEMEVENT_CLASS_ACCESS]     = 4,
    [MEMEVENT_CLASS_INVALIDATE] = 12,
};

/* A port's priority takes effect for the next event; there is none before the channel is used. */
static int set_priority(struct xen_host *host, evtchn_port_t port, uint32_t priority)
{
    struct evtchn_set_priority *argument = xencall_alloc_buffer(host->call, sizeof(*argument));
    int rc;

    if ( !argument )
        return -ENOMEM;
    *argument = (struct evtchn_set_priority){ .port = port, .priority = priority };
    rc = xencall2(host->call, __HYPERVISOR_event_channel_op, EVTCHNOP_set_priority,
                  (uintptr_t)argument) < 0 ? -errno : 0;
    xencall_free_buffer(host->call, argument);
    return rc;
}

int xen_ring_bind(struct xen_host *host, struct xen_ring *ring, uint16_t remote, uint32_t remote_port)
{
    int flags, rc;

    ring->events = xenevtchn_open(NULL, 0);
    if ( !ring->events )
        return -errno;
    ring->port = xenevtchn_bind_interdomain(ring->events, remote, remote_port);
    if ( ring->port < 0 )
        return -errno;
    /* A two-level event channel ABI has no priorities; the channel works without. */
    rc = set_priority(host, ring->port, priorities[ring->class]);
    if ( rc && rc != -ENOSYS && rc != -EOPNOTSUPP )
        return rc;

    ring->ring.fd = xenevtchn_fd(ring->events);
    flags = fcntl(ring->ring.fd, F_GETFL);
    if ( flags < 0 || fcntl(ring->ring.fd, F_SETFL, flags | O_NONBLOCK) )
        return -errno;
    return 0;
}

/*
 * The ring's page lies in the guest's frame space until it is in use.  The domain is paused meanwhile,
 * because it could write there, and the page is taken from the guest before the guest runs again.
 */
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

static int attach_vm_event(struct xen_host *host, uint16_t domid, struct hypervisor_ring **out, const char **why)
{
    struct xen_ring *ring;
    uint32_t remote_port = 0;
    int rc = xen_check_paging(host, domid, why);

    if ( rc )
        return rc;

    ring = calloc(1, sizeof(*ring));
    if ( !ring )
        return -ENOMEM;
    ring->class = MEMEVENT_CLASS_PAGING;
    ring->domid = domid;
    ring->port = -1;
    ring->ring.fd = -1;
    ring->ring.size = HYPERVISOR_PAGE_SIZE;

    rc = xen_pause_domain(&host->hv, domid);
    if ( rc )
        goto fail;
    rc = take_page(host, ring, &remote_port);
    if ( !rc )
        rc = xen_ring_bind(host, ring, domid, remote_port);
    xen_unpause_domain(&host->hv, domid);
    if ( rc )
        goto fail;

    *out = &ring->ring;
    return 0;

 fail:
    if ( !ring->enabled )
        *why = xen_paging_refusal(rc);
    xen_detach_ring(&host->hv, &ring->ring);
    return rc;
}

int xen_attach_ring(struct hypervisor *hv, enum memevent_class class, uint16_t domid,
                    const struct memevent_options *options, struct hypervisor_ring **out, const char **why)
{
    struct xen_host *host = xen_host_of(hv);
    const char *reason = NULL;

    *out = NULL;
    if ( !why )
        why = &reason;
    *why = NULL;
    if ( class < MEMEVENT_CLASS_PAGING || class > MEMEVENT_CLASS_INVALIDATE )
        return -EINVAL;
    if ( host->has_channels )
        return xen_channel_attach(host, class, domid, options, out, why);
    if ( class == MEMEVENT_CLASS_PAGING )
        return attach_vm_event(host, domid, out, why);
    *why = xen_channels_missing;
    return -ENOSYS;
}

static void detach_vm_event(struct xen_host *host, struct xen_ring *ring)
{
    if ( ring->ring.page )
        xenforeignmemory_unmap(host->memory, ring->ring.page, 1);
    /* Of a domain that is gone there is nothing to disable; the hypervisor has done it. */
    if ( ring->enabled )
        xc_mem_paging_disable(host->xc, ring->domid);
    if ( ring->events )
        xenevtchn_close(ring->events);      /* unbinds the port with it */
    free(ring);
}

void xen_detach_ring(struct hypervisor *hv, struct hypervisor_ring *handle)
{
    if ( !handle )
        return;
    if ( handle->kind == RING_VM_EVENT )
        detach_vm_event(xen_host_of(hv), (struct xen_ring *)handle);
    else
        xen_channel_detach(xen_host_of(hv), (struct xen_ring *)handle);
}

void xen_leave_ring(struct hypervisor *hv, struct hypervisor_ring *handle)
{
    if ( !handle )
        return;
    if ( handle->kind == RING_VM_EVENT )
        detach_vm_event(xen_host_of(hv), (struct xen_ring *)handle);
    else
        xen_channel_leave(xen_host_of(hv), (struct xen_ring *)handle);
}

int xen_arm_ring(struct hypervisor *hv, struct hypervisor_ring *handle)
{
    struct xen_host *host = xen_host_of(hv);
    struct xen_ring *ring = (struct xen_ring *)handle;
    xenevtchn_port_or_error_t port = xenevtchn_pending(ring->events);

    xen_count(&host->counts.system_calls, 1);
    if ( port < 0 )
        return errno == EAGAIN ? 0 : -errno;
    xen_count(&host->counts.system_calls, 1);
    return xenevtchn_unmask(ring->events, port) ? -errno : 1;
}

int xen_notify_ring(struct hypervisor *hv, struct hypervisor_ring *handle)
{
    struct xen_host *host = xen_host_of(hv);
    struct xen_ring *ring = (struct xen_ring *)handle;

    xen_count(&host->counts.hypercalls, 1);
    xen_count(&host->counts.system_calls, 1);
    return xenevtchn_notify(ring->events, ring->port) ? -errno : 0;
}
