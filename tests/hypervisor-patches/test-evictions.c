/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Evictions under way: who has to put a page back learns whether the frame has been in and out again since, whatever
 * others are under way and in whatever order they end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <xen/memevent-evictions.h>

#define EVICTIONS 8
#define GFNS      3     /* few, so that most are overtaken */
#define STEPS     100000

static struct memevent_evictions evictions;

static void test_alone(void **state)
{
    struct memevent_eviction one, other;

    (void)state;
    memevent_evictions_init(&evictions);
    memset(&one, 0xff, sizeof(one));
    memevent_eviction_begin(&evictions, &one, 7);
    memevent_eviction_begin(&evictions, &other, 8);
    assert_true(memevent_eviction_end(&evictions, &one));
    assert_true(memevent_eviction_end(&evictions, &other));
    /* One that is over overtakes nobody, and is not overtaken. */
    memevent_eviction_begin(&evictions, &one, 8);
    assert_true(memevent_eviction_end(&evictions, &one));
    assert_null(evictions.first);
}

/*
 * The frame is out both before and after, and looks the same: taken out, loaded, written by its guest, taken out once more
 * before the first copy has failed.  The older page must not come back.
 */
static void test_out_again(void **state)
{
    struct memevent_eviction older, newer;
    unsigned int older_first;

    (void)state;
    for ( older_first = 0; older_first < 2; older_first++ )
    {
        memevent_evictions_init(&evictions);
        memevent_eviction_begin(&evictions, &older, 7);
        memevent_eviction_begin(&evictions, &newer, 7);
        if ( older_first )
            assert_false(memevent_eviction_end(&evictions, &older));
        assert_true(memevent_eviction_end(&evictions, &newer));
        if ( !older_first )
            assert_false(memevent_eviction_end(&evictions, &older));
        assert_null(evictions.first);
    }
}

/* Against numbers: an eviction is overtaken if its frame's number of goings out has changed. */
static void test_any_order(void **state)
{
    struct memevent_eviction under_way[EVICTIONS];
    uint64_t goings[GFNS] = { 0 }, begun[EVICTIONS] = { 0 };
    unsigned int step, overtaken = 0, right = 0;

    (void)state;
    memevent_evictions_init(&evictions);
    for ( step = 0; step < STEPS; step++ )
    {
        unsigned int i = rand() % EVICTIONS, gfn = rand() % GFNS;

        if ( !begun[i] )
        {
            memevent_eviction_begin(&evictions, &under_way[i], gfn);
            begun[i] = ++goings[gfn];
        }
        else
        {
            bool newest = begun[i] == goings[under_way[i].gfn];

            assert_int_equal(memevent_eviction_end(&evictions, &under_way[i]), newest);
            begun[i] = 0;
            overtaken += !newest;
            right += newest;
        }
    }
    assert_true(overtaken && right);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alone),
        cmocka_unit_test(test_out_again),
        cmocka_unit_test(test_any_order),
    };
    unsigned int seed = time(NULL);

    print_message("seed %u\n", seed);
    srand(seed);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
