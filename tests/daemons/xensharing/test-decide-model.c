/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * decide against a model of a host: how much of what could be merged is, after how many passes, with guests that
 * write, with records that get lost, without any; and that no pair is ever offered that must not be.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "daemons/xensharing/pages.h"

#include "../xenpaging/random.h"
#include "model-host.h"

#define FRAMES 8192U
#define ROUNDS 3U
#define RING   (1U << 20)

static struct model m;
static uint64_t seed;

/* Contents that all have: number n of the image. */
static uint64_t image(uint64_t n)
{
    return n + 1000;
}

/*
 * Guests as they are: half of them the image, a tenth zeros, some filled with words, some many times the same, the
 * rest their own.  Those that do not share within have each content only a few times: of many only some could be
 * shared.
 */
static uint64_t some_content(uint16_t domid, uint64_t gfn)
{
    uint64_t draw = random_below(&m.random, 100);

    if ( draw < 50 )
        return image(gfn);
    if ( !m.domains[domid].within )
        return draw < 75 ? image(FRAMES + random_below(&m.random, FRAMES / 2)) : model_fresh(&m);
    if ( draw < 60 )
        return 0;
    if ( draw < 65 )
        return 1 + random_below(&m.random, MODEL_FILLS - 1);
    if ( draw < 75 )
        return image(FRAMES + random_below(&m.random, 200));

    return model_fresh(&m);
}

static void add_guest(uint16_t domid, uint16_t group, bool within, uint64_t frames)
{
    model_create(&m, domid, group, within, frames);
    for ( uint64_t gfn = 0; gfn < frames; gfn++ )
        model_write(&m, domid, gfn, some_content(domid, gfn));
    model_join(&m, domid);
}

static void add_guests(unsigned int count, bool within)
{
    for ( unsigned int i = 1; i <= count; i++ )
        add_guest(i, 7, within, FRAMES);
}

static uint16_t some_domain(void)
{
    for ( ;; )
    {
        uint16_t domid = random_below(&m.random, MODEL_DOMAINS);

        if ( m.domains[domid].is_there )
            return domid;
    }
}

static void write_some(unsigned int count)
{
    while ( count-- )
    {
        uint16_t domid = some_domain();
        uint64_t gfn = random_below(&m.random, m.domains[domid].frames);

        model_write(&m, domid, gfn, some_content(domid, gfn));
    }
}

/* A hundredth of a chunk, at each chunk. */
static void write_a_little(struct model *model)
{
    (void)model;
    write_some(5);
}

static void write_much(struct model *model)
{
    (void)model;
    write_some(100);
}

static void write_seldom(struct model *model)
{
    if ( !random_below(&model->random, 10) )
        write_some(1);
}

static void expect_effective(unsigned int tenths, const char *when)
{
    unsigned int is = model_effectiveness(&m);

    printf("%s: %u.%u %% of what could be merged is\n", when, is / 10, is % 10);
    if ( is < tenths )
        fail_msg("%s: %u.%u %%", when, is / 10, is % 10);
}

static void passes(unsigned int count, void (*during)(struct model *m))
{
    while ( count-- )
        model_pass(&m, during);
    model_judge(&m);
}

static int close_model(void **state)
{
    (void)state;
    model_close(&m);
    return 0;
}

static uint64_t next_seed(void)
{
    return random_next(&seed);
}

/* Nobody writes: two passes are enough for nearly all, and there is nothing that the daemon believes wrongly. */
static void test_quiet(void **state)
{
    (void)state;
    model_open(&m, next_seed(), DECIDE_INVALIDATES_ON, RING);
    add_guests(3, true);
    passes(1, NULL);
    assert_int_equal(m.saved, 0);
    passes(1, NULL);
    expect_effective(950, "two passes");
    passes(1, NULL);
    expect_effective(990, "three passes");
    model_check(&m, true);
}

/* A few write all the time; then no one does. */
static void test_loaded(void **state)
{
    (void)state;
    model_open(&m, next_seed(), DECIDE_INVALIDATES_ON, RING);
    add_guests(3, true);
    m.meanwhile = write_seldom;
    passes(10, write_a_little);
    expect_effective(900, "under load");
    m.meanwhile = NULL;
    passes(10, NULL);
    expect_effective(990, "quiet again");
    model_check(&m, true);
}

/* A storm over everything, days of it. */
static void test_storm(void **state)
{
    struct decide_statistics statistics;

    (void)state;
    model_open(&m, next_seed(), DECIDE_INVALIDATES_ON, RING);
    add_guests(4, true);
    passes(30, write_much);
    /* What was hot waits its time: the longest there was in 30 passes. */
    passes(40, NULL);
    expect_effective(990, "after the storm");
    model_check(&m, true);
    decide_get_statistics(m.decide, &statistics);
    assert_true(statistics.cooled > 0);
    assert_true(statistics.promoted > 0);
}

