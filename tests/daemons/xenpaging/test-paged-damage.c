/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One domain whose store is in a bad way: bytes of its file that flip, a file that cannot be read, a store that is full,
 * one that refuses. Nothing wrong is ever loaded, and nothing is given up that can be had yet.
 */
#include "paged-bench.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGES 3000U

static unsigned int refuse_puts;

int __real_store_put(struct store_domain *d, uint64_t gfn, const void *page);
int __wrap_store_put(struct store_domain *d, uint64_t gfn, const void *page);

int __wrap_store_put(struct store_domain *d, uint64_t gfn, const void *page)
{
    if ( !refuse_puts )
        return __real_store_put(d, gfn, page);
    refuse_puts--;
    store_unreserve(b.pager.store, 1);
    return -EBADMSG;
}

static int open_spill(void)
{
    DIR *dir = opendir("/proc/self/fd");
    struct dirent *entry;
    int found = -1;

    assert_non_null(dir);
    while ( found < 0 && (entry = readdir(dir)) )
    {
        char target[512], path[300];
        ssize_t n = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);

        if ( n <= 0 )
            continue;
        target[n] = '\0';
        if ( !strstr(target, "/#") && !strstr(target, "/.xenpaging-") )
            continue;
        snprintf(path, sizeof(path), "/proc/self/fd/%s", entry->d_name);
        found = open(path, O_RDWR | O_CLOEXEC);
    }
    closedir(dir);
    assert_true(found >= 0);
    return found;
}

/*
 * Waits until no write is on its way, so that what is in the file is what will be read: each slot that is in use has a
 * page that is read from it.  However long a busy disk takes; a write that lands on what the test wrote is lost for good.
 */
static void wait_for_writes(void)
{
    struct pollfd fd = { .fd = store_fd(b.pager.store), .events = POLLIN };
    struct store_statistics s;

    for ( ; ; )
    {
        bench_reap();
        store_get_statistics(b.pager.store, &s);
        if ( s.file_used == s.now.in_file * STORE_PAGE_SIZE )
            break;
        assert_int_equal(poll(&fd, 1, 60000), 1);
    }
    assert_true(s.now.in_file > 0);
}

/* One word of each page of the file, and what it was: only what is still wrong is put right again. */
static uint64_t *flipped;
static off_t flipped_size;

#define WORD_AT 2000

static void flip_spill(void)
{
    int fd = open_spill();
    struct stat st;

    wait_for_writes();
    assert_int_equal(fstat(fd, &st), 0);
    flipped_size = st.st_size;
    flipped = malloc(flipped_size / HYPERVISOR_PAGE_SIZE * sizeof(*flipped));
    for ( off_t i = 0; i < flipped_size / HYPERVISOR_PAGE_SIZE; i++ )
    {
        off_t at = i * HYPERVISOR_PAGE_SIZE + WORD_AT;

        assert_int_equal(pread(fd, &flipped[i], sizeof(*flipped), at), sizeof(*flipped));
        flipped[i] ^= UINT64_C(1) << 44;
        assert_int_equal(pwrite(fd, &flipped[i], sizeof(*flipped), at), sizeof(*flipped));
    }
    close(fd);
}

static void flip_back(void)
{
    int fd = open_spill();

    for ( off_t i = 0; i < flipped_size / HYPERVISOR_PAGE_SIZE; i++ )
    {
        off_t at = i * HYPERVISOR_PAGE_SIZE + WORD_AT;
        uint64_t word;

        assert_int_equal(pread(fd, &word, sizeof(word), at), sizeof(word));
        if ( word != flipped[i] )
            continue;
        word ^= UINT64_C(1) << 44;
        assert_int_equal(pwrite(fd, &word, sizeof(word), at), sizeof(word));
    }
    free(flipped);
    close(fd);
}

static void cut_spill(uint8_t **saved, off_t *size)
{
    int fd = open_spill();
    struct stat st;

    wait_for_writes();
    assert_int_equal(fstat(fd, &st), 0);
    *size = st.st_size;
    *saved = malloc(st.st_size);
    assert_int_equal(pread(fd, *saved, st.st_size, 0), st.st_size);
    assert_int_equal(ftruncate(fd, 0), 0);
    close(fd);
}

