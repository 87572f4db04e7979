/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The life of channels: who is attached, and to what memory.  A ring's memory belongs to the channel and is what the
 * consumer gets; a consumer that is gone can scribble on it still, as one with a stale mapping can.  What goes through
 * a channel is events.c's.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "host.h"

/* As the hypervisor has them if the consumer does not say: see struct memevent_options. */
#define BATCH_DEFAULT    64
#define DEADLINE_DEFAULT 10000
#define LOSSY_SLOTS      256

static size_t ring_size(void)
{
    size_t size = sizeof(struct xen_memevent_lossy) + LOSSY_SLOTS * sizeof(struct xen_memevent_record);

    return (size + HYPERVISOR_PAGE_SIZE - 1) & ~(size_t)(HYPERVISOR_PAGE_SIZE - 1);
}

static struct emulated_channel *find_channel(struct emulated_host *host, enum memevent_class class, uint16_t domid,
                                             struct emulated_domain **domain)
{
    *domain = NULL;
    if ( class == MEMEVENT_CLASS_INVALIDATE )
        return domid == MEMEVENT_HOST ? &host->invalidate : NULL;
    if ( class < MEMEVENT_CLASS_PAGING || class > MEMEVENT_CLASS_ACCESS )
        return NULL;
    *domain = emulated_find(host, domid);

    return *domain ? &(*domain)->channels[class] : NULL;
}

static struct emulated_memory *alloc_memory(size_t size)
{
    struct emulated_memory *memory = calloc(1, sizeof(*memory));

    if ( !memory )
        return NULL;
    memory->octets = aligned_alloc(HYPERVISOR_PAGE_SIZE, size);
    if ( !memory->octets )
    {
        free(memory);
        return NULL;
    }
    memset(memory->octets, 0, size);
    memory->size = size;
    memory->references = 1;

    return memory;
}

static void put_memory(struct emulated_memory *memory)
{
    if ( !memory || --memory->references )
        return;
    free(memory->octets);
    free(memory);
}

static void *run_timer(void *argument)
{
    struct emulated_channel *channel = argument;
    struct emulated_host *host = channel->host;
    struct timespec until;

    pthread_mutex_lock(&host->lock);
    while ( channel->live )
    {
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += channel->deadline * 1000ll;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        /* Whatever else has changed: it is not earlier than that. */
        while ( channel->live && pthread_cond_timedwait(&host->changed, &host->lock, &until) != ETIMEDOUT )
            continue;
        if ( channel->live )
            emulated_expire(channel);
    }
    pthread_mutex_unlock(&host->lock);

    return NULL;
}

static int create_reliable(struct emulated_channel *channel)
{
    struct memevent_reliable *core = &channel->core;

    if ( channel->class == MEMEVENT_CLASS_ACCESS )
        memevent_reliable_layout(core, channel->domain->vcpus, sizeof(struct xen_memevent_access_request),
                                 sizeof(struct xen_memevent_access_response));
    else
        memevent_reliable_layout(core, channel->domain->vcpus, sizeof(struct xen_memevent_request),
                                 sizeof(struct xen_memevent_response));
    channel->memory = alloc_memory(core->size);
    core->entries = calloc(core->slots, sizeof(*core->entries));
    core->requests = calloc(core->slots, core->request_size);
    if ( !channel->memory || !core->entries || !core->requests )
        return -ENOMEM;
    core->shared = channel->memory->octets;
    memevent_reliable_init(core);

    return 0;
}

static int create_lossy(struct emulated_channel *channel, const struct memevent_options *options)
{
    uint32_t batch = options && options->batch ? options->batch : BATCH_DEFAULT;
    unsigned int cpu;

    channel->memory = alloc_memory(EMULATED_CPUS * ring_size());
    if ( !channel->memory )
        return -ENOMEM;
    for ( cpu = 0; cpu < EMULATED_CPUS; cpu++ )
        memevent_lossy_init(&channel->rings[cpu], (char *)channel->memory->octets + cpu * ring_size(),
                            sizeof(struct xen_memevent_lossy), LOSSY_SLOTS, batch);
    channel->deadline = options && options->deadline ? options->deadline : DEADLINE_DEFAULT;
    channel->live = true;
    channel->has_timer = !pthread_create(&channel->timer, NULL, run_timer, channel);

    return channel->has_timer ? 0 : -EAGAIN;
}