/* The same with nobody who hears that pages left: what is believed to be shared is less and less so. */
static void test_without_invalidates(void **state)
{
    unsigned int on = 0, off = 0;

    (void)state;
    for ( unsigned int is_on = 0; is_on < 2; is_on++ )
    {
        model_open(&m, 4711, is_on ? DECIDE_INVALIDATES_ON : DECIDE_INVALIDATES_OFF, RING);
        add_guests(3, true);
        passes(3, NULL);
        expect_effective(990, "at the begin");
        for ( unsigned int day = 0; day < 6; day++ )
        {
            passes(2, write_much);
            passes(20, NULL);
        }
        if ( is_on )
        {
            on = model_effectiveness(&m);
            break;
        }
        off = model_effectiveness(&m);
        model_close(&m);
    }
    printf("after six storms: with invalidates %u, without %u of 1000\n", on, off);
    assert_true(on >= 990);
    assert_true(off < 700);
}

/* A ring that is too small for a storm. */
static void test_losses(void **state)
{
    struct decide_statistics statistics;

    (void)state;
    model_open(&m, next_seed(), DECIDE_INVALIDATES_ON, 8);
    /* Classes can be brought together again, uncounted. */
    m.sharers_max = 2 * SHARERS_MAX;
    add_guests(3, true);
    passes(3, NULL);
    passes(5, write_much);
    assert_true(m.lost > 1000);
    model_drain(&m);
    passes(20, NULL);
    /* Pages of full classes cannot be asked about; those that were written what they held before stay believed. */
    expect_effective(970, "after records were lost");
    model_check(&m, false);
    decide_get_statistics(m.decide, &statistics);
    assert_true(statistics.losses > 0);
    assert_true(statistics.doubted > 0);
}

/* Every record is lost, and that is told once, at the end. */
static void test_all_lost(void **state)
{
    (void)state;
    model_open(&m, next_seed(), DECIDE_INVALIDATES_ON, RING);
    m.sharers_max = 2 * SHARERS_MAX;
    add_guests(3, true);
    passes(4, NULL);
    expect_effective(990, "at the begin");
    m.is_deaf = true;
    write_some(FRAMES);
    m.is_deaf = false;
    passes(5, NULL);
    assert_in_range(model_effectiveness(&m), 0, 900);
    m.lost++;
    model_drain(&m);
    passes(6, NULL);
    expect_effective(970, "after all records were lost");
    model_check(&m, false);
}

/* A hypervisor without the channel: what is shared is hashed as well, and never merged as a client. */
static void test_stock(void **state)
{
    (void)state;
    model_open(&m, next_seed(), DECIDE_INVALIDATES_NONE, 1);
    add_guests(3, true);
    m.is_deaf = true;
    passes(3, NULL);
    expect_effective(990, "stock: three passes");
    passes(10, write_a_little);
    passes(10, NULL);
    /* What was written what it held before is private, and nothing says so. */
    expect_effective(940, "stock: after load");
    model_check(&m, false);
}

/* No two pages of one domain may be one. */
static void test_within_off(void **state)
{
    (void)state;
    model_open(&m, next_seed(), DECIDE_INVALIDATES_ON, RING);
    add_guests(3, false);
    add_guest(4, 7, true, FRAMES);
    passes(3, NULL);
    expect_effective(950, "not within");
    passes(10, write_a_little);
    passes(20, NULL);
    expect_effective(980, "not within, after load");
    model_check(&m, true);
}

/* One domain alone that may not share within itself: nothing is ever merged. */
static void test_alone(void **state)
{
    (void)state;
    model_open(&m, next_seed(), DECIDE_INVALIDATES_ON, RING);
    add_guests(1, false);
    add_guest(2, 8, false, FRAMES);
    passes(4, write_a_little);
    assert_int_equal(m.merges, 0);
    assert_int_equal(model_mergeable(&m), 0);
}

/* Groups never meet, whatever happens. */
static void test_groups(void **state)
{
    uint64_t alone;

    (void)state;
    model_open(&m, next_seed(), DECIDE_INVALIDATES_ON, RING);
    for ( unsigned int i = 0; i < 8; i++ )
        add_guest(i, i / 2, true, FRAMES / 2);
    m.meanwhile = write_seldom;
    passes(6, write_a_little);
    m.meanwhile = NULL;
    passes(8, NULL);
    expect_effective(990, "four groups");
    model_check(&m, true);
    alone = m.saved;
    assert_true(alone > 0);
}

