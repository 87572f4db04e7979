/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Channels of a hypervisor that has HYPERVISOR_memevent_op: is it there, attach and map, leave and end, counters.
 * Which ring is taken is decided in xen-ring.c; what is on it is lib/memevent's business.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "xen-host.h"

/* Xen's public headers name the integer types without declaring them: they come last. */
#include <xen/xen.h>
#include <public/memevent.h>

/* Frames of a channel at most: a lossy one has some for each CPU.  More of them are no geometry. */
#define FRAMES_MAX 65536u

const char xen_channels_missing[] =
    "this hypervisor has no channels of its own, only upstream's ring for paging events: "
    "build one with hypervisor-patches/build, or boot the one that tests/system/xenhost builds";

int xen_channel_call(struct xen_host *host, uint32_t call, void *argument)
{
    xen_count(&host->counts.hypercalls, 1);
    xen_count(&host->counts.system_calls, 1);
    return xencall2(host->call, XEN_MEMEVENT_HYPERCALL, call, (uintptr_t)argument) < 0 ? -errno : 0;
}

static bool is_known(struct xen_host *host, uint32_t call)
{
    struct xen_memevent_query *query = host->channel_argument;

    *query = (struct xen_memevent_query){ .call = call };
    /* Not counted: it is nobody's work.  Elsewhere the number is a hypercall that does not exist. */
    return xencall2(host->call, XEN_MEMEVENT_HYPERCALL, XEN_MEMEVENT_QUERY, (uintptr_t)query) >= 0 &&
           (query->known & XEN_MEMEVENT_KNOWN_CALL);
}

int xen_channel_open(struct xen_host *host)
{
    /* What attaching and serving a domain needs: with less there is no use in a channel. */
    static const uint32_t needed[] = {
        XEN_MEMEVENT_BATCH, XEN_MEMEVENT_ATTACH, XEN_MEMEVENT_DETACH, XEN_MEMEVENT_INFO,
        XEN_MEMEVENT_PAGING_NOMINATE, XEN_MEMEVENT_PAGING_EVICT, XEN_MEMEVENT_PAGING_LOAD,
        XEN_MEMEVENT_PAGING_RELEASE, XEN_MEMEVENT_PAGING_QUERY,
    };
    unsigned int known = 0;

    host->channel_argument = xencall_alloc_buffer_pages(host->call, 1);
    if ( !host->channel_argument )
        return -ENOMEM;
    while ( known < sizeof(needed) / sizeof(needed[0]) && is_known(host, needed[known]) )
        known++;
    host->has_channels = known == sizeof(needed) / sizeof(needed[0]);
    return 0;
}

void xen_channel_close(struct xen_host *host)
{
    if ( host->channel_argument )
        xencall_free_buffer_pages(host->call, host->channel_argument, 1);
    host->channel_argument = NULL;
}

static const char *refusal(enum memevent_class class, int error)
{
    switch ( error )
    {
    case -EBUSY:
        return class == MEMEVENT_CLASS_PAGING ?
            "another pager is attached to this domain, by a channel or by upstream's ring: stop that one first" :
            "another consumer is attached to this channel: stop that one first";
    case -ENOSYS:
        return "this hypervisor was built without channels of this class: see its MEM_PAGING and MEM_SHARING options";
    default:
        return class == MEMEVENT_CLASS_PAGING ? xen_paging_refusal(error) : NULL;
    }
}

static int end(struct xen_host *host, enum memevent_class class, uint16_t domid)
{
    struct xen_memevent_detach *detach = host->channel_argument;
    int rc;

    pthread_mutex_lock(&host->batch_lock);
    *detach = (struct xen_memevent_detach){ .domid = domid, .channel_class = class };
    rc = xen_channel_call(host, XEN_MEMEVENT_DETACH, detach);
    pthread_mutex_unlock(&host->batch_lock);
    return rc;
}

static void release(struct xen_host *host, struct xen_ring *ring)
{
    /* The port goes with the descriptor: from now on another can attach. */
    if ( ring->events )
        xenevtchn_close(ring->events);
    if ( ring->resource )
        xenforeignmemory_unmap_resource(host->memory, ring->resource);
    free(ring);
}

static int ask(struct xen_host *host, struct xen_ring *ring, const struct memevent_options *options,
               struct xen_memevent_attach *out)
{
    struct xen_memevent_attach *attach = host->channel_argument;
    int rc;

