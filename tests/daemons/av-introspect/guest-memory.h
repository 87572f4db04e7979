/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest of some pages for tests and fuzzers: its frames, and mappings of it in 4 KiB pages. Included by a program's one file.
 */
#ifndef TESTS_AV_GUEST_MEMORY_H
#define TESTS_AV_GUEST_MEMORY_H

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "daemons/av-introspect/memory.h"

#define GUEST_FRAMES 128u
/* Tables are made from here on upwards. */
#define GUEST_TABLES 64u
#define GUEST_CR3    (GUEST_TABLES * UINT64_C(4096))

static unsigned char guest[GUEST_FRAMES][AV_PAGE_SIZE] __attribute__((aligned(8)));
static unsigned int guest_tables, guest_reads;

static inline int guest_read(void *opaque, uint64_t gfn, void *page)
{
    (void)opaque;
    guest_reads++;
    if ( gfn >= GUEST_FRAMES )
        return -ENXIO;
    memcpy(page, guest[gfn], AV_PAGE_SIZE);
    return 0;
}

static const struct memory guest_memory __attribute__((unused)) = { NULL, guest_read, GUEST_FRAMES, NULL };

static inline void guest_clear(void)
{
    memset(guest, 0, sizeof(guest));
    guest_tables = 1;
    guest_reads = 0;
}

static inline uint64_t *guest_entry(uint64_t gva, unsigned int level, unsigned int levels)
{
    uint64_t *table = (uint64_t *)guest[GUEST_TABLES];

    for ( unsigned int l = levels - 1; l > level; l-- )
    {
        uint64_t *entry = &table[gva >> (12 + 9 * l) & 511];

        if ( !*entry )
            *entry = (GUEST_TABLES + guest_tables++) << 12 | 7;
        table = (uint64_t *)guest[*entry >> 12 & 0xfffffff];
    }
    return &table[gva >> (12 + 9 * level) & 511];
}

static inline void guest_map(uint64_t gva, uint64_t gfn, uint64_t flags)
{
    *guest_entry(gva, 0, 4) = gfn << 12 | flags;
}

#endif /* TESTS_AV_GUEST_MEMORY_H */
