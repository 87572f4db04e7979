/* SPDX-License-Identifier: GPL-2.0-only */
/* The page store without a file: pages of each kind come back bit for bit, and the calls refuse what they should. */
#include "test-store.h"

static struct store *store;
static struct store_domain *domain;

static int setup(void **state)
{
    const struct store_options options = { .ram_bytes = 64 * MIB };

    (void)state;
    assert_int_equal(store_open(&store, &options), 0);
    assert_int_equal(store_domain_open(store, 1, test_uuid, &domain), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    store_close(store);
    return 0;
}

static void test_kinds_round_trip(void **state)
{
    struct store_statistics st;
    struct store_counts counts;

    (void)state;
    for ( uint64_t i = 0; i < 3000; i++ )
        test_put(store, domain, i, i % 3, i);
    for ( uint64_t i = 0; i < 3000; i++ )
        test_expect(store, domain, i, i % 3, i);
    store_get_statistics(store, &st);
    assert_int_equal(st.now.pages, 3000);
    assert_int_equal(st.now.same_filled, 1000);
    assert_int_equal(st.now.lz4, 1000);
    assert_int_equal(st.now.raw, 1000);
    store_domain_get_counts(domain, &counts);
    assert_memory_equal(&counts, &st.now, sizeof(counts));
    for ( uint64_t i = 0; i < 3000; i++ )
        assert_int_equal(store_forget(domain, i), 0);
    store_get_statistics(store, &st);
    assert_int_equal(st.now.pages + st.now.lz4 + st.now.raw + st.now.same_filled + st.now.pool_bytes, 0);
}

/* Between same-filled and random there is every compressed length; each must survive, the ones at class borders too. */
static void test_every_length(void **state)
{
    _Alignas(STORE_PAGE_SIZE) static unsigned char out[STORE_PAGE_SIZE];
    unsigned char page[STORE_PAGE_SIZE];
    struct store_statistics st;

    (void)state;
    for ( unsigned int pass = 0; pass < 2; pass++ )
        for ( unsigned int random = 0; random <= STORE_PAGE_SIZE; random++ )
        {
            uint64_t seed = random;

            memset(page, 0, sizeof(page));
            for ( unsigned int i = 0; i < random; i++ )
                page[i] = test_random(&seed);
            if ( !pass )
            {
                assert_int_equal(store_reserve(store, 1), 1);
                assert_int_equal(store_put(domain, random, page), 0);
                continue;
            }
            assert_int_equal(store_get(domain, random, out, NULL), 0);
            assert_memory_equal(out, page, sizeof(page));
        }
    store_get_statistics(store, &st);
    /* The middle length is 2 KiB; classes, headers and lz4's own may take some, but no more than a tenth. */
    assert_in_range(st.now.pool_bytes, 4096 * 2048, 4096 * 2048 / 10 * 11);
    assert_in_range(st.ram_allocated, st.now.pool_bytes, st.now.pool_bytes + 4 * MIB);
}

static void test_same_filled_cost_no_pool(void **state)
{
    struct store_statistics st;

    (void)state;
    for ( uint64_t i = 0; i < 2000; i++ )
        test_put(store, domain, i, TEST_SAME, i % 7);
    store_get_statistics(store, &st);
    assert_int_equal(st.now.same_filled, 2000);
    assert_int_equal(st.now.pool_bytes, 0);
    for ( uint64_t i = 0; i < 2000; i++ )
        test_expect(store, domain, i, TEST_SAME, i % 7);
}

/* All words equal but one, wherever it is. */
static void test_nearly_same_filled(void **state)
{
    _Alignas(STORE_PAGE_SIZE) static unsigned char out[STORE_PAGE_SIZE];
    unsigned char page[STORE_PAGE_SIZE];

    (void)state;
    for ( unsigned int i = 0; i < STORE_PAGE_SIZE; i++ )
    {
        memset(page, 0xee, sizeof(page));
        page[i] ^= 1;
        assert_int_equal(store_reserve(store, 1), 1);
        assert_int_equal(store_put(domain, i, page), 0);
        assert_int_equal(store_get(domain, i, out, NULL), 0);
        assert_memory_equal(out, page, sizeof(page));
    }
}

static void test_refusals(void **state)
{
    _Alignas(STORE_PAGE_SIZE) static unsigned char page[STORE_PAGE_SIZE];
    struct store_domain *other = (void *)1;

    (void)state;
    assert_int_equal(store_put(domain, 1, page), -ENOBUFS);
    assert_int_equal(store_get(domain, 1, page, NULL), -ENOENT);
    assert_int_equal(store_forget(domain, 1), -ENOENT);
    assert_false(store_has(domain, 1));

    assert_int_equal(store_reserve(store, 2), 2);
    assert_int_equal(store_put(domain, STORE_GFN_LIMIT, page), -EINVAL);
    assert_int_equal(store_get(domain, STORE_GFN_LIMIT, page, NULL), -ENOENT);
    assert_int_equal(store_forget(domain, UINT64_MAX), -ENOENT);
    assert_false(store_has(domain, UINT64_MAX));
    assert_int_equal(store_put(domain, 1, page), 0);
    assert_true(store_has(domain, 1));

    /* The second put is refused, keeps the first page, and keeps the reservation. */
    page[0] = 1;
    assert_int_equal(store_put(domain, 1, page), -EEXIST);
    assert_int_equal(store_get(domain, 1, page, NULL), 0);
    assert_int_equal(page[0], 0);
    assert_int_equal(store_put(domain, 2, page), 0);
    assert_int_equal(store_put(domain, 3, page), -ENOBUFS);

    assert_int_equal(store_domain_open(store, 1, test_uuid, &other), -EEXIST);
    assert_null(other);
    assert_int_equal(store_domain_open(store, STORE_DOMID_LIMIT, test_uuid, &other), -EINVAL);
}

static void test_options_refused(void **state)
{
    static const struct store_options bad[] = {
        { .ram_bytes = 0 },
        { .ram_bytes = STORE_RAM_MIN - 1 },
        { .ram_bytes = STORE_RAM_MAX + 1 },
        { .ram_bytes = STORE_RAM_MIN, .spill_bytes = MIB },
        { .ram_bytes = STORE_RAM_MIN, .spill_directory = "." },
        { .ram_bytes = STORE_RAM_MIN, .spill_directory = ".", .spill_bytes = UINT64_MAX },
    };
    const struct store_options missing = {
        .ram_bytes = STORE_RAM_MIN, .spill_directory = "./no-such-directory", .spill_bytes = MIB,
    };
    struct store *s;

    (void)state;
    for ( size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++ )
    {
        assert_int_equal(store_open(&s, &bad[i]), -EINVAL);
        assert_null(s);
    }
    assert_int_equal(store_open(&s, &missing), -ENOENT);
    store_close(NULL);
    store_domain_close(NULL);
}

static void test_walk_of_sparse_frames(void **state)
{
    static const uint64_t gfns[] = {
        0, 1, 1023, 1024, 0xa0000, 0xfefff, 0x100000, UINT64_C(0x8000000), STORE_GFN_LIMIT - 1025, STORE_GFN_LIMIT - 1,
    };
    const size_t n = sizeof(gfns) / sizeof(gfns[0]);
    uint64_t gfn = 0;

    (void)state;
    assert_false(store_next(domain, &gfn));
    for ( size_t i = n; i--; )
        test_put(store, domain, gfns[i], TEST_ANY, i);
    assert_int_equal(store_count(domain), n);
    for ( size_t i = 0; i < n; i++, gfn++ )
    {
        assert_true(store_next(domain, &gfn));
        assert_int_equal(gfn, gfns[i]);
        test_expect(store, domain, gfn, TEST_ANY, i);
    }
    assert_false(store_next(domain, &gfn));

    assert_int_equal(store_forget(domain, gfns[n - 1]), 0);
    gfn = gfns[n - 2] + 1;
    assert_false(store_next(domain, &gfn));
}

/* The same frame number in two domains is two pages, and closing one leaves the other. */
static void test_domains_are_apart(void **state)
{
    struct store_domain *other;
    struct store_statistics st;

    (void)state;
    assert_int_equal(store_domain_open(store, 0x7fef, test_uuid, &other), 0);
    for ( uint64_t i = 0; i < 500; i++ )
    {
        test_put(store, domain, i, TEST_ANY, i);
        test_put(store, other, i, TEST_ANY, i + 1000000);
    }
    store_domain_close(domain);
    store_get_statistics(store, &st);
    assert_int_equal(st.now.pages, 500);
    for ( uint64_t i = 0; i < 500; i++ )
        test_expect(store, other, i, TEST_ANY, i + 1000000);

    assert_int_equal(store_domain_open(store, 1, test_uuid, &domain), 0);
    assert_int_equal(store_count(domain), 0);
    test_put(store, domain, 7, TEST_LZ4, 7);
    test_expect(store, domain, 7, TEST_LZ4, 7);
}

/* 32 octets a page where at least half of the frames are stored. */
static void test_index_cost(void **state)
{
    struct store_statistics before, st;
    const uint64_t n = 100000;

    (void)state;
    test_put(store, domain, 1, TEST_SAME, 1);
    store_get_statistics(store, &before);
    for ( uint64_t i = 1; i < n; i++ )
        test_put(store, domain, 2 * i + 1, TEST_SAME, i);
    store_get_statistics(store, &st);
    /* The record array grows in steps of 96 KiB. */
    assert_in_range(st.index_bytes - before.index_bytes, 24 * n - 98304, 32 * n + 98304);
}


int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_kinds_round_trip, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_length, setup, teardown),
        cmocka_unit_test_setup_teardown(test_same_filled_cost_no_pool, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nearly_same_filled, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
        cmocka_unit_test(test_options_refused),
        cmocka_unit_test_setup_teardown(test_walk_of_sparse_frames, setup, teardown),
        cmocka_unit_test_setup_teardown(test_domains_are_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(test_index_cost, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
