/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * That no byte from outside reaches a terminal as anything but itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/utf8.h"

#define COUNT(array)   (sizeof(array) / sizeof((array)[0]))

static void malformed_and_control_bytes_are_written_out(void **state)
{
    static const struct { const char *raw, *shown; } cases[] = {
        { "plain ~ text", "plain ~ text" },
        { "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80",
          "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80" },
        { "a\nb\x1b[31m\x7f\r\t", "a\\x0ab\\x1b[31m\\x7f\\x0d\\x09" },
        { "\xc2\x9b" "31m", "\\xc2\\x9b31m" },              /* C1 CSI */
        { "\xe2\x80\xae" "drow", "\\xe2\\x80\\xaedrow" },   /* reversal */
        { "\xef\xbb\xbf", "\\xef\\xbb\\xbf" },              /* BOM */
        { "\xc0\xaf", "\\xc0\\xaf" },                       /* overlong */
        { "\xed\xa0\x80", "\\xed\\xa0\\x80" },              /* surrogate */
        { "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" },     /* too high */
        { "\xe2\x82", "\\xe2\\x82" },                       /* cut */
        { "\xff\x80x", "\\xff\\x80x" },
        { "\\x0a", "\\x0a" },                               /* once is enough */
    };
    char shown[64];
    size_t i;

    (void)state;
    for ( i = 0; i < COUNT(cases); i++ )
    {
        size_t length = strlen(cases[i].raw);
        char *raw = malloc(length);     /* no NUL behind it */

        assert_non_null(raw);
        memcpy(raw, cases[i].raw, length);
        assert_int_equal(utf8_escape(shown, sizeof(shown), raw, length),
                         strlen(cases[i].shown));
        assert_string_equal(shown, cases[i].shown);
        free(raw);
    }

    assert_int_equal(utf8_escape(shown, sizeof(shown), "\0", 1), 4);
    assert_string_equal(shown, "\\x00");
}

static void too_long_text_is_cut_and_marked_between_characters(void **state)
{
    static const char text[] = "ab\xe2\x82\xac\x01yz";
    static const char whole[] = "ab\xe2\x82\xac\\x01yz";
    size_t room;

    (void)state;
    for ( room = 4; room <= sizeof(whole); room++ )
    {
        char *out = malloc(room);
        size_t length, kept;

        assert_non_null(out);
        length = utf8_escape(out, room, text, sizeof(text) - 1);
        assert_true(length < room);
        assert_int_equal(strlen(out), length);

        if ( room == sizeof(whole) )
            assert_string_equal(out, whole);
        else
        {
            kept = length - 3;
            assert_string_equal(out + kept, "...");
            assert_memory_equal(out, whole, kept);
            /* Neither the euro sign nor an escape is cut in two. */
            assert_true(kept <= 2 || kept == 5 || kept >= 9);
        }
        free(out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(malformed_and_control_bytes_are_written_out),
        cmocka_unit_test(too_long_text_is_cut_and_marked_between_characters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
