/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Answers of a reliable channel: any order is right; a forged, repeated, stale, malformed one or one out of
 * range is refused, counted in its own counter and nowhere else, and nobody's request ends by it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "channel-pair.h"

#define VCPUS 40

/* What refusals are counted in. */
struct refusals {
    uint64_t unknown, repeated, malformed, overruns;
};

static void check_refusals(const struct channel_pair *pair, struct refusals expected)
{
    assert_int_equal(pair->channel.info.unknown, expected.unknown);
    assert_int_equal(pair->channel.info.repeated, expected.repeated);
    assert_int_equal(pair->channel.info.malformed, expected.malformed);
    assert_int_equal(pair->channel.info.overruns, expected.overruns);
}

/* One outstanding request of each vCPU, all of them copied by the consumer. */
static void ask_all(struct channel_pair *pair, uint64_t *ids)
{
    struct xen_memevent_request request;
    uint32_t vcpu;

    for ( vcpu = 0; vcpu < VCPUS; vcpu++ )
    {
        ids[vcpu] = pair_ask(pair, vcpu, 1000 + vcpu, NULL);
        assert_true(ids[vcpu]);
    }
    for ( vcpu = 0; vcpu < VCPUS; vcpu++ )
    {
        assert_true(pair_next(pair, &request));
        assert_int_equal(request.id, ids[vcpu]);
        assert_int_equal(request.gfn, 1000 + vcpu);
    }
    assert_false(pair_next(pair, &request));
    pair_give_back(pair);
}

/* Answers go to those they name, in the order in which they were given. */
static void check_order(const uint32_t *order)
{
    struct channel_pair pair;
    uint64_t ids[VCPUS];
    unsigned int i;

    pair_open_paging(&pair, VCPUS);
    ask_all(&pair, ids);
    for ( i = 0; i < VCPUS; i++ )
        pair_respond(&pair, ids[order[i]], 0);
    assert_int_equal(pair_take(&pair), 0);      /* not yet published */
    pair_publish(&pair);
    for ( i = 0; i < VCPUS; i++ )
    {
        assert_int_equal(pair_take(&pair), 1);
        assert_int_equal(pair.answer.index, order[i]);
        assert_int_equal(pair_answered(&pair)->vcpu, order[i]);
        assert_int_equal(pair_answered(&pair)->gfn, 1000 + order[i]);
        assert_int_equal(pair.channel.info.outstanding, VCPUS - 1 - i);
    }
    assert_int_equal(pair_take(&pair), 0);
    assert_int_equal(pair.channel.info.answered, VCPUS);
    assert_int_equal(pair.channel.info.produced, VCPUS);
    assert_int_equal(pair.channel.info.outstanding_max, VCPUS);
    check_refusals(&pair, (struct refusals){ 0 });
    pair_close(&pair);
}

static void test_orders(void **state)
{
    uint32_t order[VCPUS], i, j, round, swap;

    (void)state;
    for ( i = 0; i < VCPUS; i++ )
        order[i] = i;
    check_order(order);
    for ( i = 0; i < VCPUS; i++ )
        order[i] = VCPUS - 1 - i;
    check_order(order);
    for ( round = 0; round < 200; round++ )
    {
        for ( i = VCPUS - 1; i > 0; i-- )
        {
            j = rand() % (i + 1);
            swap = order[i];
            order[i] = order[j];
            order[j] = swap;
        }
        check_order(order);
    }
}

/* A vCPU asks again after its answer, many times, with others' requests unanswered meanwhile. */
static void test_no_queue(void **state)
{
    struct xen_memevent_request request;
    struct channel_pair pair;
    uint64_t ids[VCPUS], id, last = 0;
    unsigned int i;

    (void)state;
    pair_open_paging(&pair, VCPUS);
    ask_all(&pair, ids);
    pair_answer(&pair, ids[7]);
    assert_int_equal(pair_take(&pair), 1);
    for ( i = 0; i < 1000; i++ )
    {
        id = pair_ask(&pair, 7, i, NULL);
        assert_true(id);
        assert_true(id != last);
        /* One at a time. */
        assert_int_equal(pair_ask(&pair, 7, i, NULL), 0);
        assert_true(pair_next(&pair, &request));
        assert_int_equal(request.id, id);
        pair_answer(&pair, id);
        assert_int_equal(pair_take(&pair), 1);
        assert_int_equal(pair_answered(&pair)->gfn, i);
        last = id;
    }
    assert_int_equal(pair.channel.info.outstanding, VCPUS - 1);
    pair_close(&pair);
}

