/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One domain in good and bad times, case by case: targets, sequential readers, damaged and unreadable files, full stores,
 * a host without memory, pages that vanish, a channel that is closed, a domain that goes, a ring that makes no sense.
 */
#include "paged-bench.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGES 3000U

/* ---- the store's file, from outside; and a store that refuses ---- */

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

/* ---- steps ---- */

/* vCPU 0 touches frames in an order until the pager cannot go on; true if that happened. */
/* Out, and vCPU 0 or another waits for it; a type of its own shows that on a stock host only. */
static bool is_awaited(uint64_t gfn)
{
    const struct fake_frame *frame = &b.host->frame[gfn];

    return !frame->backed && fake_waiting(b.host) &&
           frame->type == (bench_has_channels ? FAKE_PAGED : FAKE_PAGING_IN);
}

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

static void read_all(uint64_t first, int step, uint64_t count)
{
    for ( uint64_t i = 0; i < count; i++ )
    {
        fake_access(b.host, 0, first + step * (int64_t)i, false);
        assert_true(bench_settle(1000));
    }
}

/* ---- tests ---- */

static void test_targets(void **unused)
{
    static const uint64_t targets[] = { 2250, 1500, 750, 2500, 100, 2999 };

    (void)unused;
    bench_open(PAGES, 2 * MIB, 64 * MIB);
    for ( unsigned int i = 0; i < sizeof(targets) / sizeof(targets[0]); i++ )
    {
        b.d->target = targets[i];
        bench_rounds(2000, 10);
        /* What is brought back unasked stops a little below. */
        assert_true(b.host->pages <= targets[i] && b.host->pages + 64 >= targets[i]);
        assert_int_equal(b.host->pages + b.host->pages_paged, PAGES);
        assert_int_equal(store_count(b.d->store), b.host->pages_paged);
        bench_verify();
    }
    b.d->target = 1000;
    bench_rounds(1000, 10);
    b.d->target = TARGET_NONE;
    bench_rounds(2000, 10);
    assert_int_equal(b.host->pages, PAGES);
    bench_leave();
    bench_close();
}

/* Reads one page, with a target at which nothing goes, and nothing but faults and windows brings pages in. */
static void read_one(uint64_t gfn)
{
    b.d->target = b.host->pages + 10;
    fake_access(b.host, 0, gfn, false);
    assert_true(bench_settle(1000));
}

static void test_sequential_reader(void **unused)
{
    uint64_t faults;

    (void)unused;
    for ( int step = 1; step >= -1; step -= 2 )
    {
        bench_open(PAGES, 8 * MIB, 64 * MIB);
        assert_true(bench_reach(500, 5000));
        b.d->target = PAGES;
        b.d->pages_now = PAGES;
        faults = b.d->statistics.faults;
        for ( uint64_t i = 0; i < PAGES; i++ )
            read_one(step > 0 ? i : PAGES - 1 - i);
        faults = b.d->statistics.faults - faults;
        printf("%d: %u faults, %u fetched ahead, %u windows, %u used\n", step, (unsigned int)faults,
               (unsigned int)b.d->statistics.prefetched, (unsigned int)b.d->streams.statistics.windows,
               (unsigned int)b.d->streams.statistics.windows_used);
        /* Those before its order is seen; after that he meets markers, and those wait for nothing to be read. */
        assert_true(faults < 20);
        assert_true(b.d->statistics.prefetched > 1800);
        assert_true(b.d->streams.statistics.windows_used > 10);
        bench_leave();
        bench_close();
    }
}

/* Where the reader is stopped next that does not count as a fault. */
static uint64_t held_page(void)
{
    for ( uint64_t gfn = 0; gfn < PAGES; gfn++ )
    {
        const struct page *page = pages_find(b.d->pages, gfn);

        if ( page && (page->flags & PAGE_HELD) )
            return gfn;
    }
    return PAGES;
}

/* Reads in order until a page is held ahead; that one. */
static uint64_t read_until_held(uint64_t *gfn)
{
    while ( held_page() == PAGES && *gfn < PAGES )
        read_one((*gfn)++);
    assert_true(held_page() < PAGES && b.pager.held_count == 1);
    return held_page();
}