static void restore_spill(uint8_t *saved, off_t size)
{
    int fd = open_spill();

    assert_int_equal(pwrite(fd, saved, size, 0), size);
    free(saved);
    close(fd);
}

/* vCPU 0 touches frames in an order until the pager cannot go on; true if that happened. */
static bool touch_until_failure(void)
{
    for ( uint64_t gfn = 0; gfn < PAGES; gfn++ )
    {
        if ( b.host->frame[gfn].type != FAKE_PAGED )
            continue;
        fake_access(b.host, 0, gfn, false);
        /* Nothing goes out meanwhile: the file is to stay as it is. */
        b.d->target = b.host->pages + 32;
        for ( unsigned int i = 0; i < 50 && !fake_is_idle(b.host); i++ )
            bench_round(2);
        if ( b.d->failed )
            return true;
        assert_true(fake_is_idle(b.host));
    }
    return false;
}

static void test_flipped_bits(void **unused)
{
    (void)unused;
    bench_open(PAGES, STORE_RAM_MIN, 64 * MIB);
    assert_true(bench_reach(300, 5000));
    flip_spill();
    assert_true(touch_until_failure());
    assert_int_equal(b.host->pauses, 1);
    assert_false(b.d->lost);
    /* Not loaded, and not answered, however often it is tried. */
    bench_rounds(1000, 5);
    assert_int_equal(b.host->pauses, 1);
    assert_true(bench_is_awaited(b.d->failed_gfn));
    assert_int_equal(b.recoveries, 0);
    bench_verify();

    /* The disk is repaired: it goes on by itself. */
    flip_back();
    bench_rounds(1000, 5);
    assert_int_equal(b.host->pauses, 0);
    assert_int_equal(b.recoveries, 1);
    assert_true(bench_settle(1000));
    bench_leave();
    bench_close();
}

static void test_unreadable_file(void **unused)
{
    uint8_t *saved;
    off_t size;

    (void)unused;
    bench_open(PAGES, STORE_RAM_MIN, 64 * MIB);
    assert_true(bench_reach(300, 5000));
    cut_spill(&saved, &size);
    assert_true(touch_until_failure());
    assert_int_equal(b.host->pauses, 1);
    bench_rounds(1000, 5);
    assert_int_equal(b.host->pauses, 1);
    restore_spill(saved, size);
    bench_rounds(1000, 5);
    assert_int_equal(b.host->pauses, 0);
    assert_true(bench_settle(1000));
    bench_leave();
    bench_close();
}

/* Leaving with pages that stay unreadable: the others come in, the domain is paused, and no CPU is burnt. */
static void test_leaving_a_damaged_file(void **unused)
{
    struct store_counts counts;
    unsigned int busy = 0;

    (void)unused;
    bench_open(PAGES, STORE_RAM_MIN, 64 * MIB);
    assert_true(bench_reach(300, 5000));
    flip_spill();
    b.d->phase = PAGED_LEAVING;
    bench_rounds(2000, 5);
    assert_true(b.d->failed);
    assert_int_equal(b.host->pauses, 1);
    store_domain_get_counts(b.d->store, &counts);
    assert_true(counts.in_file > 100);
    assert_int_equal(counts.pages, counts.in_file);
    assert_int_equal(b.host->pages_paged, counts.pages);
    for ( unsigned int i = 0; i < 1000; i++ )
        busy += bench_round(5);
    /* They are tried again once a second, all of them, and that is all. */
    printf("%u busy rounds of 1000, for %u pages\n", busy, (unsigned int)counts.pages);
    assert_true(busy < 8 * (counts.pages / STEP_PAGES_BUSY + 10));
    assert_true(paged_left(b.d));
    fake_verify(b.host);

    flip_back();
    bench_rounds(1000, 5);
    assert_int_equal(b.host->pauses, 0);
    bench_leave();
    bench_close();
}

