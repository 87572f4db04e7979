/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Targets as text: what counts as a number of KiB, what is refused, and with which error.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemons/xenpaging/target.h"

#define UNTOUCHED UINT64_C(0x5555)

struct example {
    const char *text;
    size_t length;                /* 0: of the string */
    int rc;
    uint64_t pages;
};

static const struct example examples[] = {
    { "65536", 0, 0, 16384 },
    { "0", 0, 0, UINT64_MAX },
    { "000", 0, 0, UINT64_MAX },
    { "1", 0, 0, 1 },
    { "3", 0, 0, 1 },
    { "4", 0, 0, 1 },
    { "7", 0, 0, 1 },
    { "8", 0, 0, 2 },
    { "00065536", 0, 0, 16384 },
    { " \t\n65536\n", 0, 0, 16384 },
    { "1099511627776", 0, 0, UINT64_C(1) << 38 },
    { "1099511627777", 0, -ERANGE, 0 },
    { "18446744073709551616", 0, -ERANGE, 0 },
    /* 2^64 + 4: small again if it wrapped. */
    { "18446744073709551620", 0, -ERANGE, 0 },
    { "99999999999999999999999999999999", 0, -ERANGE, 0 },
    { "", 0, -EINVAL, 0 },
    { " ", 0, -EINVAL, 0 },
    { "-1", 0, -EINVAL, 0 },
    { "+1", 0, -EINVAL, 0 },
    { "1 2", 0, -EINVAL, 0 },
    { "12x", 0, -EINVAL, 0 },
    { "x12", 0, -EINVAL, 0 },
    { "0x10", 0, -EINVAL, 0 },
    { "1e6", 0, -EINVAL, 0 },
    { "65536.0", 0, -EINVAL, 0 },
    { "64M", 0, -EINVAL, 0 },
    { "12\0", 3, -EINVAL, 0 },
    { "\0" "12", 3, -EINVAL, 0 },
    { "12\r\n", 0, -EINVAL, 0 },
    { "\xd9\xa1", 0, -EINVAL, 0 },     /* an Arabic-Indic digit one */
    { "65536", 2, 0, 16 },        /* the length says where it ends */
};

static void test_examples(void **unused)
{
    (void)unused;
    for ( size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++ )
    {
        const struct example *e = &examples[i];
        size_t length = e->length ? e->length : strlen(e->text);
        /* Of the exact size, so that reading on is noticed. */
        char *copy = malloc(length ? length : 1);
        uint64_t pages = UNTOUCHED;
        int rc;

        assert_non_null(copy);
        memcpy(copy, e->text, length);
        rc = target_parse(copy, length, &pages);
        if ( rc != e->rc || pages != (e->rc ? UNTOUCHED : e->pages) )
            fail_msg("'%s' gives %d and %llu", e->text, rc, (unsigned long long)pages);
        free(copy);
    }
}

/* The longest number there is fits, so that one more octet tells that a value was cut. */
static void test_longest(void **unused)
{
    char text[TARGET_TEXT_MAX + 1];

    (void)unused;
    assert_true(snprintf(text, sizeof(text), "%llu", (unsigned long long)UINT64_MAX) < (int)TARGET_TEXT_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_longest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
