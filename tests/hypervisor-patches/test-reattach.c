/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What outlives a consumer: requests that it left unanswered come again and say so, its published answers still
 * count, RESCAN stands for any number of losses, and a channel that ends gives every request back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "channel-pair.h"

#define VCPUS 40
#define RESCAN_INDEX VCPUS

static void test_unanswered_come_again(void **state)
{
    struct xen_memevent_request request;
    struct channel_pair pair;
    uint64_t ids[10];
    bool seen[10] = { false };
    unsigned int i;

    (void)state;
    pair_open_paging(&pair, VCPUS);
    for ( i = 0; i < 10; i++ )
        ids[i] = pair_ask(&pair, i, 100 + i, NULL);
    for ( i = 0; i < 6; i++ )
    {
        assert_true(pair_next(&pair, &request));
        assert_false(request.flags & XEN_MEMEVENT_AGAIN);
    }
    pair_give_back(&pair);
    /* Two answers were published before it died, and are taken first; a third was written and not published. */
    pair_answer(&pair, ids[1]);
    pair_answer(&pair, ids[4]);
    pair_respond(&pair, ids[2], 0);
    assert_int_equal(pair_take(&pair), 1);
    assert_int_equal(pair_take(&pair), 1);
    assert_int_equal(pair_take(&pair), 0);

    assert_int_equal(pair_reattach(&pair), 8);
    assert_int_equal(pair.channel.info.redelivered, 8);
    assert_int_equal(pair.channel.info.attachments, 2);
    assert_int_equal(pair.channel.info.outstanding, 8);
    assert_int_equal(pair.channel.info.waiting, 0);
    assert_int_equal(pair.channel.info.produced, 10);
    assert_int_equal(pair_take(&pair), 0);
    for ( i = 0; i < 8; i++ )
    {
        assert_true(pair_next(&pair, &request));
        assert_true(request.flags & XEN_MEMEVENT_AGAIN);
        assert_true(request.flags & XEN_MEMEVENT_VCPU_PAUSED);
        assert_true(request.vcpu < 10);
        assert_int_equal(request.id, ids[request.vcpu]);
        assert_int_equal(request.gfn, 100 + request.vcpu);
        assert_false(seen[request.vcpu]);
        seen[request.vcpu] = true;
        pair_answer(&pair, request.id);
        assert_int_equal(pair_take(&pair), 1);
    }
    assert_false(pair_next(&pair, &request));
    assert_false(seen[1] || seen[4]);
    /* The next use of an entry is new. */
    pair_ask(&pair, 0, 1, NULL);
    assert_true(pair_next(&pair, &request));
    assert_false(request.flags & XEN_MEMEVENT_AGAIN);
    pair_close(&pair);
}

/* An answer by the former consumer's id is right whoever gives it; a repeated one is not, across consumers. */
static void test_answers_across(void **state)
{
    struct xen_memevent_request request;
    struct channel_pair pair;
    uint64_t answered, open;

    (void)state;
    pair_open_paging(&pair, VCPUS);
    answered = pair_ask(&pair, 0, 1, NULL);
    open = pair_ask(&pair, 1, 2, NULL);
    assert_true(pair_next(&pair, &request) && pair_next(&pair, &request));
    pair_answer(&pair, answered);
    assert_int_equal(pair_take(&pair), 1);
    pair_reattach(&pair);
    assert_true(pair_next(&pair, &request));
    pair_answer(&pair, answered);
    assert_int_equal(pair_take(&pair), -EINVAL);
    assert_int_equal(pair.channel.info.repeated, 1);
    pair_answer(&pair, open);
    assert_int_equal(pair_take(&pair), 1);
    pair_close(&pair);
}

/* Requests of the time without a consumer, and those that waited for room, come in their order and are not AGAIN. */
static void test_waiting_in_order(void **state)
{
    struct xen_memevent_request request;
    struct channel_pair pair;
    unsigned int i, order[6] = { 5, 3, 9, 1, 7, 2 };

    (void)state;
    pair_open_paging(&pair, VCPUS);
    pair_control(&pair)->request_consumer = 0x80000000u;
    for ( i = 0; i < 6; i++ )
        pair_ask(&pair, order[i], i, NULL);
    assert_int_equal(pair.channel.info.waiting, 6);
    assert_int_equal(pair_reattach(&pair), 0);
    assert_int_equal(pair.channel.info.redelivered, 0);
    for ( i = 0; i < 6; i++ )
    {
        assert_true(pair_next(&pair, &request));
        assert_int_equal(request.vcpu, order[i]);
        assert_false(request.flags & XEN_MEMEVENT_AGAIN);
    }
    assert_false(pair_next(&pair, &request));
    pair_close(&pair);
}