/*
 * Many answers at once: of each that is right the vCPU goes on, once, in the order of the answers; what is wrong is
 * refused as it is one by one, and takes nobody's place.
 */
static void test_at_once(void **state)
{
    uint32_t vcpus[VCPUS], budget, taken = 0, i;
    struct xen_memevent_request request;
    struct channel_pair pair;
    uint64_t ids[VCPUS], nobodys;

    (void)state;
    pair_open_paging(&pair, VCPUS);
    ask_all(&pair, ids);
    nobodys = pair_ask(&pair, MEMEVENT_NOBODY, 77, NULL);
    assert_true(pair_next(&pair, &request));
    pair_give_back(&pair);
    pair_respond(&pair, nobodys, 0);
    for ( i = VCPUS; i-- > 0; )
        pair_respond(&pair, ids[i], 0);
    pair_respond(&pair, ids[7], 0);
    pair_respond(&pair, 0, 0);
    pair_respond(&pair, ids[7] + (1ull << 32), 1);

    budget = 64;
    assert_int_equal(memevent_reliable_take_waiting(&pair.channel, vcpus, VCPUS, &budget), 0);
    assert_int_equal(budget, 64);
    pair_publish(&pair);

    /* As many as there is room for: the one that no vCPU waits for takes none. */
    assert_int_equal(memevent_reliable_take_waiting(&pair.channel, vcpus, 5, &budget), 5);
    assert_int_equal(budget, 64 - 6);
    assert_int_equal(pair_control(&pair)->response_consumer, 6);
    assert_int_equal(pair.channel.info.outstanding, VCPUS - 5);
    for ( i = 0; i < 5; i++ )
        assert_int_equal(vcpus[i], VCPUS - 1 - taken++);

    /* Whose turn has come may ask again; as many responses as were allowed. */
    assert_true(pair_ask(&pair, VCPUS - 1, 1, NULL));
    assert_int_equal(pair_ask(&pair, 0, 1, NULL), 0);
    budget = 10;
    assert_int_equal(memevent_reliable_take_waiting(&pair.channel, vcpus, VCPUS, &budget), 10);
    assert_int_equal(budget, 0);
    for ( i = 0; i < 10; i++ )
        assert_int_equal(vcpus[i], VCPUS - 1 - taken++);
    assert_int_equal(memevent_reliable_take_waiting(&pair.channel, vcpus, VCPUS, &budget), 0);

    budget = 64;
    assert_int_equal(memevent_reliable_take_waiting(&pair.channel, vcpus, VCPUS, &budget), VCPUS - 15);
    for ( i = 0; i < VCPUS - 15; i++ )
        assert_int_equal(vcpus[i], VCPUS - 1 - taken++);
    check_refusals(&pair, (struct refusals){ .unknown = 2, .repeated = 1 });
    assert_int_equal(pair.channel.info.answered, VCPUS + 1);
    assert_int_equal(pair.channel.info.outstanding, 1);
    assert_int_equal(pair.channel.info.outstanding_max, VCPUS + 1);

    /* No action is one that is allowed, and an index that cannot be is none. */
    pair_respond(&pair, ids[VCPUS - 1] + (1ull << 32), 1);
    pair_publish(&pair);
    assert_int_equal(memevent_reliable_take_waiting(&pair.channel, vcpus, VCPUS, &budget), 0);
    pair.response_producer += 65;
    pair_publish(&pair);
    assert_int_equal(memevent_reliable_take_waiting(&pair.channel, vcpus, VCPUS, &budget), 0);
    check_refusals(&pair, (struct refusals){ .unknown = 2, .repeated = 1, .malformed = 1, .overruns = 1 });
    pair_respond(&pair, ids[VCPUS - 1] + (1ull << 32), 0);
    pair_publish(&pair);
    assert_int_equal(memevent_reliable_take_waiting(&pair.channel, vcpus, VCPUS, &budget), 1);
    assert_int_equal(vcpus[0], VCPUS - 1);
    pair_close(&pair);
}

/* Refusals.  Each answers with make(ids), expects these counters, and then the true answer still works. */
struct refusal {
    const char *name;
    uint64_t (*make)(const uint64_t *ids);
    uint32_t action;
    struct refusals expected;
};

