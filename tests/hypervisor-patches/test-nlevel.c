/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Event channels of N levels, the hypervisor's side against a domain's own: geometry, refusals, and at every depth
 * and both widths of a word each event found once by whom it is for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xen/event-nlevel-tree.h>

#include "tests/guest/nlevel-view.h"

#define PAGE_OCTETS     4096u
#define VCPUS           2
#define DEPTH_TESTED    4
#define SEED            20u
#define STEPS           20000

#define SIZE(type, octets)          assert_int_equal(sizeof(type), octets);
#define PLACE(type, field, offset)  assert_int_equal(offsetof(type, field), offset);

static void test_tables(void **state)
{
    (void)state;
    XEN_NLEVEL_LAYOUT(SIZE, PLACE);
    assert_int_equal(XEN_NLEVEL_CHANNELS_A_PAGE, PAGE_OCTETS * 8);
}

static const struct geometry {
    unsigned int depth, word_shift, pages, channels, octets;
} geometries[] = {
    { 2, 6, 1, 4096, 0 },
    { 2, 5, 1, 1024, 0 },
    { 3, 5, 1, 32768, 128 },
    { 3, 6, 1, 32768, 64 },
    { 3, 6, 8, 262144, 512 },
    { 4, 6, 1, 32768, 72 },
    { 4, 6, 8, 262144, 520 },
    { 4, 6, 16, 524288, 1040 },
    { 4, 5, 16, 524288, 2112 },
};

static void test_geometry(void **state)
{
    struct nlevel_tree tree;
    unsigned int i;

    (void)state;
    for ( i = 0; i < sizeof(geometries) / sizeof(geometries[0]); i++ )
    {
        const struct geometry *one = &geometries[i];

        assert_int_equal(nlevel_check(one->depth, one->word_shift, one->pages), 0);
        nlevel_layout(&tree, one->depth, one->word_shift, one->pages);
        assert_int_equal(tree.channels, one->channels);
        assert_int_equal(nlevel_selectors_octets(&tree), one->octets);
        assert_true(nlevel_selectors_octets(&tree) <= PAGE_OCTETS);
    }
}

static const struct refusal {
    unsigned int depth, word_shift, pages;
    int error;
} refusals[] = {
    { 0, 6, 1, -EDOM },
    { 1, 6, 1, -EDOM },
    { XEN_NLEVEL_DEPTH_MAX + 1, 6, 1, -EDOM },
    { UINT32_MAX, 6, 1, -EDOM },
    { 3, 6, 0, -EINVAL },
    { 4, 6, XEN_NLEVEL_PAGES_MAX + 1, -E2BIG },
    { 4, 6, UINT32_MAX, -E2BIG },
    { 3, 6, 9, -E2BIG },
    { 3, 5, 2, -E2BIG },
    { 2, 6, 2, -E2BIG },
};

static void test_refusals(void **state)
{
    unsigned int i;

    (void)state;
    for ( i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++ )
    {
        const struct refusal *one = &refusals[i];

        assert_int_equal(nlevel_check(one->depth, one->word_shift, one->pages), one->error);
    }
}

/* ---- both sides on the same memory ---- */

static struct world {
    struct nlevel_tree tree;
    struct nlevel_view view;
    struct nlevel_selectors selectors[VCPUS];
    struct nlevel_view_vcpu vcpus[VCPUS];
    uint32_t *levels[VCPUS];
    uint64_t last[VCPUS];
    uint8_t *bits[2];
    unsigned int last_taken;
    uint8_t *times;             /* each channel was taken */
} world;

static void open_world(unsigned int depth, unsigned int word_shift, unsigned int pages)
{
    unsigned int i;

    memset(&world, 0, sizeof(world));
    nlevel_layout(&world.tree, depth, word_shift, pages);
    for ( i = 0; i < 2; i++ )
    {
        world.bits[i] = aligned_alloc(PAGE_OCTETS, pages * PAGE_OCTETS);
        assert_non_null(world.bits[i]);
        memset(world.bits[i], 0, pages * PAGE_OCTETS);
    }
    for ( i = 0; i < pages; i++ )
    {
        world.tree.pending[i] = (void *)(world.bits[0] + i * PAGE_OCTETS);
        world.tree.mask[i] = (void *)(world.bits[1] + i * PAGE_OCTETS);
    }
    world.view = (struct nlevel_view){ .depth = depth, .word_shift = word_shift, .channels = world.tree.channels,
                                       .pending = (void *)world.bits[0], .mask = (void *)world.bits[1] };
    for ( i = 0; i < VCPUS; i++ )
    {
        world.selectors[i].last = world.vcpus[i].last = (uint32_t *)&world.last[i];
        world.vcpus[i].levels = calloc(PAGE_OCTETS, 1);
        assert_non_null(world.vcpus[i].levels);
        world.levels[i] = world.vcpus[i].levels;
        world.selectors[i].levels = &world.levels[i];
    }
    world.times = calloc(world.tree.channels, 1);
    assert_non_null(world.times);
}

