/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Quantiles of the histogram against a sorted array of the same durations: never below the true one, and
 * above it by less than the width of a bucket.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "random.h"

#include "daemons/xenpaging/latency.h"

#define DURATIONS 5000U

static const unsigned int shares[] = { 0, 1, 10, 250, 500, 900, 990, 999, 1000 };

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static void expect_quantiles(const uint64_t *sorted, uint64_t count)
{
    struct latency l;

    memset(&l, 0, sizeof(l));
    for ( uint64_t i = 0; i < count; i++ )
        latency_add(&l, sorted[i]);
    assert_int_equal(l.count, count);
    assert_int_equal(l.longest, sorted[count - 1]);
    for ( unsigned int i = 0; i < sizeof(shares) / sizeof(shares[0]); i++ )
    {
        uint64_t rank = (count * shares[i] + 999) / 1000;
        uint64_t exact = sorted[rank ? rank - 1 : 0];
        uint64_t told = latency_quantile(&l, shares[i]);

        assert_true(told >= exact);
        assert_true(told <= l.longest);
        /* One more for the bound of a bucket, which is the first duration behind it. */
        assert_true(told <= exact + exact / 4 + 1);
    }
    assert_int_equal(latency_quantile(&l, 1000), l.longest);
}

static void test_random(void **unused)
{
    static uint64_t durations[DURATIONS];
    uint64_t random = random_seed();

    (void)unused;
    for ( unsigned int round = 0; round < 60; round++ )
    {
        uint64_t count = 1 + random_below(&random, round < 30 ? 20 : DURATIONS);
        unsigned int widest = 1 + random_below(&random, LATENCY_DOUBLINGS);

        for ( uint64_t i = 0; i < count; i++ )
            durations[i] = random_below(&random, UINT64_C(1) << random_below(&random, widest + 1));
        qsort(durations, count, sizeof(durations[0]), compare);
        expect_quantiles(durations, count);
    }
}

/* Each bound of each bucket, from both sides. */
static void test_bounds(void **unused)
{
    (void)unused;
    for ( unsigned int doubling = 0; doubling < LATENCY_DOUBLINGS; doubling++ )
    {
        for ( unsigned int quarter = 0; quarter < 4; quarter++ )
        {
            uint64_t bound = (UINT64_C(1) << doubling) + ((UINT64_C(1) << doubling) * quarter >> 2);
            uint64_t pair[2] = { bound - 1, bound };

            expect_quantiles(pair, 2);
        }
    }
}

static void test_nothing_and_too_much(void **unused)
{
    struct latency l;

    (void)unused;
    memset(&l, 0, sizeof(l));
    assert_int_equal(latency_quantile(&l, 500), 0);
    latency_add(&l, 0);
    assert_int_equal(latency_quantile(&l, 500), 0);
    latency_add(&l, UINT64_MAX);
    assert_int_equal(l.longest, UINT64_MAX);
    assert_int_equal(l.count, 2);
    /* What is beyond the last bucket is at least told to be long. */
    assert_true(latency_quantile(&l, 1000) >= UINT64_C(1) << LATENCY_DOUBLINGS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_nothing_and_too_much),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