static void test_held_markers(void **unused)
{
    uint64_t gfn = 0, held, faults, windows;

    (void)unused;
    bench_open(PAGES, 8 * MIB, 64 * MIB);
    assert_true(bench_reach(500, 5000));
    b.d->pages_now = PAGES;

    /* It is met: no fault, and the next window comes. */
    held = read_until_held(&gfn);
    bench_rounds(100, 5);
    faults = b.d->statistics.faults;
    windows = b.d->streams.statistics.windows;
    while ( gfn < held )
        read_one(gfn++);
    assert_int_equal(b.d->streams.statistics.windows, windows);
    assert_true(b.host->frame[held].type == FAKE_PAGED);
    read_one(gfn++);
    assert_int_equal(b.d->statistics.faults, faults);
    assert_int_equal(b.d->streams.statistics.windows, windows + 1);
    bench_verify();

    /* It is given up, and populated anew: what was read of it is nobody's. */
    held = read_until_held(&gfn);
    assert_true(fake_drop(b.host, held, false));
    assert_true(bench_settle(1000));
    assert_int_equal(b.pager.held_count, 0);
    assert_true(fake_populate(b.host, held));
    read_one(held);
    bench_verify();

    /* Its reader is forgotten for others. */
    held = read_until_held(&gfn);
    for ( unsigned int reader = 1; reader <= STREAM_COUNT; reader++ )
        for ( unsigned int i = 0; i < STREAM_RUN_MIN; i++ )
            read_one(PAGES / 2 + reader * 100 + i);
    assert_false(pages_find(b.d->pages, held)->flags & (PAGE_HELD | PAGE_MARKER));
    assert_true(b.host->frame[held].type == FAKE_PAGED);

    /* Everything is brought in, those that are held as well. */
    assert_true(b.pager.held_count > 0 && b.pager.held_count <= STREAM_COUNT);
    bench_leave();
    assert_int_equal(b.pager.held_count, 0);
    bench_close();
}

