/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reads in flight while the store changes under them: forgotten pages, closed domains, a closed store, too many at a
 * time.  Each read that was begun is reported once, and its slot holds its bytes until then.
 */
#include "test-store.h"

#define RAM (STORE_RAM_MIN)
#define PAGES 900

static unsigned char (*pages)[STORE_PAGE_SIZE];
static struct store *store;
static struct store_domain *domain;
static struct test_result results[STORE_READS_MAX + 1];

static int setup(void **state)
{
    const struct store_options options = {
        .ram_bytes = RAM, .spill_directory = test_directory(), .spill_bytes = 16 * MIB,
    };
    struct store_statistics st;

    (void)state;
    pages = aligned_alloc(STORE_PAGE_SIZE, (STORE_READS_MAX + 1) * STORE_PAGE_SIZE);
    assert_non_null(pages);
    memset(results, 0, sizeof(results));
    assert_int_equal(store_open(&store, &options), 0);
    assert_int_equal(store_domain_open(store, 3, test_uuid, &domain), 0);
    for ( uint64_t gfn = 0; gfn < PAGES; gfn++ )
        test_put(store, domain, gfn, TEST_RANDOM, gfn);
    store_get_statistics(store, &st);
    assert_true(st.now.in_file > STORE_READS_MAX);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    store_close(store);
    store = NULL;
    free(pages);
    return 0;
}

static void begin(unsigned int n)
{
    for ( unsigned int i = 0; i < n; i++ )
        assert_int_equal(store_get(domain, i, pages[i], &results[i]), 1);
}

static unsigned int done_count(void)
{
    unsigned int n = 0;

    for ( unsigned int i = 0; i < STORE_READS_MAX + 1; i++ )
        n += results[i].done;
    return n;
}

static void finish(unsigned int n)
{
    unsigned char expected[STORE_PAGE_SIZE];

    while ( done_count() < n )
        assert_true(test_reap(store));
    for ( unsigned int i = 0; i < n; i++ )
    {
        assert_int_equal(results[i].result, 0);
        test_page(expected, TEST_RANDOM, i);
        assert_memory_equal(pages[i], expected, STORE_PAGE_SIZE);
    }
}

static uint64_t file_used(void)
{
    struct store_statistics st;

    store_get_statistics(store, &st);
    return st.file_used / STORE_PAGE_SIZE;
}

/* Enough new pages to use every slot that is free, so that a slot freed too early is written over. */
static void churn(struct store_domain *d)
{
    unsigned char fresh[STORE_PAGE_SIZE];
    unsigned int n;

    for ( uint64_t gfn = 100000; gfn < 101000 && (n = store_reserve(store, 16)); )
        for ( ; n; n--, gfn++ )
        {
            test_page(fresh, TEST_RANDOM, gfn);
            assert_int_equal(store_put(d, gfn, fresh), 0);
        }
}

static void test_too_many(void **state)
{
    (void)state;
    begin(STORE_READS_MAX);
    assert_int_equal(store_get(domain, STORE_READS_MAX, pages[STORE_READS_MAX], &results[STORE_READS_MAX]), -EAGAIN);
    finish(STORE_READS_MAX);
    assert_int_equal(store_get(domain, STORE_READS_MAX, pages[STORE_READS_MAX], &results[STORE_READS_MAX]), 1);
    finish(STORE_READS_MAX + 1);
    /* Nothing is left over to be reported. */
    assert_int_equal(store_reap(store, test_done, NULL), 0);
}

static void test_forgotten_in_flight(void **state)
{
    uint64_t used;

    (void)state;
    begin(100);
    used = file_used();
    for ( unsigned int i = 0; i < 100; i++ )
        assert_int_equal(store_forget(domain, i), 0);
    /* Whether or not the disk is done: until we have seen it, the slots are not free. */
    assert_int_equal(file_used(), used);
    churn(domain);
    finish(100);
    for ( unsigned int i = 0; i < 100; i++ )
        assert_false(store_has(domain, i));
    for ( unsigned int i = 100; i < PAGES; i++ )
        test_expect(store, domain, i, TEST_RANDOM, i);
}

static void test_domain_closed_in_flight(void **state)
{
    struct store_domain *other;
    struct store_statistics st;

    (void)state;
    begin(100);
    store_domain_close(domain);
    assert_int_equal(store_domain_open(store, 4, test_uuid, &other), 0);
    churn(other);
    finish(100);
    for ( uint64_t gfn = 100000; store_has(other, gfn); gfn++ )
        test_expect(store, other, gfn, TEST_RANDOM, gfn);
    store_domain_close(other);

    store_get_statistics(store, &st);
    assert_int_equal(st.now.pages + st.now.in_file + st.now.raw + st.now.pool_bytes, 0);
    /* Its number can be used again, and all of the file with it. */
    assert_int_equal(store_domain_open(store, 3, test_uuid, &domain), 0);
    churn(domain);
    for ( uint64_t gfn = 100000; store_has(domain, gfn); gfn++ )
        test_expect(store, domain, gfn, TEST_RANDOM, gfn);
}