static uint64_t zero(const uint64_t *ids) { (void)ids; return 0; }
static uint64_t ones(const uint64_t *ids) { (void)ids; return ~(uint64_t)0; }
static uint64_t next_generation(const uint64_t *ids) { return ids[3] + (1ull << 32); }
static uint64_t generation_zero(const uint64_t *ids) { return (uint32_t)ids[3]; }
static uint64_t first_out_of_range(const uint64_t *ids) { return (ids[3] & ~0xffffffffull) | 64; }
static uint64_t never_asked(const uint64_t *ids) { return (ids[3] & ~0xffffffffull) | VCPUS; }
static uint64_t farthest_future(const uint64_t *ids) { return ids[3] + (0x7fffffffull << 32); }
static uint64_t mine(const uint64_t *ids) { return ids[3]; }
/* Vcpu 5's was answered before. */
static uint64_t answered(const uint64_t *ids) { return ids[5]; }

static const struct refusal refusals[] = {
    { "zero", zero, 0, { .unknown = 1 } },
    { "ones", ones, 0, { .unknown = 1 } },
    { "of the generation to come", next_generation, 0, { .unknown = 1 } },
    { "of generation 0", generation_zero, 0, { .unknown = 1 } },
    { "of an index one too large", first_out_of_range, 0, { .unknown = 1 } },
    { "of an entry that is free", never_asked, 0, { .unknown = 1 } },
    { "of the farthest future", farthest_future, 0, { .unknown = 1 } },
    { "repeated", answered, 0, { .repeated = 1 } },
    { "with an action that is none", mine, 1, { .malformed = 1 } },
    { "with every action", mine, ~0u, { .malformed = 1 } },
};

static void test_refusals(void **state)
{
    struct channel_pair pair;
    uint64_t ids[VCPUS];
    unsigned int i;

    (void)state;
    for ( i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++ )
    {
        const struct refusal *refusal = &refusals[i];

        print_message("an answer %s\n", refusal->name);
        pair_open_paging(&pair, VCPUS);
        ask_all(&pair, ids);
        pair_answer(&pair, ids[5]);
        assert_int_equal(pair_take(&pair), 1);

        pair_respond(&pair, refusal->make(ids), refusal->action);
        pair_publish(&pair);
        assert_int_equal(pair_take(&pair), -EINVAL);
        check_refusals(&pair, refusal->expected);
        assert_int_equal(pair.channel.info.outstanding, VCPUS - 1);
        assert_int_equal(pair.channel.info.answered, 1);
        assert_int_equal(pair_take(&pair), 0);

        pair_answer(&pair, ids[3]);
        assert_int_equal(pair_take(&pair), 1);
        assert_int_equal(pair.answer.index, 3);
        check_refusals(&pair, refusal->expected);
        pair_close(&pair);
    }
}

/* Each octet of a response that is pad is looked at, in every class. */
static void test_pads(void **state)
{
    static const uint32_t sizes[] = {
        sizeof(struct xen_memevent_response), sizeof(struct xen_memevent_access_response)
    };
    struct xen_memevent_request request;
    struct channel_pair pair;
    uint32_t i, octet, taken = 0;
    uint8_t *slot;
    uint64_t id;

    (void)state;
    for ( i = 0; i < 2; i++ )
    {
        pair_open(&pair, 1, 256, sizes[i]);
        id = pair_ask(&pair, 0, 1, NULL);
        assert_true(pair_next(&pair, &request));
        pair_give_back(&pair);
        for ( octet = 12, taken = 0; octet < sizes[i]; octet++, taken++ )
        {
            slot = pair.channel.shared + pair.channel.response_offset + (taken % 64) * sizes[i];
            pair_respond(&pair, id, 0);
            slot[octet] = 0x80;
            pair_publish(&pair);
            assert_int_equal(pair_take(&pair), -EINVAL);
            assert_int_equal(pair.channel.info.malformed, taken + 1);
        }
        assert_int_equal(pair.channel.info.outstanding, 1);
        pair_answer(&pair, id);
        assert_int_equal(pair_take(&pair), 1);
        pair_close(&pair);
    }
}

