/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Disks that fail and bits that flip: nothing is lost to the first, nothing wrong is given out after the second.
 * Writes are made to fail by the process's own file size limit, reads by cutting the file short, both of which io_uring
 * and plain calls meet alike; each test runs with both.
 */
#include "test-store.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>

#define RAM (2 * MIB)
/* Whole pages that the pool holds. */
#define RAM_PAGES (RAM / 65536 * 15)

static _Alignas(STORE_PAGE_SIZE) unsigned char page[STORE_PAGE_SIZE];
static struct store *store;
static struct store_domain *domain;
static struct store_statistics st;

static int setup(void **state)
{
    const struct store_options options = {
        .ram_bytes = RAM, .spill_directory = test_directory(), .spill_bytes = 64 * MIB,
    };

    (void)state;
    assert_int_equal(store_open(&store, &options), 0);
    assert_int_equal(store_domain_open(store, 3, test_uuid, &domain), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    store_close(store);
    return 0;
}

static void limit_file_size(rlim_t octets)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = octets;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static bool all_zero(void)
{
    static const unsigned char zeros[STORE_PAGE_SIZE];

    return !memcmp(page, zeros, sizeof(page));
}

static void put_random(uint64_t first, uint64_t n)
{
    for ( uint64_t gfn = first; gfn < first + n; gfn++ )
        test_put(store, domain, gfn, TEST_RANDOM, gfn);
}

static void expect_random(uint64_t first, uint64_t n)
{
    for ( uint64_t gfn = first; gfn < first + n; gfn++ )
        test_expect(store, domain, gfn, TEST_RANDOM, gfn);
}

static void test_writes_fail(void **state)
{
    uint64_t n = RAM_PAGES / 2;
    unsigned int got;

    (void)state;
    put_random(0, n);
    /* Every write from here on is refused, and so is every growth of the pool, which is in a file as well. */
    limit_file_size(0);
    while ( (got = store_reserve(store, 8)) )
        for ( ; got; got--, n++ )
        {
            test_page(page, TEST_RANDOM, n);
            assert_int_equal(store_put(domain, n, page), 0);
        }
    limit_file_size(RLIM_INFINITY);

    store_get_statistics(store, &st);
    assert_true(n >= RAM_PAGES / 2);
    assert_true(st.write_errors >= 8);
    assert_int_equal(st.writes, 0);
    assert_true(st.file_retired);
    assert_int_equal(st.file_retired_bytes, st.write_errors * STORE_PAGE_SIZE);
    assert_int_equal(st.now.in_file, 0);
    assert_int_equal(st.now.raw, n);
    expect_random(0, n);

    /* The disk is not asked again, but memory that is there serves. */
    put_random(n, RAM_PAGES - n);
    assert_int_equal(store_reserve(store, 1), 0);
    expect_random(0, RAM_PAGES);
    store_get_statistics(store, &st);
    assert_int_equal(st.writes, 0);
}

/* A few bad places on the disk, and the rest of it is used on. */
static void test_some_writes_fail(void **state)
{
    uint64_t n = RAM_PAGES + 100;

    (void)state;
    put_random(0, n);
    store_get_statistics(store, &st);
    assert_true(st.now.in_file >= 100);
    assert_int_equal(st.write_errors, 0);

    /* What is left of the first half MiB may be written; beyond, it may not, until eight have failed. */
    limit_file_size((st.now.in_file + 40) * STORE_PAGE_SIZE);
    for ( unsigned int got; (got = store_reserve(store, 4)); )
        for ( ; got; got--, n++ )
        {
            test_page(page, TEST_RANDOM, n);
            assert_int_equal(store_put(domain, n, page), 0);
        }
    limit_file_size(RLIM_INFINITY);
    store_get_statistics(store, &st);
    assert_true(st.write_errors >= 8);
    assert_true(st.now.in_file >= 100);
    assert_int_equal(st.now.in_file + st.now.raw, n);
    expect_random(0, n);
}

static void test_reads_fail(void **state)
{
    uint64_t n = RAM_PAGES + 200, failed = 0;
    int fd;

    (void)state;
    put_random(0, n);
    fd = test_open_spill();
    assert_int_equal(ftruncate(fd, 50 * STORE_PAGE_SIZE), 0);
    close(fd);
    for ( uint64_t gfn = 0; gfn < n; gfn++ )
    {
        int rc = test_get(store, domain, gfn, page);

        if ( !rc )
        {
            test_expect(store, domain, gfn, TEST_RANDOM, gfn);
            continue;
        }
        assert_int_equal(rc, -EIO);
        assert_true(all_zero());
        assert_true(store_has(domain, gfn));
        failed++;
    }
    assert_true(failed >= 150);
    store_get_statistics(store, &st);
    assert_int_equal(st.read_errors, failed * 2);
    assert_int_equal(st.checksum_errors, 0);
    assert_int_equal(st.now.pages, n);
}

/* A single wrong bit anywhere on the disk. */
static void test_bit_flipped_in_the_file(void **state)
{
    uint64_t n = RAM_PAGES + 64, bad = 0, seed = 5;
    unsigned char octet;
    int fd;

    (void)state;
    put_random(0, n);
    store_get_statistics(store, &st);
    fd = test_open_spill();
    for ( uint64_t slot = 0; slot < st.now.in_file; slot += 2 )
    {
        uint64_t where = slot * STORE_PAGE_SIZE + test_random(&seed) % STORE_PAGE_SIZE;

        assert_int_equal(pread(fd, &octet, 1, where), 1);
        octet ^= 1U << test_random(&seed) % 8;
        assert_int_equal(pwrite(fd, &octet, 1, where), 1);
    }
    fsync(fd);
    close(fd);

    for ( uint64_t gfn = 0; gfn < n; gfn++ )
    {
        int rc = test_get(store, domain, gfn, page);

        if ( !rc )
        {
            test_expect(store, domain, gfn, TEST_RANDOM, gfn);
            continue;
        }
        assert_int_equal(rc, -EBADMSG);
        assert_true(all_zero());
        assert_true(store_has(domain, gfn));
        bad++;
    }
    assert_int_equal(bad, (st.now.in_file + 1) / 2);
    store_get_statistics(store, &st);
    assert_int_equal(st.checksum_errors, bad);
}

/* The whole of a memfd under our hands. */
static unsigned char *map_memfd(const char *name, size_t *size)
{
    int fd = test_find_fd(name);
    struct stat sb;
    void *p;

    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &sb), 0);
    *size = sb.st_size;
    p = mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(p != MAP_FAILED);
    return p;
}

