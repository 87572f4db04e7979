/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One ring of a lossy channel: every record is consumed or counted as dropped, at any rate; a wish is fulfilled
 * once, when a batch is ready or the deadline has passed; a hostile index costs the consumer alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <xen/memevent-barriers.h>
#include <xen/memevent-lossy.h>

#define SLOTS 16
#define BATCH 4
#define OFFSET sizeof(struct xen_memevent_lossy)
#define PAGE_OCTETS 4096

struct lossy_pair {
    struct memevent_lossy ring;
    void *fence;
    uint32_t consumer;      /* the consumer's own */
    uint64_t next;          /* what the next put() says */
    uint64_t consumed;
};

/* The records' end is where nothing is mapped. */
static void pair_open(struct lossy_pair *pair)
{
    size_t size = OFFSET + SLOTS * sizeof(struct xen_memevent_record);
    uint8_t *memory = mmap(NULL, 3 * PAGE_OCTETS, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    assert_ptr_not_equal(memory, MAP_FAILED);
    assert_int_equal(mprotect(memory + PAGE_OCTETS, PAGE_OCTETS, PROT_READ | PROT_WRITE), 0);
    memset(pair, 0, sizeof(*pair));
    memset(&pair->ring, 0xff, sizeof(pair->ring));
    pair->fence = memory;
    memevent_lossy_init(&pair->ring, memory + 2 * PAGE_OCTETS - size, OFFSET, SLOTS, BATCH);
}

static void pair_close(struct lossy_pair *pair)
{
    munmap(pair->fence, 3 * PAGE_OCTETS);
}

static bool put(struct lossy_pair *pair)
{
    const struct xen_memevent_record record = {
        .what = pair->next++, .domid = 7, .kind = XEN_MEMEVENT_GFN, .reason = XEN_MEMEVENT_UNSHARED,
    };

    return memevent_lossy_put(&pair->ring, &record);
}

static bool next(struct lossy_pair *pair, uint64_t *what)
{
    const struct xen_memevent_lossy *shared = pair->ring.shared;
    struct xen_memevent_record record;

    if ( memevent_load_acquire(&shared->producer) == pair->consumer )
        return false;
    memcpy(&record, (const uint8_t *)shared + OFFSET + pair->consumer++ % SLOTS * sizeof(record), sizeof(record));
    assert_int_equal(record.domid, 7);
    assert_int_equal(record.kind, XEN_MEMEVENT_GFN);
    assert_int_equal(record.reason, XEN_MEMEVENT_UNSHARED);
    assert_int_equal(record.pad, 0);
    *what = record.what;
    pair->consumed++;

    return true;
}

static void give_back(struct lossy_pair *pair)
{
    memevent_store_release(&pair->ring.shared->consumer, pair->consumer);
}

static void arm(struct lossy_pair *pair)
{
    pair->ring.shared->armed++;
}

/* At a quiet moment: what the ring holds is neither. */
static void check_sum(const struct lossy_pair *pair)
{
    const struct xen_memevent_lossy *shared = pair->ring.shared;
    uint64_t held = shared->producer - shared->consumer;

    assert_int_equal(pair->ring.produced, pair->next);
    assert_int_equal(shared->produced, pair->ring.produced);
    assert_int_equal(shared->dropped, pair->ring.dropped);
    assert_int_equal(memevent_lossy_consumed(&pair->ring) + pair->ring.dropped + held, pair->ring.produced);
}

/* The oldest are kept, the newest dropped; each slot is used, none twice. */
static void test_full(void **state)
{
    struct lossy_pair pair;
    uint64_t what, i;

    (void)state;
    pair_open(&pair);
    for ( i = 0; i < SLOTS + 5; i++ )
        assert_false(put(&pair));
    assert_int_equal(pair.ring.dropped, 5);
    check_sum(&pair);
    for ( i = 0; i < SLOTS; i++ )
    {
        assert_true(next(&pair, &what));
        assert_int_equal(what, i);
    }
    assert_false(next(&pair, &what));
    /* Copied, but not given back: no room yet. */
    put(&pair);
    assert_int_equal(pair.ring.dropped, 6);
    give_back(&pair);
    for ( i = 0; i < SLOTS; i++ )
        put(&pair);
    assert_int_equal(pair.ring.dropped, 6);
    put(&pair);
    assert_int_equal(pair.ring.dropped, 7);
    /* One slot is one record. */
    assert_true(next(&pair, &what));
    assert_int_equal(what, SLOTS + 6);
    give_back(&pair);
    put(&pair);
    assert_int_equal(pair.ring.dropped, 7);
    put(&pair);
    assert_int_equal(pair.ring.dropped, 8);
    check_sum(&pair);
    pair_close(&pair);
}

/* Producer and consumer at every ratio of rates; what is consumed is in order and never twice. */
static void test_rates(void **state)
{
    struct lossy_pair pair;
    uint64_t what, last, i;
    unsigned int ratio, burst;

    (void)state;
    for ( ratio = 1; ratio < 100; ratio += 7 )
    {
        pair_open(&pair);
        /* Soon past 2^32. */
        pair.ring.producer = pair.ring.consumer = pair.consumer = 0xffffff00u;
        pair.ring.shared->producer = pair.ring.shared->consumer = 0xffffff00u;
        for ( i = 0, last = 0; i < 2000; i++ )
        {
            for ( burst = rand() % (ratio + 1); burst; burst-- )
                put(&pair);
            for ( burst = rand() % 20; burst && next(&pair, &what); burst-- )
            {
                assert_true(what >= last);
                last = what + 1;
            }
            give_back(&pair);
            check_sum(&pair);
        }
        while ( next(&pair, &what) )
            give_back(&pair);
        check_sum(&pair);
        assert_int_equal(pair.consumed + pair.ring.dropped, pair.next);
        assert_int_equal(pair.consumed, memevent_lossy_consumed(&pair.ring));
        assert_true(ratio > 50 ? pair.ring.dropped > 0 : pair.consumed > 0);
        pair_close(&pair);
    }
}

/* Nobody wishes: nobody is told.  A wish: told once, when the batch is there and not before. */
static void test_wish(void **state)
{
    struct lossy_pair pair;
    uint64_t what;
    unsigned int i, round, told;

    (void)state;
    pair_open(&pair);
    for ( i = 0; i < 3 * BATCH; i++ )
        assert_false(put(&pair));
    while ( next(&pair, &what) )
        give_back(&pair);
    for ( round = 0; round < 10; round++ )
    {
        arm(&pair);
        for ( i = 1; i < BATCH; i++ )
            assert_false(put(&pair));
        assert_true(put(&pair));
        for ( ; i < SLOTS; i++ )
            assert_false(put(&pair));
        assert_false(memevent_lossy_expire(&pair.ring));
        while ( next(&pair, &what) )
            give_back(&pair);
    }
    /* The batch was there before the wish: the next record tells. */
    for ( i = 0; i < BATCH; i++ )
        put(&pair);
    arm(&pair);
    assert_true(put(&pair));
    assert_false(put(&pair));
    /* Several wishes at once are one. */
    arm(&pair);
    arm(&pair);
    arm(&pair);
    for ( i = 0, told = 0; i < SLOTS; i++ )
        told += put(&pair);
    assert_int_equal(told, 1);
    pair_close(&pair);
}

/* A full ring fulfils a wish as well: who wishes with a batch larger than what is left would sleep for ever. */
static void test_wish_when_full(void **state)
{
    struct lossy_pair pair;
    uint32_t i;

    (void)state;
    pair_open(&pair);
    pair.ring.batch = SLOTS + 1;
    for ( i = 0; i < SLOTS; i++ )
        put(&pair);
    arm(&pair);
    assert_true(put(&pair));
    assert_false(put(&pair));
    assert_int_equal(pair.ring.dropped, 2);
    /* Dropped ones tell nobody who does not wish. */
    arm(&pair);
    assert_true(put(&pair));
    assert_false(put(&pair));
    pair_close(&pair);
}

static void test_deadline(void **state)
{
    struct lossy_pair pair;
    uint64_t what;

    (void)state;
    pair_open(&pair);
    assert_false(memevent_lossy_expire(&pair.ring));
    arm(&pair);
    /* Nothing is there. */
    assert_false(memevent_lossy_expire(&pair.ring));
    put(&pair);
    assert_true(memevent_lossy_expire(&pair.ring));
    assert_false(memevent_lossy_expire(&pair.ring));
    assert_false(put(&pair));
    /* There is something, and nobody wishes. */
    assert_false(memevent_lossy_expire(&pair.ring));
    while ( next(&pair, &what) )
        give_back(&pair);
    arm(&pair);
    assert_false(memevent_lossy_expire(&pair.ring));
    /* A wish that expire() fulfilled is none for put(), and the other way round. */
    put(&pair);
    assert_true(memevent_lossy_expire(&pair.ring));
    while ( next(&pair, &what) )
        give_back(&pair);
    for ( what = 0; what < SLOTS; what++ )
        assert_false(put(&pair));
    pair_close(&pair);
}

/* A loss that the consumer may not have seen is something to be told, once, even if the ring is empty. */
static void test_deadline_tells_of_losses(void **state)
{
    struct lossy_pair pair;
    uint64_t what;
    unsigned int i;

    (void)state;
    pair_open(&pair);
    for ( i = 0; i <= SLOTS; i++ )
        put(&pair);
    while ( next(&pair, &what) )
        give_back(&pair);
    assert_false(memevent_lossy_expire(&pair.ring));
    arm(&pair);
    assert_true(memevent_lossy_expire(&pair.ring));
    arm(&pair);
    assert_false(memevent_lossy_expire(&pair.ring));
    pair_close(&pair);
}

/* The consumer's words are anything: no record beyond the ring, and the private counters stay right. */
static void test_hostile(void **state)
{
    struct lossy_pair pair;
    uint64_t i, before;

    (void)state;
    pair_open(&pair);
    for ( i = 0; i < 200000; i++ )
    {
        uint32_t *words = (uint32_t *)pair.ring.shared;

        words[rand() % (OFFSET / 4)] = (uint32_t)rand() << 8 ^ rand();
        if ( rand() % 4 == 0 )
            pair.ring.shared->consumer = pair.ring.producer - rand() % (2 * SLOTS);
        before = pair.ring.producer;
        put(&pair);
        memevent_lossy_expire(&pair.ring);
        assert_int_equal(pair.ring.produced, pair.next);
        assert_int_equal(pair.ring.produced - pair.ring.dropped, pair.ring.producer);
        assert_true(pair.ring.producer - before <= 1);
        /* As far as it can be believed. */
        assert_true(memevent_lossy_consumed(&pair.ring) <= pair.ring.produced - pair.ring.dropped);
    }
    assert_true(pair.ring.dropped > 0 && pair.ring.dropped < pair.ring.produced);
    pair_close(&pair);
}

/* Whoever comes after a consumer that wrote all over the ring finds what Xen knows, and loses nothing uncounted. */
static void test_renew(void **state)
{
    struct xen_memevent_lossy *shared;
    struct lossy_pair pair;
    uint64_t what;
    unsigned int i;

    (void)state;
    pair_open(&pair);
    shared = pair.ring.shared;
    for ( i = 0; i < SLOTS + 3; i++ )
        put(&pair);
    /* Three are taken, of which two are given back; then come two more, and everything is spoilt. */
    for ( i = 0; i < 2; i++ )
        assert_true(next(&pair, &what));
    give_back(&pair);
    for ( i = 0; i < 2; i++ )
        put(&pair);
    assert_true(next(&pair, &what));
    memset(shared, 0xa5, OFFSET);
    memevent_lossy_renew(&pair.ring);
    assert_int_equal(shared->produced, SLOTS + 5);
    assert_int_equal(shared->dropped, 3);
    assert_int_equal(shared->producer, SLOTS + 2);
    /* Xen has seen two of them given back, and keeps the rest. */
    assert_int_equal(shared->consumer, 2);
    pair.consumer = shared->consumer;
    for ( i = 2; next(&pair, &what); i++ )
        assert_int_equal(what, i < SLOTS ? i : i + 3);
    assert_int_equal(i, SLOTS + 2);
    /* An index that can be is left as it is. */
    give_back(&pair);
    memevent_lossy_renew(&pair.ring);
    assert_int_equal(shared->consumer, SLOTS + 2);
    pair_close(&pair);
}

/*
 * An index before the first record, or before those that were given back, is no index, though it is less than a ring
 * away: who comes next finds no record that was never put, and none twice that Xen knows to be taken.
 */
static void test_renew_before(void **state)
{
    struct lossy_pair pair;
    uint64_t what;
    unsigned int i;

    (void)state;
    pair_open(&pair);
    for ( i = 0; i < 3; i++ )
        put(&pair);
    pair.ring.shared->consumer = (uint32_t)-1;
    assert_int_equal(memevent_lossy_consumed(&pair.ring), 0);
    memevent_lossy_renew(&pair.ring);
    assert_int_equal(pair.ring.shared->consumer, 0);
    for ( i = 0; next(&pair, &what); i++ )
        assert_int_equal(what, i);
    assert_int_equal(i, 3);

    /* All are taken, and Xen sees it when the ring is full. */
    for ( ; i < SLOTS; i++ )
        put(&pair);
    while ( next(&pair, &what) )
        continue;
    give_back(&pair);
    put(&pair);
    assert_int_equal(pair.ring.dropped, 0);
    pair.ring.shared->consumer = SLOTS - 1;
    assert_int_equal(memevent_lossy_consumed(&pair.ring), SLOTS);
    memevent_lossy_renew(&pair.ring);
    assert_int_equal(pair.ring.shared->consumer, SLOTS);
    assert_true(next(&pair, &what));
    assert_int_equal(what, SLOTS);
    assert_false(next(&pair, &what));
    /* One that is beyond the last record is no better. */
    pair.ring.shared->consumer = SLOTS + 2;
    memevent_lossy_renew(&pair.ring);
    assert_int_equal(pair.ring.shared->consumer, SLOTS);
    pair_close(&pair);
}

/* An index that cannot be frees nothing, and hides nothing that was free before. */
static void test_hostile_index(void **state)
{
    static const uint32_t wrong[] = { SLOTS + 1, SLOTS + 2, 0x7fffffff, 0x80000000, 0xfffffff0 };
    struct lossy_pair pair;
    unsigned int i, j;

    (void)state;
    for ( i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++ )
    {
        pair_open(&pair);
        pair.ring.shared->consumer = wrong[i];
        for ( j = 0; j < SLOTS; j++ )
            put(&pair);
        assert_int_equal(pair.ring.dropped, 0);
        put(&pair);
        assert_int_equal(pair.ring.dropped, 1);
        assert_int_equal(memevent_lossy_consumed(&pair.ring), 0);
        /* One beyond the producer, too. */
        pair.ring.shared->consumer = SLOTS + 1;
        put(&pair);
        assert_int_equal(pair.ring.dropped, 2);
        /* It is to be believed again. */
        pair.ring.shared->consumer = SLOTS;
        put(&pair);
        assert_int_equal(pair.ring.dropped, 2);
        assert_int_equal(memevent_lossy_consumed(&pair.ring), SLOTS);
        /* Later in a ring's life one that cannot be takes back no more than Xen has not seen to be taken. */
        for ( j = 0; j < 1000; j++ )
        {
            pair.ring.shared->consumer = pair.ring.producer;
            put(&pair);
        }
        pair.ring.shared->consumer = pair.ring.producer - wrong[i];
        assert_in_range(memevent_lossy_consumed(&pair.ring), SLOTS + 1 + 1000 - SLOTS, SLOTS + 1 + 1000);
        assert_int_equal(memevent_lossy_consumed(&pair.ring),
                         SLOTS + 1 + 1000 - (pair.ring.producer - pair.ring.consumer));
        pair_close(&pair);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_rates),
        cmocka_unit_test(test_wish),
        cmocka_unit_test(test_wish_when_full),
        cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_deadline_tells_of_losses),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_hostile_index),
        cmocka_unit_test(test_renew),
        cmocka_unit_test(test_renew_before),
    };
    unsigned int seed = time(NULL);

    print_message("seed %u\n", seed);
    srand(seed);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
