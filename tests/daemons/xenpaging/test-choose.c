/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which pages go: heat buys passes of the clock, what was touched is never a victim, grace is kept, the queue
 * forgets nothing when it grows, and the working set comes out right for a guest whose working set is known.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "random.h"

#include "daemons/xenpaging/choose.h"

#define FRAMES_MOST 65536U

struct guest {
    struct pages *pages;
    struct choose *choose;
    uint64_t frames;
    uint64_t random;
    uint32_t now;
    /* The model's own view, to check what is offered. */
    uint8_t state[FRAMES_MOST];
    uint32_t nominated_at[FRAMES_MOST];
};

static struct guest g;

/* The clock wraps a while after the start of each test. */
#define START (UINT32_MAX - 50000U)

static void open_guest(uint64_t frames)
{
    memset(&g, 0, sizeof(g));
    g.random = random_seed();
    g.frames = frames;
    g.now = START;
    assert_int_equal(pages_open(&g.pages), 0);
    assert_int_equal(choose_open(g.pages, &g.choose), 0);
    for ( uint64_t gfn = 0; gfn < frames; gfn++ )
    {
        pages_set(g.pages, pages_make(g.pages, gfn), PAGE_RESIDENT, g.now);
        g.state[gfn] = PAGE_RESIDENT;
    }
}

static void close_guest(void)
{
    choose_close(g.choose);
    pages_close(g.pages);
}

static void nominate(uint64_t gfn, uint8_t flags)
{
    assert_int_equal(g.state[gfn], PAGE_RESIDENT);
    choose_nominated(g.choose, gfn, flags, g.now);
    g.state[gfn] = PAGE_NOMINATED;
    g.nominated_at[gfn] = g.now;
}

static void touch(uint64_t gfn)
{
    choose_touched(g.choose, gfn, g.now);
    g.state[gfn] = PAGE_RESIDENT;
}

static void expect_counts(void)
{
    uint64_t counts[PAGE_STATES] = { 0 };

    for ( uint64_t gfn = 0; gfn < g.frames; gfn++ )
        counts[g.state[gfn]]++;
    for ( unsigned int state = PAGE_RESIDENT; state < PAGE_STATES; state++ )
        assert_int_equal(pages_count(g.pages, state), counts[state]);
}

/* Everything a pager may do, in any order; each offer is checked against the model. */
static void test_random_model(void **unused)
{
    uint64_t gfns[64], nominated = 0, touched = 0, evicted = 0;
    struct choose_statistics statistics;
    uint32_t grace = CHOOSE_GRACE_MS;

    (void)unused;
    open_guest(3000);
    for ( unsigned int step = 0; step < 60000; step++ )
    {
        unsigned int count, most = 1 + random_below(&g.random, 64);
        bool all_ages = !random_below(&g.random, 20);
        uint64_t gfn = random_below(&g.random, g.frames);

        switch ( random_below(&g.random, 8) )
        {
        case 0:
            count = choose_nominees(g.choose, gfns, most);
            assert_true(count <= most);
            for ( unsigned int i = 0; i < count; i++, nominated++ )
                nominate(gfns[i], 0);           /* resident, and none twice */
            break;
        case 1:
            count = choose_victims(g.choose, gfns, most, all_ages, g.now);
            assert_true(count <= most);
            for ( unsigned int i = 0; i < count; i++ )
            {
                assert_int_equal(g.state[gfns[i]], PAGE_NOMINATED);
                assert_true(all_ages || g.now - g.nominated_at[gfns[i]] >= grace);
                if ( random_below(&g.random, 4) )
                {
                    choose_evicted(g.choose, gfns[i], g.now);
                    g.state[gfns[i]] = PAGE_OUT;
                    evicted++;
                }
                else
                {
                    choose_put_back(g.choose, gfns[i], g.now);
                    g.nominated_at[gfns[i]] = g.now;
                }
            }
            break;
        case 2:
            count = choose_samples(g.choose, gfns, 8);
            for ( unsigned int i = 0; i < count; i++ )
            {
                /* Random picks may fall on the same page twice: the hypervisor refuses the second. */
                if ( g.state[gfns[i]] != PAGE_RESIDENT )
                    continue;
                nominate(gfns[i], PAGE_SAMPLED);
                nominated++;
            }
            choose_tick(g.choose, g.now);
            break;
        case 3:
            choose_set_pressed(g.choose, all_ages);
            if ( !all_ages )
                grace = CHOOSE_GRACE_MS;
            else if ( grace / 2 >= CHOOSE_GRACE_LEAST_MS )
                grace /= 2;
            break;
        case 4:
            g.now += random_below(&g.random, 2 * CHOOSE_GRACE_MS);
            break;
        case 5:
            if ( g.state[gfn] == PAGE_RESIDENT )
                choose_refused(g.choose, gfn, g.now);
            break;
        default:
            if ( g.state[gfn] == PAGE_NOMINATED )
                touched++;
            if ( g.state[gfn] != PAGE_RESIDENT )
                touch(gfn);
            break;
        }
        if ( step % 499 == 0 )
            expect_counts();
    }
    expect_counts();

    choose_get_statistics(g.choose, g.now, &statistics);
    assert_int_equal(statistics.nominated, nominated);
    assert_int_equal(statistics.touched, touched);
    assert_int_equal(statistics.evicted, evicted);
    for ( unsigned int i = 1; i < CHOOSE_AGES; i++ )
        statistics.cold_pages[0] += statistics.cold_pages[i];
    assert_int_equal(statistics.cold_pages[0],
                     pages_count(g.pages, PAGE_NOMINATED) + pages_count(g.pages, PAGE_OUT));
    close_guest();
}

