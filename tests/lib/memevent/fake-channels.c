/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the hypervisor does around its channels' core, in as few lines as can be.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake-channels.h"

#define LOSSY_OFFSET 256u

static struct fake_channels *fake_of(struct hypervisor *hv)
{
    return (struct fake_channels *)hv;
}

static void signal_consumer(struct fake_channels *fake)
{
    pthread_mutex_lock(&fake->evtchn_lock);
    fake->signals++;
    if ( fake->masked )
        fake->pending = true;
    else
    {
        fake->masked = true;
        eventfd_write(fake->ring.fd, 1);
    }
    pthread_mutex_unlock(&fake->evtchn_lock);
}

static int arm_ring(struct hypervisor *hv, struct hypervisor_ring *ring)
{
    struct fake_channels *fake = fake_of(hv);
    eventfd_t value;
    int taken;

    pthread_mutex_lock(&fake->evtchn_lock);
    taken = eventfd_read(ring->fd, &value) == 0;
    if ( taken )
    {
        fake->masked = fake->pending;
        if ( fake->pending )
            eventfd_write(ring->fd, 1);
        fake->pending = false;
    }
    pthread_mutex_unlock(&fake->evtchn_lock);

    return taken;
}

void fake_channels_kick(struct fake_channels *fake)
{
    const struct xen_memevent_request *request;
    struct memevent_answer answer;
    unsigned int budget;
    bool notify;
    int taken = 1;

    pthread_mutex_lock(&fake->lock);
    for ( budget = fake->core.slots; taken && budget; budget-- )
    {
        taken = memevent_reliable_take(&fake->core, fake->actions_allowed, &answer);
        if ( taken <= 0 )
            continue;
        fake->last_action = ((const struct xen_memevent_response *)answer.response)->action;
        request = (const void *)answer.request;
        fake->acted++;
        fake->last_gfn = request->gfn;
        if ( request->flags & XEN_MEMEVENT_VCPU_PAUSED )
            fake->waits[request->vcpu] = false;
    }
    fake->core.info.kicks++;
    notify = memevent_reliable_flush(&fake->core);
    pthread_mutex_unlock(&fake->lock);

    if ( notify )
        signal_consumer(fake);
}

static int notify_ring(struct hypervisor *hv, struct hypervisor_ring *ring)
{
    struct fake_channels *fake = fake_of(hv);

    (void)ring;
    __atomic_add_fetch(&fake->kicks, 1, __ATOMIC_RELAXED);
    if ( !fake->late_kick )
        fake_channels_kick(fake);

    return 0;
}

static void attach_reliable(struct fake_channels *fake, enum memevent_class class)
{
    uint32_t response_size = class == MEMEVENT_CLASS_ACCESS ? sizeof(struct xen_memevent_access_response)
                                                            : sizeof(struct xen_memevent_response);
    uint32_t request_size = class != MEMEVENT_CLASS_ACCESS ? sizeof(struct xen_memevent_request) :
                            fake->options.flags & MEMEVENT_FULL_REGISTERS ? XEN_MEMEVENT_FULL_SIZE :
                            sizeof(struct xen_memevent_access_request);

    if ( !fake->live )
    {
        memevent_reliable_layout(&fake->core, FAKE_CHANNELS_VCPUS, request_size, response_size);
        fake->core.shared = aligned_alloc(HYPERVISOR_PAGE_SIZE, fake->core.size);
        fake->core.entries = calloc(fake->core.slots, sizeof(*fake->core.entries));
        fake->core.requests = calloc(fake->core.slots, fake->core.request_size);
        assert_true(fake->core.shared && fake->core.entries && fake->core.requests);
        memevent_reliable_init(&fake->core);
        fake->live = true;
    }
    fake->ring.page = fake->core.shared;
    fake->ring.size = fake->core.size;
    fake->ring.kind = RING_RELIABLE;
    fake->ring.rings = 1;
    fake->ring.ring_size = fake->core.size;
    fake->ring.slots = fake->core.slots;
    fake->ring.request_size = fake->core.request_size;
    fake->ring.response_size = fake->core.response_size;
    fake->ring.request_offset = fake->core.request_offset;
    fake->ring.response_offset = fake->core.response_offset;
    fake->ring.redelivered = memevent_reliable_reattach(&fake->core);
    fake->ring.attachment = fake->core.info.attachments;
    memevent_reliable_flush(&fake->core);
}

