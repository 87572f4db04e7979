/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Operations that wait and operations that do not: what is sent when, in which order, and whose status comes back
 * where.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <memevent/operations.h>

#include "hypervisor/hypervisor.h"

#define NOW   MEMEVENT_PAGING_NOMINATE
#define LATER (MEMEVENT_PAGING_NOMINATE | MEMEVENT_MAY_QUEUE)

struct host {
    struct hypervisor hv;
    unsigned int crossings, operations;
    uint64_t sent[4096];          /* frames, in order */
    int fails;
};
static struct host host, other;

/* The status is minus the frame number's last digit; a frame above a million breaks the contract. */
static int submit(struct hypervisor *hv, struct hypervisor_operation *operations, unsigned int count)
{
    struct host *h = (struct host *)hv;

    assert_true(count && count <= HYPERVISOR_BATCH_MAX);
    h->crossings++;
    for ( unsigned int i = 0; i < count; i++ )
        if ( operations[i].gfn >= 1000000 || operations[i].pad || operations[i].pad2 )
            return -EINVAL;
    for ( unsigned int i = 0; i < count; i++ )
    {
        assert_int_equal(operations[i].call & 0xff, 0);
        if ( h->fails )
        {
            operations[i].status = h->fails;
            continue;
        }
        h->sent[h->operations++] = operations[i].gfn;
        operations[i].status = -(int)(operations[i].gfn % 10);
        operations[i].sharing.handle = operations[i].gfn + 7;
        if ( operations[i].call == ACCESS_SET )
            operations[i].access.done = operations[i].access.count;
    }
    return h->fails;
}

static const struct hypervisor_ops ops = { .name = "counts", .submit = submit };

static int setup(void **unused)
{
    (void)unused;
    host = (struct host){ .hv.ops = &ops };
    other = (struct host){ .hv.ops = &ops };
    return 0;
}

static struct memevent_operation operation(uint32_t call, uint64_t gfn)
{
    return (struct memevent_operation){ .call = call, .domid = 1, .gfn = gfn, .status = 999 };
}

static void test_at_once(void **unused)
{
    struct memevent_operation one = operation(NOW, 13), many[200];

    (void)unused;
    assert_int_equal(memevent_submit(&host.hv, &one, 1), 0);
    assert_int_equal(one.status, -3);
    assert_int_equal(one.sharing.handle, 20);
    assert_int_equal(one.call, NOW);
    assert_int_equal(host.crossings, 1);
    for ( unsigned int i = 0; i < 200; i++ )
        many[i] = operation(NOW, i);
    assert_int_equal(memevent_submit(&host.hv, many, 200), 0);
    assert_int_equal(host.crossings, 1 + (200 + MEMEVENT_QUEUE_MAX - 1) / MEMEVENT_QUEUE_MAX);
    for ( unsigned int i = 0; i < 200; i++ )
    {
        assert_int_equal(many[i].status, -(int)(i % 10));
        assert_int_equal(host.sent[1 + i], i);
    }
    assert_int_equal(memevent_flush_operations(), 0);
    assert_int_equal(memevent_submit(&host.hv, many, 0), 0);
}

