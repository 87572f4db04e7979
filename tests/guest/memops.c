/* SPDX-License-Identifier: GPL-2.0-only */
/* The three functions that a compiler may call by itself in freestanding code. */
#include <stddef.h>

void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int value, size_t n);
int memcmp(const void *a, const void *b, size_t n);

void *memcpy(void *to, const void *from, size_t n)
{
    void *at = to;

    asm volatile("rep movsb" : "+D" (at), "+S" (from), "+c" (n) :: "memory");

    return to;
}

void *memset(void *to, int value, size_t n)
{
    void *at = to;

    asm volatile("rep stosb" : "+D" (at), "+c" (n) : "a" (value) : "memory");

    return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const volatile unsigned char *p = a, *q = b;

    for ( ; n; n--, p++, q++ )
        if ( *p != *q )
            return *p - *q;

    return 0;
}
