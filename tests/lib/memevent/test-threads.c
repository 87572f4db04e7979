/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One thread is Xen and its guest, one takes events, three answer them, the main one reads statistics.  Meant
 * for ThreadSanitizer as much as for what it asserts: Xen's thread and the others meet in the shared
 * page only, so that an index without its barrier is a race.
 *
 * Xen's thread looks at responses only after a notification, and the thread that takes events sleeps as
 * soon as it may: a notification or a wake-up that gets lost stops the test.
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
#include "fake-xen.h"

#define REQUESTS  20000
#define VCPUS     6

static struct fake_xen xen;
static unsigned int malformed, finished;

/* One guest access: by a vCPU that runs.  True: the request is on the ring. */
static bool try_one(uint64_t *random, unsigned int number)
{
    uint32_t vcpu = draw(random) % VCPUS;
    vm_event_request_t request;
    vm_event_response_t expected;

    if ( fake_xen_paused(&xen, vcpu) )
        return false;

    switch ( draw(random) % 16 )
    {
    case 0:
        return fake_xen_touch(&xen, vcpu, number, MEM_PAGING_DROP_PAGE) == 0;
    case 1:
        request = fake_xen_request(vcpu, number, 0);
        request.version = 8;
        expected = (vm_event_response_t){
            .version = VM_EVENT_INTERFACE_VERSION, .flags = request.flags, .vcpu_id = vcpu,
        };
        if ( fake_xen_put(&xen, &request, &expected) )
            return false;
        malformed++;
        return true;
    default:
        return fake_xen_touch(&xen, vcpu, number, 0) == 0;
    }
}

static void *run_xen(void *unused)
{
    uint64_t random = 88172645463325252u;
    unsigned int put = 0, seen = 0, now;
    time_t since = time(NULL);

    while ( put < REQUESTS || fake_xen_free_slots(&xen) != FAKE_XEN_SLOTS )
    {
        if ( put < REQUESTS && try_one(&random, put) )
        {
            put++;
            since = time(NULL);
        }

        /* Relaxed: it tells that there is something, and orders nothing. */
        now = __atomic_load_n(&xen.notifications, __ATOMIC_RELAXED);
        if ( now != seen )
        {
            seen = now;
            fake_xen_resume(&xen);
            since = time(NULL);
        }
        else
            sched_yield();

        check(time(NULL) - since < STUCK_SECONDS);
    }

    __atomic_store_n(&finished, 1, __ATOMIC_RELAXED);
    /* Wakes the thread that takes events, for the last time. */
    check(fake_xen_touch(&xen, 0, REQUESTS, MEM_PAGING_DROP_PAGE) == 0);

    return unused;
}

static void *run_taker(void *unused)
{
    struct pollfd fd = { .fd = memevent_fd(channel), .events = POLLIN };
    struct memevent_event event;
    bool last = false;
    int rc;

    while ( !last )
    {
        rc = memevent_next(channel, &event);
        check(rc >= 0);
        if ( rc == 0 )
        {
            rc = memevent_arm(channel);
            check(rc >= 0);
            if ( rc == 0 )
                check(poll(&fd, 1, STUCK_SECONDS * 1000) == 1);
            continue;
        }

        last = event.gfn == REQUESTS;
        check(event.kind == MEMEVENT_PAGING_DROP || event.flags == MEMEVENT_FLAG_VCPU_PAUSED);

        queue_put(&event);
    }
    queue_close();

    return unused;
}

static void test_all_at_once(void **state)
{
    pthread_t threads[2 + ANSWERERS];
    struct memevent_statistics statistics;
    unsigned int i;

    (void)state;

    fake_xen_init(&xen);
    xen.late_resume = true;
    xen.start = 0u - REQUESTS / 2;
    channel = fake_xen_attach(&xen);

    assert_int_equal(pthread_create(&threads[0], NULL, run_taker, NULL), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, run_xen, NULL), 0);
    for ( i = 0; i < ANSWERERS; i++ )
        assert_int_equal(pthread_create(&threads[2 + i], NULL, run_answerer, (void *)(uintptr_t)(i + 1)), 0);

    while ( !__atomic_load_n(&finished, __ATOMIC_RELAXED) )
    {
        const struct timespec pause = { .tv_nsec = 1000000 };

        memevent_get_statistics(channel, &statistics);
        assert_true(statistics.outstanding <= FAKE_XEN_SLOTS);
        assert_int_equal(statistics.received, statistics.answered + statistics.outstanding);
        nanosleep(&pause, NULL);
    }
    for ( i = 0; i < 2 + ANSWERERS; i++ )
        assert_int_equal(pthread_join(threads[i], NULL), 0);

    fake_xen_resume(&xen);
    fake_xen_verify(&xen);
    memevent_get_statistics(channel, &statistics);
    assert_int_equal(statistics.malformed, malformed);
    assert_int_equal(statistics.received + malformed, REQUESTS + 1);
    assert_int_equal(statistics.answered, statistics.received);
    assert_int_equal(statistics.notifications, xen.notifications);
    assert_int_equal(xen.got, REQUESTS + 1);
    assert_int_equal(fake_xen_free_slots(&xen), FAKE_XEN_SLOTS);
    memevent_detach(channel);
    fake_xen_finish(&xen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