static void close_world(void)
{
    unsigned int i;

    for ( i = 0; i < VCPUS; i++ )
        free(world.vcpus[i].levels);
    free(world.bits[0]);
    free(world.bits[1]);
    free(world.times);
}

static void note(void *arg, unsigned int channel)
{
    (void)arg;
    assert_true(channel < world.tree.channels);
    world.times[channel]++;
    world.last_taken = channel;
}

static unsigned int take(unsigned int vcpu)
{
    return nlevel_view_take(&world.view, &world.vcpus[vcpu], note, NULL);
}

static bool raise(unsigned int vcpu, unsigned int channel)
{
    return nlevel_set_pending(&world.tree, &world.selectors[vcpu], channel, NULL);
}

/* All pages that a depth can number, or that the ABI allows. */
static unsigned int most_pages(unsigned int depth, unsigned int word_shift)
{
    unsigned int pages = XEN_NLEVEL_PAGES_MAX;

    while ( pages > 1 && (uint64_t)(pages - 1) * XEN_NLEVEL_CHANNELS_A_PAGE >= UINT64_C(1) << (depth * word_shift) )
        pages--;

    return pages;
}

static void with_all_depths(void (*check)(void))
{
    unsigned int depth, word_shift;

    for ( depth = 1; depth <= DEPTH_TESTED; depth++ )
        for ( word_shift = 5; word_shift <= 6; word_shift++ )
        {
            open_world(depth, word_shift, most_pages(depth, word_shift));
            check();
            close_world();
        }
}

static void check_each_channel(void)
{
    unsigned int channel, pages = 0;

    for ( channel = 0; channel < world.tree.channels; channel++ )
    {
        bool before;

        assert_true(nlevel_set_pending(&world.tree, &world.selectors[0], channel, &before));
        assert_false(before);
        assert_true(nlevel_is_pending(&world.tree, channel));
        assert_true(nlevel_is_selected(&world.tree, &world.selectors[0], channel));
        /* Again: nothing is to be done, by anybody. */
        assert_false(nlevel_set_pending(&world.tree, &world.selectors[0], channel, &before));
        assert_true(before);
        /* The other vCPU's selectors say nothing; with one level there are none. */
        if ( world.tree.depth > 1 )
            assert_int_equal(take(1), 0);
        assert_int_equal(take(0), 1);
        assert_int_equal(world.last_taken, channel);
        assert_false(nlevel_is_pending(&world.tree, channel));
        pages += !(channel % XEN_NLEVEL_CHANNELS_A_PAGE);
    }
    assert_int_equal(pages, most_pages(world.tree.depth, world.tree.word_shift));
    assert_int_equal(take(0), 0);
}

static void test_each_channel(void **state)
{
    (void)state;
    with_all_depths(check_each_channel);
}

/* One is told of the first; all are taken at once, each once. */
static void check_all_at_once(void)
{
    unsigned int channel, told = 0;

    for ( channel = 0; channel < world.tree.channels; channel++ )
        told += raise(0, channel);
    if ( world.tree.depth > 1 )
        assert_int_equal(told, ((world.tree.channels - 1) >> ((world.tree.depth - 1) * world.tree.word_shift)) + 1);
    assert_int_equal(take(0), world.tree.channels);
    for ( channel = 0; channel < world.tree.channels; channel++ )
        assert_int_equal(world.times[channel], 1);
    assert_int_equal(take(0), 0);
}

static void test_all_at_once(void **state)
{
    (void)state;
    with_all_depths(check_all_at_once);
}

