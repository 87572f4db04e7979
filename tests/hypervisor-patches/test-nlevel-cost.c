/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an event costs with N levels, in accesses to memory that hypervisor and domain share: one more a level to
 * raise one and one more to take one, and none for a domain's number of channels.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <xen/event-nlevel-bits.h>
#include <xen/event-nlevel-tree.h>

#include "tests/guest/nlevel-view.h"

#define DEPTH_TESTED    4
#define OCTETS          (XEN_NLEVEL_PAGES_MAX * 4096)

struct nlevel_cost nlevel_cost;

static uint32_t pending[OCTETS / 4], mask[OCTETS / 4], levels[1024], last[2];
static uint32_t *const levels_at = levels;
static struct nlevel_tree tree;
static struct nlevel_view view;
static const struct nlevel_selectors selectors = { .levels = &levels_at, .last = last };
static const struct nlevel_view_vcpu vcpu = { .levels = levels, .last = last };

static void open_world(unsigned int depth, unsigned int pages)
{
    unsigned int i;

    memset(pending, 0, sizeof(pending));
    memset(levels, 0, sizeof(levels));
    last[0] = last[1] = 0;
    nlevel_layout(&tree, depth, 6, pages);
    for ( i = 0; i < XEN_NLEVEL_PAGES_MAX; i++ )
    {
        tree.pending[i] = pending + i * 1024;
        tree.mask[i] = mask + i * 1024;
    }
    view = (struct nlevel_view){ .depth = depth, .word_shift = 6, .channels = tree.channels,
                                 .pending = pending, .mask = mask };
}

static struct nlevel_cost cost_of_raising(unsigned int channel)
{
    nlevel_cost = (struct nlevel_cost){ 0 };
    nlevel_set_pending(&tree, &selectors, channel, NULL);

    return nlevel_cost;
}

static void ignore(void *arg, unsigned int channel)
{
    (void)arg, (void)channel;
}

static struct nlevel_cost cost_of_taking(unsigned int expected)
{
    nlevel_cost = (struct nlevel_cost){ 0 };
    assert_int_equal(nlevel_view_take(&view, &vcpu, ignore, NULL), expected);

    return nlevel_cost;
}

static void is(struct nlevel_cost found, unsigned int locked, unsigned int loads)
{
    assert_int_equal(found.locked, locked);
    assert_int_equal(found.loads, loads);
}

/* Raising: pending, mask, and a selector a level; taking: a selector a level, both words, and pending. */
static void test_one(void **state)
{
    unsigned int depth;

    (void)state;
    for ( depth = 2; depth <= DEPTH_TESTED; depth++ )
    {
        open_world(depth, 1);
        is(cost_of_raising(7), 1 + (depth - 1), 1);
        is(cost_of_raising(7), 1, 0);           /* pending already */
        is(cost_of_raising(8), 2, 1);           /* its word is selected already */
        is(cost_of_taking(2), depth - 1 + 2, 2);
    }
}

/* The same with the largest domain. */
static void test_number_of_channels(void **state)
{
    (void)state;
    open_world(4, XEN_NLEVEL_PAGES_MAX);
    is(cost_of_raising(tree.channels - 1), 4, 1);
    is(cost_of_taking(1), 4, 2);
}

/* All of many: what is above the words is shared by 64, by 4,096 and so on. */
static void test_many(void **state)
{
    unsigned int i, count = 100000;
    struct nlevel_cost cost;

    (void)state;
    open_world(3, 8);
    for ( i = 0; i < count; i++ )
        cost_of_raising(i);
    cost = cost_of_taking(count);
    is(cost, count + (count + 4095) / 4096 + 1, 2 * ((count + 63) / 64));
    print_message("100,000 at once: %u locked instructions and %u loads to take them\n", cost.locked, cost.loads);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one),
        cmocka_unit_test(test_number_of_channels),
        cmocka_unit_test(test_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
