/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who shares with whom: what a line of the configuration may say, and which group a domain is in by it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "daemons/xensharing/groups.h"

#define UUID  "01234567-89ab-cdef-0123-456789abcdef"
#define OTHER "11111111-1111-1111-1111-111111111111"

static void lines_are_judged(void **state)
{
    static const char *const sound[] = {
        "a: b", "a:b", "web-1_x : *", "a:\tb c", ("a: " UUID), "0123456789012345678901234567890:x",
    };
    static const char *const wrong[] = {
        "", "a", ":", "a:", "a: ", ": b", "a b: c", "a.b: c", "a/b: c", "01234567890123456789012345678901:x", "\xc3\xa4: b",
    };

    (void)state;
    for ( size_t i = 0; i < sizeof(sound) / sizeof(sound[0]); i++ )
        if ( !groups_line_is_sound(sound[i], strlen(sound[i])) )
            fail_msg("'%s' is refused", sound[i]);
    for ( size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++ )
        if ( groups_line_is_sound(wrong[i], strlen(wrong[i])) )
            fail_msg("'%s' is taken", wrong[i]);
}

static void names_are_judged(void **state)
{
    (void)state;
    assert_true(groups_name_is_sound("web-1_x", 7));
    assert_false(groups_name_is_sound("", 0));
    assert_false(groups_name_is_sound("web db", 6));
}

static const char *find(struct groups *groups, const char *name, const char *uuid)
{
    uint16_t number = groups_find(groups, name, uuid);

    return number == GROUPS_NONE ? "" : groups_name(groups, number);
}

static void the_first_that_fits_counts(void **state)
{
    struct groups *groups;

    (void)state;
    assert_int_equal(groups_open(&groups, "web: web-* shop\ndb :  db?\t" UUID "\nrest: web-9 z*", NULL), 0);
    assert_string_equal(find(groups, "web-1", OTHER), "web");
    assert_string_equal(find(groups, "web-9", OTHER), "web");
    assert_string_equal(find(groups, "web-1", UUID), "web");
    assert_string_equal(find(groups, "shop", OTHER), "web");
    assert_string_equal(find(groups, "shops", OTHER), "");
    assert_string_equal(find(groups, "x", UUID), "db");
    assert_string_equal(find(groups, "x", "01234567-89AB-CDEF-0123-456789ABCDEF"), "db");
    assert_string_equal(find(groups, "db1", OTHER), "db");
    assert_string_equal(find(groups, "db", OTHER), "");
    assert_string_equal(find(groups, "zoo", OTHER), "rest");
    assert_string_equal(find(groups, "web", OTHER), "");
    groups_close(groups);

    assert_int_equal(groups_open(&groups, NULL, NULL), 0);
    assert_string_equal(find(groups, "web-1", UUID), "");
    assert_int_equal(groups_count(groups), 0);
    groups_close(groups);
}

/* A group that xenstore names is the one of that name, whoever named it first. */
static void a_name_is_one_group(void **state)
{
    struct groups *groups;
    uint16_t web, more;
    char name[16];

    (void)state;
    assert_int_equal(groups_open(&groups, "web: a\nweb: b", NULL), 0);
    assert_int_equal(groups_count(groups), 1);
    web = groups_number(groups, "web", 3);
    assert_int_equal(web, groups_find(groups, "b", UUID));
    more = groups_number(groups, "webs", 4);
    assert_int_not_equal(more, web);
    assert_true(groups_is_configured(groups, web));
    assert_false(groups_is_configured(groups, more));
    assert_int_equal(groups_number(groups, "web site", 8), GROUPS_NONE);
    assert_int_equal(groups_number(groups, "", 0), GROUPS_NONE);
    for ( unsigned int i = 0; i < 2 * GROUPS_MAX; i++ )
        groups_number(groups, name, snprintf(name, sizeof(name), "g%u", i));
    assert_int_equal(groups_count(groups), GROUPS_MAX);
    assert_int_equal(groups_number(groups, "web", 3), web);
    groups_close(groups);
}

/* The group may have its domains by xenstore alone, or by a line of the configuration. */
static void within_is_a_group_s_own(void **state)
{
    struct groups *groups;

    (void)state;
    assert_int_equal(groups_open(&groups, "web: a\ndb: b", "db\nother"), 0);
    assert_false(groups_is_within(groups, groups_find(groups, "a", UUID)));
    assert_true(groups_is_within(groups, groups_find(groups, "b", UUID)));
    assert_true(groups_is_within(groups, groups_number(groups, "other", 5)));
    assert_false(groups_is_within(groups, groups_number(groups, "more", 4)));
    assert_int_equal(groups_count(groups), 4);
    groups_close(groups);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_judged),
        cmocka_unit_test(names_are_judged),
        cmocka_unit_test(the_first_that_fits_counts),
        cmocka_unit_test(a_name_is_one_group),
        cmocka_unit_test(within_is_a_group_s_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
