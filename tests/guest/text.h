/* SPDX-License-Identifier: GPL-2.0-only */
/* Building a line of text without libc. Pure; also compiled natively for its test. */
#ifndef TESTS_GUEST_TEXT_H
#define TESTS_GUEST_TEXT_H

#include <stdarg.h>
#include <stddef.h>

/*
 * %s %c %d %u %x, each number also with l; %0Nx pads with zeroes; %.*s takes a length. Cuts what
 * does not fit, always ends in NUL, and returns the length of what is there. An octet of %s or %c
 * that is not printable ASCII becomes '?': the text may come from outside.
 */
size_t text_format(char *out, size_t size, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));
size_t text_print(char *out, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
