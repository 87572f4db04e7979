/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The indices' protocol in every order of a small model, with the core's own code: no wake-up is lost, no request
 * is, none is seen twice, and a consumer is not told more often than it wished.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <xen/memevent-barriers.h>
#include <xen/memevent-lossy.h>

#include "channel-pair.h"
#include "interleave.h"

/* ---- a reliable channel: two vCPUs ask, one of them again; a consumer that sleeps in between ---- */

#define VCPUS 2
static const unsigned int questions[VCPUS] = { 2, 1 };

static struct channel_pair pair;
static bool lock_is_free, port, answered[VCPUS];
static unsigned int consumed;
static bool at_once;                    /* how the hypervisor takes answers: as for classes that say "go on" only */

static void ask(uint32_t vcpu)
{
    unsigned int i;
    bool notify;

    for ( i = 0; i < questions[vcpu]; i++ )
    {
        interleave_lock(&lock_is_free);
        INTERLEAVE_REQUIRE(pair_ask(&pair, vcpu, 10 * vcpu + i, &notify));
        interleave_unlock(&lock_is_free);
        if ( notify )
            interleave_raise(&port);
        interleave_wait(&answered[vcpu]);
    }
}

static void run_vcpu_0(void)
{
    ask(0);
}

static void run_vcpu_1(void)
{
    ask(1);
}

static void take_each(void)
{
    int rc;

    while ( (rc = pair_take(&pair)) )
    {
        INTERLEAVE_REQUIRE(rc == 1);
        answered[pair_answered(&pair)->vcpu] = true;
    }
}

static void take_at_once(void)
{
    uint32_t vcpus[VCPUS], waiting, budget = pair.channel.slots;

    for ( waiting = memevent_reliable_take_waiting(&pair.channel, vcpus, VCPUS, &budget); waiting--; )
    {
        uint32_t vcpu = vcpus[waiting];

        if ( vcpu < VCPUS )
            answered[vcpu] = true;
        INTERLEAVE_REQUIRE(vcpu < VCPUS);
    }
}

static void kick(void)
{
    bool notify;

    interleave_lock(&lock_is_free);
    if ( at_once )
        take_at_once();
    else
        take_each();
    notify = memevent_reliable_flush(&pair.channel);
    interleave_unlock(&lock_is_free);
    if ( notify )
        interleave_raise(&port);
}

static void run_consumer(void)
{
    struct xen_memevent_request request;

    while ( consumed < questions[0] + questions[1] )
    {
        if ( !pair_next(&pair, &request) )
        {
            if ( !pair_arm(&pair) )
                interleave_wait(&port);
            continue;
        }
        consumed++;
        INTERLEAVE_REQUIRE(request.vcpu < VCPUS);
        INTERLEAVE_REQUIRE(request.gfn / 10 == request.vcpu);
        pair_give_back(&pair);
        pair_respond(&pair, request.id, 0);
        pair_publish(&pair);
        kick();
    }
}

static void begin_reliable(void)
{
    struct memevent_reliable *channel = &pair.channel;

    /* pair_open() without its allocations, which would be at other places each time. */
    memset(channel->shared, 0, channel->size);
    memset(channel->entries, 0, channel->slots * sizeof(*channel->entries));
    channel->request_producer = channel->response_consumer = 0;
    channel->rescan_again = channel->notification_owed = false;
    memset(&channel->info, 0, sizeof(channel->info));
    memevent_reliable_init(channel);
    memevent_reliable_reattach(channel);
    pair.request_consumer = pair.response_producer = 0;
    lock_is_free = true;
    port = answered[0] = answered[1] = false;
    consumed = 0;
}

static void end_reliable(void)
{
    INTERLEAVE_REQUIRE(consumed == questions[0] + questions[1]);
    INTERLEAVE_REQUIRE(pair.channel.info.answered == consumed);
    INTERLEAVE_REQUIRE(pair.channel.info.outstanding == 0 && pair.channel.info.waiting == 0);
}

static void hash_locked(void)
{
    interleave_hash(pair.channel.entries, 4 * sizeof(*pair.channel.entries));
    interleave_hash(&pair.channel.request_producer,
                    offsetof(struct memevent_reliable, info) - offsetof(struct memevent_reliable, request_producer));
    interleave_hash(&pair.channel.info, sizeof(pair.channel.info));
}

static void hash_reliable(void)
{
    hash_locked();
    interleave_hash(pair.channel.shared, sizeof(struct xen_memevent_reliable));
    interleave_hash(&pair.request_consumer, 2 * sizeof(pair.request_consumer));
    interleave_hash(&lock_is_free, 1);
    interleave_hash(&port, 1);
    interleave_hash(answered, sizeof(answered));
    interleave_hash(&consumed, sizeof(consumed));
}

static void check_reliable(bool answers_at_once)
{
    struct interleave_model model = {
        .threads = 3, .run = { run_vcpu_0, run_vcpu_1, run_consumer },
        .begin = begin_reliable, .end = end_reliable, .hash = hash_reliable,
        .hash_locked = hash_locked,
    };

    at_once = answers_at_once;
    pair_open_paging(&pair, VCPUS);
    model.shared = pair.channel.shared;
    model.shared_size = pair.channel.size;
    interleave_require(at_once ? "answers at once" : "answers one by one", &model);
    pair_close(&pair);
}

