/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Indices of a reliable ring: room comes only of the consumer's index, the ring goes round, and an index that cannot be
 * costs only the consumer that wrote it.  What lies around the shared memory is watched.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xen/memevent-barriers.h>

#include "channel-pair.h"

#define SLOTS 64
#define VCPUS 47    /* the most with 64 slots */
#define PAGE_OCTETS 4096

/* A channel of SLOTS whose shared memory ends where nothing is mapped, on both sides. */
static void open_fenced(struct channel_pair *pair)
{
    struct memevent_reliable *channel = &pair->channel;
    uint8_t *memory;

    pair_open_paging(pair, VCPUS);
    assert_int_equal(channel->slots, SLOTS);
    free(channel->shared);
    memory = mmap(NULL, channel->size + 2 * PAGE_OCTETS, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(memory, MAP_FAILED);
    channel->shared = memory + PAGE_OCTETS;
    assert_int_equal(mprotect(channel->shared, channel->size, PROT_READ | PROT_WRITE), 0);
    pair_reattach(pair);
}

static void close_fenced(struct channel_pair *pair)
{
    munmap(pair->channel.shared - PAGE_OCTETS, pair->channel.size + 2 * PAGE_OCTETS);
    pair->channel.shared = NULL;
    pair_close(pair);
}

/* All entries but RESCAN's: how many requests were put. */
static unsigned int ask_all(struct channel_pair *pair)
{
    unsigned int asked = 0, vcpu;

    for ( vcpu = 0; vcpu < VCPUS; vcpu++ )
        asked += !!pair_ask(pair, vcpu, vcpu, NULL);
    while ( pair_ask(pair, MEMEVENT_NOBODY, 5, NULL) )
        asked++;

    return asked;
}

/* The ring has a slot for every entry: nothing waits, and what is copied but not given back is still no room. */
static void test_every_entry_has_a_slot(void **state)
{
    struct xen_memevent_request request;
    struct channel_pair pair;
    unsigned int count;

    (void)state;
    open_fenced(&pair);
    assert_int_equal(ask_all(&pair), SLOTS - 1);
    memevent_reliable_rescan(&pair.channel, XEN_MEMEVENT_PAGING_RESCAN, 0);
    assert_int_equal(pair.channel.info.outstanding, SLOTS);
    assert_int_equal(pair.channel.info.waiting, 0);
    for ( count = 0; pair_next(&pair, &request); count++ )
        continue;
    assert_int_equal(count, SLOTS);
    close_fenced(&pair);
}

/* A consumer that answers what it has, and gives no slot back: others wait, in order, until it does. */
static void test_room(void **state)
{
    struct xen_memevent_request request;
    struct channel_pair pair;
    uint64_t ids[SLOTS];
    unsigned int i, round;

    (void)state;
    open_fenced(&pair);
    for ( round = 0; round < 3; round++ )
    {
        for ( i = 0; i < SLOTS; i++ )
        {
            assert_true(pair_ask(&pair, i % VCPUS, i, NULL));
            assert_int_equal(pair.channel.info.waiting, 0);
            assert_true(pair_next(&pair, &request));
            pair_respond(&pair, request.id, 0);
            pair_publish(&pair);
            assert_int_equal(pair_take(&pair), 1);
        }
        for ( i = 0; i < VCPUS; i++ )
        {
            ids[i] = pair_ask(&pair, VCPUS - 1 - i, i, NULL);
            assert_true(ids[i]);
        }
        assert_int_equal(pair.channel.info.waiting, VCPUS);
        assert_false(pair_next(&pair, &request));
        memevent_reliable_flush(&pair.channel);
        assert_int_equal(pair.channel.info.waiting, VCPUS);

        /* Ten slots are given back: ten come, no more. */
        memevent_store_release(&pair_control(&pair)->request_consumer, pair.request_consumer - SLOTS + 10);
        memevent_reliable_flush(&pair.channel);
        assert_int_equal(pair.channel.info.waiting, VCPUS - 10);
        for ( i = 0; i < 10; i++ )
        {
            assert_true(pair_next(&pair, &request));
            assert_int_equal(request.id, ids[i]);
        }
        assert_false(pair_next(&pair, &request));

        pair_give_back(&pair);
        memevent_reliable_flush(&pair.channel);
        assert_int_equal(pair.channel.info.waiting, 0);
        for ( ; i < VCPUS; i++ )
        {
            assert_true(pair_next(&pair, &request));
            assert_int_equal(request.id, ids[i]);
        }
        for ( i = 0; i < VCPUS; i++ )
        {
            pair_answer(&pair, ids[i]);
            assert_int_equal(pair_take(&pair), 1);
        }
    }
    close_fenced(&pair);
}

/* request_consumer is anything: nothing is sent beyond the ring, and once it can be believed all goes on. */
static void test_hostile_request_consumer(void **state)
{
    static const uint32_t wrong[] = { 1, 2, 63, 64, 65, 0x7fffffff, 0x80000000, 0xffffff00, 0xffffffbf };
    struct xen_memevent_request request;
    struct channel_pair pair;
    unsigned int i, vcpu, count;

    (void)state;
    for ( i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++ )
    {
        open_fenced(&pair);
        pair_control(&pair)->request_consumer = wrong[i];
        for ( vcpu = 0; vcpu < VCPUS; vcpu++ )
            assert_true(pair_ask(&pair, vcpu, vcpu, NULL));
        assert_int_equal(pair.channel.info.outstanding, VCPUS);
        assert_true(pair.channel.request_producer <= SLOTS);
        assert_int_equal(pair.channel.request_producer + pair.channel.info.waiting, VCPUS);

        pair_control(&pair)->request_consumer = pair.channel.request_producer;
        pair.request_consumer = pair.channel.request_producer;
        memevent_reliable_flush(&pair.channel);
        assert_int_equal(pair.channel.info.waiting, 0);
        for ( count = pair.channel.info.outstanding - (VCPUS - pair.request_consumer); pair_next(&pair, &request); )
            count++;
        assert_int_equal(count, VCPUS);
        close_fenced(&pair);
    }
}

/* Just beyond what can be, and just within. */
static void test_bounds_of_room(void **state)
{
    struct xen_memevent_request request;
    struct channel_pair pair;
    unsigned int i;

    (void)state;
    open_fenced(&pair);
    for ( i = 0; i < 5; i++ )
    {
        uint64_t id = pair_ask(&pair, 0, i, NULL);

        assert_true(pair_next(&pair, &request));
        pair_answer(&pair, id);
        assert_int_equal(pair_take(&pair), 1);
    }
    /* The producer is at 5: a consumer at 6 is ahead of it. */
    pair_control(&pair)->request_consumer = 6;
    pair_ask(&pair, 0, 1, NULL);
    assert_int_equal(pair.channel.info.waiting, 1);
    /* At 5 - 64 all slots are taken; at one more, one is free. */
    pair_control(&pair)->request_consumer = 5u - SLOTS;
    memevent_reliable_flush(&pair.channel);
    assert_int_equal(pair.channel.info.waiting, 1);
    pair_control(&pair)->request_consumer = 5u - SLOTS + 1;
    memevent_reliable_flush(&pair.channel);
    assert_int_equal(pair.channel.info.waiting, 0);
    pair_ask(&pair, 1, 1, NULL);
    assert_int_equal(pair.channel.info.waiting, 1);
    close_fenced(&pair);
}

/* response_producer is anything: an overrun is counted once, nothing of it is believed, and the next answer counts. */
static void test_hostile_response_producer(void **state)
{
    static const uint32_t wrong[] = { 65, 66, 1000, 0x7fffffff, 0x80000000, 0xffffffff };
    struct xen_memevent_request request;
    struct channel_pair pair;
    unsigned int i, left;
    uint64_t id;

    (void)state;
    open_fenced(&pair);
    id = pair_ask(&pair, 3, 9, NULL);
    assert_true(pair_next(&pair, &request));
    pair_give_back(&pair);
    for ( i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++ )
    {
        /* All slots say yes, and are not asked. */
        for ( left = 0; left < SLOTS; left++ )
            pair_respond(&pair, id, 0);
        pair_control(&pair)->response_producer = pair.channel.response_consumer + wrong[i];
        assert_int_equal(pair_take(&pair), -EINVAL);
        assert_int_equal(pair.channel.info.overruns, i + 1);
        assert_int_equal(pair_take(&pair), 0);
        assert_int_equal(pair.channel.info.outstanding, 1);
        /* The consumer can see how far it was read. */
        assert_int_equal(pair_control(&pair)->response_consumer, pair_control(&pair)->response_producer);
        pair.response_producer = pair.channel.response_consumer;
    }
    assert_int_equal(pair.channel.info.answered, 0);
    assert_int_equal(pair.channel.info.unknown + pair.channel.info.repeated + pair.channel.info.malformed, 0);
    pair_answer(&pair, id);
    assert_int_equal(pair_take(&pair), 1);
    close_fenced(&pair);
}

/* A full ring of responses is none too many; each is taken, right or wrong. */
static void test_full_of_responses(void **state)
{
    struct xen_memevent_request request;
    struct channel_pair pair;
    unsigned int i;
    uint64_t id;

    (void)state;
    open_fenced(&pair);
    id = pair_ask(&pair, 0, 9, NULL);
    assert_true(pair_next(&pair, &request));
    for ( i = 0; i < SLOTS - 1; i++ )
        pair_respond(&pair, 0, 0);
    pair_answer(&pair, id);
    for ( i = 0; i < SLOTS - 1; i++ )
        assert_int_equal(pair_take(&pair), -EINVAL);
    assert_int_equal(pair_take(&pair), 1);
    assert_int_equal(pair_take(&pair), 0);
    assert_int_equal(pair.channel.info.unknown, SLOTS - 1);
    assert_int_equal(pair.channel.info.overruns, 0);
    close_fenced(&pair);
}

/* Both rings go round 2^32. */
static void test_wrap(void **state)
{
    struct xen_memevent_request request;
    struct channel_pair pair;
    unsigned int i, j;
    uint64_t ids[VCPUS];

    (void)state;
    open_fenced(&pair);
    pair.channel.request_producer = pair.request_consumer = 0xffffff80u;
    pair_control(&pair)->request_producer = pair_control(&pair)->request_consumer = 0xffffff80u;
    pair.channel.response_consumer = pair.response_producer = 0xffffffa0u;
    pair_control(&pair)->response_producer = pair_control(&pair)->response_consumer = 0xffffffa0u;
    for ( i = 0; i < 20; i++ )
    {
        for ( j = 0; j < VCPUS; j++ )
            ids[j] = pair_ask(&pair, j, i * VCPUS + j, NULL);
        assert_int_equal(pair.channel.info.waiting, 0);
        for ( j = 0; j < VCPUS; j++ )
        {
            assert_true(pair_next(&pair, &request));
            assert_int_equal(request.id, ids[j]);
            assert_int_equal(request.gfn, i * VCPUS + j);
        }
        assert_false(pair_next(&pair, &request));
        pair_give_back(&pair);
        for ( j = VCPUS; j-- > 0; )
            pair_respond(&pair, ids[j], 0);
        pair_publish(&pair);
        for ( j = VCPUS; j-- > 0; )
        {
            assert_int_equal(pair_take(&pair), 1);
            assert_int_equal(pair.answer.index, j);
        }
        assert_int_equal(pair_take(&pair), 0);
    }
    assert_int_equal(pair.channel.info.overruns, 0);
    close_fenced(&pair);
}

/* All of the shared memory is noise all the time: no answer is believed that guesses no id, and every vCPU keeps its entry. */
static void test_noise(void **state)
{
    struct channel_pair pair;
    uint32_t *words;
    unsigned int i, j, taken, asked;
    int rc;

    (void)state;
    open_fenced(&pair);
    words = pair.channel.shared;
    asked = ask_all(&pair);
    for ( i = 0; i < 3000; i++ )
    {
        for ( j = 0; j < pair.channel.size / 4; j++ )
            words[j] = (uint32_t)rand() << 8 ^ rand();
        /* Sometimes an index that can be. */
        if ( i & 1 )
            pair_control(&pair)->response_producer = pair.channel.response_consumer + rand() % (SLOTS + 1);
        for ( taken = 0; (rc = pair_take(&pair)) && taken <= SLOTS; taken++ )
            assert_int_equal(rc, -EINVAL);
        assert_true(taken <= SLOTS);
        memevent_reliable_flush(&pair.channel);
    }
    assert_int_equal(pair.channel.info.outstanding, asked);
    assert_int_equal(pair.channel.info.answered, 0);
    assert_true(pair.channel.info.unknown > 0 && pair.channel.info.overruns > 0);
    close_fenced(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_entry_has_a_slot),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_hostile_request_consumer),
        cmocka_unit_test(test_bounds_of_room),
        cmocka_unit_test(test_hostile_response_producer),
        cmocka_unit_test(test_full_of_responses),
        cmocka_unit_test(test_wrap),
        cmocka_unit_test(test_noise),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