/* Only the actions that the caller allows, each by itself. */
static void test_actions(void **state)
{
    struct xen_memevent_request request;
    struct channel_pair pair;
    unsigned int bit;
    uint64_t id;

    (void)state;
    pair_open(&pair, 1, 256, 64);
    for ( bit = 0; bit < 32; bit++ )
    {
        id = pair_ask(&pair, 0, bit, NULL);
        assert_true(pair_next(&pair, &request));
        pair_give_back(&pair);
        pair_respond(&pair, id, 1u << bit);
        pair_respond(&pair, id, 1u << bit);
        pair_publish(&pair);
        assert_int_equal(memevent_reliable_take(&pair.channel, ~(1u << bit), &pair.answer), -EINVAL);
        assert_int_equal(pair.channel.info.malformed, bit + 1);
        assert_int_equal(memevent_reliable_take(&pair.channel, 1u << bit, &pair.answer), 1);
        assert_int_equal(((struct xen_memevent_access_response *)pair.answer.response)->action, 1u << bit);
    }
    pair_close(&pair);
}

/* A stale id, of any earlier use of the entry, is "repeated"; the use that lives is untouched. */
static void test_stale(void **state)
{
    struct xen_memevent_request request;
    struct channel_pair pair;
    uint64_t ids[50];
    unsigned int i;

    (void)state;
    pair_open_paging(&pair, 1);
    for ( i = 0; i < 50; i++ )
    {
        ids[i] = pair_ask(&pair, 0, i, NULL);
        assert_true(pair_next(&pair, &request));
        if ( i == 49 )
            break;
        pair_answer(&pair, ids[i]);
        assert_int_equal(pair_take(&pair), 1);
    }
    for ( i = 0; i < 49; i++ )
    {
        pair_answer(&pair, ids[i]);
        assert_int_equal(pair_take(&pair), -EINVAL);
        assert_int_equal(pair.channel.info.repeated, i + 1);
    }
    assert_int_equal(pair.channel.info.outstanding, 1);
    pair_answer(&pair, ids[49]);
    assert_int_equal(pair_take(&pair), 1);
    pair_close(&pair);
}

/* A request that waits for room has not been seen by anybody: an answer to it is a guess. */
static void test_guess(void **state)
{
    struct channel_pair pair;
    uint64_t id;

    (void)state;
    pair_open_paging(&pair, 4);
    /* No room, whatever the hypervisor does: the index cannot be. */
    pair_control(&pair)->request_consumer = 0x80000000u;
    id = pair_ask(&pair, 0, 1, NULL);
    assert_int_equal(pair.channel.info.waiting, 1);
    pair_respond(&pair, id, 0);
    pair_publish(&pair);
    assert_int_equal(pair_take(&pair), -EINVAL);
    assert_int_equal(pair.channel.info.unknown, 1);
    assert_int_equal(pair.channel.info.outstanding, 1);
    pair_close(&pair);
}

/* Generations go round and leave out 0; past and future stay apart across that point. */
static void test_generation_wraps(void **state)
{
    struct xen_memevent_request request;
    struct channel_pair pair;
    uint64_t last, id;

    (void)state;
    pair_open_paging(&pair, 1);
    pair.channel.entries[0].generation = 0xffffffffu;
    last = pair_ask(&pair, 0, 1, NULL);
    assert_int_equal(last >> 32, 0xffffffffu);
    assert_true(pair_next(&pair, &request));
    pair_answer(&pair, last);
    assert_int_equal(pair_take(&pair), 1);

    id = pair_ask(&pair, 0, 2, NULL);
    assert_int_equal(id >> 32, 1);
    assert_true(pair_next(&pair, &request));
    pair_answer(&pair, last);
    assert_int_equal(pair_take(&pair), -EINVAL);
    assert_int_equal(pair.channel.info.repeated, 1);
    assert_int_equal(pair.channel.info.outstanding, 1);
    pair_answer(&pair, id);
    assert_int_equal(pair_take(&pair), 1);
    pair_close(&pair);
}

