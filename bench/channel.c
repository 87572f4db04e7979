/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The channels against the shape of upstream's vm_event ring, in one process: events a second and notifications an event
 * with 1, 8 and 64 requests outstanding; lossy records a second, and what a dropped one costs.
 *     bench/channel [--json] [ROUNDS]
 *
 * Both ends run on one thread, one after the other, and its CPU time is what counts: what an event costs hypervisor and
 * consumer together, without the waiting of two CPUs for each other.  A notification is nothing at all, or the
 * write() to an eventfd, and the read() by who wakes: a stand-in for an event channel's hypercall and interrupt.
 * Ours is the hypervisor's core with libmemevent; the old shape is written here, after what its ABI says.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <xen/memevent-lossy.h>
#include <xen/memevent-reliable.h>

#include "memevent/channel.h"
#include "memevent/ring-lossy.h"
#include "memevent/ring-reliable.h"

/* Events in a sample: some milliseconds. */
#define EVENTS_QUIET  (64u * 2000)
#define EVENTS_SAID   (64u * 300)
#define RECORDS       2000000u
#define ROUNDS        21u
#define ROUNDS_MAX    1000u
#define VCPUS         64u

#define PAGE_OCTETS   4096u

static bool with_eventfd;
static int to_consumer, to_hypervisor;
static uint64_t notifications;