static void free_channel(struct emulated_channel *channel)
{
    free(channel->core.entries);
    free(channel->core.requests);
    memset(&channel->core, 0, sizeof(channel->core));
    put_memory(channel->memory);
    channel->memory = NULL;
    channel->live = false;
}

/* Who waits goes on without an answer. */
static void end(struct emulated_channel *channel)
{
    struct memevent_answer answer;

    if ( !channel->live )
        return;
    if ( channel->consumer )
        channel->consumer->channel = NULL;
    channel->consumer = NULL;
    channel->live = false;
    if ( channel->class == MEMEVENT_CLASS_ACCESS )
        channel->domain->monitors = 0;
    if ( emulated_is_reliable(channel) )
        while ( memevent_reliable_abandon(&channel->core, &answer) )
            emulated_act(channel, &answer);
    if ( channel->has_timer )
    {
        pthread_cond_broadcast(&channel->host->changed);
        pthread_mutex_unlock(&channel->host->lock);
        pthread_join(channel->timer, NULL);
        pthread_mutex_lock(&channel->host->lock);
        channel->has_timer = false;
    }
    free_channel(channel);
}

void emulated_end_channels(struct emulated_host *host, struct emulated_domain *domain)
{
    unsigned int class;

    if ( !domain )
        end(&host->invalidate);
    for ( class = 0; domain && class < XEN_MEMEVENT_CLASSES; class++ )
        end(&domain->channels[class]);
}

static void describe(struct emulated_channel *channel, struct hypervisor_ring *ring)
{
    const struct memevent_reliable *core = &channel->core;

    ring->page = channel->memory->octets;
    ring->size = channel->memory->size;
    if ( emulated_is_reliable(channel) )
    {
        ring->kind = RING_RELIABLE;
        ring->ring_size = core->size;
        ring->rings = 1;
        ring->slots = core->slots;
        ring->request_size = core->request_size;
        ring->response_size = core->response_size;
        ring->request_offset = core->request_offset;
        ring->response_offset = core->response_offset;
        ring->attachment = core->info.attachments;
        return;
    }
    ring->kind = RING_LOSSY;
    ring->ring_size = ring_size();
    ring->rings = EMULATED_CPUS;
    ring->slots = LOSSY_SLOTS;
    ring->request_size = sizeof(struct xen_memevent_record);
    ring->request_offset = sizeof(struct xen_memevent_lossy);
    ring->batch = channel->rings[0].batch;
    ring->attachment = channel->attachments;
}

static int attach(struct emulated_host *host, enum memevent_class class, uint16_t domid,
                  const struct memevent_options *options, struct emulated_ring *ring, const char **why)
{
    struct emulated_domain *domain;
    struct emulated_channel *channel = find_channel(host, class, domid, &domain);
    int rc = 0;

    if ( !channel )
        return class == MEMEVENT_CLASS_INVALIDATE || class == 0 || class > MEMEVENT_CLASS_INVALIDATE ? -EINVAL : -ESRCH;
    if ( channel->consumer )
    {
        *why = "another consumer is attached to this channel: stop that one first";
        return -EBUSY;
    }
    if ( !channel->live )
    {
        channel->host = host;
        channel->domain = domain;
        channel->class = class;
        channel->attachments = 0;
        channel->notifications = 0;
        rc = emulated_is_reliable(channel) ? create_reliable(channel) : create_lossy(channel, options);
        if ( rc )
        {
            free_channel(channel);
            return rc;
        }
        channel->live = true;
    }
    for ( unsigned int cpu = 0; !emulated_is_reliable(channel) && cpu < EMULATED_CPUS; cpu++ )
        memevent_lossy_renew(&channel->rings[cpu]);
    ring->channel = channel;
    ring->memory = channel->memory;
    ring->memory->references++;
    channel->consumer = ring;
    channel->attachments++;
    if ( emulated_is_reliable(channel) )
    {
        if ( channel->core.info.attachments )
            emulated_take_answers(channel);
        ring->ring.redelivered = memevent_reliable_reattach(&channel->core);
    }
    describe(channel, &ring->ring);
    if ( emulated_is_reliable(channel) && memevent_reliable_flush(&channel->core) )
        emulated_signal(channel);

    return 0;
}

