/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Producers and consumers of both kinds of ring on threads of their own, as fast as they can.  The thread
 * sanitizer sees what is not ordered; the test itself, records torn or lost and wake-ups that do not come.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <xen/memevent-barriers.h>
#include <xen/memevent-lossy.h>

#include "channel-pair.h"

#define VCPUS     4
#define QUESTIONS 20000     /* of each vCPU */
#define LIVES     50        /* consumers one after the other */
#define RECORDS   2000000
/* Far beyond what a scheduler takes its time for: who waits so long waits for ever. */
#define PATIENCE_MS 60000

/* Where cmocka may not be called: on other threads than the test's. */
#define REQUIRE(condition) \
    do { \
        if ( !(condition) ) \
        { \
            fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition); \
            abort(); \
        } \
    } while ( 0 )

static void wait_for(int fd)
{
    struct pollfd one = { .fd = fd, .events = POLLIN };
    uint64_t count;

    REQUIRE(poll(&one, 1, PATIENCE_MS) == 1);
    REQUIRE(read(fd, &count, sizeof(count)) == sizeof(count));
}

static void signal_to(int fd)
{
    const uint64_t one = 1;

    REQUIRE(write(fd, &one, sizeof(one)) == sizeof(one));
}

/* ---- a reliable channel ---- */

struct host {
    struct channel_pair pair;
    pthread_mutex_t lock;           /* around the hypervisor's end */
    int port;                       /* the consumer's */
    int wake[VCPUS];
    uint64_t expected[VCPUS];       /* each vCPU's own gfn, read back with the answer */
    uint64_t answered;              /* under lock */
};

struct vcpu {
    struct host *host;
    uint32_t number;
    pthread_t thread;
};

static void *run_vcpu(void *argument)
{
    struct vcpu *vcpu = argument;
    struct host *host = vcpu->host;
    uint32_t i;

    for ( i = 0; i < QUESTIONS; i++ )
    {
        uint64_t gfn = (uint64_t)vcpu->number << 32 | i;
        bool notify;

        pthread_mutex_lock(&host->lock);
        host->expected[vcpu->number] = gfn;
        REQUIRE(pair_ask(&host->pair, vcpu->number, gfn, &notify));
        pthread_mutex_unlock(&host->lock);
        if ( notify )
            signal_to(host->port);
        wait_for(host->wake[vcpu->number]);
    }

    return NULL;
}

static void take_each(struct host *host)
{
    int rc;

    while ( (rc = pair_take(&host->pair)) )
    {
        const struct xen_memevent_request *request = pair_answered(&host->pair);

        REQUIRE(rc == 1);
        REQUIRE(request->gfn == host->expected[request->vcpu]);
        host->answered++;
        signal_to(host->wake[request->vcpu]);
    }
}

static void take_at_once(struct host *host)
{
    uint32_t vcpus[VCPUS], budget = host->pair.channel.slots, waiting;

    for ( waiting = memevent_reliable_take_waiting(&host->pair.channel, vcpus, VCPUS, &budget); waiting--; )
    {
        host->answered++;
        signal_to(host->wake[vcpus[waiting]]);
    }
}

/* The consumer's notification of the hypervisor, on the consumer's CPU; in turn as for each kind of class. */
static void kick(struct host *host)
{
    bool notify;

    pthread_mutex_lock(&host->lock);
    if ( host->pair.channel.info.kicks++ & 1 )
        take_each(host);
    else
        take_at_once(host);
    notify = memevent_reliable_flush(&host->pair.channel);
    pthread_mutex_unlock(&host->lock);
    if ( notify )
        signal_to(host->port);
}

/* Answers in an order of its own until it has answered so many; sleeps when there is nothing. */
static void consume(struct host *host, uint64_t lifetime, unsigned int *seed)
{
    struct channel_pair *pair = &host->pair;
    struct xen_memevent_request requests[VCPUS];
    unsigned int held = 0, pick;

    while ( lifetime )
    {
        while ( held < VCPUS && pair_next(pair, &requests[held]) )
        {
            REQUIRE(requests[held].gfn >> 32 == requests[held].vcpu);
            held++;
        }
        if ( !held )
        {
            if ( !pair_arm(pair) )
                wait_for(host->port);
            continue;
        }
        pair_give_back(pair);
        do {
            pick = rand_r(seed) % held;
            pair_respond(pair, requests[pick].id, 0);
            requests[pick] = requests[--held];
            lifetime--;
        } while ( held && lifetime && rand_r(seed) % 2 );
        pair_publish(pair);
        kick(host);
    }
}