static void test_reliable(void **state)
{
    (void)state;
    check_reliable(false);
    check_reliable(true);
}

/* ---- a lossy ring of two slots: a producer, a deadline after its last record, a consumer that sleeps ---- */

#define RECORDS 3
#define SLOTS   2

static struct memevent_lossy ring;
static uint8_t memory[sizeof(struct xen_memevent_lossy) + SLOTS * sizeof(struct xen_memevent_record)]
    __attribute__((aligned(64)));
static bool produced_all;
static uint32_t consumer, armed, told;
static uint64_t next_record;

static void run_producer(void)
{
    struct xen_memevent_record record = { .kind = XEN_MEMEVENT_HANDLE };

    for ( record.what = 0; record.what < RECORDS; record.what++ )
        if ( memevent_lossy_put(&ring, &record) )
        {
            told++;
            interleave_raise(&port);
        }
    interleave_raise(&produced_all);
}

static void run_timer(void)
{
    interleave_wait(&produced_all);
    if ( memevent_lossy_expire(&ring) )
    {
        told++;
        interleave_raise(&port);
    }
}

/* Comes to its end when it has seen the last record, or knows that it was dropped. */
static void run_lossy_consumer(void)
{
    struct xen_memevent_lossy *shared = ring.shared;
    struct xen_memevent_record record;
    uint32_t producer, dropped = 0;

    while ( consumer + dropped < RECORDS )
    {
        producer = memevent_load_acquire(&shared->producer);
        INTERLEAVE_REQUIRE(producer - consumer <= SLOTS);
        for ( ; consumer != producer; consumer++ )
        {
            memcpy(&record, memory + sizeof(*shared) + consumer % SLOTS * sizeof(record), sizeof(record));
            INTERLEAVE_REQUIRE(record.kind == XEN_MEMEVENT_HANDLE);
            INTERLEAVE_REQUIRE(record.what >= next_record);
            next_record = record.what + 1;
        }
        memevent_store_release(&shared->consumer, consumer);
        memevent_store_relaxed(&shared->armed, ++armed);
        memevent_full_barrier();
        if ( memevent_load_acquire(&shared->producer) == consumer && memevent_load_relaxed64(&shared->dropped) == dropped &&
             consumer + dropped < RECORDS )
            interleave_wait(&port);
        dropped = memevent_load_relaxed64(&shared->dropped);
    }
}

static void begin_lossy(void)
{
    memset(memory, 0, sizeof(memory));
    /* The batch is the ring: with fewer it is the deadline that tells. */
    memevent_lossy_init(&ring, memory, sizeof(struct xen_memevent_lossy), SLOTS, SLOTS);
    port = produced_all = false;
    consumer = armed = told = 0;
    next_record = 0;
}

static void end_lossy(void)
{
    INTERLEAVE_REQUIRE(ring.produced == RECORDS);
    INTERLEAVE_REQUIRE(consumer + ring.dropped == RECORDS);
    INTERLEAVE_REQUIRE(memevent_lossy_consumed(&ring) == consumer);
    INTERLEAVE_REQUIRE(told <= armed);
}

static void hash_lossy(void)
{
    interleave_hash(memory, sizeof(memory));
    interleave_hash(&ring.producer, sizeof(ring) - offsetof(struct memevent_lossy, producer));
    interleave_hash(&port, 1);
    interleave_hash(&produced_all, 1);
    interleave_hash(&consumer, sizeof(consumer));
    interleave_hash(&armed, sizeof(armed));
    interleave_hash(&told, sizeof(told));
}

static void test_lossy(void **state)
{
    static const struct interleave_model model = {
        .shared = memory, .shared_size = sizeof(memory),
        .threads = 3, .run = { run_producer, run_timer, run_lossy_consumer },
        .begin = begin_lossy, .end = end_lossy, .hash = hash_lossy,
    };

    (void)state;
    interleave_require("a lossy ring", &model);
}

/* ---- a wish that put() and expire() see at once ---- */

static void run_timer_twice(void)
{
    told += memevent_lossy_expire(&ring);
    told += memevent_lossy_expire(&ring);
}

static void run_producer_of_two(void)
{
    struct xen_memevent_record record = { .kind = XEN_MEMEVENT_HANDLE };

    told += memevent_lossy_put(&ring, &record);
    told += memevent_lossy_put(&ring, &record);
    interleave_barrier();
}

static void begin_wish(void)
{
    begin_lossy();
    ring.batch = 1;
    ring.shared->armed = 1;
}

static void end_wish(void)
{
    INTERLEAVE_REQUIRE(told == 1);
}

static void test_wish(void **state)
{
    static const struct interleave_model model = {
        .shared = memory, .shared_size = sizeof(memory),
        .threads = 2, .run = { run_producer_of_two, run_timer_twice },
        .begin = begin_wish, .end = end_wish, .hash = hash_lossy,
    };

    (void)state;
    interleave_require("a wish", &model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reliable),
        cmocka_unit_test(test_lossy),
        cmocka_unit_test(test_wish),
    };

#ifdef __SANITIZE_THREAD__
    print_message("one thread that changes stacks is nothing for the thread sanitizer\n");
    return 77;
#endif
    return cmocka_run_group_tests(tests, NULL, NULL);
}
