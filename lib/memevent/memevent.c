/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The life of a channel and the public calls on it: locking, statistics, the event channel.
 * What is in the shared memory is the transport's (transport.h), which host there is, host.c's.
 *
 * Two locks, never held together.  `lock` guards the transport and the counters, and is
 * held for some instructions only.  `signal_lock` keeps hypercalls on this ring's event
 * channel apart, as the contract of struct hypervisor wants it; under it Xen works through the
 * responses, and other threads go on building theirs.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "channel.h"
#include "ring-vm-event.h"

struct memevent_channel {
    struct hypervisor *host;
    struct hypervisor_ring *ring;
    struct transport *transport;

    pthread_mutex_t signal_lock;
    pthread_mutex_t lock;

    /* Under lock. */
    struct memevent_statistics statistics;
    uint64_t flushed;             /* statistics.answered at the last publication */
    bool notify_owed;             /* published, and the hypervisor was not told yet */
};

int channel_open(struct hypervisor *host, struct hypervisor_ring *ring, struct transport *transport,
                 struct memevent_channel **out)
{
    struct memevent_channel *channel = calloc(1, sizeof(*channel));

    if ( !channel )
        return -ENOMEM;

    channel->host = host;
    channel->ring = ring;
    channel->transport = transport;
    channel->statistics.outstanding_limit = transport->limit;
    pthread_mutex_init(&channel->lock, NULL);
    pthread_mutex_init(&channel->signal_lock, NULL);

    *out = channel;

    return 0;
}

int memevent_attach(struct hypervisor *host, enum memevent_class channel_class, uint16_t domid,
                    struct memevent_channel **out, const char **why)
{
    struct hypervisor_ring *ring = NULL;
    struct transport *transport = NULL;
    const char *ignored;
    int rc;

    if ( !why )
        why = &ignored;
    *why = NULL;

    if ( channel_class != MEMEVENT_CLASS_PAGING )
    {
        *why = "this hypervisor's interface carries paging events only";
        return -ENOSYS;
    }

    rc = host->ops->attach_ring(host, channel_class, domid, NULL, &ring, why);
    if ( rc < 0 )
        return rc;

    rc = ring_vm_event_open(ring->page, ring->size, RING_VM_EVENT_START, &transport);
    if ( rc < 0 )
        goto fail;

    rc = channel_open(host, ring, transport, out);
    if ( rc < 0 )
        goto fail;

    return 0;

 fail:
    if ( transport )
        transport->ops->close(transport);
    host->ops->detach_ring(host, ring);

    return rc;
}

void memevent_detach(struct memevent_channel *channel)
{
    if ( !channel )
        return;

    /* If it fails nobody is left to tell: the hypervisor is, or the domain. */
    memevent_flush(channel);

    channel->transport->ops->close(channel->transport);
    channel->host->ops->detach_ring(channel->host, channel->ring);
    pthread_mutex_destroy(&channel->signal_lock);
    pthread_mutex_destroy(&channel->lock);
    free(channel);
}

int memevent_fd(const struct memevent_channel *channel)
{
    return channel->ring->fd;
}

/* With lock held. */
static void publish(struct memevent_channel *channel)
{
    channel->flushed = channel->statistics.answered;
    if ( channel->transport->ops->publish(channel->transport) )
        channel->notify_owed = true;
}

/*
 * Tells the hypervisor of what was published, once, whichever thread published it.  When it fails,
 * the debt stays for the next flush.
 */
static int pay_notification(struct memevent_channel *channel)
{
    bool owed;
    int rc;

    pthread_mutex_lock(&channel->lock);
    owed = channel->notify_owed;
    channel->notify_owed = false;
    pthread_mutex_unlock(&channel->lock);

    if ( !owed )
        return 0;

    pthread_mutex_lock(&channel->signal_lock);
    rc = channel->host->ops->notify_ring(channel->host, channel->ring);
    pthread_mutex_unlock(&channel->signal_lock);

    pthread_mutex_lock(&channel->lock);
    if ( rc < 0 )
        channel->notify_owed = true;
    else
        channel->statistics.notifications++;
    pthread_mutex_unlock(&channel->lock);

    return rc < 0 ? rc : 0;
}

int memevent_next(struct memevent_channel *channel, struct memevent_event *event)
{
    struct transport *transport = channel->transport;
    uint32_t rejected = 0;
    int rc;

    pthread_mutex_lock(&channel->lock);

    /* A peer that only sends nonsense gets a ringful of it answered, then the caller its turn. */
    do
        rc = transport->ops->take(transport, event);
    while ( rc == TRANSPORT_MALFORMED && ++rejected < transport->limit );

    channel->statistics.malformed += rejected;

    if ( rc == TRANSPORT_EVENT )
    {
        channel->statistics.received++;
        channel->statistics.outstanding++;
    }
    else if ( rc == TRANSPORT_MALFORMED )
        rc = 0;

    /*
     * What was rejected must not wait for a caller who knows nothing of it.  But behind answers that
     * were built and not flushed it does wait: their flush is the caller's to choose, and will come.
     */
    if ( rejected && channel->flushed == channel->statistics.answered )
        publish(channel);

    pthread_mutex_unlock(&channel->lock);

    /* A failure comes back from the next flush, or from memevent_arm(). */
    if ( rejected )
        pay_notification(channel);

    return rc;
}

int memevent_arm(struct memevent_channel *channel)
{
    struct transport *transport = channel->transport;
    int rc = pay_notification(channel);

    if ( rc < 0 )
        return rc;

    /* Worth a look before the system calls. */
    if ( transport->ops->peek(transport) )
        return 1;

    pthread_mutex_lock(&channel->signal_lock);
    rc = channel->host->ops->arm_ring(channel->host, channel->ring);
    pthread_mutex_unlock(&channel->signal_lock);

    if ( rc < 0 )
        return rc;

    if ( rc > 0 )
    {
        pthread_mutex_lock(&channel->lock);
        channel->statistics.wakeups++;
        pthread_mutex_unlock(&channel->lock);
    }

    return transport->ops->want_wakeup(transport);
}

int memevent_peek(const struct memevent_channel *channel)
{
    return channel->transport->ops->peek(channel->transport);
}

int memevent_answer(struct memevent_channel *channel, uint64_t id)
{
    int rc;

    pthread_mutex_lock(&channel->lock);

    rc = channel->transport->ops->answer(channel->transport, id);
    if ( rc < 0 )
        channel->statistics.refused++;
    else
    {
        channel->statistics.answered++;
        channel->statistics.outstanding--;
    }

    pthread_mutex_unlock(&channel->lock);

    return rc;
}

int memevent_flush(struct memevent_channel *channel)
{
    pthread_mutex_lock(&channel->lock);
    publish(channel);
    pthread_mutex_unlock(&channel->lock);

    return pay_notification(channel);
}

void memevent_get_statistics(const struct memevent_channel *channel, struct memevent_statistics *out)
{
    /* A lock of what is const to the caller; channels are always allocated, never const themselves. */
    pthread_mutex_t *lock = (pthread_mutex_t *)&channel->lock;

    pthread_mutex_lock(lock);
    *out = channel->statistics;
    pthread_mutex_unlock(lock);
}

const char *memevent_get_transport(const struct memevent_channel *channel)
{
    return channel->transport->ops->name;
}

int memevent_can_reattach(const struct memevent_channel *channel)
{
    return channel->transport->ops->can_reattach;
}