/*
 * Every get afterwards gives the right bytes or -EBADMSG; then the store is used on as if nothing had been: what is put
 * from then on must be right, and all of it can be forgotten.
 */
static void survive(uint64_t n, enum test_content content, uint64_t *bad)
{
    uint64_t good = 0, gfn = 0;

    *bad = 0;
    for ( gfn = 0; gfn < n; gfn++ )
    {
        int rc = test_get(store, domain, gfn, page);

        if ( rc )
        {
            assert_int_equal(rc, -EBADMSG);
            assert_true(all_zero());
            ++*bad;
            continue;
        }
        test_expect(store, domain, gfn, content, gfn);
        good++;
    }
    for ( gfn = 0; gfn < n; gfn += 3 )
        assert_int_equal(store_forget(domain, gfn), 0);
    for ( gfn = n; gfn < n + 400; gfn++ )
    {
        test_page(page, content, gfn);
        if ( !store_reserve(store, 1) || store_put(domain, gfn, page) )
            break;
    }
    for ( uint64_t i = n; i < gfn; i++ )
        test_expect(store, domain, i, content, i);
    for ( gfn = 0; store_next(domain, &gfn); )
        assert_int_equal(store_forget(domain, gfn), 0);
    assert_int_equal(store_count(domain), 0);
}

