/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What goes through channels: events to the consumer, requests and their answers, records; around the hypervisor's own
 * channel core, what it leaves to its caller. How channels come and go is channel.c's.
 */
#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "host.h"

/* ---- event channels ---- */

static void deliver(struct emulated_ring *ring)
{
    const uint64_t one = 1;
    /* It cannot be full: it is read before the next one. */
    ssize_t written = write(ring->ring.fd, &one, sizeof(one));

    (void)written;
    ring->masked = true;
    ring->pending = false;
}

void emulated_signal(struct emulated_channel *channel)
{
    struct emulated_ring *ring = channel->consumer;

    if ( channel->host->lost_signals )
    {
        channel->host->lost_signals--;
        return;
    }
    if ( !ring )
        return;
    if ( ring->masked )
        ring->pending = true;
    else
        deliver(ring);
}

int emulated_arm_ring(struct hypervisor *hv, struct hypervisor_ring *ring)
{
    struct emulated_host *host = emulated_host_of(hv);
    struct emulated_ring *own = (struct emulated_ring *)ring;
    uint64_t count;
    int taken;

    pthread_mutex_lock(&host->lock);
    host->counts.system_calls++;
    taken = read(ring->fd, &count, sizeof(count)) == sizeof(count);
    own->masked = false;
    if ( own->pending )
        deliver(own);
    pthread_mutex_unlock(&host->lock);

    return taken;
}

/* ---- requests and answers ---- */

/* What says that there was no place: of the pages that were given up, and of copies that dom0 could not have. */
static uint16_t rescan_kind(enum memevent_class class, uint16_t kind)
{
    if ( class == MEMEVENT_CLASS_PAGING )
        return kind == XEN_MEMEVENT_PAGING_DROP ? XEN_MEMEVENT_PAGING_RESCAN : 0;

    return class == MEMEVENT_CLASS_OOM ? XEN_MEMEVENT_OOM_RESCAN : 0;
}

struct xen_memevent_request *emulated_claim(struct emulated_domain *domain, enum memevent_class class, uint16_t kind,
                                            uint32_t vcpu, uint64_t gfn)
{
    struct emulated_channel *channel = &domain->channels[class];
    bool is_vcpu = vcpu != EMULATED_NOBODY && vcpu != EMULATED_FOREIGN;
    struct xen_memevent_request *request;
    struct timespec t;

    request = memevent_reliable_claim(&channel->core, is_vcpu ? vcpu : MEMEVENT_NOBODY);
    if ( !request )
        return NULL;
    clock_gettime(CLOCK_MONOTONIC, &t);
    request->kind = kind;
    request->gfn = gfn;
    request->time = t.tv_sec * 1000000000ull + t.tv_nsec;
    request->causer = vcpu == EMULATED_FOREIGN ? 0 : domain->domid;
    request->flags = vcpu == EMULATED_FOREIGN ? XEN_MEMEVENT_FOREIGN : 0;
    if ( is_vcpu )
    {
        request->vcpu = vcpu;
        request->flags |= XEN_MEMEVENT_VCPU_PAUSED;
        domain->waits[vcpu] = true;
    }

    return request;
}

void emulated_put(struct emulated_domain *domain, enum memevent_class class, struct xen_memevent_request *request)
{
    struct emulated_channel *channel = &domain->channels[class];

    if ( memevent_reliable_put(&channel->core, request) )
        emulated_signal(channel);
}

int emulated_ask(struct emulated_domain *domain, enum memevent_class class, uint16_t kind, uint32_t vcpu,
                 uint64_t gfn)
{
    struct emulated_channel *channel = &domain->channels[class];
    struct xen_memevent_request *request;

    if ( !channel->live )
        return -ENOENT;
    request = emulated_claim(domain, class, kind, vcpu, gfn);
    if ( request )
    {
        emulated_put(domain, class, request);
        return 0;
    }
    if ( rescan_kind(class, kind) && memevent_reliable_rescan(&channel->core, rescan_kind(class, kind), 0) )
        emulated_signal(channel);

    return -EBUSY;
}

void emulated_act(struct emulated_channel *channel, const struct memevent_answer *answer)
{
    const struct xen_memevent_request *request = (const void *)answer->request;
    struct emulated_frame *frame = emulated_frame(channel->domain, request->gfn);

    if ( request->flags & XEN_MEMEVENT_VCPU_PAUSED )
    {
        channel->domain->waits[request->vcpu] = false;
        if ( channel->class == MEMEVENT_CLASS_ACCESS )
            channel->domain->actions[request->vcpu] =
                ((const struct xen_memevent_access_response *)(const void *)answer->response)->action;
    }
    else if ( frame )
        /* Whoever has not got it asks again. */
        frame->is_asked = false;
    pthread_cond_broadcast(&channel->host->changed);
}

void emulated_take_answers(struct emulated_channel *channel)
{
    const uint32_t actions = channel->class != MEMEVENT_CLASS_ACCESS ? 0 :
        XEN_MEMEVENT_ACTION_EMULATE | XEN_MEMEVENT_ACTION_SKIP_WRITE | XEN_MEMEVENT_ACTION_DENY;
    uint32_t left = channel->core.slots;
    struct memevent_answer answer;
    int rc;

    while ( left-- && (rc = memevent_reliable_take(&channel->core, actions, &answer)) )
        if ( rc == 1 )
            emulated_act(channel, &answer);
}

int emulated_notify_ring(struct hypervisor *hv, struct hypervisor_ring *ring)
{
    struct emulated_host *host = emulated_host_of(hv);
    struct emulated_channel *channel;

    pthread_mutex_lock(&host->lock);
    host->counts.hypercalls++;
    channel = ((struct emulated_ring *)ring)->channel;
    if ( channel && channel->live && emulated_is_reliable(channel) )
    {
        channel->core.info.kicks++;
        emulated_take_answers(channel);
        if ( memevent_reliable_flush(&channel->core) )
            emulated_signal(channel);
    }
    pthread_mutex_unlock(&host->lock);

    return 0;
}

/* ---- records ---- */

void emulated_tell(struct emulated_host *host, const struct xen_memevent_record *record)
{
    struct emulated_channel *channel = &host->invalidate;

    /* By turns, as if one CPU and then another had met it. */
    if ( channel->live && memevent_lossy_put(&channel->rings[record->what % EMULATED_CPUS], record) )
    {
        channel->notifications++;
        emulated_signal(channel);
    }
}

void emulated_expire(struct emulated_channel *channel)
{
    unsigned int cpu;

    for ( cpu = 0; cpu < EMULATED_CPUS; cpu++ )
        if ( memevent_lossy_expire(&channel->rings[cpu]) )
        {
            channel->notifications++;
            emulated_signal(channel);
        }
}
