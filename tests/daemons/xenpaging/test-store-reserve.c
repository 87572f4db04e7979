/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What store_reserve promises: as many pages of any content as it said, whatever room there is in memory and on disk.
 * The disk's room is ours to say: fallocate is answered here, from disk_room and memory_room.
 */
#include "test-store.h"

#include <linux/falloc.h>
#include <sys/syscall.h>

static int64_t disk_room = INT64_MAX, memory_room = INT64_MAX;

/* In place of libc's, for this program; with large files on, the header gives both it and its callers the other name. */
int fallocate(int fd, int mode, off_t offset, off_t length);

int fallocate(int fd, int mode, off_t offset, off_t length)
{
    char link[64], target[64] = "";
    int64_t *room;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    (void)!readlink(link, target, sizeof(target) - 1);
    room = strncmp(target, "/memfd:xenpaging-pool", 21) ? strncmp(target, "/memfd:", 7) ? &disk_room : NULL : &memory_room;
    if ( room && !(mode & FALLOC_FL_PUNCH_HOLE) )
    {
        if ( length > *room )
        {
            errno = ENOSPC;
            return -1;
        }
        *room -= length;
    }
    return syscall(SYS_fallocate, fd, mode, offset, length);
}

static struct store *open_store(uint64_t ram, uint64_t file, struct store_domain **d)
{
    const struct store_options options = {
        .ram_bytes = ram, .spill_directory = file ? test_directory() : NULL, .spill_bytes = file,
    };
    struct store *s;

    assert_int_equal(store_open(&s, &options), 0);
    assert_int_equal(store_domain_open(s, 1, test_uuid, d), 0);
    return s;
}

/* Reserves and puts until nothing can be reserved; returns how many pages there are then. */
static uint64_t fill(struct store *s, struct store_domain *d, uint64_t first, enum test_content content)
{
    unsigned char page[STORE_PAGE_SIZE];
    uint64_t gfn = first;
    unsigned int n;

    while ( (n = store_reserve(s, 32)) )
        for ( ; n; n--, gfn++ )
        {
            test_page(page, content, gfn);
            assert_int_equal(store_put(d, gfn, page), 0);
        }
    return gfn - first;
}

static void expect_all(struct store *s, struct store_domain *d, uint64_t first, uint64_t n, enum test_content content)
{
    for ( uint64_t gfn = first; gfn < first + n; gfn++ )
        test_expect(s, d, gfn, content, gfn);
}

static void test_memory_only_limit(void **state)
{
    struct store_domain *d;
    struct store *s = open_store(4 * MIB, 0, &d);
    struct store_statistics st;
    uint64_t n = fill(s, d, 0, TEST_RANDOM);

    (void)state;
    /* 15 of 16 places in a segment can hold a whole page with its header. */
    assert_int_equal(n, 4 * MIB / 65536 * 15);
    store_get_statistics(s, &st);
    assert_true(st.full > 0);
    assert_int_equal(st.reserved, 0);
    assert_true(st.ram_allocated <= 4 * MIB);
    expect_all(s, d, 0, n, TEST_RANDOM);

    /* One page out makes room for one. */
    assert_int_equal(store_forget(d, 17), 0);
    assert_int_equal(store_reserve(s, 5), 1);
    store_unreserve(s, 1);
    assert_int_equal(store_reserve(s, 5), 1);
    store_close(s);
}

static void test_reservation_limits(void **state)
{
    struct store_domain *d;
    struct store *s = open_store(64 * MIB, 0, &d);
    struct store_statistics st;

    (void)state;
    assert_int_equal(store_reserve(s, 0), 0);
    assert_int_equal(store_reserve(s, 1000000), STORE_RESERVE_MAX);
    assert_int_equal(store_reserve(s, 1), 0);
    store_unreserve(s, 1);
    assert_int_equal(store_reserve(s, 2), 1);
    store_unreserve(s, 1000000);
    store_get_statistics(s, &st);
    assert_int_equal(st.reserved, 0);
    assert_int_equal(st.full, 0);
    store_close(s);
}

/*
 * Pages of all sizes, most of them gone again at random: the room they leave is in crumbs of every class, and must still
 * hold whole pages, each of them the worst there is.
 */
