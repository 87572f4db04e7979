/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A pager with one domain on the model of a host: the rounds that rounds.c makes, on a clock of the test's own.
 * Included once a program.
 */
#ifndef TESTS_XENPAGING_PAGED_BENCH_H
#define TESTS_XENPAGING_PAGED_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "fake-host.h"
#include "random.h"

#include "daemons/xenpaging/paged.h"
#include "daemons/xenpaging/resume.h"

#define MIB (UINT64_C(1) << 20)

/* Not each test uses each of them. */
#define BENCH __attribute__((unused)) static

struct bench {
    struct fake_host *host;
    struct settings settings;
    struct pager pager;
    struct paged *d;
    uint32_t last_housekeeping, last_second;
    unsigned int recoveries;
    uint64_t random;
};

BENCH struct bench b;

/* The next host that is opened has channels. */
BENCH bool bench_has_channels;

/* Store and stage are open: the pager begins. */
BENCH void bench_begin(const char *directory)
{
    struct pager *p = &b.pager;
    const char *why;

    b.settings.prefetch_limit = 64;
    b.settings.spill_directory = (char *)(uintptr_t)directory;
    p->settings = &b.settings;
    p->hv = &b.host->hv;
    /* It wraps in the first minute. */
    p->now = UINT32_MAX - 30000;
    b.last_housekeeping = b.last_second = p->now;
    assert_int_equal(loop_open(&p->loop), 0);
    assert_int_equal(pagein_open(p), 0);
    assert_int_equal(resume_stage(p), 0);
    assert_int_equal(paged_open(p, FAKE_DOMID, &b.d, &why), 0);
    p->first = b.d;
    while ( paged_scan_step(b.d) )
        continue;
}

BENCH void bench_open(uint64_t pages, uint64_t ram_bytes, uint64_t spill_bytes)
{
    const char *directory = getenv("TMPDIR") ? getenv("TMPDIR") : ".";
    const struct store_options options = {
        .ram_bytes = ram_bytes, .spill_directory = spill_bytes ? directory : NULL, .spill_bytes = spill_bytes,
    };

    memset(&b, 0, sizeof(b));
    b.random = random_seed();
    b.host = fake_host_open(pages, random_next(&b.random), bench_has_channels);
    assert_int_equal(store_open(&b.pager.store, &options), 0);
    assert_int_equal(store_stage_open(&b.pager.stage, -1), 0);
    bench_begin(directory);
}

BENCH void bench_reap(void)
{
    store_reap(b.pager.store, pagein_read_done, &b.pager);
    if ( b.d && b.d->ready )
        pagein_finish(b.d);
}

BENCH void bench_close(void)
{
    struct pager *p = &b.pager;

    paged_close(b.d);
    b.d = NULL;
    /* Reads that were in flight come back to nobody. */
    while ( p->free_load_count < LOADS_MAX )
    {
        struct pollfd fd = { .fd = store_fd(p->store), .events = POLLIN };

        assert_int_equal(poll(&fd, 1, 10000), 1);
        bench_reap();
    }
    pagein_close(p);
    loop_close(p->loop);
    store_close(p->store);
    store_stage_close(p->stage);
    fake_host_close(b.host);
}

/* What must hold at any moment between two rounds. */
BENCH void bench_verify(void)
{
    for ( uint64_t gfn = 0; gfn < FAKE_FRAMES && !b.host->is_gone; gfn++ )
    {
        const struct fake_frame *frame = &b.host->frame[gfn];
        const struct page *page = pages_find(b.d->pages, gfn);

        if ( frame->type == FAKE_PAGED || (frame->type == FAKE_PAGING_IN && !frame->backed) )
        {
            /* Nobody else has its bytes. */
            assert_true(store_has(b.d->store, gfn) || (page && page->flags & PAGE_LOADING));
            assert_int_equal(page->state, PAGE_OUT);
        }
        else if ( frame->type == FAKE_PAGING_OUT )
            assert_int_equal(page->state, PAGE_NOMINATED);
    }
}