static void require(bool truth, const char *what)
{
    if ( truth )
        return;
    fprintf(stderr, "bench/channel: %s\n", what);
    exit(1);
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void notify(int fd)
{
    const uint64_t one = 1;

    notifications++;
    if ( with_eventfd )
        require(write(fd, &one, sizeof(one)) == sizeof(one), "an eventfd cannot be written");
}

/* What is pending is taken by the first that wakes. */
static void wake(int fd)
{
    uint64_t count;

    if ( with_eventfd )
        require(read(fd, &count, sizeof(count)) == sizeof(count), "nobody was notified");
}

/* Uncontended, as it is in a hypervisor with one vCPU at a time in here; both sides take it alike. */
static uint32_t lock_word;

static void lock(void)
{
    while ( __atomic_exchange_n(&lock_word, 1, __ATOMIC_ACQUIRE) )
        continue;
}

static void unlock(void)
{
    __atomic_store_n(&lock_word, 0, __ATOMIC_RELEASE);
}

/* ---- the old shape: 8 slots of 400 octets, a notification for each event, requests and responses in the same slots ---- */

#define OLD_SLOTS 8u

struct old_entry {
    uint32_t version, flags, reason, vcpu;
    uint16_t view, pad[3];
    uint64_t gfn;
    uint8_t rest[368];
};

struct old_page {
    uint32_t request_producer, request_event, response_producer, response_event;
    uint8_t pad[48];
    struct old_entry slots[OLD_SLOTS];
};
_Static_assert(sizeof(struct old_entry) == 400, "a slot of interface version 7");
_Static_assert(sizeof(struct old_page) <= PAGE_OCTETS, "one page");

static struct old_page *old_page;
static uint32_t old_request_producer, old_response_consumer, old_request_consumer, old_response_producer;
static uint64_t old_answered;

static void old_put(uint32_t vcpu, uint64_t gfn)
{
    struct old_entry entry = { .version = 7, .reason = 11, .flags = 1, .vcpu = vcpu, .gfn = gfn };

    lock();
    old_page->slots[old_request_producer++ % OLD_SLOTS] = entry;
    __atomic_store_n(&old_page->request_producer, old_request_producer, __ATOMIC_RELEASE);
    unlock();
    notify(to_consumer);
}

static void old_resume(void)
{
    struct old_entry entry;

    wake(to_hypervisor);
    for ( ;; )
    {
        lock();
        if ( old_response_consumer == __atomic_load_n(&old_page->response_producer, __ATOMIC_ACQUIRE) )
            break;
        entry = old_page->slots[old_response_consumer++ % OLD_SLOTS];
        old_page->response_event = old_response_consumer + 1;
        unlock();
        require(entry.vcpu < VCPUS && entry.gfn, "an answer of the old shape is wrong");
        old_answered++;
    }
    unlock();
}

static void old_consume(void)
{
    struct old_entry request, response;

    wake(to_consumer);
    while ( old_request_consumer != __atomic_load_n(&old_page->request_producer, __ATOMIC_ACQUIRE) )
    {
        request = old_page->slots[old_request_consumer++ % OLD_SLOTS];
        old_page->request_event = old_request_consumer + 1;
        memset(&response, 0, sizeof(response));
        response.version = request.version;
        response.vcpu = request.vcpu;
        response.flags = request.flags;
        response.reason = request.reason;
        response.gfn = request.gfn;
        old_page->slots[old_response_producer++ % OLD_SLOTS] = response;
        __atomic_store_n(&old_page->response_producer, old_response_producer, __ATOMIC_RELEASE);
        notify(to_hypervisor);
        old_resume();
    }
}

static void old_run(unsigned int outstanding, uint64_t events)
{
    uint64_t before = old_answered;
    unsigned int vcpu, batch = outstanding < OLD_SLOTS ? outstanding : OLD_SLOTS;

    while ( old_answered - before < events )
    {
        for ( vcpu = 0; vcpu < batch; vcpu++ )
            old_put(vcpu, old_answered + 1);
        old_consume();
    }
}

/* ---- ours ---- */

struct host {
    struct hypervisor hv;               /* first: the operations cast back */
    struct hypervisor_ring ring;
    struct memevent_reliable core;
    struct memevent_lossy lossy;
    struct memevent_channel *channel;
    uint64_t answered;
    uint32_t request_consumer, response_producer;       /* of the consumer by hand */
};

static int host_arm(struct hypervisor *hv, struct hypervisor_ring *ring)
{
    (void)hv;
    (void)ring;

    return 0;
}

/* The hypervisor, when it is notified. */
static int host_notify(struct hypervisor *hv, struct hypervisor_ring *ring)
{
    struct host *host = (struct host *)hv;
    struct memevent_answer answer;
    bool said;

    (void)ring;
    notify(to_hypervisor);
    wake(to_hypervisor);
    lock();
    while ( memevent_reliable_take(&host->core, 0, &answer) )
    {
        require(answer.index < VCPUS, "an answer of ours is wrong");
        host->answered++;
    }
    said = memevent_reliable_flush(&host->core);
    unlock();
    if ( said )
        notify(to_consumer);

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

static void reliable_open(struct host *host)
{
    struct memevent_reliable *core = &host->core;
    struct transport *transport;

    memset(host, 0, sizeof(*host));
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
}

static void reliable_close(struct host *host)
{
    memevent_detach(host->channel);
    free(host->core.shared);
    free(host->core.entries);
    free(host->core.requests);
}

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
        notify(to_consumer);
}

static void reliable_consume(struct host *host)
{
    struct memevent_event event;

    wake(to_consumer);
    do {
        while ( memevent_next(host->channel, &event) == 1 )
            require(!memevent_answer(host->channel, event.id), "an answer was refused");
        require(!memevent_flush(host->channel), "the hypervisor cannot be notified");
    } while ( memevent_arm(host->channel) );
}

/* The same by hand, after the ABI's header, as the old shape's consumer above is. */
static void bare_consume(struct host *host)
{
    struct xen_memevent_reliable *control = host->core.shared;
    const struct xen_memevent_request *requests = host->core.shared + host->core.request_offset;
    struct xen_memevent_response *responses = host->core.shared + host->core.response_offset;
    uint32_t mask = host->core.slots - 1, producer;
    struct xen_memevent_request request;

    wake(to_consumer);
    do {
        producer = __atomic_load_n(&control->request_producer, __ATOMIC_ACQUIRE);
        for ( ; host->request_consumer != producer; host->request_consumer++ )
        {
            request = requests[host->request_consumer & mask];
            responses[host->response_producer++ & mask] = (struct xen_memevent_response){ .id = request.id };
        }
        __atomic_store_n(&control->request_consumer, host->request_consumer, __ATOMIC_RELEASE);
        __atomic_store_n(&control->response_producer, host->response_producer, __ATOMIC_RELEASE);
        host_notify(&host->hv, &host->ring);
        __atomic_store_n(&control->request_event, host->request_consumer + 1, __ATOMIC_SEQ_CST);
    } while ( __atomic_load_n(&control->request_producer, __ATOMIC_SEQ_CST) != host->request_consumer );
}

static void reliable_run(struct host *host, unsigned int outstanding, uint64_t events, bool bare)
{
    uint64_t before = host->answered;
    unsigned int vcpu;

    while ( host->answered - before < events )
    {
        for ( vcpu = 0; vcpu < outstanding; vcpu++ )
            reliable_put(host, vcpu, before + 1);
        if ( bare )
            bare_consume(host);
        else
            reliable_consume(host);
    }
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

enum lossy_work { LOSSY_PUT, LOSSY_DROP, LOSSY_BOTH };

/* Seconds for RECORDS. */
static double lossy_run(enum lossy_work work)
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
    for ( i = 0; i < RECORDS; i++ )
    {
        record.what = i;
        if ( memevent_lossy_put(&host.lossy, &record) )
        {
            notify(to_consumer);
            wake(to_consumer);
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
    require(work != LOSSY_BOTH || taken + (host.lossy.producer - host.lossy.shared->consumer) == RECORDS,
            "records were lost");
    memevent_detach(host.channel);
    free(host.ring.page);

    return seconds;
}

/* ---- figures ---- */

struct figure {
    double samples[ROUNDS_MAX];
};

static unsigned int rounds = ROUNDS;

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(struct figure *figure)
{
    qsort(figure->samples, rounds, sizeof(double), compare);

    return figure->samples[rounds / 2];
}

struct cell {
    unsigned int outstanding;
    bool eventfd;
    struct figure old, ours, ratio;
    struct figure library;              /* ours with libmemevent instead of a consumer by hand */
    double old_said, ours_said;         /* notifications an event */
};

static struct cell cells[] = {
    { .outstanding = 1 }, { .outstanding = 8 }, { .outstanding = 64 },
    { .outstanding = 1, .eventfd = true }, { .outstanding = 8, .eventfd = true }, { .outstanding = 64, .eventfd = true },
};
#define CELLS (sizeof(cells) / sizeof(cells[0]))

static const char *const lossy_names[] = { "put", "drop", "put and take" };
static struct figure lossy_figures[3];
static double lossy_said;

/* The two one right after the other, so that what disturbs the machine disturbs both. */
static void measure_cell(struct cell *cell, struct host *bare, struct host *host, unsigned int round)
{
    uint64_t events = cell->eventfd ? EVENTS_SAID : EVENTS_QUIET;
    double t0, t1, t2, t3;

    with_eventfd = cell->eventfd;
    notifications = 0;
    t0 = now();
    old_run(cell->outstanding, events);
    t1 = now();
    cell->old_said = (double)notifications / events;
    notifications = 0;
    reliable_run(bare, cell->outstanding, events, true);
    t2 = now();
    cell->ours_said = (double)notifications / events;
    reliable_run(host, cell->outstanding, events, false);
    t3 = now();
    cell->old.samples[round] = events / (t1 - t0);
    cell->ours.samples[round] = events / (t2 - t1);
    cell->library.samples[round] = events / (t3 - t2);
    cell->ratio.samples[round] = (t1 - t0) / (t2 - t1);
}

static void measure(void)
{
    struct host bare, host;
    unsigned int round, i;

    reliable_open(&bare);
    reliable_open(&host);
    require(!memevent_arm(host.channel), "there is an event");
    for ( round = 0; round < rounds; round++ )
    {
        for ( i = 0; i < CELLS; i++ )
            measure_cell(&cells[i], &bare, &host, round);
        with_eventfd = false;
        for ( i = 0; i < 3; i++ )
        {
            notifications = 0;
            lossy_figures[i].samples[round] = RECORDS / lossy_run(i);
            if ( i == LOSSY_BOTH )
                lossy_said = (double)notifications / RECORDS;
        }
    }
    reliable_close(&host);
    reliable_close(&bare);
}

static void print_table(void)
{
    unsigned int i;

    printf("%u rounds; CPU time of both ends; median (least-most)\n\n", rounds);
    printf("reliable    notification   old, events/s   ours, events/s   ratio                 libmemevent   notifications/event\n");
    for ( i = 0; i < CELLS; i++ )
    {
        struct cell *cell = &cells[i];
        double old = median(&cell->old), ours = median(&cell->ours), ratio = median(&cell->ratio);

        printf("%2u at once  %-12s   %13.0f   %14.0f   %5.1f (%5.1f-%5.1f)   %11.0f   %.2f, %.3f\n", cell->outstanding,
               cell->eventfd ? "eventfd" : "none", old, ours, ratio, cell->ratio.samples[0],
               cell->ratio.samples[rounds - 1], median(&cell->library), cell->old_said, cell->ours_said);
    }
    printf("\nlossy          records/s, millions        ns each\n");
    for ( i = 0; i < 3; i++ )
    {
        double middle = median(&lossy_figures[i]);

        printf("%-12s   %6.1f (%5.1f-%5.1f)       %6.2f\n", lossy_names[i], middle / 1e6,
               lossy_figures[i].samples[0] / 1e6, lossy_figures[i].samples[rounds - 1] / 1e6, 1e9 / middle);
    }
    printf("one notification for %.0f records\n", 1 / lossy_said);
    printf("\noutstanding requests in a page: old %u, ours %zu\n", OLD_SLOTS,
           PAGE_OCTETS / sizeof(struct xen_memevent_request));
}

static void print_figure(const char *name, struct figure *figure)
{
    double middle = median(figure);

    printf("\"%s\": {\"median\": %.2f, \"least\": %.2f, \"most\": %.2f}", name, middle, figure->samples[0],
           figure->samples[rounds - 1]);
}

static void print_json(void)
{
    unsigned int i;

    printf("{\"rounds\": %u, \"reliable\": [", rounds);
    for ( i = 0; i < CELLS; i++ )
    {
        printf("%s\n  {\"outstanding\": %u, \"notification\": \"%s\", ", i ? "," : "", cells[i].outstanding,
               cells[i].eventfd ? "eventfd" : "none");
        print_figure("old_events_per_second", &cells[i].old);
        printf(", ");
        print_figure("events_per_second", &cells[i].ours);
        printf(", ");
        print_figure("ratio", &cells[i].ratio);
        printf(", ");
        print_figure("libmemevent_events_per_second", &cells[i].library);
        printf(", \"old_notifications_per_event\": %.4f, \"notifications_per_event\": %.4f}", cells[i].old_said,
               cells[i].ours_said);
    }
    printf("],\n \"lossy\": {");
    for ( i = 0; i < 3; i++ )
    {
        static const char *const names[] = { "put_per_second", "drop_per_second", "put_and_take_per_second" };

        print_figure(names[i], &lossy_figures[i]);
        printf(", ");
    }
    printf("\"notifications_per_record\": %.5f},\n", lossy_said);
    printf(" \"outstanding_per_page\": {\"old\": %u, \"ours\": %zu}}\n", OLD_SLOTS,
           PAGE_OCTETS / sizeof(struct xen_memevent_request));
}

int main(int argc, char *argv[])
{
    bool json = argc > 1 && !strcmp(argv[1], "--json");

    if ( argc > 1 + json )
        rounds = strtoul(argv[1 + json], NULL, 0);
    if ( argc > 2 + json || !rounds || rounds > ROUNDS_MAX )
    {
        fprintf(stderr, "usage: bench/channel [--json] [ROUNDS], at most %u rounds\n", ROUNDS_MAX);
        return 2;
    }
    to_consumer = eventfd(0, EFD_CLOEXEC);
    to_hypervisor = eventfd(0, EFD_CLOEXEC);
    old_page = aligned_alloc(PAGE_OCTETS, PAGE_OCTETS);
    require(to_consumer >= 0 && to_hypervisor >= 0 && old_page, "no memory, or no descriptors");
    memset(old_page, 0, PAGE_OCTETS);
    measure();
    if ( json )
        print_json();
    else
        print_table();
    free(old_page);
    close(to_hypervisor);
    close(to_consumer);

    return 0;
}