/* A full table through a hundred consumers, none of which answers. */
static void test_many_consumers(void **state)
{
    struct xen_memevent_request request;
    struct channel_pair pair;
    unsigned int i, vcpu, count;
    uint64_t seen;

    (void)state;
    pair_open_paging(&pair, VCPUS);
    for ( vcpu = 0; vcpu < VCPUS; vcpu++ )
        pair_ask(&pair, vcpu, vcpu, NULL);
    while ( pair_ask(&pair, MEMEVENT_NOBODY, 1, NULL) )
        continue;
    memevent_reliable_rescan(&pair.channel, XEN_MEMEVENT_PAGING_RESCAN, 0);
    for ( i = 0; i < 100; i++ )
    {
        assert_int_equal(pair_reattach(&pair), 64);
        for ( count = 0, seen = 0; pair_next(&pair, &request); count++ )
            seen |= 1ull << (uint32_t)request.id;
        assert_int_equal(count, 64);
        assert_int_equal(seen, ~0ull);
    }
    assert_int_equal(pair.channel.info.attachments, 101);
    assert_int_equal(pair.channel.info.redelivered, 6400);
    assert_int_equal(pair.channel.info.outstanding_max, 64);
    pair_close(&pair);
}

/* A new consumer is shown nothing of the old one's memory. */
static void test_clean(void **state)
{
    struct channel_pair pair;
    const uint8_t *octets;
    uint32_t i;

    (void)state;
    pair_open_paging(&pair, VCPUS);
    memset(pair.channel.shared, 0xa5, pair.channel.size);
    memevent_reliable_reattach(&pair.channel);
    octets = pair.channel.shared;
    assert_int_equal(pair_control(&pair)->request_event, 1);
    for ( i = 0; i < pair.channel.size; i++ )
        assert_true(!octets[i] || i / 4 == offsetof(struct xen_memevent_reliable, request_event) / 4);
    pair_close(&pair);
}

/* Any number of losses is one RESCAN until the consumer has it, and one more afterwards. */
static void test_rescan(void **state)
{
    struct xen_memevent_request request;
    struct channel_pair pair;
    unsigned int i;

    (void)state;
    pair_open_paging(&pair, VCPUS);
    pair_control(&pair)->request_consumer = 0x80000000u;    /* no room: it waits */
    for ( i = 0; i < 5; i++ )
        memevent_reliable_rescan(&pair.channel, XEN_MEMEVENT_PAGING_RESCAN, 7);
    assert_int_equal(pair.channel.info.coalesced, 5);
    assert_int_equal(pair.channel.info.outstanding, 1);
    pair_control(&pair)->request_consumer = 0;
    memevent_reliable_flush(&pair.channel);
    assert_true(pair_next(&pair, &request));
    assert_int_equal(request.kind, XEN_MEMEVENT_PAGING_RESCAN);
    assert_true(request.gfn == XEN_MEMEVENT_NO_GFN);
    assert_int_equal(request.time, 7);
    assert_int_equal(request.flags, 0);
    assert_int_equal((uint32_t)request.id, RESCAN_INDEX);
    assert_false(pair_next(&pair, &request));

    /* The consumer may have looked before these: they are worth one more, with the time of their first. */
    for ( i = 0; i < 5; i++ )
        assert_false(memevent_reliable_rescan(&pair.channel, XEN_MEMEVENT_PAGING_RESCAN, 8 + i));
    assert_int_equal(pair.channel.info.coalesced, 10);
    assert_false(pair_next(&pair, &request));
    pair_answer(&pair, request.id);
    assert_int_equal(pair_take(&pair), 1);
    assert_true(pair_next(&pair, &request));
    assert_int_equal(request.kind, XEN_MEMEVENT_PAGING_RESCAN);
    assert_int_equal(request.time, 8);
    assert_int_equal(pair.channel.info.coalesced, 10);
    assert_int_equal(pair.channel.info.produced, 2);
    pair_answer(&pair, request.id);
    assert_int_equal(pair_take(&pair), 1);
    assert_int_equal(pair_answered(&pair)->kind, XEN_MEMEVENT_PAGING_RESCAN);
    assert_false(pair_next(&pair, &request));
    assert_int_equal(pair.channel.info.outstanding, 0);

    /* And it works again. */
    memevent_reliable_rescan(&pair.channel, XEN_MEMEVENT_PAGING_RESCAN, 9);
    assert_true(pair_next(&pair, &request));
    assert_int_equal(request.time, 9);
    pair_close(&pair);
}

