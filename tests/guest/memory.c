/* SPDX-License-Identifier: GPL-2.0-only */
/* See memory.h. start_info is the toolstack's word and is believed. */
#include "memory.h"

#include <stdint.h>

#include <xen/arch-x86/hvm/start_info.h>

#include "hypercall.h"
#include "layout.h"

#define MAP_END     ((uint64_t)GUEST_MAP_GIB << 30)

/* Below this Xen and firmware tables keep things that a memory map does not always show. */
#define LOW_END     0x100000ull

extern uint8_t guest_image_start[], guest_image_end[];
extern uint64_t guest_start_info;

/* The larger part of [start, end) that does not touch our own image. */
static struct memory_range without_image(uint64_t start, uint64_t end)
{
    uint64_t image_start = (uint64_t)guest_image_start, image_end = (uint64_t)guest_image_end;
    struct memory_range below = { start, end < image_start ? end : image_start };
    struct memory_range above = { start > image_end ? start : image_end, end };

    if ( below.end < below.start )
        below.end = below.start;
    if ( above.end < above.start )
        above.end = above.start;

    return below.end - below.start > above.end - above.start ? below : above;
}

struct memory_range memory_open(char *cmdline, unsigned int size)
{
    const struct hvm_start_info *info = (void *)guest_start_info;
    const struct hvm_memmap_table_entry *map;
    const char *text = (void *)info->cmdline_paddr;
    struct memory_range best = { 0, 0 };
    unsigned int i;

    if ( info->magic != XEN_HVM_START_MAGIC_VALUE )
        guest_panic("no hvm_start_info: magic %x", info->magic);
    if ( info->version < 1 || !info->memmap_entries )
        guest_panic("hvm_start_info has no memory map");

    for ( i = 0; text && text[i] && i < size - 1; i++ )
        cmdline[i] = text[i];
    cmdline[i] = '\0';

    map = (void *)info->memmap_paddr;
    for ( i = 0; i < info->memmap_entries; i++ )
    {
        uint64_t start = map[i].addr, end = map[i].addr + map[i].size;
        struct memory_range range;

        if ( map[i].type != XEN_HVM_MEMMAP_TYPE_RAM )
            continue;
        start = start < LOW_END ? LOW_END : (start + 4095) & ~4095ull;
        end = end > MAP_END ? MAP_END : end & ~4095ull;
        if ( start >= end )
            continue;
        range = without_image(start, end);
        if ( range.end - range.start > best.end - best.start )
            best = range;
    }

    return best;
}