/* Of anybody's entries the last goes to somebody, then none; each comes back, and RESCAN's is never given. */
static void test_entries(void **state)
{
    struct channel_pair pair;
    struct xen_memevent_request *claims[64];
    unsigned int i, j, round;

    (void)state;
    pair_open_paging(&pair, VCPUS);
    for ( round = 0; round < 3; round++ )
    {
        for ( i = 0; i < 64 - VCPUS - 1; i++ )
        {
            claims[i] = memevent_reliable_claim(&pair.channel, MEMEVENT_NOBODY);
            assert_non_null(claims[i]);
            assert_true((uint32_t)claims[i]->id > VCPUS);
            assert_true((uint32_t)claims[i]->id < 64);
            for ( j = 0; j < i; j++ )
                assert_ptr_not_equal(claims[i], claims[j]);
        }
        assert_null(memevent_reliable_claim(&pair.channel, MEMEVENT_NOBODY));
        /* Nobody's shortage is a vCPU's. */
        claims[i] = memevent_reliable_claim(&pair.channel, VCPUS - 1);
        assert_non_null(claims[i]);
        assert_null(memevent_reliable_claim(&pair.channel, VCPUS - 1));
        for ( j = 0; j <= i; j++ )
        {
            memset(&claims[j]->gfn, 0xff, sizeof(*claims[j]) - sizeof(claims[j]->id));
            memevent_reliable_cancel(&pair.channel, claims[j]);
        }
        assert_int_equal(pair.channel.info.outstanding, 0);
    }
    /* What a request begins with is zero, whatever the entry held before. */
    claims[0] = memevent_reliable_claim(&pair.channel, MEMEVENT_NOBODY);
    assert_int_equal(claims[0]->gfn, 0);
    assert_int_equal(claims[0]->flags, 0);
    assert_int_equal(claims[0]->pad1[2], 0);
    assert_null(memevent_reliable_claim(&pair.channel, VCPUS));
    assert_null(memevent_reliable_claim(&pair.channel, MEMEVENT_NOBODY - 1));
    pair_close(&pair);
}

/* The answer that is acted upon is made of the hypervisor's own words, not of those that were shared. */
static void test_own_words(void **state)
{
    struct xen_memevent_request request;
    struct channel_pair pair;
    uint64_t id;

    (void)state;
    pair_open_paging(&pair, 4);
    id = pair_ask(&pair, 2, 77, NULL);
    assert_true(pair_next(&pair, &request));
    memset(pair.channel.shared + pair.channel.request_offset, 0xff, 4096);
    pair_answer(&pair, id);
    assert_int_equal(pair_take(&pair), 1);
    assert_int_equal(pair_answered(&pair)->vcpu, 2);
    assert_int_equal(pair_answered(&pair)->gfn, 77);
    assert_int_equal(pair_answered(&pair)->flags, XEN_MEMEVENT_VCPU_PAUSED);
    pair_close(&pair);
}

/* Somebody else's request for a frame is known until it is answered, whoever consumes; vCPUs' own are not meant. */
static void test_is_asked(void **state)
{
    struct xen_memevent_request request, *claimed;
    struct channel_pair pair;
    uint64_t id;

    (void)state;
    pair_open_paging(&pair, VCPUS);
    assert_true(pair_ask(&pair, 3, 77, NULL));
    assert_false(memevent_reliable_is_asked(&pair.channel, XEN_MEMEVENT_PAGING_POPULATE, 77));
    claimed = memevent_reliable_claim(&pair.channel, MEMEVENT_NOBODY);
    claimed->kind = XEN_MEMEVENT_PAGING_POPULATE;
    claimed->gfn = 77;
    assert_true(memevent_reliable_is_asked(&pair.channel, XEN_MEMEVENT_PAGING_POPULATE, 77));
    memevent_reliable_cancel(&pair.channel, claimed);
    assert_false(memevent_reliable_is_asked(&pair.channel, XEN_MEMEVENT_PAGING_POPULATE, 77));

    id = pair_ask(&pair, MEMEVENT_NOBODY, 77, NULL);
    assert_true(memevent_reliable_is_asked(&pair.channel, XEN_MEMEVENT_PAGING_POPULATE, 77));
    assert_false(memevent_reliable_is_asked(&pair.channel, XEN_MEMEVENT_PAGING_POPULATE, 78));
    assert_false(memevent_reliable_is_asked(&pair.channel, XEN_MEMEVENT_PAGING_DROP, 77));
    pair_reattach(&pair);
    assert_true(memevent_reliable_is_asked(&pair.channel, XEN_MEMEVENT_PAGING_POPULATE, 77));
    while ( pair_next(&pair, &request) )
        continue;
    pair_answer(&pair, id);
    assert_int_equal(pair_take(&pair), 1);
    assert_false(memevent_reliable_is_asked(&pair.channel, XEN_MEMEVENT_PAGING_POPULATE, 77));
    pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orders),
        cmocka_unit_test(test_no_queue),
        cmocka_unit_test(test_at_once),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_pads),
        cmocka_unit_test(test_actions),
        cmocka_unit_test(test_stale),
        cmocka_unit_test(test_guess),
        cmocka_unit_test(test_generation_wraps),
        cmocka_unit_test(test_entries),
        cmocka_unit_test(test_own_words),
        cmocka_unit_test(test_is_asked),
    };
    unsigned int seed = time(NULL);

    print_message("seed %u\n", seed);
    srand(seed);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
