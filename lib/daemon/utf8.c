/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Decoding and escaping of text; utf8.h has the contract.
 */
#include "utf8.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const char cut_mark[] = "...";

size_t utf8_decode(const char *text, size_t length, unsigned int *point)
{
    /* The smallest code point that needs this many bytes: less is overlong. */
    static const unsigned int smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
    unsigned char first;
    unsigned int value;
    size_t bytes, i;

    if ( !length )
        return 0;

    first = text[0];

    if ( first < 0x80 )
    {
        *point = first;
        return 1;
    }

    if ( (first & 0xe0) == 0xc0 )
    {
        bytes = 2;
        value = first & 0x1f;
    }
    else if ( (first & 0xf0) == 0xe0 )
    {
        bytes = 3;
        value = first & 0x0f;
    }
    else if ( (first & 0xf8) == 0xf0 )
    {
        bytes = 4;
        value = first & 0x07;
    }
    else
        return 0;

    if ( length < bytes )
        return 0;

    for ( i = 1; i < bytes; i++ )
    {
        unsigned char next = text[i];

        if ( (next & 0xc0) != 0x80 )
            return 0;
        value = value << 6 | (next & 0x3f);
    }

    if ( value < smallest[bytes] || value > 0x10ffff ||
         (value >= 0xd800 && value <= 0xdfff) )
        return 0;

    *point = value;

    return bytes;
}

bool utf8_is_control(unsigned int point)
{
    return point < 0x20 || (point >= 0x7f && point <= 0x9f) ||
           (point >= 0x200b && point <= 0x200f) ||  /* zero width, marks */
           (point >= 0x2028 && point <= 0x202e) ||  /* separators, overrides */
           (point >= 0x2060 && point <= 0x206f) ||  /* joiners, isolates */
           point == 0x061c || point == 0xfeff;
}

size_t utf8_escape(char *out, size_t room, const char *text, size_t length)
{
    size_t used = 0, safe = 0, at = 0;

    assert(room >= sizeof(cut_mark));

    while ( at < length )
    {
        unsigned int point;
        size_t bytes = utf8_decode(text + at, length - at, &point);
        char piece[4 * 4 + 1];
        size_t piece_bytes = 0, i;

        if ( bytes && !utf8_is_control(point) )
        {
            memcpy(piece, text + at, bytes);
            piece_bytes = bytes;
        }
        else
        {
            bytes = bytes ? bytes : 1;
            for ( i = 0; i < bytes; i++ )
                piece_bytes += snprintf(piece + piece_bytes,
                                        sizeof(piece) - piece_bytes, "\\x%02x",
                                        (unsigned char)text[at + i]);
        }

        if ( used + piece_bytes + 1 > room )
        {
            memcpy(out + safe, cut_mark, sizeof(cut_mark));
            return safe + sizeof(cut_mark) - 1;
        }

        memcpy(out + used, piece, piece_bytes);
        used += piece_bytes;
        at += bytes;

        /* The last place between two pieces where the mark still fits. */
        if ( used + sizeof(cut_mark) <= room )
            safe = used;
    }

    out[used] = '\0';

    return used;
}
