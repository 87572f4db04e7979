/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The page store against a plain array: thousands of random calls in three domains, each answer compared.  The seed is
 * printed; a number as first argument, or in TEST_SEED, runs that one again.
 */
#include "test-store.h"

#include <time.h>

#define DOMAINS    3
#define GFNS       1200
#define OPERATIONS 40000

static uint64_t seed;

struct model {
    bool stored[DOMAINS][GFNS];
    uint64_t content[DOMAINS][GFNS];
    struct store_domain *domain[DOMAINS];
    struct store *store;
    unsigned int reserved;
    unsigned int reading;
};

struct reading {
    bool busy;
    uint64_t content;
    unsigned char *page;
};

static struct reading readings[STORE_READS_MAX];
static struct model m;

/* Frames in clumps far apart, up to the last one there can be. */
static uint64_t gfn_of(unsigned int i)
{
    return i < GFNS / 2 ? i : i < GFNS - 100 ? UINT64_C(0x100000) + i * 5 : STORE_GFN_LIMIT - (GFNS - i);
}

static void check(const unsigned char *page, uint64_t content)
{
    unsigned char expected[STORE_PAGE_SIZE];

    test_page(expected, TEST_ANY, content);
    assert_memory_equal(page, expected, STORE_PAGE_SIZE);
}

static void done(void *arg, void *cookie, int result)
{
    struct reading *r = cookie;

    (void)arg;
    assert_true(r->busy);
    assert_int_equal(result, 0);
    check(r->page, r->content);
    r->busy = false;
    m.reading--;
}

static void get(unsigned int d, unsigned int i)
{
    struct reading *r = NULL;
    int rc;

    for ( unsigned int n = 0; n < STORE_READS_MAX && !r; n++ )
        if ( !readings[n].busy )
            r = &readings[n];
    if ( !r )
    {
        /* All are in flight, and one more is refused. */
        assert_int_equal(m.reading, STORE_READS_MAX);
        return;
    }
    rc = store_get(m.domain[d], gfn_of(i), r->page, r);
    if ( !m.stored[d][i] )
        assert_int_equal(rc, -ENOENT);
    else if ( rc == 1 )
    {
        r->busy = true;
        r->content = m.content[d][i];
        m.reading++;
    }
    else
    {
        assert_int_equal(rc, 0);
        check(r->page, m.content[d][i]);
    }
}

static void put(unsigned int d, unsigned int i, uint64_t content)
{
    unsigned char page[STORE_PAGE_SIZE];
    int rc;

    test_page(page, TEST_ANY, content);
    rc = store_put(m.domain[d], gfn_of(i), page);
    if ( !m.reserved )
        assert_int_equal(rc, -ENOBUFS);
    else if ( m.stored[d][i] )
        assert_int_equal(rc, -EEXIST);
    else
    {
        assert_int_equal(rc, 0);
        m.stored[d][i] = true;
        m.content[d][i] = content;
        m.reserved--;
    }
}

static void forget(unsigned int d, unsigned int i)
{
    assert_int_equal(store_forget(m.domain[d], gfn_of(i)), m.stored[d][i] ? 0 : -ENOENT);
    m.stored[d][i] = false;
}

static void walk(unsigned int d)
{
    uint64_t gfn = 0, n = 0;

    for ( unsigned int i = 0; i < GFNS; i++ )
        if ( m.stored[d][i] )
        {
            assert_true(store_next(m.domain[d], &gfn));
            assert_int_equal(gfn, gfn_of(i));
            gfn++;
            n++;
        }
    assert_false(store_next(m.domain[d], &gfn));
    assert_int_equal(store_count(m.domain[d]), n);
}

static void statistics_agree(void)
{
    struct store_statistics st;
    struct store_counts sum = { 0 }, c;

    store_get_statistics(m.store, &st);
    for ( unsigned int d = 0; d < DOMAINS; d++ )
    {
        store_domain_get_counts(m.domain[d], &c);
        assert_int_equal(c.pages, c.same_filled + c.lz4 + c.raw + c.in_file);
        sum.pages += c.pages;
        sum.same_filled += c.same_filled;
        sum.lz4 += c.lz4;
        sum.raw += c.raw;
        sum.in_file += c.in_file;
        sum.pool_bytes += c.pool_bytes;
    }
    assert_memory_equal(&sum, &st.now, sizeof(sum));
    assert_int_equal(st.reserved, m.reserved);
    assert_int_equal(st.damaged + st.checksum_errors + st.read_errors + st.write_errors, 0);
    assert_true(st.ram_allocated <= st.ram_limit);
    assert_true(st.file_allocated <= st.file_limit);
    assert_true(st.now.in_file * STORE_PAGE_SIZE <= st.file_allocated);
}