static void run_reliable(unsigned int lives)
{
    struct host host = { .lock = PTHREAD_MUTEX_INITIALIZER, .port = eventfd(0, 0) };
    struct vcpu vcpus[VCPUS];
    unsigned int i, life, seed = time(NULL);

    pair_open_paging(&host.pair, VCPUS);
    for ( i = 0; i < VCPUS; i++ )
        host.wake[i] = eventfd(0, 0);
    for ( i = 0; i < VCPUS; i++ )
    {
        vcpus[i] = (struct vcpu){ .host = &host, .number = i };
        assert_int_equal(pthread_create(&vcpus[i].thread, NULL, run_vcpu, &vcpus[i]), 0);
    }
    for ( life = 0; life < lives; life++ )
    {
        bool notify;

        /* The last one stays to the end, the others die with requests in their hands. */
        consume(&host, VCPUS * QUESTIONS / lives, &seed);
        pthread_mutex_lock(&host.lock);
        memevent_reliable_reattach(&host.pair.channel);
        host.pair.request_consumer = host.pair.response_producer = 0;
        notify = memevent_reliable_flush(&host.pair.channel);
        pthread_mutex_unlock(&host.lock);
        if ( notify )
            signal_to(host.port);
    }
    for ( i = 0; i < VCPUS; i++ )
    {
        pthread_join(vcpus[i].thread, NULL);
        close(host.wake[i]);
    }
    assert_int_equal(host.answered, VCPUS * QUESTIONS);
    assert_int_equal(host.pair.channel.info.outstanding, 0);
    assert_int_equal(host.pair.channel.info.produced, VCPUS * QUESTIONS);
    assert_int_equal(host.pair.channel.info.unknown + host.pair.channel.info.repeated +
                     host.pair.channel.info.malformed + host.pair.channel.info.overruns, 0);
    close(host.port);
    pair_close(&host.pair);
}

static void test_reliable(void **state)
{
    (void)state;
    run_reliable(1);
}

static void test_reliable_many_consumers(void **state)
{
    (void)state;
    run_reliable(LIVES);
}

/* ---- a lossy ring ---- */

#define SLOTS 256
#define BATCH 64

struct lossy_host {
    struct memevent_lossy ring;
    int port;
    atomic_bool finished;
    atomic_ullong told;
};

static void *produce(void *argument)
{
    struct lossy_host *host = argument;
    uint64_t i;

    for ( i = 0; i < RECORDS; i++ )
    {
        const struct xen_memevent_record record = { .what = i, .domid = i * 7, .pad = ~i };

        if ( memevent_lossy_put(&host->ring, &record) )
        {
            host->told++;
            signal_to(host->port);
        }
    }
    host->finished = true;

    return NULL;
}

/* Goes on once more after the end: what a deadline after the last record does. */
static void *expire(void *argument)
{
    const struct timespec deadline = { .tv_nsec = 200000 };
    struct lossy_host *host = argument;
    bool last;

    do {
        last = host->finished;
        nanosleep(&deadline, NULL);
        /* Somebody else reads the counters at any time. */
        REQUIRE(memevent_lossy_consumed(&host->ring) <= RECORDS);
        if ( memevent_lossy_expire(&host->ring) )
        {
            host->told++;
            signal_to(host->port);
        }
    } while ( !last );
    /* For a consumer that had everything and fell asleep before the end was said. */
    signal_to(host->port);

    return NULL;
}

static void test_lossy(void **state)
{
    struct lossy_host host = { .port = eventfd(0, 0) };
    struct xen_memevent_lossy *shared;
    const struct xen_memevent_record *records;
    struct xen_memevent_record record;
    uint64_t consumed = 0, next = 0, armed = 0;
    pthread_t threads[2];
    uint32_t consumer = 0;
    void *memory;

    (void)state;
    memory = calloc(1, sizeof(*shared) + SLOTS * sizeof(record));
    assert_non_null(memory);
    shared = memory;
    records = (const void *)(shared + 1);
    memevent_lossy_init(&host.ring, memory, sizeof(*shared), SLOTS, BATCH);
    assert_int_equal(pthread_create(&threads[0], NULL, produce, &host), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, expire, &host), 0);

    for ( ;; )
    {
        bool finished = host.finished;
        uint32_t producer = memevent_load_acquire(&shared->producer);

        for ( ; consumer != producer; consumer++ )
        {
            record = records[consumer % SLOTS];
            /* Whole, in order, never twice. */
            assert_true(record.what >= next);
            assert_int_equal(record.domid, (uint16_t)(record.what * 7));
            assert_int_equal(record.pad, (uint32_t)~record.what);
            next = record.what + 1;
            consumed++;
        }
        memevent_store_release(&shared->consumer, consumer);
        if ( finished && consumer == memevent_load_acquire(&shared->producer) )
            break;
        memevent_store_relaxed(&shared->armed, ++armed);
        memevent_full_barrier();
        if ( consumer == memevent_load_acquire(&shared->producer) && !host.finished )
            wait_for(host.port);
    }
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    assert_int_equal(host.ring.produced, RECORDS);
    assert_int_equal(consumed + host.ring.dropped, RECORDS);
    assert_int_equal(shared->produced, RECORDS);
    assert_int_equal(shared->dropped, host.ring.dropped);
    assert_int_equal(memevent_lossy_consumed(&host.ring), consumed);
    /* Once for a wish. */
    assert_true(host.told <= armed);
    close(host.port);
    free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reliable),
        cmocka_unit_test(test_reliable_many_consumers),
        cmocka_unit_test(test_lossy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