static void attach_lossy(struct fake_channels *fake)
{
    uint32_t size = LOSSY_OFFSET + FAKE_CHANNELS_LOSSY_SLOTS * sizeof(struct xen_memevent_record);

    fake->ring.ring_size = (size + HYPERVISOR_PAGE_SIZE - 1) & ~(HYPERVISOR_PAGE_SIZE - 1);
    fake->ring.kind = RING_LOSSY;
    fake->ring.rings = FAKE_CHANNELS_RINGS;
    fake->ring.size = (size_t)fake->ring.ring_size * FAKE_CHANNELS_RINGS;
    fake->ring.slots = FAKE_CHANNELS_LOSSY_SLOTS;
    fake->ring.request_size = sizeof(struct xen_memevent_record);
    fake->ring.response_size = fake->ring.response_offset = 0;
    fake->ring.request_offset = LOSSY_OFFSET;
    fake->ring.batch = fake->options.batch;
    if ( !fake->live )
    {
        fake->ring.page = aligned_alloc(HYPERVISOR_PAGE_SIZE, fake->ring.size);
        memset(fake->ring.page, 0, fake->ring.size);
        for ( unsigned int cpu = 0; cpu < FAKE_CHANNELS_RINGS; cpu++ )
            memevent_lossy_init(&fake->lossy[cpu], (char *)fake->ring.page + (size_t)cpu * fake->ring.ring_size,
                                LOSSY_OFFSET, FAKE_CHANNELS_LOSSY_SLOTS, fake->options.batch);
        fake->live = true;
    }
}

static int attach_ring(struct hypervisor *hv, enum memevent_class class, uint16_t domid,
                       const struct memevent_options *options, struct hypervisor_ring **out, const char **why)
{
    struct fake_channels *fake = fake_of(hv);

    assert_int_equal(domid, class == MEMEVENT_CLASS_INVALIDATE ? MEMEVENT_HOST : FAKE_CHANNELS_DOMID);
    if ( fake->attached || fake->attach_error )
    {
        *why = "it is said why";
        return fake->attached ? -EBUSY : fake->attach_error;
    }

    fake->options = *options;
    fake->attached = true;
    fake->masked = fake->pending = false;
    fake->ring.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if ( class == MEMEVENT_CLASS_INVALIDATE )
        attach_lossy(fake);
    else
        attach_reliable(fake, class);
    *out = &fake->ring;

    return 0;
}

static void leave_ring(struct hypervisor *hv, struct hypervisor_ring *ring)
{
    assert_true(fake_of(hv)->attached);
    fake_of(hv)->attached = false;
    close(ring->fd);
}

static void free_channel(struct fake_channels *fake)
{
    free(fake->ring.page);
    free(fake->core.entries);
    free(fake->core.requests);
    fake->ring.page = NULL;
    fake->core.entries = NULL;
    fake->core.requests = NULL;
    fake->live = false;
}

static void detach_ring(struct hypervisor *hv, struct hypervisor_ring *ring)
{
    struct fake_channels *fake = fake_of(hv);

    leave_ring(hv, ring);
    if ( ring->kind == RING_RELIABLE && fake->core.info.outstanding )
        return;
    fake->ended++;
    free_channel(fake);
}

static int get_channel_info(struct hypervisor *hv, enum memevent_class class, uint16_t domid,
                            struct memevent_channel_info *out)
{
    const struct xen_memevent_info *info = &fake_of(hv)->core.info;

    (void)class;
    assert_int_equal(domid, FAKE_CHANNELS_DOMID);
    *out = (struct memevent_channel_info){ .outstanding = info->outstanding, .produced = info->produced };

    return 0;
}

static void close_host(struct hypervisor *hv)
{
    (void)hv;
}