static void reap_all(void)
{
    struct pollfd fd = { .fd = store_fd(m.store), .events = POLLIN };

    while ( m.reading )
    {
        assert_int_equal(poll(&fd, 1, 10000), 1);
        store_reap(m.store, done, NULL);
    }
}

static void run(uint64_t ram, uint64_t file)
{
    const struct store_options options = {
        .ram_bytes = ram, .spill_directory = file ? test_directory() : NULL, .spill_bytes = file,
    };
    uint64_t state = seed;

    memset(&m, 0, sizeof(m));
    assert_int_equal(store_open(&m.store, &options), 0);
    for ( unsigned int d = 0; d < DOMAINS; d++ )
        assert_int_equal(store_domain_open(m.store, d * 100, test_uuid, &m.domain[d]), 0);

    for ( unsigned int n = 0; n < OPERATIONS; n++ )
    {
        uint64_t what = test_random(&state);
        unsigned int d = (what >> 8) % DOMAINS, i = (what >> 16) % GFNS;

        switch ( what % 16 )
        {
        case 0 ... 4:
            if ( !m.reserved )
                m.reserved += store_reserve(m.store, (what >> 40) % 40 + 1);
            put(d, i, what);
            break;
        case 5 ... 7:
            forget(d, i);
            break;
        case 8 ... 13:
            get(d, i);
            break;
        case 14:
            if ( what >> 60 )
                store_reap(m.store, done, NULL);
            else if ( m.reserved )
            {
                store_unreserve(m.store, 1);
                m.reserved--;
            }
            break;
        case 15:
            if ( (what >> 40) % 512 )
                break;
            store_domain_close(m.domain[d]);
            assert_int_equal(store_domain_open(m.store, d * 100, test_uuid, &m.domain[d]), 0);
            memset(m.stored[d], 0, sizeof(m.stored[d]));
            break;
        }
        assert_int_equal(store_has(m.domain[d], gfn_of(i)), m.stored[d][i]);
        if ( !(n % 1000) )
        {
            walk(d);
            statistics_agree();
        }
    }
    reap_all();
    for ( unsigned int d = 0; d < DOMAINS; d++ )
        for ( unsigned int i = 0; i < GFNS; i++ )
        {
            get(d, i);
            reap_all();
        }
    for ( unsigned int d = 0; d < DOMAINS; d++ )
        walk(d);
    statistics_agree();
    store_close(m.store);
}

static void test_in_memory(void **state)
{
    (void)state;
    run(32 * MIB, 0);
}

static void test_memory_too_small(void **state)
{
    (void)state;
    run(STORE_RAM_MIN, 0);
}

static void test_mostly_in_the_file(void **state)
{
    (void)state;
    run(STORE_RAM_MIN, 64 * MIB);
}

static void test_both_too_small(void **state)
{
    (void)state;
    run(STORE_RAM_MIN, MIB);
}

static void test_without_uring(void **state)
{
    struct store_statistics st;
    const struct store_options options = {
        .ram_bytes = STORE_RAM_MIN, .spill_directory = test_directory(), .spill_bytes = MIB,
    };
    struct store *s;

    (void)state;
    test_forbid_uring();
    assert_int_equal(store_open(&s, &options), 0);
    store_get_statistics(s, &st);
    assert_true(st.has_file);
    assert_false(st.uring);
    store_close(s);
    run(STORE_RAM_MIN, 64 * MIB);
    run(STORE_RAM_MIN, MIB);
}

int main(int argc, char *argv[])
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_memory),
        cmocka_unit_test(test_memory_too_small),
        cmocka_unit_test(test_mostly_in_the_file),
        cmocka_unit_test(test_both_too_small),
        /* Last, since there is no way back. */
        cmocka_unit_test(test_without_uring),
    };
    const char *given = argc > 1 ? argv[1] : getenv("TEST_SEED");

    seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL) << 20 ^ getpid();
    printf("seed %llu\n", (unsigned long long)seed);
    for ( unsigned int n = 0; n < STORE_READS_MAX; n++ )
    {
        readings[n].page = aligned_alloc(STORE_PAGE_SIZE, STORE_PAGE_SIZE);
        assert_non_null(readings[n].page);
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    for ( unsigned int n = 0; n < STORE_READS_MAX; n++ )
        free(readings[n].page);
    return failed;
}