static void check_mask(void)
{
    unsigned int channel, step = world.tree.channels / 1024 + 1;

    for ( channel = 0; channel < world.tree.channels; channel += step )
    {
        nlevel_view_mask(&world.view, channel);
        assert_true(nlevel_is_masked(&world.tree, channel));
        assert_false(raise(0, channel));
        assert_true(nlevel_is_pending(&world.tree, channel));
        assert_int_equal(take(0), 0);
        assert_true(nlevel_unmask(&world.tree, &world.selectors[0], channel));
        assert_false(nlevel_unmask(&world.tree, &world.selectors[0], channel));
        assert_int_equal(take(0), 1);

        /* Not pending: nothing to be found. */
        nlevel_view_mask(&world.view, channel);
        assert_false(nlevel_unmask(&world.tree, &world.selectors[0], channel));
        assert_int_equal(take(0), 0);

        /* The same by the domain itself. */
        nlevel_view_mask(&world.view, channel);
        assert_false(nlevel_view_unmask(&world.view, &world.vcpus[0], channel));
        nlevel_view_mask(&world.view, channel);
        raise(0, channel);
        assert_true(nlevel_view_unmask(&world.view, &world.vcpus[0], channel));
        assert_int_equal(take(0), 1);

        /* Closed while it was pending. */
        raise(0, channel);
        nlevel_clear_pending(&world.tree, channel);
        assert_int_equal(take(0), 0);
    }
}

static void test_mask(void **state)
{
    (void)state;
    with_all_depths(check_mask);
}

/* Before a vCPU has selectors: kept, and found when it has; what stands for no channel is passed over. */
static void check_late_selectors(void)
{
    unsigned int channels[] = { 1, world.tree.channels / 2, world.tree.channels - 1 }, i;
    uint32_t *levels = world.levels[0];

    if ( world.tree.depth < 3 )
        return;
    world.levels[0] = NULL;
    for ( i = 0; i < 3; i++ )
        assert_false(raise(0, channels[i]));
    assert_int_equal(take(0), 0);
    world.levels[0] = levels;
    assert_false(nlevel_is_selected(&world.tree, &world.selectors[0], 1));
    nlevel_select_all(&world.tree, &world.selectors[0], world.tree.channels);
    assert_int_equal(take(0), 3);
    for ( i = 0; i < 3; i++ )
        assert_int_equal(world.times[channels[i]], 1);

    memset(&world.last[0], 0xff, 1u << world.tree.word_shift >> 3);
    assert_int_equal(take(0), 0);
    assert_true(raise(0, 5));
    assert_int_equal(take(0), 1);
}

static void test_late_selectors(void **state)
{
    (void)state;
    with_all_depths(check_late_selectors);
}

/* All sorts of things to a few channels, against sets that say what has to be. */
static void check_history(void)
{
    enum { KNOWN = 32 };         /* as many as the smallest world has */
    bool pending[KNOWN] = { false }, masked[KNOWN] = { false };
    unsigned int i, step, which, channel[KNOWN], owed;

    srand(SEED);
    for ( i = 0; i < KNOWN; i++ )
        channel[i] = (uint64_t)i * (world.tree.channels - 1) / (KNOWN - 1);
    for ( step = 0; step < STEPS; step++ )
    {
        which = (unsigned int)rand() % KNOWN;
        switch ( rand() % 6 )
        {
        case 0:
        case 1:
            raise(0, channel[which]);
            pending[which] = true;
            break;
        case 2:
            nlevel_view_mask(&world.view, channel[which]);
            masked[which] = true;
            break;
        case 3:
            if ( rand() % 2 )
                nlevel_unmask(&world.tree, &world.selectors[0], channel[which]);
            else
                nlevel_view_unmask(&world.view, &world.vcpus[0], channel[which]);
            masked[which] = false;
            break;
        case 4:
            nlevel_clear_pending(&world.tree, channel[which]);
            pending[which] = false;
            break;
        default:
            owed = 0;
            for ( i = 0; i < KNOWN; i++ )
                if ( pending[i] && !masked[i] )
                {
                    owed++;
                    pending[i] = false;
                }
            assert_int_equal(take(0), owed);
        }
    }
}

static void test_history(void **state)
{
    (void)state;
    print_message("seed %u\n", SEED);
    with_all_depths(check_history);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_geometry),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_each_channel),
        cmocka_unit_test(test_all_at_once),
        cmocka_unit_test(test_mask),
        cmocka_unit_test(test_late_selectors),
        cmocka_unit_test(test_history),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