/* A loss while RESCAN was out at a consumer that died is not forgotten. */
static void test_rescan_across(void **state)
{
    struct xen_memevent_request request;
    struct channel_pair pair;

    (void)state;
    pair_open_paging(&pair, VCPUS);
    memevent_reliable_rescan(&pair.channel, XEN_MEMEVENT_PAGING_RESCAN, 1);
    assert_true(pair_next(&pair, &request));
    memevent_reliable_rescan(&pair.channel, XEN_MEMEVENT_PAGING_RESCAN, 2);
    assert_int_equal(pair_reattach(&pair), 1);
    assert_true(pair_next(&pair, &request));
    assert_true(request.flags & XEN_MEMEVENT_AGAIN);
    assert_int_equal(request.kind, XEN_MEMEVENT_PAGING_RESCAN);
    /* Lost after the new one has it. */
    memevent_reliable_rescan(&pair.channel, XEN_MEMEVENT_PAGING_RESCAN, 3);
    pair_answer(&pair, request.id);
    assert_int_equal(pair_take(&pair), 1);
    assert_true(pair_next(&pair, &request));
    assert_false(request.flags & XEN_MEMEVENT_AGAIN);
    pair_answer(&pair, request.id);
    assert_int_equal(pair_take(&pair), 1);
    assert_int_equal(pair.channel.info.outstanding, 0);
    pair_close(&pair);
}

/* Each request once, whether the consumer has it or not; an answer of zeros; no entry is lost. */
static void test_abandon(void **state)
{
    static const uint8_t zeros[MEMEVENT_RESPONSE_SIZE_MAX];
    struct xen_memevent_request request;
    struct channel_pair pair;
    uint64_t seen = 0, id;
    unsigned int i, round;

    (void)state;
    pair_open_paging(&pair, VCPUS);
    for ( round = 0; round < 3; round++ )
    {
        for ( i = 0; i < 10; i++ )
            pair_ask(&pair, i, i, NULL);
        for ( i = 0; i < 5; i++ )
            assert_true(pair_next(&pair, &request));
        pair_control(&pair)->request_consumer = pair.request_consumer + 0x80000000u;
        for ( i = 10; i < 20; i++ )
            pair_ask(&pair, i, i, NULL);
        assert_int_equal(pair.channel.info.waiting, 10);
        for ( i = 0, seen = 0; memevent_reliable_abandon(&pair.channel, &pair.answer); i++ )
        {
            assert_int_equal(pair_answered(&pair)->vcpu, pair.answer.index);
            assert_int_equal(pair_answered(&pair)->gfn, pair.answer.index);
            assert_memory_equal(pair.answer.response, zeros, sizeof(zeros));
            assert_false(seen & 1ull << pair.answer.index);
            seen |= 1ull << pair.answer.index;
        }
        assert_int_equal(i, 20);
        assert_int_equal(pair.channel.info.outstanding, 0);
        assert_int_equal(pair.channel.info.waiting, 0);
        /* An answer that comes afterwards is late. */
        pair_give_back(&pair);
        pair_answer(&pair, request.id);
        assert_int_equal(pair_take(&pair), -EINVAL);
        assert_int_equal(pair.channel.info.repeated, round + 1);
        /* What is asked now is sent. */
        while ( pair_next(&pair, &request) )
            pair_give_back(&pair);
        id = pair_ask(&pair, 3, 3, NULL);
        assert_true(pair_next(&pair, &request));
        assert_int_equal(request.id, id);
        pair_answer(&pair, id);
        assert_int_equal(pair_take(&pair), 1);
    }
    pair_close(&pair);
}

/* Entries that are nobody's own come back through answers, abandoning and cancelling alike, in any mixture. */
static void test_nobodys_entries_return(void **state)
{
    struct xen_memevent_request request;
    struct channel_pair pair;
    unsigned int i, round, count;

    (void)state;
    pair_open_paging(&pair, VCPUS);
    for ( round = 0; round < 20; round++ )
    {
        for ( count = 0; pair_ask(&pair, MEMEVENT_NOBODY, count, NULL); )
            count++;
        assert_int_equal(count, 64 - VCPUS - 1);
        for ( i = 0; i < round % 20 && pair_next(&pair, &request); i++ )
        {
            pair_answer(&pair, request.id);
            assert_int_equal(pair_take(&pair), 1);
        }
        if ( round & 1 )
            pair_reattach(&pair);
        while ( memevent_reliable_abandon(&pair.channel, &pair.answer) )
            continue;
        pair_reattach(&pair);
        assert_false(pair_next(&pair, &request));
        memevent_reliable_cancel(&pair.channel, memevent_reliable_claim(&pair.channel, MEMEVENT_NOBODY));
    }
    pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unanswered_come_again),
        cmocka_unit_test(test_answers_across),
        cmocka_unit_test(test_waiting_in_order),
        cmocka_unit_test(test_many_consumers),
        cmocka_unit_test(test_clean),
        cmocka_unit_test(test_rescan),
        cmocka_unit_test(test_rescan_across),
        cmocka_unit_test(test_abandon),
        cmocka_unit_test(test_nobodys_entries_return),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
