/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The share of a CPU that is used, over clocks that the test turns; and what may be promised of memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemons/xensharing/estimate.h"
#include "daemons/xensharing/pace.h"

#define MS 1000000ULL

/* Works in pieces of so much CPU time as long as it may, for so long; what was used, per mille. */
static unsigned int run(uint32_t percent, uint64_t piece, uint64_t threads, uint64_t idle)
{
    struct pace pace = { .percent = percent };
    uint64_t wall = idle, used = 0, end = idle + 20000 * MS;

    assert_int_equal(pace_wait_at(&pace, wall, used), 0);
    while ( wall < end )
    {
        uint64_t wait = pace_wait_at(&pace, wall, used);

        if ( wait )
            wall += wait;
        else
        {
            wall += piece;
            used += piece * threads;
        }
    }
    return used * 1000 / (wall - idle);
}

static void the_cap_is_used_and_kept(void **state)
{
    static const uint32_t percents[] = { 1, 5, 20, 50, 90, 100 };

    (void)state;
    for ( unsigned int i = 0; i < sizeof(percents) / sizeof(percents[0]); i++ )
    {
        unsigned int permille = run(percents[i], 2 * MS, 1, 0);

        /* What was saved up is a quarter of a second's at most. */
        assert_in_range(permille, percents[i] * 10 * 97 / 100, percents[i] * 10 * 103 / 100 + 13);
    }
    /* Four threads, one and a half CPUs. */
    assert_in_range(run(150, 2 * MS, 4, 0), 1450, 1550);
    /* A long sleep is no reason for a burst. */
    assert_in_range(run(20, 2 * MS, 1, 3600000 * MS), 195, 215);
}

static void promises_end(void **state)
{
    struct memory_info memory = { .pages = 1000, .pages_free = 500 };
    struct estimate estimate = { .merging = true };

    (void)state;
    estimate_update(&estimate, &memory, 80);
    assert_true(estimate.merging);
    assert_int_equal(estimate.percent, 50);
    memory.pages_saved = 290;
    estimate_update(&estimate, &memory, 80);
    assert_true(estimate.merging);
    memory.pages_saved = 300;
    estimate_update(&estimate, &memory, 80);
    assert_false(estimate.merging);
    assert_int_equal(estimate.need, 300);
    /* A page less is not enough to begin again. */
    memory.pages_saved = 290;
    estimate_update(&estimate, &memory, 80);
    assert_false(estimate.merging);
    memory.pages_saved = 270;
    estimate_update(&estimate, &memory, 80);
    assert_true(estimate.merging);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_cap_is_used_and_kept),
        cmocka_unit_test(promises_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