/* Also while pages are on their way out. */
static void test_domain_closed_while_writing(void **state)
{
    struct store_domain *other;

    (void)state;
    assert_int_equal(store_domain_open(store, 4, test_uuid, &other), 0);
    for ( unsigned int round = 0; round < 20; round++ )
    {
        churn(other);
        store_domain_close(other);
        assert_int_equal(store_domain_open(store, 4, test_uuid, &other), 0);
    }
    for ( unsigned int i = 0; i < PAGES; i++ )
        test_expect(store, domain, i, TEST_RANDOM, i);
}

static void test_same_page_twice(void **state)
{
    unsigned char expected[STORE_PAGE_SIZE];
    uint64_t used = file_used();

    (void)state;
    for ( unsigned int i = 0; i < 10; i++ )
        assert_int_equal(store_get(domain, 7, pages[i], &results[i]), 1);
    assert_int_equal(store_forget(domain, 7), 0);
    assert_int_equal(file_used(), used);
    churn(domain);
    test_page(expected, TEST_RANDOM, 7);
    while ( done_count() < 10 )
        assert_true(test_reap(store));
    for ( unsigned int i = 0; i < 10; i++ )
    {
        assert_int_equal(results[i].result, 0);
        assert_memory_equal(pages[i], expected, STORE_PAGE_SIZE);
    }
}

/* All slots are accounted for when all is quiet. */
static void test_slots_come_back(void **state)
{
    struct store_statistics st;

    (void)state;
    for ( unsigned int round = 0; round < 10; round++ )
    {
        unsigned int again = round % 2;

        memset(results, 0, sizeof(results));
        begin(50);
        for ( unsigned int i = 0; again && i < 50; i++ )
            assert_int_equal(store_get(domain, i, pages[50 + i], &results[50 + i]), 1);
        for ( unsigned int i = 0; i < 50; i++ )
            assert_int_equal(store_forget(domain, i), 0);
        while ( done_count() < 50 * (1 + again) )
            assert_true(test_reap(store));
        for ( unsigned int i = 0; i < 50; i++ )
            test_put(store, domain, i, TEST_RANDOM, i);
        churn(domain);
        for ( uint64_t gfn = 100000; store_next(domain, &gfn); )
            assert_int_equal(store_forget(domain, gfn), 0);
    }
    /* What is still being written has a slot and is in memory as well. */
    for ( unsigned int i = 0; i < 100; i++ )
    {
        store_get_statistics(store, &st);
        if ( st.file_used == st.now.in_file * STORE_PAGE_SIZE )
            return;
        assert_true(test_reap(store));
    }
    fail();
}

static void test_unaligned_page_is_refused(void **state)
{
    (void)state;
    assert_int_equal(store_get(domain, 0, (unsigned char *)pages + 512, &results[0]), -EINVAL);
}

/* The sanitizer is the judge: buffers may go as soon as the store is closed. */
static void test_store_closed_in_flight(void **state)
{
    (void)state;
    begin(STORE_READS_MAX);
    store_close(store);
    store = NULL;
    assert_int_equal(done_count(), 0);
}

/* As the pager does: each page that has come is forgotten and the next is asked for, in the callback. */
static unsigned int chained;

static void next_one(void *arg, void *cookie, int result)
{
    (void)arg;
    (void)cookie;
    assert_int_equal(result, 0);
    assert_int_equal(store_forget(domain, chained), 0);
    chained++;
    if ( chained < 200 )
        assert_int_equal(store_get(domain, chained, pages[0], NULL), 1);
}

static void test_next_from_the_callback(void **state)
{
    struct pollfd fd = { .fd = store_fd(store), .events = POLLIN };

    (void)state;
    chained = 0;
    assert_int_equal(store_get(domain, 0, pages[0], NULL), 1);
    while ( chained < 200 )
    {
        assert_int_equal(poll(&fd, 1, 10000), 1);
        store_reap(store, next_one, NULL);
    }
    for ( unsigned int i = 200; i < PAGES; i++ )
        test_expect(store, domain, i, TEST_RANDOM, i);
}

/* A read that finishes while store_reserve waits for writes is still announced. */
static void test_reserve_does_not_swallow_reads(void **state)
{
    (void)state;
    begin(50);
    churn(domain);
    finish(50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_too_many, setup, teardown),
        cmocka_unit_test_setup_teardown(test_forgotten_in_flight, setup, teardown),
        cmocka_unit_test_setup_teardown(test_domain_closed_in_flight, setup, teardown),
        cmocka_unit_test_setup_teardown(test_domain_closed_while_writing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_same_page_twice, setup, teardown),
        cmocka_unit_test_setup_teardown(test_slots_come_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unaligned_page_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_store_closed_in_flight, setup, teardown),
        cmocka_unit_test_setup_teardown(test_next_from_the_callback, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reserve_does_not_swallow_reads, setup, teardown),
    };
    const struct store_options options = {
        .ram_bytes = RAM, .spill_directory = test_directory(), .spill_bytes = MIB,
    };
    struct store_statistics st;
    struct store *s;

    /* Without io_uring nothing is ever in flight: exit 77 is automake's "skipped". */
    if ( store_open(&s, &options) )
        return 1;
    store_get_statistics(s, &st);
    store_close(s);
    if ( !st.uring )
    {
        printf("skipped: this kernel does not permit io_uring\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