BENCH void bench_housekeeping(void)
{
    struct pager *p = &b.pager;

    if ( p->memory_short && p->now - p->memory_short_at > 1000 )
        p->memory_short = false;
    if ( b.d->stuck || b.d->waiting_count )
        pagein_retry(b.d);
    paged_refresh(b.d, 100);
    if ( p->now - b.last_second < 1000 )
        return;
    b.last_second = p->now;
    paged_refresh(b.d, 0);
    if ( b.d->failed )
    {
        pagein_retry(b.d);
        if ( !b.d->lost && !store_has(b.d->store, b.d->failed_gfn) )
        {
            b.d->failed = false;
            pages_clear_flag(b.d->pages, PAGE_UNREADABLE);
            b.recoveries++;
            paged_unpause(b.d);
        }
    }
    pageout_sample(b.d);
    if ( b.d->scan == b.d->frame_limit && b.d->info.pages > FRAMES_UNSOUGHT +
         pages_count(b.d->pages, PAGE_RESIDENT) + pages_count(b.d->pages, PAGE_NOMINATED) )
        b.d->scan = b.d->scan_found = 0;
}

/* One round, some milliseconds long.  True: there was something to do. */
BENCH bool bench_round(unsigned int ms)
{
    bool more = false;

    b.pager.now += ms;
    bench_reap();
    if ( !b.d->broken && memevent_peek(b.d->channel) )
        more |= pagein_serve(b.d) > 0;
    more |= pageout_step(b.d);
    if ( b.pager.now - b.last_housekeeping >= 100 )
    {
        b.last_housekeeping = b.pager.now;
        bench_housekeeping();
    }
    /* Nothing but the disk to wait for? */
    if ( !more && b.pager.free_load_count + b.pager.held_count < LOADS_MAX && !b.d->ready && !b.d->stuck )
    {
        struct pollfd fd = { .fd = store_fd(b.pager.store), .events = POLLIN };

        poll(&fd, 1, 100);
    }
    return more;
}

BENCH void bench_rounds(unsigned int rounds, unsigned int ms)
{
    while ( rounds-- )
        bench_round(ms);
}

/* Until the target is reached, or so many rounds have passed. */
BENCH bool bench_reach(uint64_t target, unsigned int rounds)
{
    b.d->target = target;
    while ( rounds-- && b.host->pages > target )
        bench_round(10);
    return b.host->pages <= target;
}

/* Until no vCPU has anything left to do. */
BENCH bool bench_settle(unsigned int rounds)
{
    while ( rounds-- )
    {
        bench_round(5);
        if ( fake_is_idle(b.host) )
            return true;
    }
    return false;
}

/* Everything comes in, within a bounded number of rounds, and is what it was. */
BENCH void bench_leave(void)
{
    unsigned int rounds = 20000;

    b.d->phase = PAGED_LEAVING;
    while ( paged_left(b.d) || !fake_is_idle(b.host) )
    {
        if ( !--rounds )
            fail_msg("it does not end: %llu left, %u vCPUs wait, %llu nominated", (unsigned long long)paged_left(b.d),
                     fake_waiting(b.host), (unsigned long long)pages_count(b.d->pages, PAGE_NOMINATED));
        bench_round(5);
    }
    assert_int_equal(fake_count(b.host, FAKE_PAGED), 0);
    assert_int_equal(fake_count(b.host, FAKE_PAGING_IN), 0);
    assert_int_equal(fake_count(b.host, FAKE_PAGING_OUT), 0);
    assert_int_equal(fake_waiting(b.host), 0);
    assert_int_equal(b.host->pages_paged, 0);
    assert_int_equal(pages_count(b.d->pages, PAGE_OUT), 0);
    assert_int_equal(pages_count(b.d->pages, PAGE_NOMINATED), 0);
    assert_int_equal(store_count(b.d->store), 0);
    assert_int_equal(b.pager.free_load_count, LOADS_MAX);
    fake_verify(b.host);
}

/* Out, and vCPU 0 or another waits for it; a type of its own shows that on a stock host only. */
BENCH bool bench_is_awaited(uint64_t gfn)
{
    const struct fake_frame *frame = &b.host->frame[gfn];

    return !frame->backed && fake_waiting(b.host) &&
           frame->type == (bench_has_channels ? FAKE_PAGED : FAKE_PAGING_IN);
}

/* vCPU 0 reads one frame after the other. */
BENCH void bench_read_all(uint64_t frames)
{
    for ( uint64_t gfn = 0; gfn < frames; gfn++ )
    {
        fake_access(b.host, 0, gfn, false);
        assert_true(bench_settle(1000));
    }
}

/* How a case is set up. */
BENCH int bench_on_stock(void **unused)
{
    (void)unused;
    bench_has_channels = false;
    return 0;
}

BENCH int bench_on_channels(void **unused)
{
    (void)unused;
    bench_has_channels = true;
    return 0;
}

#endif