int emulated_attach_ring(struct hypervisor *hv, enum memevent_class class, uint16_t domid,
                         const struct memevent_options *options, struct hypervisor_ring **out, const char **why)
{
    struct emulated_host *host = emulated_host_of(hv);
    struct emulated_ring *ring = calloc(1, sizeof(*ring));
    const char *unused;
    int rc;

    if ( !ring )
        return -ENOMEM;
    ring->ring.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if ( ring->ring.fd < 0 )
    {
        rc = -errno;
        free(ring);
        return rc;
    }
    pthread_mutex_lock(&host->lock);
    host->counts.hypercalls++;
    rc = attach(host, class, domid, options, ring, why ? why : &unused);
    pthread_mutex_unlock(&host->lock);
    if ( rc )
    {
        close(ring->ring.fd);
        free(ring);
        return rc;
    }
    *out = &ring->ring;

    return 0;
}

/* A channel that somebody still needs is left. */
static bool is_needed(const struct emulated_channel *channel)
{
    switch ( channel->class )
    {
    case MEMEVENT_CLASS_PAGING:
        return channel->core.info.outstanding || channel->domain->pages_out;

    case MEMEVENT_CLASS_OOM:
        return channel->core.info.outstanding;

    default:
        return false;
    }
}

static void part(struct hypervisor *hv, struct hypervisor_ring *ring, bool may_end)
{
    struct emulated_host *host = emulated_host_of(hv);
    struct emulated_ring *own = (struct emulated_ring *)ring;
    struct emulated_channel *channel;

    if ( !ring )
        return;
    pthread_mutex_lock(&host->lock);
    host->counts.hypercalls++;
    channel = own->channel;
    if ( channel )
    {
        channel->consumer = NULL;
        own->channel = NULL;
        if ( emulated_is_reliable(channel) )
            emulated_take_answers(channel);
        if ( may_end && !is_needed(channel) )
            end(channel);
    }
    put_memory(own->memory);
    pthread_mutex_unlock(&host->lock);
    close(ring->fd);
    free(own);
}

void emulated_detach_ring(struct hypervisor *hv, struct hypervisor_ring *ring)
{
    part(hv, ring, true);
}

void emulated_leave_ring(struct hypervisor *hv, struct hypervisor_ring *ring)
{
    part(hv, ring, false);
}

int emulated_kill_consumer(struct hypervisor *hv, enum memevent_class class, uint16_t domid)
{
    struct emulated_host *host = emulated_host_of(hv);
    struct emulated_channel *channel;
    struct emulated_domain *domain;
    int rc = -ENOENT;

    pthread_mutex_lock(&host->lock);
    channel = find_channel(host, class, domid, &domain);
    if ( channel && channel->consumer )
    {
        channel->consumer->channel = NULL;
        channel->consumer = NULL;
        rc = 0;
    }
    pthread_mutex_unlock(&host->lock);

    return rc;
}

static void count_lossy(const struct emulated_channel *channel, struct memevent_channel_info *out)
{
    unsigned int cpu;

    for ( cpu = 0; cpu < EMULATED_CPUS; cpu++ )
    {
        out->produced += channel->rings[cpu].produced;
        out->dropped += channel->rings[cpu].dropped;
        out->answered += memevent_lossy_consumed(&channel->rings[cpu]);
    }
    out->attachments = channel->attachments;
    out->notifications = channel->notifications;
}

int emulated_get_channel_info(struct hypervisor *hv, enum memevent_class class, uint16_t domid,
                              struct memevent_channel_info *out)
{
    struct emulated_host *host = emulated_host_of(hv);
    const struct xen_memevent_info *info;
    struct emulated_channel *channel;
    struct emulated_domain *domain;
    int rc = 0;

    pthread_mutex_lock(&host->lock);
    host->counts.hypercalls++;
    memset(out, 0, sizeof(*out));
    channel = find_channel(host, class, domid, &domain);
    if ( !channel )
        rc = class == MEMEVENT_CLASS_INVALIDATE ? -EINVAL : -ESRCH;
    else if ( !channel->live )
        rc = -ENOENT;
    else if ( !emulated_is_reliable(channel) )
        count_lossy(channel, out);
    else
    {
        info = &channel->core.info;
        *out = (struct memevent_channel_info){
            .outstanding = info->outstanding, .waiting = info->waiting, .outstanding_max = info->outstanding_max,
            .attachments = info->attachments, .produced = info->produced, .answered = info->answered,
            .coalesced = info->coalesced, .unknown = info->unknown, .repeated = info->repeated,
            .malformed = info->malformed, .overruns = info->overruns, .redelivered = info->redelivered,
            .notifications = info->notifications, .kicks = info->kicks,
        };
    }
    pthread_mutex_unlock(&host->lock);

    return rc;
}