static const struct hypervisor_ops fake_channels_ops = {
    .name             = "the channels' core",
    .close            = close_host,
    .attach_ring      = attach_ring,
    .detach_ring      = detach_ring,
    .leave_ring       = leave_ring,
    .arm_ring         = arm_ring,
    .notify_ring      = notify_ring,
    .get_channel_info = get_channel_info,
};

void fake_channels_init(struct fake_channels *fake)
{
    *fake = (struct fake_channels){ .hv.ops = &fake_channels_ops };
    pthread_mutex_init(&fake->lock, NULL);
    pthread_mutex_init(&fake->evtchn_lock, NULL);
}

void fake_channels_finish(struct fake_channels *fake)
{
    assert_false(fake->attached);
    free_channel(fake);
    pthread_mutex_destroy(&fake->lock);
    pthread_mutex_destroy(&fake->evtchn_lock);
}

uint64_t fake_channels_ask(struct fake_channels *fake, uint32_t vcpu, const struct xen_memevent_request *request)
{
    struct xen_memevent_request *claimed;
    uint64_t id = 0;
    bool notify = false;

    pthread_mutex_lock(&fake->lock);
    claimed = memevent_reliable_claim(&fake->core, vcpu);
    if ( claimed )
    {
        id = claimed->id;
        *claimed = *request;
        claimed->id = id;
        /* What lies behind it: each word says where it is. */
        for ( uint32_t word = sizeof(*claimed) / 8; word < fake->core.request_size / 8; word++ )
            ((uint64_t *)claimed)[word] = request->gfn << 32 | word;
        if ( vcpu != MEMEVENT_NOBODY )
        {
            claimed->vcpu = vcpu;
            claimed->flags |= XEN_MEMEVENT_VCPU_PAUSED;
            fake->waits[vcpu] = true;
        }
        notify = memevent_reliable_put(&fake->core, claimed);
    }
    else if ( vcpu == MEMEVENT_NOBODY )
        notify = memevent_reliable_rescan(&fake->core, XEN_MEMEVENT_PAGING_RESCAN, request->time);
    pthread_mutex_unlock(&fake->lock);

    if ( notify )
        signal_consumer(fake);

    return id;
}

uint64_t fake_channels_touch(struct fake_channels *fake, uint32_t vcpu, uint64_t gfn)
{
    const struct xen_memevent_request request = {
        .gfn = gfn, .kind = XEN_MEMEVENT_PAGING_POPULATE, .time = 1000 + gfn, .causer = FAKE_CHANNELS_DOMID,
    };

    return fake_channels_ask(fake, vcpu, &request);
}

uint64_t fake_channels_drop(struct fake_channels *fake, uint64_t gfn)
{
    const struct xen_memevent_request request = { .gfn = gfn, .kind = XEN_MEMEVENT_PAGING_DROP };

    return fake_channels_ask(fake, MEMEVENT_NOBODY, &request);
}

bool fake_channels_waits(struct fake_channels *fake, uint32_t vcpu)
{
    bool waits;

    pthread_mutex_lock(&fake->lock);
    waits = fake->waits[vcpu];
    pthread_mutex_unlock(&fake->lock);

    return waits;
}

struct xen_memevent_reliable *fake_channels_control(struct fake_channels *fake)
{
    return fake->core.shared;
}

struct xen_memevent_request *fake_channels_slot(struct fake_channels *fake, uint32_t number)
{
    return (void *)((char *)fake->core.shared + fake->core.request_offset +
                    (size_t)(number & (fake->core.slots - 1)) * fake->core.request_size);
}

void fake_channels_invalidate(struct fake_channels *fake, unsigned int cpu, uint64_t handle)
{
    const struct xen_memevent_record record = {
        .what = handle, .domid = 1, .kind = XEN_MEMEVENT_HANDLE, .reason = XEN_MEMEVENT_UNSHARED,
    };

    if ( memevent_lossy_put(&fake->lossy[cpu], &record) )
        signal_consumer(fake);
}

void fake_channels_expire(struct fake_channels *fake, unsigned int cpu)
{
    if ( memevent_lossy_expire(&fake->lossy[cpu]) )
        signal_consumer(fake);
}