static void test_later(void **unused)
{
    struct memevent_operation waiting[MEMEVENT_QUEUE_MAX + 1], now = operation(NOW, 500);

    (void)unused;
    for ( unsigned int i = 0; i < 10; i++ )
    {
        waiting[i] = operation(LATER, i);
        assert_int_equal(memevent_submit(&host.hv, &waiting[i], 1), 0);
        assert_int_equal(waiting[i].status, -EINPROGRESS);
    }
    assert_int_equal(host.crossings, 0);
    assert_int_equal(memevent_flush_operations(), 0);
    assert_int_equal(host.crossings, 1);
    for ( unsigned int i = 0; i < 10; i++ )
        assert_int_equal(waiting[i].status, -(int)i);
    assert_int_equal(memevent_flush_operations(), 0);
    assert_int_equal(host.crossings, 1);

    /* One that cannot wait takes them along, after them. */
    waiting[0] = operation(LATER, 498);
    waiting[1] = operation(LATER, 499);
    assert_int_equal(memevent_submit(&host.hv, waiting, 2), 0);
    assert_int_equal(memevent_submit(&host.hv, &now, 1), 0);
    assert_int_equal(host.crossings, 2);
    assert_int_equal(host.sent[10], 498);
    assert_int_equal(host.sent[12], 500);
    assert_int_equal(waiting[1].status, -9);

    /* One more than there is room for. */
    for ( unsigned int i = 0; i <= MEMEVENT_QUEUE_MAX; i++ )
        waiting[i] = operation(LATER, i);
    assert_int_equal(memevent_submit(&host.hv, waiting, MEMEVENT_QUEUE_MAX + 1), 0);
    assert_int_equal(host.crossings, 3);
    assert_int_equal(waiting[0].status, 0);
    assert_int_equal(waiting[MEMEVENT_QUEUE_MAX].status, -EINPROGRESS);
    assert_int_equal(memevent_flush_operations(), 0);
    assert_int_equal(waiting[MEMEVENT_QUEUE_MAX].status, -(int)(MEMEVENT_QUEUE_MAX % 10));
}

static void test_two_hosts(void **unused)
{
    struct memevent_operation mine = operation(LATER, 1), theirs = operation(LATER, 2);

    (void)unused;
    assert_int_equal(memevent_submit(&host.hv, &mine, 1), 0);
    assert_int_equal(memevent_submit(&other.hv, &theirs, 1), 0);
    assert_int_equal(mine.status, -1);
    assert_int_equal(theirs.status, -EINPROGRESS);
    assert_int_equal(memevent_flush_operations(), 0);
    assert_int_equal(theirs.status, -2);
    assert_int_equal(host.crossings, 1);
    assert_int_equal(other.crossings, 1);
}

static void *another_thread(void *unused)
{
    assert_int_equal(memevent_flush_operations(), 0);
    return unused;
}

static void test_threads_wait_for_themselves(void **unused)
{
    struct memevent_operation waiting = operation(LATER, 4);
    pthread_t thread;

    (void)unused;
    assert_int_equal(memevent_submit(&host.hv, &waiting, 1), 0);
    assert_int_equal(pthread_create(&thread, NULL, another_thread, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(waiting.status, -EINPROGRESS);
    assert_int_equal(memevent_flush_operations(), 0);
    assert_int_equal(waiting.status, -4);
}

static void test_errors(void **unused)
{
    struct memevent_operation three[3];

    (void)unused;
    for ( unsigned int i = 0; i < 3; i++ )
        three[i] = operation(NOW, i + 1);
    three[1].gfn = 2000000;
    assert_int_equal(memevent_submit(&host.hv, three, 3), -EINVAL);
    assert_int_equal(three[0].status, -1);
    assert_int_equal(three[1].status, -EINVAL);
    assert_int_equal(three[2].status, -3);
    three[1] = operation(NOW, 2);
    three[1].pad2 = 1;
    assert_int_equal(memevent_submit(&host.hv, three, 3), -EINVAL);
    assert_int_equal(three[1].status, -EINVAL);
    assert_int_equal(three[2].status, -3);

    host.fails = -EFAULT;
    three[0] = three[1] = operation(LATER, 1);
    assert_int_equal(memevent_submit(&host.hv, three, 2), 0);
    assert_int_equal(memevent_flush_operations(), -EFAULT);
    assert_int_equal(three[1].status, -EFAULT);
    assert_int_equal(memevent_flush_operations(), 0);
}

static void test_access(void **unused)
{
    struct memevent_operation set = operation(MEMEVENT_ACCESS_SET, 20);

    (void)unused;
    set.access.count = 77;
    set.access.access = 3;
    assert_int_equal(memevent_submit(&host.hv, &set, 1), 0);
    assert_int_equal(set.access.done, 77);
    assert_int_equal(set.access.access, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_at_once, setup),
        cmocka_unit_test_setup(test_later, setup),
        cmocka_unit_test_setup(test_two_hosts, setup),
        cmocka_unit_test_setup(test_threads_wait_for_themselves, setup),
        cmocka_unit_test_setup(test_errors, setup),
        cmocka_unit_test_setup(test_access, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
