/* SPDX-License-Identifier: GPL-2.0-only */
/* See text.h. Where a line goes is console.c's. */
#include "text.h"

#include <stdbool.h>
#include <stdint.h>

struct sink {
    char *out;
    size_t size, used;
};

static void sink_put(struct sink *s, char c)
{
    if ( s->used + 1 < s->size )
        s->out[s->used++] = c;
}

static void sink_put_printable(struct sink *s, char c)
{
    sink_put(s, c >= ' ' && c <= '~' ? c : '?');
}

static void sink_put_number(struct sink *s, uint64_t value, unsigned int base, unsigned int width)
{
    char digits[20];
    unsigned int n = 0;

    do {
        digits[n++] = "0123456789abcdef"[value % base];
        value /= base;
    } while ( value );

    while ( width-- > n && width < sizeof(digits) )
        sink_put(s, '0');
    while ( n )
        sink_put(s, digits[--n]);
}

size_t text_format(char *out, size_t size, const char *format, va_list args)
{
    struct sink s = { .out = out, .size = size };

    for ( ; *format; format++ )
    {
        unsigned int width = 0;
        int most = -1;
        bool is_long = false;
        int64_t number;
        const char *string;

        if ( *format != '%' )
        {
            sink_put(&s, *format);
            continue;
        }

        format++;
        if ( format[0] == '.' && format[1] == '*' )
        {
            most = va_arg(args, int);
            format += 2;
        }
        while ( *format >= '0' && *format <= '9' )
            width = width * 10 + (*format++ - '0');
        if ( *format == 'l' )
        {
            is_long = true;
            format++;
        }

        switch ( *format )
        {
        case 's':
            string = va_arg(args, const char *);
            for ( ; most && *string; string++, most -= most > 0 )
                sink_put_printable(&s, *string);
            break;

        case 'c':
            sink_put_printable(&s, va_arg(args, int));
            break;

        case 'd':
            number = is_long ? va_arg(args, long) : va_arg(args, int);
            if ( number < 0 )
                sink_put(&s, '-');
            sink_put_number(&s, number < 0 ? -(uint64_t)number : (uint64_t)number, 10, width);
            break;

        case 'u':
        case 'x':
            sink_put_number(&s, is_long ? va_arg(args, unsigned long)
                                        : va_arg(args, unsigned int),
                            *format == 'u' ? 10 : 16, width);
            break;

        default:
            sink_put(&s, *format);
            break;
        }
    }

    if ( size )
        out[s.used] = '\0';

    return s.used;
}

size_t text_print(char *out, size_t size, const char *format, ...)
{
    va_list args;
    size_t used;

    va_start(args, format);
    used = text_format(out, size, format, args);
    va_end(args);

    return used;
}