/* In each page's bytes, one bit. */
static void test_bit_flipped_in_the_pool(void **state)
{
    static const enum test_content contents[] = { TEST_LZ4, TEST_RANDOM };
    uint64_t bad, seed = 9;
    unsigned char *pool;
    size_t size;

    (void)state;
    for ( unsigned int i = 0; i < 2; i++ )
    {
        const uint64_t n = 200;

        for ( uint64_t gfn = 0; gfn < n; gfn++ )
            test_put(store, domain, gfn, contents[i], gfn);
        pool = map_memfd("memfd:xenpaging-pool", &size);
        for ( unsigned int flips = 0; flips < 2000; flips++ )
            pool[test_random(&seed) % size] ^= 1U << test_random(&seed) % 8;
        munmap(pool, size);
        survive(n, contents[i], &bad);
        assert_true(bad > n / 4);
        store_close(store);
        setup(NULL);
    }
}

/* A broken pool while it is being written out: what was wrong in memory must not get a place in the file as if it were right. */
static void test_bit_flipped_on_the_way_out(void **state)
{
    const uint64_t n = 400;
    uint64_t bad, seed = 11;
    unsigned char *pool;
    size_t size;

    (void)state;
    put_random(0, n);
    pool = map_memfd("memfd:xenpaging-pool", &size);
    for ( unsigned int flips = 0; flips < 60; flips++ )
        pool[test_random(&seed) % size] ^= 1U << test_random(&seed) % 8;
    munmap(pool, size);
    for ( uint64_t gfn = n; gfn < 1000; gfn++ )
    {
        unsigned char fresh[STORE_PAGE_SIZE];

        test_page(fresh, TEST_RANDOM, gfn);
        assert_int_equal(store_reserve(store, 1), 1);
        assert_int_equal(store_put(domain, gfn, fresh), 0);
    }
    expect_random(n, 1000 - n);
    survive(1000, TEST_RANDOM, &bad);
    assert_true(bad >= 1);
    assert_true(bad <= 60);
}

static void flip_index(unsigned int flips, uint64_t seed)
{
    unsigned char *index;
    size_t size;

    index = map_memfd("memfd:xenpaging-index", &size);
    /* Before them are the header, which holds the key, and the domains; then the records of the first pages put. */
    for ( unsigned int i = 0; i < flips; i++ )
        index[4096 + (1 << 20) + test_random(&seed) % (1000 * 24)] ^= 1U << test_random(&seed) % 8;
    munmap(index, size);
}

static void test_bit_flipped_in_the_index(void **state)
{
    uint64_t bad;

    (void)state;
    for ( enum test_content content = TEST_SAME; content <= TEST_ANY; content++ )
        for ( uint64_t seed = 0; seed < 3; seed++ )
        {
            for ( uint64_t gfn = 0; gfn < 900; gfn++ )
                test_put(store, domain, gfn, content, gfn);
            flip_index(300, seed);
            survive(900, content, &bad);
            assert_true(bad > 100);
            store_close(store);
            setup(NULL);
        }
}

/* Not bits but everything. */
static void test_pool_overwritten(void **state)
{
    uint64_t bad, seed = 3;
    unsigned char *pool;
    size_t size;

    (void)state;
    for ( uint64_t gfn = 0; gfn < 900; gfn++ )
        test_put(store, domain, gfn, TEST_LZ4, gfn);
    pool = map_memfd("memfd:xenpaging-pool", &size);
    for ( size_t i = 0; i < size; i += 8 )
    {
        uint64_t word = test_random(&seed);

        memcpy(pool + i, &word, 8);
    }
    munmap(pool, size);
    survive(900, TEST_LZ4, &bad);
    assert_true(bad > 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_writes_fail, setup, teardown),
        cmocka_unit_test_setup_teardown(test_some_writes_fail, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reads_fail, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bit_flipped_in_the_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bit_flipped_in_the_pool, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bit_flipped_on_the_way_out, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bit_flipped_in_the_index, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pool_overwritten, setup, teardown),
    };
    int failed;

    signal(SIGXFSZ, SIG_IGN);
    failed = cmocka_run_group_tests_name("with io_uring", tests, NULL, NULL);
    test_forbid_uring();
    return failed + cmocka_run_group_tests_name("without io_uring", tests, NULL, NULL);
}
