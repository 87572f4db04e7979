/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Our channels for bench/channel: the hypervisor's core as it is, with the locks that it has in Xen, and two consumers: by
 * hand, after the ABI's header, as the old shape's is; and libmemevent, with its locks and its table of unanswered
 * requests.
 */
#include <stdlib.h>
#include <string.h>

#include <xen/memevent-lossy.h>
#include <xen/memevent-reliable.h>

#include "channel.h"
#include "memevent/channel.h"
#include "memevent/ring-lossy.h"
#include "memevent/ring-reliable.h"

struct host {
    struct hypervisor hv;               /* first: the operations cast back */
    struct hypervisor_ring ring;
    struct memevent_reliable core;
    struct memevent_lossy lossy;
    struct memevent_channel *channel;
    struct work *work;
    uint32_t request_consumer, response_producer;       /* of the consumer by hand */
    uint64_t gfn;                                       /* that was last asked for */
};

/* memevent_claim(), memevent_put() in the hypervisor. */
static void reliable_put(struct host *host, uint32_t vcpu, uint64_t gfn)
{
    struct xen_memevent_request *request;
    bool said;

    lock();
    request = memevent_reliable_claim(&host->core, vcpu);
    require(request, "a vCPU has no place");
    request->kind = XEN_MEMEVENT_PAGING_POPULATE;
    request->flags = XEN_MEMEVENT_VCPU_PAUSED;
    request->vcpu = vcpu;
    request->gfn = gfn;
    said = memevent_reliable_put(&host->core, request);
    unlock();
    if ( said )
        port_signal();
}

/* What memevent_kicked() has: a lock for so many answers. */
#define VCPUS_AT_ONCE 16u

static void kicked(struct host *host)
{
    uint32_t vcpus[VCPUS_AT_ONCE], waiting, budget = host->core.slots, i;
    bool said;

    do {
        lock();
        waiting = memevent_reliable_take_waiting(&host->core, vcpus, VCPUS_AT_ONCE, &budget);
        unlock();
        for ( i = 0; i < waiting; i++ )
        {
            require(vcpus[i] < VCPUS, "an answer of ours is wrong");
            if ( work_goes_on(host->work) )
                reliable_put(host, vcpus[i], ++host->gfn);
        }
    } while ( waiting == VCPUS_AT_ONCE && budget );

    lock();
    said = memevent_reliable_flush(&host->core);
    unlock();
    if ( said )
        port_signal();
}

static int host_arm(struct hypervisor *hv, struct hypervisor_ring *ring)
{
    (void)hv;
    (void)ring;

    /* The consumer here reads and unmasks when it wakes. */
    return 0;
}

static int host_notify(struct hypervisor *hv, struct hypervisor_ring *ring)
{
    (void)ring;
    port_notify();
    kicked((struct host *)hv);

    return 0;
}

static void host_detach(struct hypervisor *hv, struct hypervisor_ring *ring)
{
    (void)hv;
    (void)ring;
}

static const struct hypervisor_ops host_ops = {
    .name = "both ends on one thread",
    .arm_ring = host_arm,
    .notify_ring = host_notify,
    .detach_ring = host_detach,
};

struct host *reliable_open(void)
{
    struct host *host = calloc(1, sizeof(*host));
    struct memevent_reliable *core = &host->core;
    struct transport *transport;

    require(host, "no memory");
    host->hv.ops = &host_ops;
    memevent_reliable_layout(core, VCPUS, sizeof(struct xen_memevent_request), sizeof(struct xen_memevent_response));
    core->shared = aligned_alloc(PAGE_OCTETS, core->size);
    core->entries = calloc(core->slots, sizeof(*core->entries));
    core->requests = calloc(core->slots, core->request_size);
    require(core->shared && core->entries && core->requests, "no memory");
    memevent_reliable_init(core);
    memevent_reliable_reattach(core);
    host->ring = (struct hypervisor_ring){
        .page = core->shared, .size = core->size, .fd = -1, .kind = RING_RELIABLE, .rings = 1, .ring_size = core->size,
        .slots = core->slots, .request_size = core->request_size, .response_size = core->response_size,
        .request_offset = core->request_offset, .response_offset = core->response_offset, .attachment = 1,
    };
    require(!ring_reliable_open(&host->ring, MEMEVENT_CLASS_PAGING, &transport) &&
            !channel_open(&host->hv, &host->ring, transport, &host->channel), "the channel cannot be opened");
    require(!memevent_arm(host->channel), "there is an event");

    return host;
}

void reliable_close(struct host *host)
{
    memevent_detach(host->channel);
    free(host->core.shared);
    free(host->core.entries);
    free(host->core.requests);
    free(host);
}

static void consume(struct host *host)
{
    struct memevent_event event;

    do {
        while ( memevent_next(host->channel, &event) == 1 )
            require(!memevent_answer(host->channel, event.id), "an answer was refused");
        require(!memevent_flush(host->channel), "the hypervisor cannot be notified");
    } while ( memevent_arm(host->channel) );
}

/* A batch: what is there, copied, and its answers. */
static void answer_batch(struct host *host)
{
    struct xen_memevent_reliable *control = host->core.shared;
    char *shared = host->core.shared;
    const struct xen_memevent_request *requests = (const void *)(shared + host->core.request_offset);
    struct xen_memevent_response *responses = (void *)(shared + host->core.response_offset);
    uint32_t mask = host->core.slots - 1;
    uint32_t producer = __atomic_load_n(&control->request_producer, __ATOMIC_ACQUIRE);
    uint32_t consumer = host->request_consumer, answered = host->response_producer;
    struct xen_memevent_request request;

    for ( ; consumer != producer; consumer++ )
    {
        memcpy(&request, &requests[consumer & mask], sizeof(request));
        used(&request);
        responses[answered++ & mask] = (struct xen_memevent_response){ .id = request.id };
    }
    host->request_consumer = consumer;
    host->response_producer = answered;
    __atomic_store_n(&control->request_consumer, consumer, __ATOMIC_RELEASE);
    __atomic_store_n(&control->response_producer, answered, __ATOMIC_RELEASE);
}

