/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ids of outstanding requests: which are outstanding, which were answered, which never were.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "memevent/outstanding.h"

#define LIMIT 8

static void test_every_id_is_new_and_never_zero(void **state)
{
    struct outstanding table;
    uint64_t ids[1000], id;
    unsigned int i, j;
    int index;

    (void)state;

    assert_int_equal(outstanding_open(&table, LIMIT, 0), 0);
    for ( i = 0; i < 1000; i++ )
    {
        index = outstanding_take(&table, &ids[i]);
        assert_in_range(index, 0, LIMIT - 1);
        assert_int_not_equal(ids[i], 0);
        assert_int_equal(outstanding_release(&table, ids[i]), index);
    }
    for ( i = 0; i < 1000; i++ )
    {
        for ( j = 0; j < i; j++ )
            assert_int_not_equal(ids[i], ids[j]);
        assert_int_equal(outstanding_release(&table, ids[i]), -EALREADY);
    }
    assert_int_equal(table.count, 0);
    assert_true(outstanding_take(&table, &id) >= 0);
    outstanding_close(&table);
}

static void test_holds_its_limit_and_no_more(void **state)
{
    struct outstanding table;
    bool seen[LIMIT] = { false };
    uint64_t ids[LIMIT], id;
    unsigned int i;
    int index;

    (void)state;

    assert_int_equal(outstanding_open(&table, LIMIT, 12345), 0);
    for ( i = 0; i < LIMIT; i++ )
    {
        index = outstanding_take(&table, &ids[i]);
        assert_in_range(index, 0, LIMIT - 1);
        assert_false(seen[index]);
        seen[index] = true;
    }
    assert_int_equal(outstanding_take(&table, &id), -ENOSPC);
    assert_true(outstanding_release(&table, ids[3]) >= 0);
    assert_true(outstanding_take(&table, &id) >= 0);
    assert_int_equal(outstanding_take(&table, &id), -ENOSPC);
    outstanding_close(&table);
}

static void test_tells_answered_from_unknown(void **state)
{
    const uint64_t one_use = UINT64_C(1) << OUTSTANDING_INDEX_BITS;
    struct outstanding table;
    uint64_t id;

    (void)state;

    assert_int_equal(outstanding_open(&table, LIMIT, 12345), 0);
    assert_true(outstanding_take(&table, &id) >= 0);

    assert_int_equal(outstanding_release(&table, 0), -ENOENT);
    assert_int_equal(outstanding_release(&table, UINT64_MAX), -ENOENT);
    assert_int_equal(outstanding_release(&table, id + 1), -ENOENT);         /* a place not used yet */
    assert_int_equal(outstanding_release(&table, id + LIMIT), -ENOENT);     /* no such place */
    assert_int_equal(outstanding_release(&table, id + one_use), -ENOENT);   /* not given out yet */
    assert_int_equal(outstanding_release(&table, id - one_use), -ENOENT);   /* an earlier attachment's */
    assert_int_equal(outstanding_release(&table, id >> OUTSTANDING_INDEX_BITS << OUTSTANDING_INDEX_BITS),
                     -ENOENT);

    assert_true(outstanding_release(&table, id) >= 0);
    assert_int_equal(outstanding_release(&table, id), -EALREADY);
    outstanding_close(&table);
}

static void test_generations_wrap(void **state)
{
    const uint64_t last = (UINT64_C(1) << (64 - OUTSTANDING_INDEX_BITS)) - 1;
    struct outstanding table;
    uint64_t before, after;

    (void)state;

    assert_int_equal(outstanding_open(&table, 1, last - 1), 0);
    assert_true(outstanding_take(&table, &before) >= 0);
    assert_true(outstanding_release(&table, before) >= 0);
    assert_true(outstanding_take(&table, &after) >= 0);
    assert_true(after < before);
    assert_int_equal(outstanding_release(&table, before), -EALREADY);
    assert_true(outstanding_release(&table, after) >= 0);
    outstanding_close(&table);
}

static void test_refuses_limits_that_ids_cannot_name(void **state)
{
    struct outstanding table;
    uint64_t id;
    uint32_t i;

    (void)state;

    assert_int_equal(outstanding_open(&table, 0, 0), -EINVAL);
    assert_int_equal(outstanding_open(&table, OUTSTANDING_LIMIT_MAX + 1, 0), -EINVAL);
    outstanding_close(&table);

    assert_int_equal(outstanding_open(&table, OUTSTANDING_LIMIT_MAX, 0), 0);
    for ( i = 0; i < OUTSTANDING_LIMIT_MAX; i++ )
        assert_int_equal(outstanding_take(&table, &id), i);
    assert_int_equal(outstanding_release(&table, id), OUTSTANDING_LIMIT_MAX - 1);
    outstanding_close(&table);
}

static void test_a_later_attachment_begins_above(void **state)
{
    uint64_t first = outstanding_first_generation();

    (void)state;

    assert_true(first > 0);
    assert_true(outstanding_first_generation() >= first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_id_is_new_and_never_zero),
        cmocka_unit_test(test_holds_its_limit_and_no_more),
        cmocka_unit_test(test_tells_answered_from_unknown),
        cmocka_unit_test(test_generations_wrap),
        cmocka_unit_test(test_refuses_limits_that_ids_cannot_name),
        cmocka_unit_test(test_a_later_attachment_begins_above),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
