/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The index and the small tables against arrays that cannot be wrong: through growing and shrinking, full, with many
 * entries of one key; and what an entry costs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "daemons/xensharing/index.h"
#include "daemons/xensharing/table.h"

#include "../xenpaging/random.h"

#define PAGES (1U << 17)
/* Of one key: more than there is place for. */
#define MANY  (2 * INDEX_PROBES_MAX * INDEX_SLOTS)

static struct index x;
static uint64_t keys[PAGES];
static bool is_in[PAGES];
static uint64_t random_state, count;

static uint64_t key_of(const void *opaque, uint32_t page)
{
    assert_ptr_equal(opaque, keys);
    assert_true(page < PAGES && is_in[page]);
    return keys[page];
}

static int setup(void **state)
{
    (void)state;
    memset(is_in, 0, sizeof(is_in));
    count = 0;
    for ( uint32_t page = 0; page < PAGES; page++ )
        keys[page] = random_next(&random_state);
    return index_open(&x, key_of, keys);
}

static int teardown(void **state)
{
    (void)state;
    index_close(&x);
    index_close(&x);
    return 0;
}

static bool find(uint64_t key, uint32_t page)
{
    struct index_cursor cursor;
    uint32_t found;

    index_begin(&x, &cursor, key);
    while ( (found = index_next(&x, &cursor)) != INDEX_NONE )
    {
        assert_int_equal(keys[found], key);
        if ( found == page )
            return true;
    }

    return false;
}

static void insert(uint32_t page)
{
    is_in[page] = true;
    assert_int_equal(index_insert(&x, keys[page], page), 0);
    count++;
}

static void remove_page(uint32_t page)
{
    assert_true(index_remove(&x, keys[page], page));
    is_in[page] = false;
    count--;
}

static void check_all(void)
{
    assert_int_equal(x.used, count);
    for ( uint32_t page = 0; page < PAGES; page++ )
        assert_int_equal(find(keys[page], page), is_in[page]);
}

/* All pages in it, and nothing but its limit: 5.93 octets each; and all are found, the last as the first. */
static void test_full(void **state)
{
    (void)state;
    assert_int_equal(index_set_limit(&x, PAGES), 0);
    for ( uint32_t page = 0; page < PAGES; page++ )
    {
        insert(page);
        if ( page % 1000 == 0 )
            assert_true(find(keys[page / 2], page / 2));
        /* Never much more than is in it, and never more than was said. */
        assert_true(index_allocated(&x) <= index_need(PAGES));
        assert_true(index_allocated(&x) <= page * 10 + INDEX_LEAST * 64);
    }
    check_all();
    assert_int_equal(x.full, 0);
    assert_true(index_allocated(&x) <= PAGES * UINT64_C(594) / 100);
    for ( uint32_t page = 0; page < PAGES; page++ )
    {
        if ( page % 4 )
            remove_page(page);
    }
    /* While it shrinks, bucket by bucket, all that is left is found. */
    do
    {
        index_step(&x);
        for ( uint32_t page = 0; x.next % 16 == 0 && page < PAGES; page += 4 )
            assert_true(find(keys[page], page));
    } while ( x.old );
    assert_true(x.count < index_need(PAGES) / 64 / 2);
    for ( uint32_t page = 0; page < PAGES; page += 4 )
        remove_page(page);
    check_all();
    /* No mark is left of what went, but where there were too many to be counted. */
    for ( uint32_t i = 0; i < x.count; i++ )
        assert_true(!x.buckets[i].overflow || x.buckets[i].overflow == UINT8_MAX);
    /* It gives back what it had. */
    for ( unsigned int i = 0; i < 1000000 && (x.count > INDEX_LEAST || x.old); i++ )
        index_step(&x);
    assert_int_equal(index_allocated(&x), INDEX_LEAST * 64);
    assert_int_equal(index_set_limit(&x, 0), 0);
    assert_int_equal(x.reserved, INDEX_LEAST);
}

/* Insertions, removals and changes of size in no order, looked at while its order changes. */
static void test_random(void **state)
{
    (void)state;
    assert_int_equal(index_set_limit(&x, PAGES), 0);
    for ( unsigned int round = 0, bias = 50; round < 400000; round++ )
    {
        uint32_t page = random_below(&random_state, PAGES);

        /* It fills and empties, in waves. */
        if ( round % 50000 == 0 )
            bias = bias == 50 ? 95 : bias == 95 ? 5 : 95;
        if ( random_below(&random_state, 100) < bias )
        {
            if ( !is_in[page] )
                insert(page);
        }
        else if ( is_in[page] )
            remove_page(page);
        else
            assert_false(index_remove(&x, keys[page], page));
        if ( round % 16 == 0 )
            index_step(&x);
        page = random_below(&random_state, PAGES);
        assert_int_equal(find(keys[page], page), is_in[page]);
        if ( round % 40000 == 7 || (x.old && round % 10000 == 7) )
            check_all();
    }
    check_all();
    assert_int_equal(x.full, 0);
}