/* Rounds of the clock until it offers gfn, each all the frames once; everything else is put aside. */
static unsigned int passes_until_offered(uint64_t gfn)
{
    uint64_t gfns[PAGES_CHUNK];

    for ( unsigned int passes = 1; passes < 100; passes++ )
    {
        unsigned int count = choose_nominees(g.choose, gfns, PAGES_CHUNK);
        bool offered = false;

        for ( unsigned int i = 0; i < count; i++ )
        {
            offered |= gfns[i] == gfn;
            assert_true(gfns[i] < g.frames);
            /* None twice in one call. */
            for ( unsigned int j = 0; j < i; j++ )
                assert_int_not_equal(gfns[i], gfns[j]);
        }
        if ( offered )
            return passes;
    }
    return 0;
}

/* One pass for each touch that was found, up to the limit: in a domain that is smaller than what one call looks at, too. */
static void test_heat(void **unused)
{
    (void)unused;
    open_guest(100);
    assert_int_equal(passes_until_offered(42), 1);
    for ( unsigned int touches = 1; touches < 2 * PAGE_HEAT_MAX; touches++ )
    {
        unsigned int heat = touches < PAGE_HEAT_MAX ? touches : PAGE_HEAT_MAX;

        for ( unsigned int i = 0; i < touches; i++ )
        {
            nominate(42, 0);
            touch(42);
        }
        assert_int_equal(passes_until_offered(42), heat + 1);
        assert_int_equal(pages_find(g.pages, 42)->heat, 0);
    }
    /* What is asked for is what is given while there is as much, the hand going on where it stopped. */
    for ( uint64_t next = 0, gfns[7], round = 0; round < 100; round++ )
    {
        assert_int_equal(choose_nominees(g.choose, gfns, 7), 7);
        for ( unsigned int i = 0; i < 7 && round; i++ )
            assert_int_equal(gfns[i], (next + i) % 100);
        next = (gfns[6] + 1) % 100;
    }
    close_guest();
}