static void test_domain_goes_with_held_markers(void **unused)
{
    uint64_t gfn = 0;

    (void)unused;
    bench_open(PAGES, STORE_RAM_MIN, 64 * MIB);
    assert_true(bench_reach(500, 5000));
    b.d->pages_now = PAGES;
    read_until_held(&gfn);
    b.host->is_gone = true;
    bench_rounds(200, 5);
    assert_int_equal(b.d->phase, PAGED_GONE);
    bench_close();
    assert_int_equal(b.pager.held_count, 0);
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
    assert_true(is_awaited(b.d->failed_gfn));
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
    read_all(0, 1, PAGES);
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
    read_all(0, 1, PAGES);
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

/* The host has no page for a fault: others go to make room, and the vCPU goes on. */
static void test_host_without_memory(void **unused)
{
    (void)unused;
    bench_open(PAGES, 8 * MIB, 0);
    assert_true(bench_reach(1000, 3000));
    b.host->memory_limit = b.host->pages;
    for ( unsigned int i = 0; i < 300; i++ )
    {
        fake_access(b.host, 0, random_below(&b.random, PAGES), true);
        assert_true(bench_settle(2000));
    }
    assert_true(b.d->statistics.no_memory > 0);
    assert_int_equal(b.host->pauses, 0);

    /* Those that nobody waits for leave buffers for those that somebody will. */
    b.host->memory_limit = 1;
    b.d->phase = PAGED_LEAVING;
    bench_rounds(200, 10);
    assert_int_equal(b.pager.free_load_count, LOADS_FOR_FAULTS);
    b.host->memory_limit = 0;
    bench_leave();
    bench_close();
}

/* A nominated page that is given up goes without a message: it must not be waited for, in the queue or at the end. */
static void test_vanished_pages(void **unused)
{
    unsigned int vanished = 0;

    (void)unused;
    bench_open(PAGES, 8 * MIB, 0);
    assert_true(bench_reach(2900, 3000));
    b.host->evict_fails = 1;
    b.d->target = 2000;
    bench_rounds(100, 1);
    b.host->evict_fails = 0;
    for ( uint64_t gfn = 0; gfn < PAGES; gfn++ )
        if ( b.host->frame[gfn].type == FAKE_PAGING_OUT )
            vanished += fake_drop(b.host, gfn, false);
    assert_true(vanished > 700);
    assert_true(bench_reach(500, 3000));
    bench_rounds(500, 10);
    for ( uint64_t gfn = 0; gfn < PAGES; gfn++ )
        if ( b.host->frame[gfn].type == FAKE_PAGING_OUT )
            fake_drop(b.host, gfn, false);
    bench_leave();
    bench_close();
}

/* The message that a page was given up got lost, and the frame has other bytes now. */
static void test_lost_drops(void **unused)
{
    uint64_t gfn, lost = 0;

    (void)unused;
    bench_open(PAGES, 8 * MIB, 0);
    assert_true(bench_reach(1000, 3000));
    for ( unsigned int vcpu = 0; vcpu < FAKE_SLOTS; vcpu++ )
    {
        for ( gfn = vcpu * 200; b.host->frame[gfn].type != FAKE_PAGED; gfn++ )
            continue;
        fake_access(b.host, vcpu, gfn, false);
    }
    fake_is_idle(b.host);
    assert_int_equal(fake_waiting(b.host), FAKE_SLOTS);
    for ( gfn = 0; gfn < PAGES; gfn++ )
    {
        if ( b.host->frame[gfn].type != FAKE_PAGED || !fake_drop(b.host, gfn, true) )
            continue;
        /* Half of them come back with other bytes. */
        if ( ++lost % 2 )
            assert_true(fake_populate(b.host, gfn));
    }
    assert_true(lost > 1000);
    assert_int_equal(b.host->lost_drops, lost);
    assert_true(bench_settle(1000));
    /* They are found, and can be paged again. */
    bench_rounds(500, 10);
    /* Of those that came back no old bytes are kept. */
    assert_true(store_count(b.d->store) <= b.host->pages_paged + lost / 2);
    assert_true(bench_reach(700, 3000));
    read_all(0, 1, PAGES);
    bench_leave();
    bench_close();
}

/* A vCPU waits for a page, and another one gives it up. */
static void test_given_up_while_waited_for(void **unused)
{
    (void)unused;
    bench_open(PAGES, STORE_RAM_MIN, 64 * MIB);
    assert_true(bench_reach(300, 5000));
    /* In no order that is read ahead of: what is ready when it is touched is not waited for. */
    for ( uint64_t gfn = 0, done = 0; done < 200; gfn = (gfn + 7) % PAGES )
    {
        if ( b.host->frame[gfn].type != FAKE_PAGED )
        {
            bench_round(5);
            continue;
        }
        fake_access(b.host, 0, gfn, false);
        fake_is_idle(b.host);
        b.pager.now++;
        pagein_serve(b.d);
        if ( is_awaited(gfn) )
        {
            assert_true(fake_drop(b.host, gfn, false));
            /* At once, not when somebody looks after those who wait. */
            pagein_serve(b.d);
            assert_int_equal(b.host->vcpu[0].paused, 0);
        }
        if ( done++ % 2 )
            fake_populate(b.host, gfn);
        assert_true(bench_settle(1000));
    }
    assert_true(b.host->drops > 50);
    bench_leave();
    bench_close();
}

/* Bytes that are late: the frame was given up, populated anew, and paged out again before they could be loaded. */
static void test_late_bytes(void **unused)
{
    uint64_t gfn = 0;

    (void)unused;
    bench_open(PAGES, 8 * MIB, 0);
    assert_true(bench_reach(1000, 3000));
    while ( b.host->frame[gfn].type != FAKE_PAGED )
        gfn++;
    b.host->memory_limit = 1;
    fake_access(b.host, 0, gfn, false);
    fake_is_idle(b.host);
    pagein_serve(b.d);
    assert_non_null(b.d->stuck);

    b.host->memory_limit = 0;
    assert_true(fake_drop(b.host, gfn, false));
    assert_true(fake_populate(b.host, gfn));
    pagein_serve(b.d);
    b.d->scan = b.d->scan_found = 0;
    b.d->target = 1;
    /* Without the housekeeping, which would try the load again. */
    for ( unsigned int i = 0; i < 3000 && b.host->frame[gfn].type != FAKE_PAGED; i++ )
    {
        b.pager.now += 10;
        pageout_step(b.d);
    }
    assert_int_equal(b.host->frame[gfn].type, FAKE_PAGED);
    /* The model looks at the bytes. */
    pagein_retry(b.d);
    assert_int_equal(b.host->frame[gfn].type, FAKE_PAGED);
    assert_true(bench_settle(1000));
    bench_leave();
    bench_close();
}

/* What dom0 holds mapped cannot be evicted, but it can be given back. */
static void test_mapped_pages(void **unused)
{
    unsigned int mapped = 0;

    (void)unused;
    bench_open(PAGES, 8 * MIB, 0);
    b.d->target = 2000;
    bench_rounds(3, 1);
    for ( uint64_t gfn = 0; gfn < PAGES; gfn++ )
        if ( b.host->frame[gfn].type == FAKE_PAGING_OUT )
            mapped += fake_map(b.host, gfn);
    assert_true(mapped > 100);
    bench_rounds(300, 10);
    bench_leave();
    for ( uint64_t gfn = 0; gfn < PAGES; gfn++ )
        if ( b.host->frame[gfn].mappings )
            fake_unmap(b.host, gfn);

    /* All of it is mapped: the one who does that is asked to let go. */
    b.d->phase = PAGED_RUNNING;
    for ( uint64_t gfn = 0; gfn < PAGES; gfn++ )
        assert_true(fake_map(b.host, gfn));
    b.d->target = 1000;
    bench_rounds(1000, 10);
    assert_int_equal(b.host->pages, PAGES);
    assert_string_equal(b.host->last_key, "/local/domain/0/device-model/7/command");
    assert_string_equal(b.host->last_value, "flush-cache");
    for ( uint64_t gfn = 0; gfn < PAGES; gfn++ )
        fake_unmap(b.host, gfn);
    assert_true(bench_reach(1000, 3000));
    bench_leave();
    bench_close();
}

/* A call that fails for a moment, as a whole: what it was for happens later. */
static void test_failing_hypercalls(void **unused)
{
    (void)unused;
    bench_open(PAGES, 8 * MIB, 0);
    assert_true(bench_reach(1500, 3000));
    b.host->submit_fails = 3;
    for ( unsigned int i = 0; i < 200; i++ )
    {
        fake_access(b.host, 0, random_below(&b.random, PAGES), true);
        for ( unsigned int round = 0; round < 2000 && !fake_is_idle(b.host); round++ )
            bench_round(10);
        assert_true(fake_is_idle(b.host));
        assert_false(b.d->lost);
    }
    b.host->submit_fails = 0;
    bench_rounds(500, 10);
    assert_false(b.d->failed);
    assert_int_equal(b.host->pauses, 0);
    bench_leave();
    bench_close();
}

/* ---- closing the channel ---- */

#define LATE_GFN 77U

/* A vCPU on its way to the ring when the domain is paused gets there before the pause is complete. */
static void ask_at_pause(struct fake_host *h)
{
    h->meanwhile = NULL;
    fake_ask_late(h, 0, LATE_GFN);
}

/* One look at the channel, after which the guest runs and nobody waits. */
static bool leave_look(void)
{
    bool closed = paged_leave(b.d);

    assert_int_equal(closed, !b.d->channel);
    assert_int_equal(closed, !b.host->attached);
    assert_int_equal(b.host->pauses, 0);
    assert_int_equal(fake_waiting(b.host), 0);
    assert_true(fake_is_idle(b.host));
    return closed;
}

/* Everything is in, and a vCPU that saw its page out before that asks for it all the same: nobody is left behind. */
static void test_late_requests(void **unused)
{
    (void)unused;
    bench_open(PAGES, 8 * MIB, 0);
    assert_true(bench_reach(1000, 3000));
    bench_leave();

    /* Before the first look; between the first and the second; during the pause of the second. */
    fake_ask_late(b.host, 0, LATE_GFN);
    assert_false(leave_look());
    assert_false(leave_look());
    fake_ask_late(b.host, 0, LATE_GFN);
    assert_false(leave_look());
    assert_false(leave_look());
    b.host->meanwhile = ask_at_pause;
    assert_false(leave_look());
    assert_null(b.host->meanwhile);

    /* A domain that cannot be paused is no quieter for it. */
    b.host->pause_fails = true;
    for ( unsigned int i = 0; i < 5; i++ )
        assert_false(leave_look());
    b.host->pause_fails = false;

    /* Two quiet looks, one after the other. */
    assert_false(leave_look());
    assert_true(leave_look());
    bench_close();
}

static void test_domain_gone(void **unused)
{
    (void)unused;
    for ( unsigned int how = 0; how < 3; how++ )
    {
        bench_open(PAGES, STORE_RAM_MIN, 64 * MIB);
        assert_true(bench_reach(300, 5000));
        for ( unsigned int vcpu = 0; vcpu < FAKE_SLOTS; vcpu++ )
            fake_access(b.host, vcpu, vcpu * 300 + 7, false);
        fake_is_idle(b.host);
        /* With reads in flight, and vCPUs that wait. */
        b.d->phase = PAGED_LEAVING;
        bench_round(1);
        if ( how == 0 )
            b.host->is_gone = true;
        else if ( how == 1 )
            b.host->is_dying = true;
        else
            b.host->uuid[5] = 9;   /* another one has its number */
        bench_rounds(200, 5);
        assert_int_equal(b.d->phase, PAGED_GONE);
        bench_close();
    }

    /* At once: some loads are being read, others wait for memory of the host. */
    bench_open(PAGES, STORE_RAM_MIN, 64 * MIB);
    assert_true(bench_reach(300, 5000));
    b.host->memory_limit = 1;
    b.d->phase = PAGED_LEAVING;
    pageout_step(b.d);
    pageout_step(b.d);
    assert_true(b.pager.free_load_count < LOADS_MAX);
    bench_close();
    assert_int_equal(b.pager.free_load_count, LOADS_MAX);
}

static void test_refused_attach(void **unused)
{
    struct paged *second;
    const char *why = NULL;

    (void)unused;
    bench_open(PAGES, 8 * MIB, 0);
    assert_int_equal(paged_open(&b.pager, FAKE_DOMID, &second, &why), -EEXIST);
    assert_null(second);
    bench_leave();
    paged_close(b.d);
    b.d = NULL;
    b.host->attached = true;       /* somebody else */
    assert_int_equal(paged_open(&b.pager, FAKE_DOMID, &second, &why), -EBUSY);
    assert_null(second);
    assert_non_null(why);
    assert_int_equal(paged_open(&b.pager, FAKE_DOMID + 1, &second, &why), -ESRCH);
    assert_null(why);
    b.host->attached = false;
    assert_int_equal(paged_open(&b.pager, FAKE_DOMID, &b.d, &why), 0);
    bench_leave();
    bench_close();
}

static void test_broken_ring(void **unused)
{
    (void)unused;
    bench_open(PAGES, 8 * MIB, 0);
    assert_true(bench_reach(1000, 3000));
    /* req_prod is the first word of the page. */
    *(uint32_t *)b.host->ring.page += 1000;
    bench_rounds(100, 10);
    assert_true(b.d->broken);
    bench_verify();
    bench_close();
}

static int on_stock(void **unused)
{
    (void)unused;
    bench_has_channels = false;
    return 0;
}

static int on_channels(void **unused)
{
    (void)unused;
    bench_has_channels = true;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_targets, on_stock),
        cmocka_unit_test_setup(test_targets, on_channels),
        cmocka_unit_test_setup(test_sequential_reader, on_stock),
        cmocka_unit_test_setup(test_sequential_reader, on_channels),
        cmocka_unit_test_setup(test_held_markers, on_channels),
        cmocka_unit_test_setup(test_domain_goes_with_held_markers, on_channels),
        cmocka_unit_test_setup(test_flipped_bits, on_stock),
        cmocka_unit_test_setup(test_flipped_bits, on_channels),
        cmocka_unit_test_setup(test_unreadable_file, on_stock),
        cmocka_unit_test_setup(test_unreadable_file, on_channels),
        cmocka_unit_test_setup(test_leaving_a_damaged_file, on_stock),
        cmocka_unit_test_setup(test_leaving_a_damaged_file, on_channels),
        cmocka_unit_test_setup(test_damage_that_nobody_needs, on_stock),
        cmocka_unit_test_setup(test_damage_that_nobody_needs, on_channels),
        cmocka_unit_test_setup(test_full_store, on_stock),
        cmocka_unit_test_setup(test_full_store, on_channels),
        cmocka_unit_test_setup(test_store_that_refuses, on_stock),
        cmocka_unit_test_setup(test_host_without_memory, on_stock),
        cmocka_unit_test_setup(test_host_without_memory, on_channels),
        cmocka_unit_test_setup(test_vanished_pages, on_stock),
        cmocka_unit_test_setup(test_vanished_pages, on_channels),
        cmocka_unit_test_setup(test_lost_drops, on_stock),
        cmocka_unit_test_setup(test_given_up_while_waited_for, on_stock),
        cmocka_unit_test_setup(test_given_up_while_waited_for, on_channels),
        cmocka_unit_test_setup(test_late_bytes, on_stock),
        cmocka_unit_test_setup(test_late_bytes, on_channels),
        cmocka_unit_test_setup(test_mapped_pages, on_stock),
        cmocka_unit_test_setup(test_mapped_pages, on_channels),
        cmocka_unit_test_setup(test_failing_hypercalls, on_stock),
        cmocka_unit_test_setup(test_failing_hypercalls, on_channels),
        cmocka_unit_test_setup(test_late_requests, on_stock),
        cmocka_unit_test_setup(test_domain_gone, on_stock),
        cmocka_unit_test_setup(test_domain_gone, on_channels),
        cmocka_unit_test_setup(test_refused_attach, on_stock),
        cmocka_unit_test_setup(test_broken_ring, on_stock),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