/* Domains die, leave, come under numbers that others had, while everything goes on. */
static void test_comings_and_goings(void **state)
{
    (void)state;
    model_open(&m, next_seed(), DECIDE_INVALIDATES_ON, RING);
    m.no_memory = 50;
    add_guests(3, true);
    for ( unsigned int i = 0; i < 40; i++ )
    {
        uint16_t domid = random_below(&m.random, MODEL_DOMAINS);
        uint64_t gfn;

        if ( !m.domains[domid].is_there )
            add_guest(domid, 7 + random_below(&m.random, 2), random_below(&m.random, 4),
                      1 + random_below(&m.random, FRAMES));
        else if ( random_below(&m.random, 2) )
            model_kill(&m, domid);
        else if ( m.domains[domid].is_member )
            model_leave(&m, domid);
        else
            model_join(&m, domid);
        if ( !m.domains[domid].is_there )
            continue;
        for ( unsigned int j = 0; j < 50; j++ )
        {
            gfn = random_below(&m.random, m.domains[domid].frames);
            model_give_up(&m, domid, gfn);
            gfn = random_below(&m.random, m.domains[domid].frames);
            m.domains[domid].pages[gfn].is_held = true;
        }
        passes(1, write_a_little);
        model_check(&m, false);
    }
    m.no_memory = 0;
    for ( unsigned int i = 0; i < MODEL_DOMAINS; i++ )
        for ( uint64_t gfn = 0; m.domains[i].is_there && gfn < m.domains[i].frames; gfn++ )
            m.domains[i].pages[gfn].is_held = false;
    /* What was held waits, but not longer than DECIDE_COOL_MAX. */
    passes(DECIDE_COOL_MAX + 4, NULL);
    /* Few are left at times, and they are such as do not share within. */
    expect_effective(850, "after comings and goings");
    model_check(&m, true);
}

/* A master has its most, and then there is another. */
static void test_sharers(void **state)
{
    struct decide_statistics statistics;

    (void)state;
    model_open(&m, next_seed(), DECIDE_INVALIDATES_ON, RING);
    for ( unsigned int i = 1; i <= 3; i++ )
    {
        model_create(&m, i, 1, true, FRAMES);
        for ( uint64_t gfn = 0; gfn < FRAMES; gfn++ )
            model_write(&m, i, gfn, gfn % 2 ? 0 : image(0));
        model_join(&m, i);
    }
    passes(3, NULL);
    expect_effective(999, "of two contents");
    assert_int_equal(m.most_sharers, SHARERS_MAX + 1);
    passes(5, write_much);
    passes(40, NULL);
    expect_effective(990, "of two contents, after load");
    decide_get_statistics(m.decide, &statistics);
    assert_true(statistics.masters_full >= 2 * (3 * FRAMES / 2 / (SHARERS_MAX + 1)));
    model_check(&m, true);
}

/* A page that is written after each of its merges costs less and less. */
static void test_cooling(void **state)
{
    uint64_t merges = 0, after;

    (void)state;
    model_open(&m, next_seed(), DECIDE_INVALIDATES_ON, RING);
    for ( unsigned int i = 1; i <= 2; i++ )
    {
        model_create(&m, i, 1, true, 1);
        model_write(&m, i, 0, image(1));
        model_join(&m, i);
    }
    for ( unsigned int pass = 0; pass < 1000; pass++ )
    {
        passes(1, NULL);
        if ( m.domains[1].pages[0].frame )
            model_write(&m, 1, 0, image(1));
        if ( m.domains[2].pages[0].frame )
            model_write(&m, 2, 0, image(1));
        if ( pass == 499 )
            merges = m.merges;
    }
    after = m.merges - merges;
    printf("merges of a hot page: %ju in the first 500 passes, then %ju\n", (uintmax_t)merges, (uintmax_t)after);
    assert_true(merges < 20);
    assert_true(after <= 2 * (500 / DECIDE_COOL_MAX + 1));
    /* Left in peace, it is one again within the longest wait, and in the end as good as any. */
    passes(DECIDE_COOL_MAX + 3, NULL);
    assert_int_equal(m.saved, 1);
}

/* With the comparison taken out the judge has something to say: he is not blind. */
static void test_judge(void **state)
{
    (void)state;
    model_open(&m, next_seed(), DECIDE_INVALIDATES_ON, RING);
    m.skips_comparison = true;
    m.meanwhile = write_seldom;
    add_guests(3, true);
    for ( unsigned int i = 0; i < 5; i++ )
        model_pass(&m, write_much);
    assert_true(m.wrong_bytes > 0);
    printf("wrong merges without the comparison: %ju\n", (uintmax_t)m.wrong_bytes);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_quiet, close_model),
        cmocka_unit_test_teardown(test_loaded, close_model),
        cmocka_unit_test_teardown(test_storm, close_model),
        cmocka_unit_test_teardown(test_without_invalidates, close_model),
        cmocka_unit_test_teardown(test_losses, close_model),
        cmocka_unit_test_teardown(test_all_lost, close_model),
        cmocka_unit_test_teardown(test_stock, close_model),
        cmocka_unit_test_teardown(test_within_off, close_model),
        cmocka_unit_test_teardown(test_alone, close_model),
        cmocka_unit_test_teardown(test_groups, close_model),
        cmocka_unit_test_teardown(test_comings_and_goings, close_model),
        cmocka_unit_test_teardown(test_sharers, close_model),
        cmocka_unit_test_teardown(test_cooling, close_model),
        cmocka_unit_test_teardown(test_judge, close_model),
    };
    int failed = 0;

    seed = random_seed();
    for ( unsigned int round = 0; round < ROUNDS && !failed; round++ )
        failed = cmocka_run_group_tests(tests, NULL, NULL);

    return failed;
}
