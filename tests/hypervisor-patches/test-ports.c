/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The set of taken ports: always the lowest free one, whatever was taken and given back before, compared with an
 * array of octets that is searched from its beginning.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xen/event-ports.h>

#define MANY (3 * PORT_LEAF_PORTS + 77)     /* several leaves, and one that ends within a word */

static bool no_memory;

bool shim_out_of_memory(void);
bool shim_out_of_memory(void)
{
    return no_memory;
}

static unsigned int searched(const uint8_t *taken, unsigned int limit, unsigned int from)
{
    while ( from < limit && taken[from] )
        from++;

    return from < limit ? from : limit;
}

static void test_lowest_first(void **state)
{
    static const unsigned int limits[] = { 1, 2, 63, 64, 65, PORT_LEAF_PORTS - 1, PORT_LEAF_PORTS,
                                           PORT_LEAF_PORTS + 1, 70 * PORT_LEAF_PORTS, MANY };
    (void)state;

    for ( unsigned int i = 0; i < sizeof(limits) / sizeof(*limits); i++ )
    {
        struct port_set set;

        assert_int_equal(port_set_init(&set, limits[i]), 0);
        for ( unsigned int port = 0; port < limits[i]; port++ )
        {
            assert_int_equal(port_set_next_free(&set, 0), port);
            assert_int_equal(port_set_take(&set, port), 0);
        }
        assert_int_equal(port_set_next_free(&set, 0), limits[i]);
        assert_int_equal(port_set_take(&set, limits[i]), -ENOSPC);
        port_set_give(&set, limits[i]);
        assert_int_equal(port_set_next_free(&set, 0), limits[i]);
        port_set_give(&set, limits[i] / 2);
        assert_int_equal(port_set_next_free(&set, 0), limits[i] / 2);
        port_set_destroy(&set);
    }
}

static void test_any_order(void **state)
{
    static uint8_t taken[MANY];
    struct port_set set;
    unsigned int seed = 1;
    (void)state;

    printf("seed %u\n", seed);
    srandom(seed);
    assert_int_equal(port_set_init(&set, MANY), 0);
    for ( unsigned int round = 0; round < 400000; round++ )
    {
        unsigned int port = random() % MANY, from = random() % (MANY + 2);

        /* Long stretches of taking and of giving, so that leaves become full and empty. */
        if ( (round / 50000) % 2 == 0 )
        {
            port = port_set_next_free(&set, port);
            if ( port < MANY )
            {
                assert_int_equal(taken[port], 0);
                assert_int_equal(port_set_take(&set, port), 0);
                taken[port] = 1;
            }
        }
        else
        {
            port_set_give(&set, port);
            taken[port] = 0;
        }
        if ( round % 64 == 0 )
            assert_int_equal(port_set_next_free(&set, from), searched(taken, MANY, from));
    }
    port_set_destroy(&set);
}

static void test_no_memory(void **state)
{
    struct port_set set;
    (void)state;

    no_memory = true;
    assert_int_equal(port_set_init(&set, MANY), -ENOMEM);
    port_set_destroy(&set);
    no_memory = false;
    assert_int_equal(port_set_init(&set, MANY), 0);
    no_memory = true;
    assert_int_equal(port_set_take(&set, 5), -ENOMEM);
    assert_int_equal(port_set_next_free(&set, 0), 0);
    no_memory = false;
    assert_int_equal(port_set_take(&set, 0), 0);
    no_memory = true;       /* the leaf is there now */
    assert_int_equal(port_set_take(&set, 5), 0);
    assert_int_equal(port_set_next_free(&set, 5), 6);
    no_memory = false;
    port_set_destroy(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lowest_first),
        cmocka_unit_test(test_any_order),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
