/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Both kinds of channel with every thread that there can be: the hypervisor with its guest, who takes, who answers.
 * The two ends meet in shared memory only, so that an index without its barrier is a race that ThreadSanitizer sees;
 * and each sleeps as soon as it may, so that a notification which gets lost stops the test.
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "answerers.h"
#include "fake-channels.h"

#define REQUESTS  40000
#define RECORDS   200000
#define VCPUS     20

static struct fake_channels fake;

static uint64_t milliseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);

    return now.tv_sec * UINT64_C(1000) + now.tv_nsec / 1000000;
}

/* The guest: its vCPUs touch pages as long as they run. */
static void *run_guest(void *unused)
{
    uint64_t random = 88172645463325252u, since = milliseconds();
    unsigned int asked = 0;

    (void)unused;
    while ( asked < REQUESTS )
    {
        uint64_t id = draw(&random) % 8 ? fake_channels_touch(&fake, draw(&random) % VCPUS, asked)
                                        : fake_channels_drop(&fake, asked);

        if ( id )
        {
            asked++;
            since = milliseconds();
            continue;
        }
        check(milliseconds() - since < STUCK_SECONDS * 1000);
        sched_yield();
    }

    return NULL;
}

static void wait_for_events(void)
{
    struct pollfd fd = { .fd = memevent_fd(channel), .events = POLLIN };
    int rc = memevent_arm(channel);

    check(rc >= 0);
    if ( rc == 0 )
        check(poll(&fd, 1, STUCK_SECONDS * 1000) == 1);
}

/* RESCANs come besides the requests that were put; the last ones show that all is answered. */
static void *run_taker(void *unused)
{
    unsigned int requests = 0;

    (void)unused;
    while ( requests < REQUESTS )
    {
        struct memevent_event event;
        int rc = memevent_next(channel, &event);

        check(rc >= 0);
        if ( !rc )
        {
            wait_for_events();
            continue;
        }
        requests += event.kind != MEMEVENT_PAGING_RESCAN;
        queue_put(&event);
    }
    queue_close();

    return NULL;
}

static void test_reliable(void **unused)
{
    pthread_t threads[2 + ANSWERERS];
    struct memevent_event event;

    (void)unused;
    fake_channels_init(&fake);
    assert_int_equal(memevent_attach(&fake.hv, MEMEVENT_CLASS_PAGING, FAKE_CHANNELS_DOMID, &channel, NULL), 0);
    assert_int_equal(pthread_create(&threads[0], NULL, run_guest, NULL), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, run_taker, NULL), 0);
    for ( uintptr_t i = 0; i < ANSWERERS; i++ )
        assert_int_equal(pthread_create(&threads[2 + i], NULL, run_answerer, (void *)(i + 1)), 0);
    for ( unsigned int i = 0; i < 2 + ANSWERERS; i++ )
        assert_int_equal(pthread_join(threads[i], NULL), 0);

    /* A RESCAN for what was lost behind the last one. */
    while ( memevent_next(channel, &event) == 1 )
    {
        assert_int_equal(event.kind, MEMEVENT_PAGING_RESCAN);
        assert_int_equal(memevent_answer(channel, event.id), 0);
        assert_int_equal(memevent_flush(channel), 0);
    }
    assert_int_equal(fake.core.info.outstanding, 0);
    assert_int_equal(fake.core.info.answered, fake.core.info.produced);
    assert_int_equal(fake.core.info.unknown + fake.core.info.repeated + fake.core.info.malformed +
                     fake.core.info.overruns, 0);
    memevent_detach(channel);
    fake_channels_finish(&fake);
}

static unsigned int producing;

static void *run_cpu(void *number)
{
    unsigned int cpu = (uintptr_t)number;

    for ( unsigned int i = 0; i < RECORDS; i++ )
    {
        fake_channels_invalidate(&fake, cpu, i);
        if ( i % 512 == 0 )
            sched_yield();
    }
    __atomic_sub_fetch(&producing, 1, __ATOMIC_RELEASE);
    /* The timer that the hypervisor runs: what is left is told of. */
    for ( unsigned int i = 0; i < 20; i++ )
    {
        const struct timespec pause = { .tv_nsec = 1000000 };

        fake_channels_expire(&fake, cpu);
        nanosleep(&pause, NULL);
    }

    return NULL;
}

static void test_lossy(void **unused)
{
    const struct memevent_options options = { .batch = 16, .deadline = 1 };
    uint64_t taken = 0, told = 0, dropped = 0, lost;
    pthread_t threads[FAKE_CHANNELS_RINGS];
    struct memevent_record records[100];

    (void)unused;
    fake_channels_init(&fake);
    producing = FAKE_CHANNELS_RINGS;
    assert_int_equal(memevent_attach_with(&fake.hv, MEMEVENT_CLASS_INVALIDATE, MEMEVENT_HOST, &options, &channel,
                                          NULL), 0);
    for ( uintptr_t cpu = 0; cpu < FAKE_CHANNELS_RINGS; cpu++ )
        assert_int_equal(pthread_create(&threads[cpu], NULL, run_cpu, (void *)cpu), 0);

    for ( bool last = false; ; )
    {
        struct pollfd fd = { .fd = memevent_fd(channel), .events = POLLIN };
        int rc = memevent_take_records(channel, records, 100, &lost);

        assert_true(rc >= 0);
        taken += rc;
        told += lost;
        if ( rc || lost )
            continue;
        if ( last )
            break;
        last = !__atomic_load_n(&producing, __ATOMIC_ACQUIRE);
        if ( !last && memevent_arm(channel) == 0 )
            /* The last batch may be less than one. */
            poll(&fd, 1, 10);
    }
    for ( unsigned int cpu = 0; cpu < FAKE_CHANNELS_RINGS; cpu++ )
    {
        assert_int_equal(pthread_join(threads[cpu], NULL), 0);
        dropped += fake.lossy[cpu].dropped;
    }
    assert_int_equal(told, dropped);
    assert_int_equal(taken + told, (uint64_t)RECORDS * FAKE_CHANNELS_RINGS);
    memevent_detach(channel);
    fake_channels_finish(&fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reliable),
        cmocka_unit_test(test_lossy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
