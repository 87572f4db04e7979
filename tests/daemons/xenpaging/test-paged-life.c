/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One domain in good and bad times, case by case: targets, sequential readers, a host without memory, pages that vanish, a
 * channel that is closed, a domain that goes, a ring that makes no sense. Of a store in a bad way: test-paged-damage.
 */
#include "paged-bench.h"

#include <errno.h>
#include <stdio.h>

#define PAGES 3000U

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
    bench_read_all(PAGES);
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
        if ( bench_is_awaited(gfn) )
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_targets, bench_on_stock),
        cmocka_unit_test_setup(test_targets, bench_on_channels),
        cmocka_unit_test_setup(test_sequential_reader, bench_on_stock),
        cmocka_unit_test_setup(test_sequential_reader, bench_on_channels),
        cmocka_unit_test_setup(test_held_markers, bench_on_channels),
        cmocka_unit_test_setup(test_domain_goes_with_held_markers, bench_on_channels),
        cmocka_unit_test_setup(test_host_without_memory, bench_on_stock),
        cmocka_unit_test_setup(test_host_without_memory, bench_on_channels),
        cmocka_unit_test_setup(test_vanished_pages, bench_on_stock),
        cmocka_unit_test_setup(test_vanished_pages, bench_on_channels),
        cmocka_unit_test_setup(test_lost_drops, bench_on_stock),
        cmocka_unit_test_setup(test_given_up_while_waited_for, bench_on_stock),
        cmocka_unit_test_setup(test_given_up_while_waited_for, bench_on_channels),
        cmocka_unit_test_setup(test_late_bytes, bench_on_stock),
        cmocka_unit_test_setup(test_late_bytes, bench_on_channels),
        cmocka_unit_test_setup(test_mapped_pages, bench_on_stock),
        cmocka_unit_test_setup(test_mapped_pages, bench_on_channels),
        cmocka_unit_test_setup(test_failing_hypercalls, bench_on_stock),
        cmocka_unit_test_setup(test_failing_hypercalls, bench_on_channels),
        cmocka_unit_test_setup(test_late_requests, bench_on_stock),
        cmocka_unit_test_setup(test_domain_gone, bench_on_stock),
        cmocka_unit_test_setup(test_domain_gone, bench_on_channels),
        cmocka_unit_test_setup(test_refused_attach, bench_on_stock),
        cmocka_unit_test_setup(test_broken_ring, bench_on_stock),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
