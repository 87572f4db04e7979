/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Decoding of a target; the value comes from outside and may be anything.
 */
#include <errno.h>

#include "target.h"

/* 2^40 KiB, a pebibyte: more than a guest-physical address reaches. */
#define TARGET_KIB_MAX    (UINT64_C(1) << 40)
#define KIB_PER_PAGE      4U

int target_parse(const char *text, size_t length, uint64_t *pages)
{
    uint64_t kib = 0;
    size_t i = 0, digits = 0;

    while ( i < length && (text[i] == ' ' || text[i] == '\t' || text[i] == '\n') )
        i++;
    for ( ; i < length && text[i] >= '0' && text[i] <= '9'; i++, digits++ )
    {
        kib = kib * 10 + (text[i] - '0');
        if ( kib > TARGET_KIB_MAX )
            return -ERANGE;
    }
    while ( i < length && (text[i] == ' ' || text[i] == '\t' || text[i] == '\n') )
        i++;
    if ( !digits || i != length )
        return -EINVAL;

    if ( !kib )
        *pages = UINT64_MAX;
    else
        *pages = kib / KIB_PER_PAGE ? kib / KIB_PER_PAGE : 1;
    return 0;
}
