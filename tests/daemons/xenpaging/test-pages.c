/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Records of frames against a plain array of states: the counts add up after every step, a walk meets every
 * record once and in order, and the borders of the frame space hold.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "random.h"

#include "daemons/xenpaging/pages.h"

/* Stretches of frames far apart: the first, two neighbours, one behind a gap, and the last there can be. */
static const uint64_t stretches[] = {
    0, PAGES_CHUNK * 7, PAGES_CHUNK * 8, PAGES_CHUNK * 1000, PAGES_LIMIT - PAGES_CHUNK,
};

#define STRETCHES (sizeof(stretches) / sizeof(stretches[0]))

#define STEPS 200000U

struct model {
    bool made;
    uint8_t state[PAGES_CHUNK];
    uint32_t since[PAGES_CHUNK];
};

static struct model model[STRETCHES];

static void expect_counts(const struct pages *pages)
{
    uint64_t counts[PAGE_STATES] = { 0 }, all = 0;

    for ( unsigned int s = 0; s < STRETCHES; s++ )
        for ( unsigned int i = 0; i < PAGES_CHUNK && model[s].made; i++ )
            counts[model[s].state[i]]++;
    for ( unsigned int state = 0; state < PAGE_STATES; state++ )
    {
        assert_int_equal(pages_count(pages, state), counts[state]);
        all += counts[state];
    }
    assert_int_equal(all % PAGES_CHUNK, 0);
}

static void expect_walk(const struct pages *pages)
{
    uint64_t gfn = 0;

    for ( unsigned int s = 0; s < STRETCHES; s++ )
    {
        for ( unsigned int i = 0; i < PAGES_CHUNK && model[s].made; i++, gfn++ )
        {
            const struct page *page = pages_next(pages, &gfn);

            assert_non_null(page);
            assert_int_equal(gfn, stretches[s] + i);
            assert_ptr_equal(page, pages_find(pages, gfn));
            assert_int_equal(page->state, model[s].state[i]);
            assert_int_equal(page->since, model[s].since[i]);
        }
    }
    assert_null(pages_next(pages, &gfn));
}

static void test_model(void **unused)
{
    uint64_t random = random_seed();
    struct pages *pages;

    (void)unused;
    assert_int_equal(pages_open(&pages), 0);
    expect_walk(pages);
    for ( unsigned int step = 0; step < STEPS; step++ )
    {
        unsigned int s = random_below(&random, STRETCHES), i = random_below(&random, PAGES_CHUNK);
        uint64_t gfn = stretches[s] + i;
        struct page *page = pages_find(pages, gfn);
        enum page_state state = random_below(&random, PAGE_STATES);

        assert_true(!page == !model[s].made);
        /* The stretches come one after the other, so that each way of growing is seen. */
        if ( !page && random_below(&random, 200) )
            continue;
        page = pages_make(pages, gfn);
        assert_non_null(page);
        assert_ptr_equal(pages_make(pages, gfn), page);
        model[s].made = true;
        assert_int_equal(page->state, model[s].state[i]);

        page->flags = PAGE_MARKER | PAGE_LOADING;
        pages_set(pages, page, state, step);
        assert_int_equal(page->flags, 0);
        model[s].state[i] = state;
        model[s].since[i] = step;
        if ( step % 997 == 0 )
            expect_counts(pages);
    }
    expect_counts(pages);
    expect_walk(pages);
    pages_close(pages);
}

static void test_borders(void **unused)
{
    struct pages *pages;
    uint64_t gfn = 5;

    (void)unused;
    assert_int_equal(pages_open(&pages), 0);
    assert_null(pages_find(pages, 0));
    assert_null(pages_find(pages, UINT64_MAX));
    assert_null(pages_make(pages, PAGES_LIMIT));
    assert_null(pages_make(pages, UINT64_MAX));
    /* A number that is small again when it is cut to 32 bits. */
    assert_null(pages_make(pages, UINT64_C(1) << (32 + PAGES_CHUNK_SHIFT)));
    assert_null(pages_find(pages, UINT64_C(1) << (32 + PAGES_CHUNK_SHIFT)));
    assert_null(pages_next(pages, &gfn));
    assert_null(pages_pick(pages, 12345, &gfn));
    assert_int_equal(pages_count(pages, PAGE_ABSENT), 0);

    assert_non_null(pages_make(pages, PAGES_LIMIT - 1));
    assert_null(pages_find(pages, PAGES_LIMIT));
    gfn = 0;
    assert_non_null(pages_next(pages, &gfn));
    assert_int_equal(gfn, PAGES_LIMIT - PAGES_CHUNK);
    gfn = PAGES_LIMIT;
    assert_null(pages_next(pages, &gfn));
    gfn = UINT64_MAX;
    assert_null(pages_next(pages, &gfn));
    pages_close(pages);
    pages_close(NULL);
}

/* Every frame that has a record can be picked, and no other. */
static void test_pick(void **unused)
{
    uint64_t random = random_seed(), gfn;
    static bool seen[2][PAGES_CHUNK];
    struct pages *pages;

    (void)unused;
    assert_int_equal(pages_open(&pages), 0);
    pages_make(pages, PAGES_CHUNK * 3);
    pages_make(pages, PAGES_CHUNK * 90);
    for ( unsigned int i = 0; i < PAGES_CHUNK * 40; i++ )
    {
        const struct page *page = pages_pick(pages, random_next(&random), &gfn);

        assert_non_null(page);
        assert_ptr_equal(page, pages_find(pages, gfn));
        seen[gfn >= PAGES_CHUNK * 90][gfn % PAGES_CHUNK] = true;
    }
    for ( unsigned int i = 0; i < PAGES_CHUNK; i++ )
        assert_true(seen[0][i] && seen[1][i]);
    pages_close(pages);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model),
        cmocka_unit_test(test_borders),
        cmocka_unit_test(test_pick),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
