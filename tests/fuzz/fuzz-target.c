/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Any bytes as the value of a target key, judged by a second reading of the rule in other words: what is a
 * number of KiB gives its pages, anything else an error and no value.
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FUZZ_TARGET "target"
#include "fuzz.h"

#include "daemons/xenpaging/target.h"

#define UNTOUCHED UINT64_C(0x0123456789abcdef)

/* 2^40 KiB; in digits, as the judge counts. */
#define MOST      "1099511627776"

static bool is_blank(uint8_t octet)
{
    return octet == ' ' || octet == '\t' || octet == '\n';
}

/* By comparing digits, not by arithmetic. */
static bool is_beyond(const uint8_t *digits, size_t count)
{
    while ( count && *digits == '0' )
    {
        digits++;
        count--;
    }
    return count > strlen(MOST) || (count == strlen(MOST) && memcmp(digits, MOST, count) > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t pages = UNTOUCHED;
    int rc = target_parse((const char *)data, size, &pages);
    size_t from = 0, to, end = size;
    char text[32];

    while ( from < end && is_blank(data[from]) )
        from++;
    for ( to = from; to < end && data[to] >= '0' && data[to] <= '9'; )
        to++;
    while ( end > to && is_blank(data[end - 1]) )
        end--;

    if ( is_beyond(data + from, to - from) )
        /* Too large is said as soon as it is known, whatever follows. */
        REQUIRE(rc == -ERANGE && pages == UNTOUCHED);
    else if ( to == from || to != end )
        REQUIRE(rc == -EINVAL && pages == UNTOUCHED);
    else
    {
        unsigned long long kib;

        while ( to - from > 1 && data[from] == '0' )
            from++;
        REQUIRE(to - from < sizeof(text));
        memcpy(text, data + from, to - from);
        text[to - from] = '\0';
        kib = strtoull(text, NULL, 10);
        REQUIRE(rc == 0);
        REQUIRE(pages == (!kib ? UINT64_MAX : kib < 8 ? 1 : kib / 4));
    }

    return 0;
}
