/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Rings: which kind the hypervisor has, and their event channels.  Channels are xen-channel.c's, upstream's vm_event rings
 * xen-vm-event.c's; what is on a ring is lib/memevent's business.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "xen-host.h"

/* Xen's public headers name the integer types without declaring them: they come last. */
#include <xen/event_channel.h>

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

struct xen_ring *xen_ring_new(enum memevent_class class, uint16_t domid)
{
    struct xen_ring *ring = calloc(1, sizeof(*ring));

    if ( ring )
    {
        ring->class = class;
        ring->domid = domid;
        ring->port = -1;
        ring->ring.fd = -1;
    }
    return ring;
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
    if ( class == MEMEVENT_CLASS_PAGING || class == MEMEVENT_CLASS_ACCESS )
        return xen_vm_event_attach(host, class, domid, out, why);
    *why = xen_channels_missing;
    return -ENOSYS;
}

void xen_detach_ring(struct hypervisor *hv, struct hypervisor_ring *handle)
{
    if ( !handle )
        return;
    if ( handle->kind == RING_VM_EVENT )
        xen_vm_event_detach(xen_host_of(hv), (struct xen_ring *)handle);
    else
        xen_channel_detach(xen_host_of(hv), (struct xen_ring *)handle);
}

void xen_leave_ring(struct hypervisor *hv, struct hypervisor_ring *handle)
{
    if ( !handle )
        return;
    if ( handle->kind == RING_VM_EVENT )
        xen_vm_event_detach(xen_host_of(hv), (struct xen_ring *)handle);
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