/* The wish, and whether something came before it. */
static bool want_wakeup(struct host *host)
{
    struct xen_memevent_reliable *control = host->core.shared;

    __atomic_store_n(&control->request_event, host->request_consumer + 1, __ATOMIC_SEQ_CST);

    return __atomic_load_n(&control->request_producer, __ATOMIC_SEQ_CST) != host->request_consumer;
}

static bool is_there_more(const struct host *host)
{
    const struct xen_memevent_reliable *control = host->core.shared;

    return __atomic_load_n(&control->request_producer, __ATOMIC_RELAXED) != host->request_consumer;
}

static void consume_by_hand(struct host *host)
{
    do {
        answer_batch(host);
        host_notify(&host->hv, &host->ring);
    } while ( is_there_more(host) || want_wakeup(host) );
}

void reliable_run(struct host *host, struct work *work, bool by_hand)
{
    unsigned int vcpu;

    host->work = work;
    while ( work->left )
    {
        for ( vcpu = 0; vcpu < work->outstanding && work->left; vcpu++ )
        {
            work->left--;
            reliable_put(host, vcpu, work->left + 1);
        }
        while ( port_wake() )
            (by_hand ? consume_by_hand : consume)(host);
    }
}

void reliable_parts(struct host *host, struct parts *parts)
{
    static struct work work;
    double t0, t1, t2, t3;
    unsigned int i;

    work = (struct work){ .outstanding = VCPUS };
    host->work = &work;
    t0 = part_clock();
    for ( i = 0; i < VCPUS; i++ )
        reliable_put(host, i, 1);
    t1 = part_clock();
    answer_batch(host);
    t2 = part_clock();
    kicked(host);
    t3 = part_clock();
    require(work.answered == VCPUS && port_wake() && !want_wakeup(host), "a batch is not answered");
    *parts = (struct parts){ (t1 - t0) / VCPUS, (t2 - t1) / VCPUS, (t3 - t2) / VCPUS };
}

#define LOSSY_PAGES 4u
#define LOSSY_BATCH 64u
#define LOSSY_OFFSET ((uint32_t)sizeof(struct xen_memevent_lossy))

static void lossy_open(struct host *host)
{
    /* A power of two, within the pages: half of them are used, as the control words take the begin. */
    uint32_t slots = LOSSY_PAGES * PAGE_OCTETS / sizeof(struct xen_memevent_record) / 2;
    struct transport *transport;
    void *memory = aligned_alloc(PAGE_OCTETS, LOSSY_PAGES * PAGE_OCTETS);

    if ( memory )
        memset(memory, 0, LOSSY_PAGES * PAGE_OCTETS);
    require(memory, "no memory");
    memset(host, 0, sizeof(*host));
    host->hv.ops = &host_ops;
    memevent_lossy_init(&host->lossy, memory, LOSSY_OFFSET, slots, LOSSY_BATCH);
    host->ring = (struct hypervisor_ring){
        .page = memory, .size = LOSSY_PAGES * PAGE_OCTETS, .fd = -1, .kind = RING_LOSSY, .rings = 1,
        .ring_size = LOSSY_PAGES * PAGE_OCTETS, .slots = slots, .request_size = sizeof(struct xen_memevent_record),
        .request_offset = LOSSY_OFFSET, .batch = LOSSY_BATCH, .attachment = 1,
    };
    require(!ring_lossy_open(&host->ring, &transport) &&
            !channel_open(&host->hv, &host->ring, transport, &host->channel), "the lossy channel cannot be opened");
}

double lossy_run(enum lossy_work work, uint64_t count)
{
    struct memevent_record records[LOSSY_BATCH];
    struct xen_memevent_record record = { .kind = XEN_MEMEVENT_GFN, .reason = XEN_MEMEVENT_UNSHARED, .domid = 1 };
    struct host host;
    uint64_t i, lost = 0, taken = 0;
    double begin, seconds;
    int got;

    lossy_open(&host);
    if ( work == LOSSY_DROP )
        for ( i = 0; i < host.lossy.slots; i++ )
            memevent_lossy_put(&host.lossy, &record);
    if ( work == LOSSY_BOTH )
        memevent_arm(host.channel);
    begin = now();
    for ( i = 0; i < count; i++ )
    {
        record.what = i;
        if ( memevent_lossy_put(&host.lossy, &record) )
        {
            port_signal();
            (void)port_wake();
            while ( (got = memevent_take_records(host.channel, records, LOSSY_BATCH, &lost)) > 0 )
                taken += got;
            memevent_arm(host.channel);
        }
        /* A consumer that is infinitely fast: its index, once in half a ring. */
        if ( work == LOSSY_PUT && !(i % (host.lossy.slots / 2)) )
            __atomic_store_n(&host.lossy.shared->consumer, host.lossy.producer, __ATOMIC_RELEASE);
    }
    seconds = now() - begin;
    require((work == LOSSY_DROP) == (host.lossy.dropped > 0), "records were dropped that should not, or not");
    require(work != LOSSY_BOTH || taken + (host.lossy.producer - host.lossy.shared->consumer) == count,
            "records were lost");
    memevent_detach(host.channel);
    free(host.ring.page);

    return seconds;
}