    pthread_mutex_lock(&host->batch_lock);
    *attach = (struct xen_memevent_attach){ .domid = ring->domid, .channel_class = ring->class };
    if ( options )
    {
        attach->flags = options->flags;
        attach->batch = options->batch;
        attach->deadline = options->deadline;
    }
    rc = xen_channel_call(host, XEN_MEMEVENT_ATTACH, attach);
    *out = *attach;
    pthread_mutex_unlock(&host->batch_lock);
    return rc;
}

/* Maps the frames and says what lies in them. */
static int map(struct xen_host *host, struct xen_ring *ring, const struct xen_memevent_attach *attach)
{
    if ( !attach->frames || attach->frames > FRAMES_MAX || attach->ring_frames > FRAMES_MAX ||
         (uint64_t)attach->rings * attach->ring_frames > attach->frames )
        return -EPROTO;
    ring->resource = xenforeignmemory_map_resource(host->memory, ring->domid, XEN_MEMEVENT_RESOURCE, ring->class, 0,
                                                   attach->frames, &ring->ring.page, PROT_READ | PROT_WRITE, 0);
    if ( !ring->resource )
        return -errno;

    ring->ring.kind = ring->class == MEMEVENT_CLASS_INVALIDATE ? RING_LOSSY : RING_RELIABLE;
    ring->ring.size = (size_t)attach->frames * HYPERVISOR_PAGE_SIZE;
    ring->ring.rings = attach->rings;
    ring->ring.ring_size = attach->ring_frames * HYPERVISOR_PAGE_SIZE;
    ring->ring.slots = attach->slots;
    ring->ring.request_size = attach->request_size;
    ring->ring.response_size = attach->response_size;
    ring->ring.request_offset = attach->request_offset;
    ring->ring.response_offset = attach->response_offset;
    ring->ring.batch = attach->batch;
    ring->ring.redelivered = attach->redelivered;
    ring->ring.attachment = attach->attachment;
    return 0;
}

int xen_channel_attach(struct xen_host *host, enum memevent_class class, uint16_t domid,
                       const struct memevent_options *options, struct hypervisor_ring **out, const char **why)
{
    struct xen_memevent_attach attach;
    struct xen_ring *ring;
    int rc;

    /* Xen checks what matters; this finds words for it. */
    if ( class == MEMEVENT_CLASS_PAGING )
    {
        rc = xen_check_paging(host, domid, why);
        if ( rc )
            return rc;
    }

    ring = xen_ring_new(class, domid);
    if ( !ring )
        return -ENOMEM;

    rc = ask(host, ring, options, &attach);
    if ( rc )
    {
        *why = refusal(class, rc);
        release(host, ring);
        return rc;
    }
    rc = map(host, ring, &attach);
    /* The host's channel has its end in our own domain. */
    if ( !rc )
        rc = xen_ring_bind(host, ring, domid == XEN_MEMEVENT_HOST ? DOMID_SELF : domid, attach.port);
    if ( rc )
    {
        release(host, ring);
        /* What we began is ended; what others began stays for who can use it. */
        if ( attach.attachment == 1 )
            end(host, class, domid);
        return rc;
    }

    *out = &ring->ring;
    return 0;
}

void xen_channel_detach(struct xen_host *host, struct xen_ring *ring)
{
    /* -EBUSY: something is unanswered, or out, and the channel waits for the next consumer.  -ESRCH: it is gone. */
    end(host, ring->class, ring->domid);
    release(host, ring);
}

void xen_channel_leave(struct xen_host *host, struct xen_ring *ring)
{
    release(host, ring);
}

int xen_get_channel_info(struct hypervisor *hv, enum memevent_class class, uint16_t domid,
                         struct memevent_channel_info *out)
{
    struct xen_host *host = xen_host_of(hv);
    struct xen_memevent_info *info = host->channel_argument;
    int rc;

    if ( !host->has_channels )
        return -ENOSYS;
    pthread_mutex_lock(&host->batch_lock);
    *info = (struct xen_memevent_info){ .domid = domid, .channel_class = class };
    rc = xen_channel_call(host, XEN_MEMEVENT_INFO, info);
    if ( !rc )
        *out = (struct memevent_channel_info){
            .outstanding     = info->outstanding,
            .waiting         = info->waiting,
            .outstanding_max = info->outstanding_max,
            .attachments     = info->attachments,
            .produced        = info->produced,
            .answered        = info->answered,
            .dropped         = info->dropped,
            .coalesced       = info->coalesced,
            .unknown         = info->unknown,
            .repeated        = info->repeated,
            .malformed       = info->malformed,
            .overruns        = info->overruns,
            .redelivered     = info->redelivered,
            .notifications   = info->notifications,
            .kicks           = info->kicks,
        };
    pthread_mutex_unlock(&host->batch_lock);
    return rc;
}