static void test_promise_after_fragmentation(void **state)
{
    struct store_domain *d;
    struct store *s = open_store(8 * MIB, 0, &d);
    uint64_t seed = 42, n, kept = 0, more;

    (void)state;
    n = fill(s, d, 0, TEST_LZ4);
    for ( uint64_t gfn = 0; gfn < n; gfn++ )
        if ( test_random(&seed) % 4 )
            assert_int_equal(store_forget(d, gfn), 0);
        else
            kept++;
    more = fill(s, d, 1000000, TEST_RANDOM);
    /* A quarter of the pool is kept, in at most one ragged segment a class. */
    assert_true(more >= (8 * MIB / 65536 * 3 / 4 - 26) * 15);
    for ( uint64_t gfn = 0; store_next(d, &gfn) && gfn < n; gfn++ )
    {
        test_expect(s, d, gfn, TEST_LZ4, gfn);
        kept--;
    }
    assert_int_equal(kept, 0);
    expect_all(s, d, 1000000, more, TEST_RANDOM);
    store_close(s);
}

/* All pages reserved at once against a full pool of small classes, then put. */
static void test_promise_is_kept_by_any_content(void **state)
{
    (void)state;
    for ( enum test_content content = TEST_SAME; content <= TEST_ANY; content++ )
    {
        struct store_domain *d;
        struct store *s = open_store(2 * MIB, 0, &d);
        unsigned char page[STORE_PAGE_SIZE];
        unsigned int n = store_reserve(s, 1000);

        assert_int_equal(n, 2 * MIB / 65536 * 15);
        for ( uint64_t gfn = 0; gfn < n; gfn++ )
        {
            test_page(page, content, gfn);
            assert_int_equal(store_put(d, gfn, page), 0);
        }
        expect_all(s, d, 0, n, content);
        store_close(s);
    }
}

/*
 * Exactly one segment's worth of one class is free, in crumbs, and all of it is promised as whole pages.  A page of that
 * class must then not take the cell that would fit it best.
 */
static void test_promise_outranks_fit(void **state)
{
    (void)state;
    for ( unsigned int random = 100; random < STORE_PAGE_SIZE - 400; random += 300 )
    {
        struct store_domain *d;
        struct store *s = open_store(STORE_RAM_MIN, 0, &d);
        unsigned char page[STORE_PAGE_SIZE];
        uint64_t seed = random, n = 0, forgotten = 0;
        unsigned int got;

        memset(page, 0, sizeof(page));
        for ( unsigned int i = 0; i < random; i++ )
            page[i] = test_random(&seed);
        for ( ; store_reserve(s, 1); n++ )
            assert_int_equal(store_put(d, n, page), 0);
        /* The oldest, in the class: the last pages went where there was room, in cells too large. */
        for ( ; !(got = store_reserve(s, 100)); forgotten += 3 )
            assert_int_equal(store_forget(d, forgotten), 0);
        assert_int_equal(got, 15);
        assert_int_equal(store_put(d, n, page), 0);
        for ( uint64_t i = 1; i < got; i++ )
        {
            test_page(page, TEST_RANDOM, n + i);
            assert_int_equal(store_put(d, n + i, page), 0);
        }
        expect_all(s, d, n + 1, got - 1, TEST_RANDOM);
        store_close(s);
    }
}

static void test_file_limit(void **state)
{
    struct store_domain *d;
    struct store *s = open_store(2 * MIB, 6 * MIB, &d);
    struct store_statistics st;
    uint64_t n = fill(s, d, 0, TEST_RANDOM);

    (void)state;
    assert_int_equal(n, 2 * MIB / 65536 * 15 + 6 * MIB / STORE_PAGE_SIZE);
    store_get_statistics(s, &st);
    assert_int_equal(st.now.in_file, 6 * MIB / STORE_PAGE_SIZE);
    assert_int_equal(st.file_allocated, 6 * MIB);
    assert_false(st.file_full);
    /* What came first is in the file, what came last in memory. */
    expect_all(s, d, 0, n, TEST_RANDOM);
    store_get_statistics(s, &st);
    assert_int_equal(st.reads, 6 * MIB / STORE_PAGE_SIZE);
    store_close(s);
}

static void test_oldest_go_to_the_file(void **state)
{
    _Alignas(STORE_PAGE_SIZE) static unsigned char page[STORE_PAGE_SIZE];
    struct store_domain *d;
    struct store *s = open_store(2 * MIB, 64 * MIB, &d);
    struct test_result result;
    struct store_statistics st;

    (void)state;
    for ( uint64_t gfn = 0; gfn < 3000; gfn++ )
        test_put(s, d, gfn, TEST_LZ4, gfn);
    /* A sharp edge: all that is in the file is older than all that is in memory, but for what is on its way. */
    store_get_statistics(s, &st);
    assert_true(st.now.in_file > 500);
    for ( uint64_t gfn = 3000 - st.now.lz4 + 64; gfn < 3000; gfn++ )
        assert_int_equal(store_get(d, gfn, page, NULL), 0);
    result.done = 0;
    if ( st.uring )
    {
        assert_int_equal(store_get(d, 0, page, &result), 1);
        while ( !result.done )
            assert_true(test_reap(s));
    }
    store_close(s);
}

