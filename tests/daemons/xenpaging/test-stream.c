/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sequential readers: found after three faults in either direction, windows that double and lie end to end, the
 * marker that fetches the next one, the ends of the frame space, and no windows for those who jump about.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "random.h"

#include "daemons/xenpaging/stream.h"

#define WINDOW_MAX 64U

static void expect_nothing(struct stream_window window)
{
    assert_int_equal(window.count, 0);
    assert_false(window.has_marker);
}

static void expect_window(struct stream_window window, uint64_t first, int step, unsigned int count)
{
    assert_int_equal(window.first, first);
    assert_int_equal(window.step, step);
    assert_int_equal(window.count, count);
}

/* A reader of either direction who never outruns his windows: all that follows comes from markers. */
static void follow(uint64_t start, int step)
{
    struct stream_window window;
    unsigned int count = STREAM_WINDOW_MIN;
    uint64_t next = start + step * 3;
    struct streams s;

    streams_init(&s, WINDOW_MAX);
    expect_nothing(streams_fault(&s, start));
    expect_nothing(streams_fault(&s, start + step));
    window = streams_fault(&s, start + step * 2);
    for ( unsigned int round = 0; round < 10; round++ )
    {
        expect_window(window, next, step, count);
        assert_true(window.has_marker);
        /* The marker lies in the window, so that it can be nominated, and not at its end, so that there is time. */
        assert_true((window.marker - next) * step < count - 1);
        expect_nothing(streams_marker(&s, window.marker + step * 1000));
        next += step * (int64_t)count;
        count = count * 2 < WINDOW_MAX ? count * 2 : WINDOW_MAX;
        window = streams_marker(&s, window.marker);
    }
    assert_int_equal(s.statistics.windows, 11);
    assert_int_equal(s.statistics.windows_used, 10);
    /* A marker counts once. */
    streams_marker(&s, window.marker);
    expect_nothing(streams_marker(&s, window.marker));
    /* One who was faster than his windows gets the next one where he faults. */
    next += step * (int64_t)(WINDOW_MAX * 2);
    expect_window(streams_fault(&s, next), next + step, step, WINDOW_MAX);
}

static void test_upwards(void **unused)
{
    (void)unused;
    follow(0, 1);
    follow(100000, 1);
}

static void test_downwards(void **unused)
{
    (void)unused;
    follow(100000, -1);
}

static void test_reaching_zero(void **unused)
{
    (void)unused;
    /* Every distance from frame 0: what is fetched lies end to end, and stops there. */
    for ( uint64_t start = 2; start < 300; start++ )
    {
        struct stream_window window, last = { 0 };
        struct streams s;
        uint64_t next = start - 3;

        streams_init(&s, WINDOW_MAX);
        streams_fault(&s, start);
        streams_fault(&s, start - 1);
        window = streams_fault(&s, start - 2);
        if ( start == 2 )
        {
            expect_nothing(window);
            continue;
        }
        while ( window.count )
        {
            assert_int_equal(window.first, next);
            assert_int_equal(window.step, -1);
            assert_true(window.count <= next + 1);
            next -= window.count;
            last = window;
            if ( next == UINT64_MAX )
            {
                assert_false(window.has_marker);
                break;
            }
            assert_true(window.has_marker);
            window = streams_marker(&s, window.marker);
        }
        assert_int_equal(next, UINT64_MAX);
        /* Nothing of it is left that could go on from there. */
        expect_nothing(streams_fault(&s, UINT64_MAX));
        expect_nothing(streams_fault(&s, last.first));
    }
}

static void test_highest(void **unused)
{
    struct streams s;

    (void)unused;
    streams_init(&s, WINDOW_MAX);
    for ( uint64_t gfn = UINT64_MAX - 100; gfn; gfn++ )
        streams_fault(&s, gfn);
    streams_fault(&s, 0);
    streams_fault(&s, 1);
}

/* A marker that is another page of its window is waited for, and the one that it was chosen for is not. */
static void test_moved_marker(void **unused)
{
    struct stream_window window;
    struct streams s;

    (void)unused;
    streams_init(&s, WINDOW_MAX);
    streams_fault(&s, 100);
    streams_fault(&s, 101);
    window = streams_fault(&s, 102);
    assert_true(window.has_marker && streams_knows_marker(&s, window.marker));
    streams_move_marker(&s, window.marker, window.marker + 1);
    assert_false(streams_knows_marker(&s, window.marker));
    expect_nothing(streams_marker(&s, window.marker));
    assert_true(streams_knows_marker(&s, window.marker + 1));
    expect_window(streams_marker(&s, window.marker + 1), 103 + STREAM_WINDOW_MIN, 1, STREAM_WINDOW_MIN * 2);
    /* Nobody's is not moved. */
    streams_move_marker(&s, 5, 6);
    assert_false(streams_knows_marker(&s, 6));
}

static void test_limits(void **unused)
{
    struct streams s;

    (void)unused;
    /* None are wanted. */
    streams_init(&s, 0);
    for ( uint64_t gfn = 0; gfn < 50; gfn++ )
        expect_nothing(streams_fault(&s, gfn));

    /* Too small for a marker: the next fault in order gets the next window. */
    for ( unsigned int most = 1; most < STREAM_WINDOW_MIN; most++ )
    {
        uint64_t gfn = 1000;

        streams_init(&s, most);
        streams_fault(&s, gfn++);
        streams_fault(&s, gfn++);
        for ( unsigned int round = 0; round < 5; round++, gfn += most + 1 )
        {
            struct stream_window window = streams_fault(&s, gfn);

            expect_window(window, gfn + 1, 1, most);
            assert_false(window.has_marker);
        }
        assert_int_equal(s.statistics.windows, 0);
    }
}

/* Eight readers at once, each in its own place, and one fault of a ninth. */
static void test_several(void **unused)
{
    struct streams s;

    (void)unused;
    streams_init(&s, WINDOW_MAX);
    for ( unsigned int i = 0; i < STREAM_RUN_MIN; i++ )
    {
        for ( uint64_t reader = 0; reader < STREAM_COUNT; reader++ )
        {
            struct stream_window window = streams_fault(&s, reader * 10000 + i);

            if ( i + 1 < STREAM_RUN_MIN )
                expect_nothing(window);
            else
                expect_window(window, reader * 10000 + i + 1, 1, STREAM_WINDOW_MIN);
        }
    }
    /* The one that was quiet longest makes room, the others go on. */
    expect_nothing(streams_fault(&s, 999999));
    expect_nothing(streams_fault(&s, STREAM_RUN_MIN + STREAM_WINDOW_MIN));
    for ( uint64_t reader = 2; reader < STREAM_COUNT; reader++ )
        assert_int_equal(streams_fault(&s, reader * 10000 + STREAM_RUN_MIN + STREAM_WINDOW_MIN).count,
                         2 * STREAM_WINDOW_MIN);
}

static void test_random_faults(void **unused)
{
    uint64_t random = random_seed();
    struct streams s;

    (void)unused;
    streams_init(&s, WINDOW_MAX);
    for ( unsigned int i = 0; i < 20000; i++ )
        expect_nothing(streams_fault(&s, random_below(&random, UINT64_C(1) << 27) * 2));
    assert_int_equal(s.statistics.windows, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_upwards),
        cmocka_unit_test(test_downwards),
        cmocka_unit_test(test_reaching_zero),
        cmocka_unit_test(test_highest),
        cmocka_unit_test(test_moved_marker),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_several),
        cmocka_unit_test(test_random_faults),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