static void test_grace(void **unused)
{
    uint64_t gfns[8];

    (void)unused;
    open_guest(100);
    nominate(1, 0);
    g.now += CHOOSE_GRACE_MS - 1;
    nominate(2, 0);
    assert_int_equal(choose_victims(g.choose, gfns, 8, false, g.now), 0);
    g.now++;
    assert_int_equal(choose_victims(g.choose, gfns, 8, false, g.now), 1);
    assert_int_equal(gfns[0], 1);
    /* A victim that could not go starts anew, behind the others. */
    choose_put_back(g.choose, 1, g.now);
    g.now += CHOOSE_GRACE_MS - 1;
    assert_int_equal(choose_victims(g.choose, gfns, 8, false, g.now), 1);
    assert_int_equal(gfns[0], 2);
    choose_put_back(g.choose, 2, g.now);
    g.now++;
    assert_int_equal(choose_victims(g.choose, gfns, 8, true, g.now), 2);
    assert_int_equal(gfns[0], 1);
    assert_int_equal(gfns[1], 2);

    /* Under pressure it is halved, but not below the least; and whole again afterwards. */
    nominate(3, 0);
    for ( unsigned int i = 0; i < 20; i++ )
        choose_set_pressed(g.choose, true);
    g.now += CHOOSE_GRACE_LEAST_MS - 1;
    assert_int_equal(choose_victims(g.choose, gfns, 8, false, g.now), 0);
    g.now += CHOOSE_GRACE_LEAST_MS;
    assert_int_equal(choose_victims(g.choose, gfns, 8, false, g.now), 1);
    choose_set_pressed(g.choose, false);
    nominate(4, 0);
    g.now += CHOOSE_GRACE_MS - 1;
    assert_int_equal(choose_victims(g.choose, gfns, 8, false, g.now), 0);
    close_guest();
}

/* Touched, and even nominated again: the old place in the queue is worth nothing. */
static void test_touched_is_no_victim(void **unused)
{
    uint64_t gfns[8];

    (void)unused;
    open_guest(100);
    nominate(7, 0);
    touch(7);
    g.now += CHOOSE_GRACE_MS;
    assert_int_equal(choose_victims(g.choose, gfns, 8, true, g.now), 0);

    nominate(7, 0);
    g.now += CHOOSE_GRACE_MS - 1;
    touch(7);
    nominate(7, 0);
    g.now++;
    assert_int_equal(choose_victims(g.choose, gfns, 8, false, g.now), 0);
    g.now += CHOOSE_GRACE_MS;
    assert_int_equal(choose_victims(g.choose, gfns, 8, false, g.now), 1);
    assert_int_equal(choose_victims(g.choose, gfns, 8, false, g.now), 0);

    /* Gone from the guest. */
    nominate(8, 0);
    pages_set(g.pages, pages_find(g.pages, 8), PAGE_ABSENT, g.now);
    assert_int_equal(choose_victims(g.choose, gfns, 8, true, g.now), 0);
    close_guest();
}

static void test_queue_grows(void **unused)
{
    uint64_t gfns[100], next = 0;
    unsigned int count;

    (void)unused;
    open_guest(20000);
    /* Moves the queue's head first, so that it has to be unrolled when it grows. */
    for ( uint64_t gfn = 0; gfn < 700; gfn++ )
        nominate(gfn, 0);
    while ( (count = choose_victims(g.choose, gfns, 100, true, g.now)) )
        for ( unsigned int i = 0; i < count; i++ )
            assert_int_equal(gfns[i], next++);
    assert_int_equal(next, 700);
    for ( uint64_t gfn = 700; gfn < 20000; gfn++ )
        nominate(gfn, 0);
    while ( (count = choose_victims(g.choose, gfns, 100, true, g.now)) )
        for ( unsigned int i = 0; i < count; i++ )
            assert_int_equal(gfns[i], next++);
    assert_int_equal(next, 20000);
    close_guest();
}

static void test_refused(void **unused)
{
    (void)unused;
    open_guest(100);
    for ( unsigned int round = 0; round < 3; round++ )
        for ( unsigned int i = 1; i <= CHOOSE_REFUSALS_MAX; i++ )
            assert_int_equal(choose_refused(g.choose, 9, g.now), i == CHOOSE_REFUSALS_MAX);
    /* One that is accepted begins a new row. */
    for ( unsigned int i = 1; i < CHOOSE_REFUSALS_MAX; i++ )
        assert_false(choose_refused(g.choose, 9, g.now));
    nominate(9, 0);
    touch(9);
    assert_false(choose_refused(g.choose, 9, g.now));
    assert_false(choose_refused(g.choose, 5000000, g.now));
    close_guest();
}

/*
 * A guest that uses its first pages again and again, each some time within the span of a sample, and the others never.
 * evicts: nominated pages are evicted after their grace, and the used ones come back by a fault.
 */