/* Many of one key: as many as the probes reach, and the others of that neighbourhood are still found. */
static void test_one_key(void **state)
{
    uint32_t placed = 0, page;

    (void)state;
    assert_int_equal(index_set_limit(&x, PAGES), 0);
    for ( page = 0; page < PAGES / 2; page++ )
        insert(page);
    for ( ; page < PAGES / 2 + MANY; page++ )
    {
        int rc;

        keys[page] = keys[0];
        is_in[page] = true;
        rc = index_insert(&x, keys[page], page);
        is_in[page] = !rc;
        if ( rc )
            assert_int_equal(rc, -ENOSPC);
        placed += !rc;
    }
    assert_in_range(placed, 1, INDEX_PROBES_MAX * INDEX_SLOTS);
    assert_int_equal(x.full, MANY - placed);
    count += placed;
    for ( page = 0; page < PAGES / 2 + MANY; page++ )
        if ( is_in[page] && keys[page] != keys[0] )
            assert_true(find(keys[page], page));
    for ( ; page-- > PAGES / 2; )
        if ( is_in[page] )
            remove_page(page);
    check_all();
}

/* The order goes back and forth while it is not done: growth, and at once the contrary. */
static void test_back_and_forth(void **state)
{
    uint32_t next = 0, first = 0;

    (void)state;
    assert_int_equal(index_set_limit(&x, PAGES), 0);
    for ( unsigned int wave = 0; wave < 20; wave++ )
    {
        uint32_t up = 1000 + random_below(&random_state, 4000), down = random_below(&random_state, up);

        for ( ; up && next < PAGES; up-- )
            insert(next++);
        for ( ; down; down-- )
            remove_page(first++);
        index_step(&x);
        check_all();
    }
}

/* It shrinks from very large to very small, and is filled again when that has only begun. */
static void test_shrinks_and_fills(void **state)
{
    uint32_t next = 0, first = 0;

    (void)state;
    assert_int_equal(index_set_limit(&x, PAGES), 0);
    while ( next < PAGES / 2 )
        insert(next++);
    while ( x.old )
        index_step(&x);
    while ( first < next - 200 )
        remove_page(first++);
    index_step(&x);
    assert_true(x.old > 16 * x.count);
    while ( next < PAGES )
        insert(next++);
    check_all();
    assert_int_equal(x.full, 0);
}

/* ---- tables ---- */

#define TABLE_KEYS 4096U

static uint64_t halve(uint64_t value)
{
    return value / 2;
}

static void test_table(void **state)
{
    static uint64_t model[TABLE_KEYS];
    struct table t;
    uint32_t used = 0;

    (void)state;
    memset(model, 0, sizeof(model));
    table_open(&t, TABLE_KEYS / 2);
    assert_int_equal(table_get(&t, 1), 0);
    table_remove(&t, 1);
    for ( unsigned int round = 0; round < 200000; round++ )
    {
        uint64_t key = random_below(&random_state, TABLE_KEYS), value = 1 + random_below(&random_state, 1000);

        if ( round % 3 )
        {
            bool is_set = table_set(&t, key, value);

            assert_int_equal(is_set, model[key] || used < TABLE_KEYS / 2);
            if ( is_set )
            {
                used += !model[key];
                model[key] = value;
            }
        }
        else
        {
            table_remove(&t, key);
            used -= model[key] != 0;
            model[key] = 0;
        }
        assert_int_equal(t.used, used);
        key = random_below(&random_state, TABLE_KEYS);
        assert_int_equal(table_get(&t, key), model[key]);
    }
    for ( uint64_t key = 0; key < TABLE_KEYS; key++ )
        assert_int_equal(table_get(&t, key), model[key]);
    /* Each is changed at least once; those that become nothing go. */
    for ( unsigned int i = 0; i < 12; i++ )
        table_change(&t, halve);
    assert_int_equal(t.used, 0);
    assert_true(table_set(&t, 5, 5));
    table_clear(&t);
    assert_int_equal(table_get(&t, 5), 0);
    table_close(&t);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_full, setup, teardown),
        cmocka_unit_test_setup_teardown(test_random, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_key, setup, teardown),
        cmocka_unit_test_setup_teardown(test_back_and_forth, setup, teardown),
        cmocka_unit_test_setup_teardown(test_shrinks_and_fills, setup, teardown),
        cmocka_unit_test(test_table),
    };

    random_state = random_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
