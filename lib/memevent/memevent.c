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
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/single_threaded.h>

#include <public/memevent.h>

#include "channel.h"
#include "ring-lossy.h"
#include "ring-reliable.h"
#include "ring-vm-event.h"

/*
 * Defaults of a lossy channel: a wake-up for a ring's worth of company is cheap a record, and ten milliseconds are
 * soon enough for what makes nothing wrong, only less effective.
 */
#define LOSSY_BATCH       64u
#define LOSSY_DEADLINE_US 10000u

struct memevent_channel {
    struct hypervisor *host;
    struct hypervisor_ring *ring;
    struct transport *transport;
    enum memevent_class class;
    uint16_t domid;

    pthread_mutex_t signal_lock;
    pthread_mutex_t lock;

    /* Under lock. */
    struct memevent_statistics statistics;
    uint64_t flushed;             /* statistics.answered at the last publication */
    bool notify_owed;             /* published, and the hypervisor was not told yet */
};

/*
 * Around what is under lock.  A process that has one thread, as most daemons do, need not pay for a lock: it cannot get a
 * second one between these two, since neither starts any.
 */
static void enter(struct memevent_channel *channel)
{
    if ( !__libc_single_threaded )
        pthread_mutex_lock(&channel->lock);
}

static void leave(struct memevent_channel *channel)
{
    if ( !__libc_single_threaded )
        pthread_mutex_unlock(&channel->lock);
}

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
    return memevent_attach_with(host, channel_class, domid, NULL, out, why);
}

/* Does the class have these options?  And what a zero of them means. */
static bool complete(enum memevent_class channel_class, uint16_t domid, struct memevent_options *options)
{
    if ( options->pad )
        return false;

    switch ( channel_class )
    {
    case MEMEVENT_CLASS_PAGING:
    case MEMEVENT_CLASS_OOM:
        return domid != MEMEVENT_HOST && !options->flags && !options->batch && !options->deadline;
    case MEMEVENT_CLASS_ACCESS:
        return domid != MEMEVENT_HOST && !(options->flags & ~MEMEVENT_FULL_REGISTERS) &&
               !options->batch && !options->deadline;
    case MEMEVENT_CLASS_INVALIDATE:
        if ( !options->batch )
            options->batch = LOSSY_BATCH;
        if ( !options->deadline )
            options->deadline = LOSSY_DEADLINE_US;
        return domid == MEMEVENT_HOST && !options->flags;
    default:
        return false;
    }
}

static int open_transport(const struct hypervisor_ring *ring, enum memevent_class channel_class,
                          struct transport **out)
{
    switch ( ring->kind )
    {
    case RING_VM_EVENT:
        return ring_vm_event_open(ring->page, ring->size, channel_class, RING_VM_EVENT_START, out);
    case RING_RELIABLE: return ring_reliable_open(ring, channel_class, out);
    case RING_LOSSY:    return ring_lossy_open(ring, out);
    default:            return -EINVAL;
    }
}

int memevent_attach_with(struct hypervisor *host, enum memevent_class channel_class, uint16_t domid,
                         const struct memevent_options *options, struct memevent_channel **out, const char **why)
{
    struct memevent_options completed = options ? *options : (struct memevent_options){ 0 };
    struct hypervisor_ring *ring = NULL;
    struct transport *transport = NULL;
    const char *ignored;
    int rc;

    if ( !why )
        why = &ignored;
    *why = NULL;

    if ( channel_class < MEMEVENT_CLASS_PAGING || channel_class > MEMEVENT_CLASS_INVALIDATE )
    {
        *why = "this version of the library knows no such class of channels";
        return -ENOSYS;
    }
    if ( !complete(channel_class, domid, &completed) )
        return -EINVAL;

    rc = host->ops->attach_ring(host, channel_class, domid, &completed, &ring, why);
    if ( rc < 0 )
        return rc;

    rc = open_transport(ring, channel_class, &transport);
    if ( rc < 0 )
        goto fail;

    rc = channel_open(host, ring, transport, out);
    if ( rc < 0 )
        goto fail;
    (*out)->class = channel_class;
    (*out)->domid = domid;

    return 0;

 fail:
    if ( transport )
        transport->ops->close(transport);
    /* Nobody knows what waits there: it is left for a consumer that does better. */
    host->ops->leave_ring(host, ring);

    return rc;
}

static void close_channel(struct memevent_channel *channel,
                          void (*close_ring)(struct hypervisor *hv, struct hypervisor_ring *ring))
{
    /* If it fails nobody is left to tell: the hypervisor is, or the domain. */
    memevent_flush(channel);

    channel->transport->ops->close(channel->transport);
    close_ring(channel->host, channel->ring);
    pthread_mutex_destroy(&channel->signal_lock);
    pthread_mutex_destroy(&channel->lock);
    free(channel);
}

void memevent_detach(struct memevent_channel *channel)
{
    if ( channel )
        close_channel(channel, channel->host->ops->detach_ring);
}

void memevent_leave(struct memevent_channel *channel)
{
    if ( channel )
        close_channel(channel, channel->host->ops->leave_ring);
}

int memevent_fd(const struct memevent_channel *channel)
{
    return channel->ring->fd;
}