/* A guess about what is wanted next, that meets a damaged page, stops nobody. */
static void test_damage_that_nobody_needs(void **unused)
{
    (void)unused;
    bench_open(PAGES, STORE_RAM_MIN, 64 * MIB);
    assert_true(bench_reach(300, 5000));
    flip_spill();
    b.d->target = 2000;
    bench_rounds(1000, 10);
    assert_false(b.d->failed);
    assert_int_equal(b.host->pauses, 0);
    flip_back();
    bench_leave();
    bench_close();
}

static void test_full_store(void **unused)
{
    (void)unused;
    bench_open(PAGES, STORE_RAM_MIN, 0);
    assert_false(bench_reach(100, 3000));
    assert_true(b.pager.store_full);
    assert_true(b.host->pages_paged > 100);
    bench_verify();
    bench_read_all(PAGES);
    bench_verify();
    assert_int_equal(b.host->pauses, 0);
    bench_leave();
    bench_close();
}

/* The store's own failure: the page is given back, and not forgotten before the host has memory for it. */
static void test_store_that_refuses(void **unused)
{
    (void)unused;
    bench_open(PAGES, 8 * MIB, 0);
    assert_true(bench_reach(2000, 3000));
    refuse_puts = 20;
    assert_true(bench_reach(1500, 3000));
    assert_int_equal(refuse_puts, 0);
    assert_false(b.d->failed);
    bench_read_all(PAGES);
    bench_leave();
    bench_close();

    bench_open(PAGES, 8 * MIB, 0);
    assert_true(bench_reach(2000, 3000));
    b.host->memory_limit = 1;      /* the host has none */
    refuse_puts = 5;
    b.d->target = 1500;
    for ( unsigned int i = 0; i < 100 && refuse_puts; i++ )
        bench_round(10);
    assert_int_equal(refuse_puts, 0);
    b.d->target = TARGET_NONE;
    b.d->phase = PAGED_LEAVING;
    bench_rounds(300, 10);
    assert_true(paged_left(b.d));
    b.host->memory_limit = 2500;   /* so that those come last for which the store has no entry */
    bench_rounds(300, 10);
    assert_true(paged_left(b.d));
    b.host->memory_limit = 0;
    bench_leave();
    bench_close();

    /* And when they are all that is left. */
    bench_open(PAGES, 8 * MIB, 0);
    b.d->target = PAGES - 40;
    bench_rounds(40, 10);
    assert_true(bench_reach(PAGES - 40, 300));
    b.d->phase = PAGED_LEAVING;
    for ( unsigned int i = 0; i < 100 && store_count(b.d->store); i++ )
        bench_round(1);
    b.host->memory_limit = 1;
    refuse_puts = 100000;
    for ( unsigned int i = 0; i < 100 && pages_count(b.d->pages, PAGE_NOMINATED); i++ )
        bench_round(1);
    assert_int_equal(store_count(b.d->store), 0);
    assert_true(b.host->pages_paged > 0);
    assert_true(paged_left(b.d) > 0);
    refuse_puts = 0;
    b.host->memory_limit = 0;
    bench_leave();
    bench_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_flipped_bits, bench_on_stock),
        cmocka_unit_test_setup(test_flipped_bits, bench_on_channels),
        cmocka_unit_test_setup(test_unreadable_file, bench_on_stock),
        cmocka_unit_test_setup(test_unreadable_file, bench_on_channels),
        cmocka_unit_test_setup(test_leaving_a_damaged_file, bench_on_stock),
        cmocka_unit_test_setup(test_leaving_a_damaged_file, bench_on_channels),
        cmocka_unit_test_setup(test_damage_that_nobody_needs, bench_on_stock),
        cmocka_unit_test_setup(test_damage_that_nobody_needs, bench_on_channels),
        cmocka_unit_test_setup(test_full_store, bench_on_stock),
        cmocka_unit_test_setup(test_full_store, bench_on_channels),
        cmocka_unit_test_setup(test_store_that_refuses, bench_on_stock),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