static void test_full_file_system(void **state)
{
    struct store_domain *d;
    struct store *s;
    struct store_statistics st;
    uint64_t n, more;

    (void)state;
    disk_room = 3 * MIB;
    s = open_store(2 * MIB, 64 * MIB, &d);
    n = fill(s, d, 0, TEST_RANDOM);
    store_get_statistics(s, &st);
    assert_true(st.file_full);
    assert_true(st.full > 0);
    assert_int_equal(st.write_errors, 0);
    assert_int_equal(n, 2 * MIB / 65536 * 15 + 3 * MIB / STORE_PAGE_SIZE);
    expect_all(s, d, 0, n, TEST_RANDOM);

    /* Room again: it goes on where it stopped. */
    disk_room = 2 * MIB;
    more = fill(s, d, n, TEST_RANDOM);
    assert_int_equal(more, 2 * MIB / STORE_PAGE_SIZE);
    expect_all(s, d, 0, n + more, TEST_RANDOM);

    /* And room made by forgetting. */
    for ( uint64_t gfn = 0; gfn < 200; gfn++ )
        assert_int_equal(store_forget(d, gfn), 0);
    assert_int_equal(fill(s, d, n + more, TEST_RANDOM), 200);
    expect_all(s, d, 200, n + more, TEST_RANDOM);
    store_close(s);
    disk_room = INT64_MAX;
}

static void test_file_system_full_from_the_start(void **state)
{
    struct store_domain *d;
    struct store *s;
    uint64_t n;

    (void)state;
    disk_room = 0;
    s = open_store(2 * MIB, 64 * MIB, &d);
    n = fill(s, d, 0, TEST_RANDOM);
    assert_int_equal(n, 2 * MIB / 65536 * 15);
    expect_all(s, d, 0, n, TEST_RANDOM);
    store_close(s);
    disk_room = INT64_MAX;
}

static void test_host_out_of_memory(void **state)
{
    struct store_domain *d;
    struct store *s;
    struct store_statistics st;
    uint64_t n;

    (void)state;
    memory_room = 2 * MIB;
    s = open_store(64 * MIB, 0, &d);
    n = fill(s, d, 0, TEST_RANDOM);
    assert_int_equal(n, 2 * MIB / 65536 * 15);
    store_get_statistics(s, &st);
    assert_true(st.ram_starved);
    expect_all(s, d, 0, n, TEST_RANDOM);
    store_close(s);

    /* With a file behind it, less memory only means that more goes there. */
    memory_room = 2 * MIB;
    s = open_store(64 * MIB, 4 * MIB, &d);
    n = fill(s, d, 0, TEST_RANDOM);
    assert_int_equal(n, 2 * MIB / 65536 * 15 + 4 * MIB / STORE_PAGE_SIZE);
    expect_all(s, d, 0, n, TEST_RANDOM);
    store_close(s);
    memory_room = INT64_MAX;
}

/* Memory goes back to the host when pages are gone. */
static void test_memory_is_given_back(void **state)
{
    struct store_domain *d;
    struct store *s = open_store(64 * MIB, 0, &d);
    struct store_statistics st;
    struct stat sb;
    uint64_t n = fill(s, d, 0, TEST_RANDOM);

    (void)state;
    store_domain_close(d);
    store_get_statistics(s, &st);
    assert_true(st.ram_allocated <= 4 * MIB);
    assert_int_equal(fstat(test_find_fd("memfd:xenpaging-pool"), &sb), 0);
    assert_int_equal(sb.st_blocks * 512, st.ram_allocated);
    assert_int_equal(store_domain_open(s, 1, test_uuid, &d), 0);
    assert_int_equal(fill(s, d, 0, TEST_RANDOM), n);
    expect_all(s, d, 0, n, TEST_RANDOM);
    store_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_only_limit),
        cmocka_unit_test(test_reservation_limits),
        cmocka_unit_test(test_promise_after_fragmentation),
        cmocka_unit_test(test_promise_is_kept_by_any_content),
        cmocka_unit_test(test_promise_outranks_fit),
        cmocka_unit_test(test_file_limit),
        cmocka_unit_test(test_oldest_go_to_the_file),
        cmocka_unit_test(test_full_file_system),
        cmocka_unit_test(test_file_system_full_from_the_start),
        cmocka_unit_test(test_host_out_of_memory),
        cmocka_unit_test(test_memory_is_given_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