/* With lock held. */
static void publish(struct memevent_channel *channel)
{
    channel->flushed = channel->statistics.answered;
    if ( channel->transport->ops->publish && channel->transport->ops->publish(channel->transport) )
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

    enter(channel);
    owed = channel->notify_owed;
    channel->notify_owed = false;
    leave(channel);

    if ( !owed )
        return 0;

    pthread_mutex_lock(&channel->signal_lock);
    rc = channel->host->ops->notify_ring(channel->host, channel->ring);
    pthread_mutex_unlock(&channel->signal_lock);

    enter(channel);
    if ( rc < 0 )
        channel->notify_owed = true;
    else
        channel->statistics.notifications++;
    leave(channel);

    return rc < 0 ? rc : 0;
}

int memevent_next(struct memevent_channel *channel, struct memevent_event *event)
{
    struct transport *transport = channel->transport;
    uint32_t rejected = 0;
    int rc;

    if ( !transport->ops->take )
        return -EOPNOTSUPP;

    enter(channel);

    /* A peer that only sends nonsense gets a ringful of it answered, then the caller its turn. */
    do
        rc = transport->ops->take(transport, event);
    while ( rc == TRANSPORT_MALFORMED && ++rejected < transport->limit );

    channel->statistics.malformed += rejected;

    if ( rc == TRANSPORT_EVENT )
    {
        channel->statistics.received++;
        channel->statistics.outstanding++;
        if ( event->flags & MEMEVENT_FLAG_AGAIN )
            channel->statistics.again++;
    }
    else if ( rc == TRANSPORT_MALFORMED )
        rc = 0;

    /*
     * What was rejected must not wait for a caller who knows nothing of it.  But behind answers that
     * were built and not flushed it does wait: their flush is the caller's to choose, and will come.
     */
    if ( rejected && channel->flushed == channel->statistics.answered )
        publish(channel);

    leave(channel);

    /* A failure comes back from the next flush, or from memevent_arm(). */
    if ( rejected )
        pay_notification(channel);

    return rc;
}

int memevent_take_records(struct memevent_channel *channel, struct memevent_record *records, unsigned int max,
                          uint64_t *lost)
{
    struct transport *transport = channel->transport;
    int rc;

    *lost = 0;
    if ( !transport->ops->take_records )
        return -EOPNOTSUPP;

    enter(channel);
    rc = transport->ops->take_records(transport, records, max < INT_MAX ? max : INT_MAX, lost);
    if ( rc > 0 )
        channel->statistics.received += rc;
    channel->statistics.lost += *lost;
    leave(channel);

    return rc;
}

int memevent_arm(struct memevent_channel *channel)
{
    struct transport *transport = channel->transport;
    int rc = pay_notification(channel);

    if ( rc < 0 )
        return rc;

    /* Worth a look before the system calls.  Of a lossy one a few records are no reason to stay awake. */
    if ( transport->ops->take && transport->ops->peek(transport) )
        return 1;

    pthread_mutex_lock(&channel->signal_lock);
    rc = channel->host->ops->arm_ring(channel->host, channel->ring);
    pthread_mutex_unlock(&channel->signal_lock);

    if ( rc < 0 )
        return rc;

    if ( rc > 0 )
    {
        enter(channel);
        channel->statistics.wakeups++;
        leave(channel);
    }

    return transport->ops->want_wakeup(transport);
}

int memevent_peek(const struct memevent_channel *channel)
{
    return channel->transport->ops->peek(channel->transport);
}

int memevent_answer(struct memevent_channel *channel, uint64_t id)
{
    return memevent_answer_with(channel, id, 0);
}

int memevent_answer_with(struct memevent_channel *channel, uint64_t id, uint32_t actions)
{
    int rc;

    if ( !channel->transport->ops->answer )
        return -EOPNOTSUPP;

    enter(channel);

    rc = channel->transport->ops->answer(channel->transport, id, actions);
    if ( rc < 0 )
        channel->statistics.refused++;
    else
    {
        channel->statistics.answered++;
        channel->statistics.outstanding--;
    }

    leave(channel);

    return rc;
}

static int get_slot(const struct memevent_channel *channel, uint64_t id, size_t offset, void *out, size_t size)
{
    /* As in memevent_get_statistics(). */
    pthread_mutex_t *lock = (pthread_mutex_t *)&channel->lock;
    int rc;

    if ( !channel->transport->ops->get_slot )
        return -EOPNOTSUPP;

    pthread_mutex_lock(lock);
    rc = channel->transport->ops->get_slot(channel->transport, id, offset, out, size);
    pthread_mutex_unlock(lock);

    return rc;
}

int memevent_get_details(const struct memevent_channel *channel, uint64_t id, struct memevent_details *out)
{
    return get_slot(channel, id, sizeof(struct xen_memevent_request), out, sizeof(*out));
}

int memevent_get_registers(const struct memevent_channel *channel, uint64_t id, void *out, size_t size)
{
    return get_slot(channel, id, XEN_MEMEVENT_REGISTERS_OFFSET, out, size);
}

int memevent_flush(struct memevent_channel *channel)
{
    enter(channel);
    publish(channel);
    leave(channel);

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

int memevent_reports_touches(const struct memevent_channel *channel)
{
    return channel->transport->ops->reports_touches;
}

uint32_t memevent_get_redelivered(const struct memevent_channel *channel)
{
    return channel->ring->redelivered;
}

int memevent_get_channel_info(const struct memevent_channel *channel, struct memevent_channel_info *out)
{
    int rc;

    if ( channel->ring->kind == RING_VM_EVENT )
        return -EOPNOTSUPP;

    rc = channel->host->ops->get_channel_info(channel->host, channel->class, channel->domid, out);

    return rc < 0 ? rc : 0;
}
