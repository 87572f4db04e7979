/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Any bytes as the memory of a guest with page tables in it, read by virtual address in each kind of paging. Translations and reads
 * agree with each other, lists name what translations find, and all of it ends. What is expected comes in pieces that whoever has the
 * frames has room for, and a call that repeats another sees the same.
 *
 * An input: kind of paging (0), pad (1..7), cr3 (8..15), four addresses (16..47), then the guest's frames.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define FUZZ_TARGET "walk"
#include "fuzz.h"

#include "daemons/av-introspect/view.h"

#define HEAD      48u
#define ADDRESSES 4u

/* Mappings of a list that are looked at again. */
#define LISTED    32u

/* A read of more pages than are expected at a time, and the calls that are made. */
#define WIDE      ((MEMORY_EXPECTED + 2) * AV_PAGE_SIZE)
#define CALLS     3u

static const uint8_t *guest;
static size_t guest_bytes;
static struct view *view;

static int read_guest(void *opaque, uint64_t gfn, void *page)
{
    size_t at = gfn * AV_PAGE_SIZE, left;

    (void)opaque;
    if ( gfn >= guest_bytes / AV_PAGE_SIZE + 1 || at >= guest_bytes )
        return -ENXIO;
    left = guest_bytes - at;
    memset(page, 0, AV_PAGE_SIZE);
    memcpy(page, guest + at, left < AV_PAGE_SIZE ? left : AV_PAGE_SIZE);
    return 0;
}

static void expect_guest(void *opaque, const uint64_t *gfns, uint32_t count)
{
    (void)opaque;
    REQUIRE(count > 1 && count <= MEMORY_EXPECTED);
    for ( uint32_t i = 0; i < count; i++ )
        REQUIRE(gfns[i] < UINT64_C(1) << 40);
}

struct listed {
    uint64_t cr3, last;
    unsigned int count;
    bool any;
};

static int look_again(void *arg, const struct av_mapping *mapping)
{
    struct listed *l = arg;
    struct av_mapping again;
    int rc = view_translate(view, l->cr3, mapping->virtual_start, &again);

    REQUIRE(!l->any || mapping->virtual_start > l->last);
    l->any = true;
    l->last = mapping->virtual_start;
    REQUIRE(!rc && again.physical == mapping->physical && again.bytes == mapping->bytes && again.flags == mapping->flags);
    return ++l->count == LISTED ? 1 : 0;
}

static void look(uint64_t cr3, uint64_t address)
{
    unsigned char bytes[24], physical[24];
    struct av_mapping mapping;
    uint64_t done;
    int rc = view_translate(view, cr3, address, &mapping), read;

    REQUIRE(!rc || rc == -EFAULT || rc == -ENXIO);
    read = view_read_virtual(view, cr3, address, bytes, sizeof(bytes), &done);
    REQUIRE(done <= sizeof(bytes) && (!read) == (done == sizeof(bytes)));
    for ( uint64_t i = done; i < sizeof(bytes); i++ )
        REQUIRE(!bytes[i]);
    if ( rc )
    {
        REQUIRE(!done);
        return;
    }
    REQUIRE(mapping.bytes && mapping.virtual_start <= address && address - mapping.virtual_start < mapping.bytes);
    if ( address - mapping.virtual_start > mapping.bytes - sizeof(bytes) )
        return;
    rc = view_read_physical(view, mapping.physical, physical, sizeof(physical), NULL);
    REQUIRE((!rc) == (!read) && !memcmp(bytes, physical, sizeof(bytes)));
}

static void look_wide(uint64_t cr3, uint64_t address)
{
    static unsigned char bytes[WIDE];
    unsigned char page[AV_PAGE_SIZE];
    uint64_t done;
    int rc = view_read_virtual(view, cr3, address, bytes, sizeof(bytes), &done);

    REQUIRE(done <= sizeof(bytes) && (!rc) == (done == sizeof(bytes)));
    for ( uint64_t at = 0; at + sizeof(page) <= done; at += sizeof(page) )
        REQUIRE(!view_read_virtual(view, cr3, address + at, page, sizeof(page), NULL) && !memcmp(page, bytes + at, sizeof(page)));
    for ( uint64_t at = done; at < sizeof(bytes); at++ )
        REQUIRE(!bytes[at]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct memory memory = { NULL, read_guest, UINT64_C(1) << 40, expect_guest };
    struct listed listed = { .count = 0 };
    uint64_t words[1 + ADDRESSES];
    int rc;

    if ( size < HEAD )
        return 0;
    memcpy(words, data + 8, sizeof(words));
    guest = data + HEAD;
    guest_bytes = size - HEAD;
    REQUIRE(!view_open(&view, &memory));
    for ( unsigned int call = 0; call < CALLS; call++ )
    {
        view_begin(view, UINT64_MAX);
        view_set_paging(view, data[0] % (VIEW_NO_PAGING + 1));
        if ( call )
            view_repeat(view, data[1] % VIEW_CALLS, words[0]);
        for ( unsigned int i = 0; i < ADDRESSES; i++ )
            look(words[0], words[1 + i]);
        look_wide(words[0], words[1]);
    }
    listed.cr3 = words[0];
    rc = view_list(view, words[0], look_again, &listed);
    REQUIRE(rc == 0 || rc == 1 || rc == -E2BIG || rc == -ENXIO || rc == -EINVAL);
    view_close(view);
    return 0;
}
