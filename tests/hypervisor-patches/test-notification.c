/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * When the hypervisor notifies the consumer of a reliable channel: once it has sent the request that the
 * consumer wishes to be woken by, and not for others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "channel-pair.h"

#define VCPUS 40

static bool ask(struct channel_pair *pair, uint32_t vcpu)
{
    bool notify = false;

    assert_true(pair_ask(pair, vcpu, vcpu, &notify));

    return notify;
}

/* Who is new sleeps until the first request. */
static void test_first(void **state)
{
    struct channel_pair pair;

    (void)state;
    pair_open_paging(&pair, VCPUS);
    assert_true(ask(&pair, 0));
    assert_int_equal(pair.channel.info.notifications, 1);
    /* Once for a wish. */
    assert_false(ask(&pair, 1));
    assert_false(ask(&pair, 2));
    assert_int_equal(pair.channel.info.notifications, 1);
    pair_close(&pair);
}

static void test_armed_again(void **state)
{
    struct xen_memevent_request request;
    struct channel_pair pair;

    (void)state;
    pair_open_paging(&pair, VCPUS);
    assert_true(ask(&pair, 0));
    /* Something is there: who looks before it sleeps does not sleep. */
    assert_true(pair_next(&pair, &request));
    assert_false(pair_arm(&pair));
    assert_true(ask(&pair, 1));
    assert_true(pair_arm(&pair));
    assert_true(pair_next(&pair, &request));
    assert_false(pair_arm(&pair));
    assert_true(ask(&pair, 2));
    assert_false(ask(&pair, 3));
    assert_int_equal(pair.channel.info.notifications, 3);
    pair_close(&pair);
}

/* A wish further off: not before that many requests, whether they come one by one or at once. */
static void test_distant_wish(void **state)
{
    struct channel_pair pair;
    unsigned int i;

    (void)state;
    pair_open_paging(&pair, VCPUS);
    pair_control(&pair)->request_event = 8;
    for ( i = 0; i < 7; i++ )
        assert_false(ask(&pair, i));
    assert_true(ask(&pair, i));
    assert_false(ask(&pair, i + 1));

    /* Ten are sent by one flush; the wish is the first of them, the last, or one that is not among them. */
    for ( i = 0; i < 4; i++ )
    {
        static const uint32_t wishes[] = { 1, 10, 11, 0 };
        unsigned int vcpu;

        pair_close(&pair);
        pair_open_paging(&pair, VCPUS);
        pair_control(&pair)->request_consumer = 0x80000000u;    /* no room */
        for ( vcpu = 0; vcpu < 10; vcpu++ )
            assert_false(ask(&pair, vcpu));
        pair_control(&pair)->request_consumer = 0;
        pair_control(&pair)->request_event = wishes[i];
        assert_int_equal(memevent_reliable_flush(&pair.channel), i < 2);
        assert_int_equal(pair.channel.info.notifications, i < 2);
    }
    pair_close(&pair);
}

/* The wish works across 2^32, and nothing sent is nothing said. */
static void test_wrap_and_nothing(void **state)
{
    struct xen_memevent_request request;
    struct channel_pair pair;

    (void)state;
    pair_open_paging(&pair, VCPUS);
    pair.channel.request_producer = pair.request_consumer = 0xffffffffu;
    pair_control(&pair)->request_producer = pair_control(&pair)->request_consumer = 0xffffffffu;
    assert_false(pair_arm(&pair));
    assert_int_equal(pair_control(&pair)->request_event, 0);
    assert_false(memevent_reliable_flush(&pair.channel));
    assert_true(ask(&pair, 0));
    assert_true(pair_next(&pair, &request));
    assert_false(pair_arm(&pair));
    assert_false(memevent_reliable_flush(&pair.channel));
    assert_true(ask(&pair, 1));
    pair_close(&pair);
}

/* A wish that is noise costs notifications or their lack, of this consumer's, and at most one a flush. */
static void test_hostile_wish(void **state)
{
    static const uint32_t wrong[] = { 0, 2, 0x7fffffff, 0x80000000, 0xffffffff };
    struct channel_pair pair;
    unsigned int i;

    (void)state;
    pair_open_paging(&pair, VCPUS);
    for ( i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++ )
    {
        pair_control(&pair)->request_event = pair.channel.request_producer + wrong[i];
        assert_false(ask(&pair, i));
    }
    assert_int_equal(pair.channel.info.waiting, 0);
    assert_int_equal(pair.channel.info.notifications, 0);
    pair_close(&pair);
}

/* The second RESCAN is sent while a response is taken: the flush after it says what is owed, once, in either case. */
static void test_owed(void **state)
{
    struct xen_memevent_request request;
    struct channel_pair pair;
    unsigned int armed;

    (void)state;
    for ( armed = 0; armed < 2; armed++ )
    {
        pair_open_paging(&pair, VCPUS);
        assert_true(memevent_reliable_rescan(&pair.channel, XEN_MEMEVENT_PAGING_RESCAN, 1));
        assert_true(pair_next(&pair, &request));
        assert_false(memevent_reliable_rescan(&pair.channel, XEN_MEMEVENT_PAGING_RESCAN, 2));
        if ( armed )
            assert_false(pair_arm(&pair));
        pair_answer(&pair, request.id);
        assert_int_equal(pair_take(&pair), 1);
        assert_int_equal(pair.channel.info.notifications, 1 + armed);
        assert_int_equal(memevent_reliable_flush(&pair.channel), armed);
        assert_false(memevent_reliable_flush(&pair.channel));
        assert_true(pair_next(&pair, &request));
        pair_close(&pair);
    }

    /* A put before the flush says it instead. */
    pair_open_paging(&pair, VCPUS);
    memevent_reliable_rescan(&pair.channel, XEN_MEMEVENT_PAGING_RESCAN, 1);
    assert_true(pair_next(&pair, &request));
    memevent_reliable_rescan(&pair.channel, XEN_MEMEVENT_PAGING_RESCAN, 2);
    assert_false(pair_arm(&pair));
    pair_answer(&pair, request.id);
    assert_int_equal(pair_take(&pair), 1);
    assert_true(ask(&pair, 0));
    assert_false(memevent_reliable_flush(&pair.channel));
    pair_close(&pair);
}

/* What is owed to a consumer that is gone is not said to the next one in its place; that one is told of its own. */
static void test_owed_to_the_dead(void **state)
{
    struct xen_memevent_request request;
    struct channel_pair pair;

    (void)state;
    pair_open_paging(&pair, VCPUS);
    memevent_reliable_rescan(&pair.channel, XEN_MEMEVENT_PAGING_RESCAN, 1);
    assert_true(pair_next(&pair, &request));
    memevent_reliable_rescan(&pair.channel, XEN_MEMEVENT_PAGING_RESCAN, 2);
    assert_false(pair_arm(&pair));
    pair_answer(&pair, request.id);
    assert_int_equal(pair_take(&pair), 1);
    assert_int_equal(memevent_reliable_reattach(&pair.channel), 1);
    pair.request_consumer = pair.response_producer = 0;
    /* One request, for the consumer that sleeps until the first. */
    assert_true(memevent_reliable_flush(&pair.channel));
    assert_false(memevent_reliable_flush(&pair.channel));
    assert_true(pair_next(&pair, &request));
    assert_false(pair_next(&pair, &request));
    pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first),
        cmocka_unit_test(test_armed_again),
        cmocka_unit_test(test_distant_wish),
        cmocka_unit_test(test_wrap_and_nothing),
        cmocka_unit_test(test_hostile_wish),
        cmocka_unit_test(test_owed),
        cmocka_unit_test(test_owed_to_the_dead),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