static double estimate_working_set(uint64_t frames, uint64_t used, unsigned int seconds, bool evicts)
{
    struct choose_statistics statistics;
    uint64_t gfns[256], resident;

    open_guest(frames);
    for ( unsigned int second = 0; second < seconds; second++ )
    {
        unsigned int count = choose_samples(g.choose, gfns, 16);

        for ( unsigned int i = 0; i < count; i++ )
            if ( g.state[gfns[i]] == PAGE_RESIDENT )
                nominate(gfns[i], PAGE_SAMPLED);
        choose_tick(g.choose, g.now);
        g.now += 500;
        count = evicts ? choose_victims(g.choose, gfns, 256, false, g.now) : 0;
        for ( unsigned int i = 0; i < count; i++ )
        {
            choose_evicted(g.choose, gfns[i], g.now);
            g.state[gfns[i]] = PAGE_OUT;
        }
        g.now += 500;
        /* Every twentieth of the working set: all of it within 20 s. */
        for ( uint64_t gfn = second % 20; gfn < used; gfn += 20 )
            if ( g.state[gfn] != PAGE_RESIDENT )
                touch(gfn);
    }
    choose_get_statistics(g.choose, g.now, &statistics);
    assert_true(statistics.samples > 256);
    resident = pages_count(g.pages, PAGE_RESIDENT) + pages_count(g.pages, PAGE_NOMINATED);
    close_guest();
    /* As a share of what it is an estimate of. */
    return (double)statistics.working_set_pages / (double)resident;
}

/* Five standard errors of an average over 512 independent samples (an exponential one of weight 1/256). */
#define TOLERANCE 0.11

static void expect_near(double found, double share)
{
    if ( found < share - TOLERANCE || found > share + TOLERANCE )
        fail_msg("%.3f estimated where %.3f are used", found, share);
}

static void test_working_set(void **unused)
{
    (void)unused;
    expect_near(estimate_working_set(30000, 9000, 200, false), 0.3);
    expect_near(estimate_working_set(30000, 24000, 200, false), 0.8);
    assert_true(estimate_working_set(30000, 30000, 200, false) == 1.0);
    assert_true(estimate_working_set(30000, 0, 200, false) == 0.0);
}

/* A used page that was evicted too soon, and came back, counts as used. */
static void test_working_set_when_evicted(void **unused)
{
    struct choose_statistics statistics;

    (void)unused;
    assert_true(estimate_working_set(30000, 30000, 200, true) == 1.0);

    /* And a page that was found used, and evicted later, counts once. */
    open_guest(512);
    nominate(3, PAGE_SAMPLED);
    touch(3);
    nominate(3, 0);
    choose_evicted(g.choose, 3, g.now);
    g.state[3] = PAGE_OUT;
    g.now += CHOOSE_SAMPLE_MS;
    choose_tick(g.choose, g.now);
    choose_get_statistics(g.choose, g.now, &statistics);
    assert_int_equal(statistics.samples, 1);
    assert_int_equal(statistics.working_set_pages, 511);
    close_guest();

    /* Nobody used it: cold, wherever it is. */
    open_guest(512);
    nominate(3, PAGE_SAMPLED);
    nominate(4, PAGE_SAMPLED);
    choose_evicted(g.choose, 3, g.now);
    g.state[3] = PAGE_OUT;
    choose_put_back(g.choose, 4, g.now + 7);
    g.now += CHOOSE_SAMPLE_MS;
    choose_tick(g.choose, g.now);
    choose_get_statistics(g.choose, g.now, &statistics);
    assert_int_equal(statistics.samples, 2);
    assert_int_equal(statistics.working_set_pages, 0);
    close_guest();
}

static void test_ages(void **unused)
{
    struct choose_statistics statistics;

    (void)unused;
    open_guest(512);
    nominate(0, 0);
    for ( unsigned int i = 0; i < CHOOSE_AGES - 1; i++ )
    {
        choose_get_statistics(g.choose, g.now + choose_age_seconds[i] * 1000 - 1, &statistics);
        assert_int_equal(statistics.cold_pages[i], 1);
        choose_get_statistics(g.choose, g.now + choose_age_seconds[i] * 1000, &statistics);
        assert_int_equal(statistics.cold_pages[i + 1], 1);
    }
    close_guest();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_model),
        cmocka_unit_test(test_heat),
        cmocka_unit_test(test_grace),
        cmocka_unit_test(test_touched_is_no_victim),
        cmocka_unit_test(test_queue_grows),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_working_set),
        cmocka_unit_test(test_working_set_when_evicted),
        cmocka_unit_test(test_ages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
