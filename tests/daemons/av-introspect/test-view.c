/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reads through page tables: those that are as they should be, in each kind of paging, and those that a hostile guest makes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "daemons/av-introspect/view.h"

#include "guest-memory.h"

#define P   1u
#define W   2u
#define U   4u
#define PS  0x80u
#define NX  (UINT64_C(1) << 63)

static struct view *view;

static int begin(void **state)
{
    (void)state;
    guest_clear();
    return view_open(&view, &guest_memory);
}

static int end(void **state)
{
    (void)state;
    view_close(view);
    view = NULL;
    return 0;
}

static struct av_mapping translate(uint64_t gva)
{
    struct av_mapping mapping;

    assert_int_equal(view_translate(view, GUEST_CR3 | 0x18, gva, &mapping), 0);
    assert_int_equal(mapping.size, sizeof(mapping));
    return mapping;
}

static void four_levels(void **state)
{
    struct av_mapping mapping;

    (void)state;
    guest_map(0x400000, 5, P | W | U);
    guest_map(0x401000, 6, P | U | NX);
    guest_map(0xffff800000000000, 7, P | W);
    mapping = translate(0x400123);
    assert_int_equal(mapping.physical, 0x5123);
    assert_int_equal(mapping.virtual_start, 0x400000);
    assert_int_equal(mapping.bytes, 4096);
    assert_int_equal(mapping.flags, AV_MAPPING_WRITABLE | AV_MAPPING_EXECUTABLE | AV_MAPPING_USER);
    assert_int_equal(translate(0x401fff).flags, AV_MAPPING_USER);
    assert_int_equal(translate(0xffff800000000008).physical, 0x7008);
    assert_int_equal(translate(0xffff800000000008).flags, AV_MAPPING_WRITABLE | AV_MAPPING_EXECUTABLE);

    assert_int_equal(view_translate(view, GUEST_CR3, 0x402000, &mapping), -EFAULT);
    /* Not canonical: bit 47 without the rest. */
    assert_int_equal(view_translate(view, GUEST_CR3, 0x0000800000000000, &mapping), -EFAULT);
    assert_int_equal(view_translate(view, UINT64_C(0xffffffffff000), 0x400000, &mapping), -ENXIO);
}

static void large_pages(void **state)
{
    struct av_mapping mapping;

    (void)state;
    /* The low bits of a large page's frame number are no address: PAT and reserved ones. */
    *guest_entry(0x200000, 1, 4) = 0x0000000000200000 | 0x1000 | PS | P | W;
    *guest_entry(UINT64_C(0x40000000), 2, 4) = PS | P | U;
    mapping = translate(0x2abcde);
    assert_int_equal(mapping.physical, 0x2abcde);
    assert_int_equal(mapping.bytes, 2 << 20);
    assert_int_equal(mapping.virtual_start, 0x200000);
    mapping = translate(0x7fffffff);
    assert_int_equal(mapping.bytes, 1 << 30);
    assert_int_equal(mapping.physical, 0x3fffffff);
    /* A large entry at the top level is none: it goes on to a table. */
    *guest_entry(0, 3, 4) |= PS;
    assert_int_equal(translate(0x2abcde).physical, 0x2abcde);
}

static void other_paging(void **state)
{
    uint32_t *directory = (uint32_t *)guest[GUEST_TABLES], *table = (uint32_t *)guest[GUEST_TABLES + 1];
    uint64_t *pae = (uint64_t *)(guest[GUEST_TABLES] + 32), *wide = (uint64_t *)guest[GUEST_TABLES + 1],
             *last = (uint64_t *)guest[GUEST_TABLES + 2];
    struct av_mapping mapping;

    (void)state;
    directory[1] = (GUEST_TABLES + 1) << 12 | P | W | U;
    table[2] = 9 << 12 | P;
    directory[2] = 0x00400000 | 3 << 13 | PS | P;
    view_set_paging(view, VIEW_LEVELS_2);
    assert_int_equal(view_translate(view, GUEST_CR3, 0x402004, &mapping), 0);
    assert_int_equal(mapping.physical, 0x9004);
    assert_int_equal(view_translate(view, GUEST_CR3, 0x800010, &mapping), 0);
    assert_int_equal(mapping.physical, UINT64_C(0x300400010));
    assert_int_equal(mapping.bytes, 4 << 20);
    assert_int_equal(view_translate(view, GUEST_CR3, UINT64_C(0x100000000), &mapping), -EFAULT);

    guest_clear();
    view_begin(view, UINT64_MAX);
    pae[3] = (GUEST_TABLES + 1) << 12 | P;
    wide[511] = (GUEST_TABLES + 2) << 12 | P | W | U;
    last[511] = 11 << 12 | P | W | NX;
    view_set_paging(view, VIEW_PAE);
    assert_int_equal(view_translate(view, GUEST_CR3 + 32, 0xfffff010, &mapping), 0);
    assert_int_equal(mapping.physical, 0xb010);
    assert_int_equal(mapping.flags, AV_MAPPING_WRITABLE);

    guest_clear();
    view_begin(view, UINT64_MAX);
    *guest_entry(UINT64_C(0xff00000000001000), 0, 5) = 13 << 12 | P;
    view_set_paging(view, VIEW_LEVELS_5);
    assert_int_equal(view_translate(view, GUEST_CR3, UINT64_C(0xff00000000001001), &mapping), 0);
    assert_int_equal(mapping.physical, 0xd001);

    view_set_paging(view, VIEW_NO_PAGING);
    assert_int_equal(view_translate(view, 0, 0x7123, &mapping), 0);
    assert_int_equal(mapping.physical, 0x7123);

    assert_int_equal(view_paging_of(0x80000001, 0x20, 0x500), VIEW_LEVELS_4);
    assert_int_equal(view_paging_of(0x80000001, 0x1020, 0x500), VIEW_LEVELS_5);
    assert_int_equal(view_paging_of(0x80000001, 0x20, 0), VIEW_PAE);
    assert_int_equal(view_paging_of(0x80000001, 0, 0), VIEW_LEVELS_2);
    assert_int_equal(view_paging_of(1, 0x20, 0x500), VIEW_NO_PAGING);
}

static void reads_cross_pages_and_stop_where_nothing_is(void **state)
{
    unsigned char buffer[8192];
    uint64_t done;

    (void)state;
    guest_map(0x400000, 20, P);
    guest_map(0x401000, 3, P);
    memset(guest[20], 'a', 4096);
    memset(guest[3], 'b', 4096);
    assert_int_equal(view_read_virtual(view, GUEST_CR3, 0x400ffe, buffer, 4, &done), 0);
    assert_memory_equal(buffer, "aabb", 4);
    assert_int_equal(done, 4);

    memset(buffer, 'x', sizeof(buffer));
    assert_int_equal(view_read_virtual(view, GUEST_CR3, 0x401ff0, buffer, 100, &done), -EFAULT);
    assert_int_equal(done, 16);
    assert_int_equal(buffer[15], 'b');
    assert_int_equal(buffer[16], 0);
    assert_int_equal(buffer[99], 0);
    assert_int_equal(buffer[100], 'x');

    assert_int_equal(view_read_physical(view, GUEST_FRAMES * 4096 - 2, buffer, 4, &done), -ENXIO);
    assert_int_equal(done, 2);
    /* Round the end of all addresses. */
    guest_map(UINT64_C(0xfffffffffffff000), 20, P);
    guest_map(0, 20, P);
    view_begin(view, UINT64_MAX);
    assert_int_equal(view_read_virtual(view, GUEST_CR3, UINT64_MAX - 1, buffer, 8, &done), -EFAULT);
    assert_int_equal(done, 2);
    assert_int_equal(view_read_physical(view, UINT64_MAX - 1, buffer, 8, &done), -ENXIO);
}

static void a_frame_is_the_same_during_a_call(void **state)
{
    unsigned char byte;

    (void)state;
    guest[9][0] = 1;
    assert_int_equal(view_read_physical(view, 0x9000, &byte, 1, NULL), 0);
    guest[9][0] = 2;
    assert_int_equal(view_read_physical(view, 0x9000, &byte, 1, NULL), 0);
    assert_int_equal(byte, 1);
    assert_int_equal(guest_reads, 1);
    view_begin(view, UINT64_MAX);
    assert_int_equal(view_read_physical(view, 0x9000, &byte, 1, NULL), 0);
    assert_int_equal(byte, 2);
    view_begin(view, 1);
    assert_int_equal(view_read_physical(view, 0x9000, &byte, 1, NULL), -ETIME);
    view_put(view, 9, guest[20]);
    assert_int_equal(view_read_physical(view, 0x9000, &byte, 1, NULL), 0);
}

/* The last that was expected, and how often anything was. */
static struct { uint64_t gfns[MEMORY_EXPECTED]; uint32_t count, calls; } expected;

static void take_expected(void *opaque, const uint64_t *gfns, uint32_t count)
{
    (void)opaque;
    assert_in_range(count, 2, MEMORY_EXPECTED);
    memcpy(expected.gfns, gfns, count * sizeof(*gfns));
    expected.count = count;
    expected.calls++;
}

/* Whoever has the frames hears of all of a read's together, but for those that are kept and those that cannot be. */
static void what_is_read_is_expected(void **state)
{
    const struct memory memory = { NULL, guest_read, GUEST_FRAMES, take_expected };
    static unsigned char buffer[2 * MEMORY_EXPECTED * AV_PAGE_SIZE];
    struct view *expects;
    uint64_t done;

    (void)state;
    memset(&expected, 0, sizeof(expected));
    assert_int_equal(view_open(&expects, &memory), 0);
    for ( unsigned int i = 0; i < 40; i++ )
        guest_map(0x400000 + i * UINT64_C(4096), 40 - i, P);
    assert_int_equal(view_read_virtual(expects, GUEST_CR3, 0x400800, buffer, 3 * 4096, NULL), 0);
    assert_int_equal(expected.calls, 1);
    assert_int_equal(expected.count, 4);
    assert_int_equal(expected.gfns[0], 40);
    assert_int_equal(expected.gfns[3], 37);
    assert_int_equal(guest_reads, 4 + 4);
    assert_int_equal(view_read_virtual(expects, GUEST_CR3, 0x401000, buffer, 4096, NULL), 0);
    assert_int_equal(view_read_virtual(expects, GUEST_CR3, 0x404000, buffer, 4096, NULL), 0);
    assert_int_equal(expected.calls, 1);

    /* Up to the hole; and no frame that no memory is at. */
    guest_map(0x404000 + 2 * 4096, GUEST_FRAMES, P);
    view_begin(expects, UINT64_MAX);
    assert_int_equal(view_read_virtual(expects, GUEST_CR3, 0x404000, buffer, 64 * 4096, &done), -ENXIO);
    assert_int_equal(done, 2 * 4096);
    assert_int_equal(expected.calls, 2);
    assert_int_equal(expected.count, 40 - 4 - 1);

    view_begin(expects, 1);
    assert_int_equal(view_read_virtual(expects, GUEST_CR3, 0x400000, buffer, 8192, &done), -ETIME);
    assert_int_equal(done, 0);
    assert_int_equal(expected.calls, 2);

    /* More than are told of at a time. */
    view_begin(expects, UINT64_MAX);
    for ( unsigned int i = 0; i < 2 * MEMORY_EXPECTED; i++ )
        guest_map(0x800000 + i * UINT64_C(4096), i % GUEST_TABLES, P);
    assert_int_equal(view_read_virtual(expects, GUEST_CR3, 0x800000, buffer, sizeof(buffer), NULL), 0);
    assert_int_equal(expected.calls, 3);
    assert_int_equal(expected.count, MEMORY_EXPECTED);
    view_close(expects);
}

/* What is read one by one is read at once the next time; what nobody wanted then is forgotten, and what is much is not learnt. */
static void what_was_read_is_read_again(void **state)
{
    const struct memory memory = { NULL, guest_read, GUEST_FRAMES, take_expected };
    unsigned char byte, many[16 * AV_PAGE_SIZE];
    struct view *repeats;

    (void)state;
    memset(&expected, 0, sizeof(expected));
    assert_int_equal(view_open(&repeats, &memory), 0);
    for ( unsigned int i = 0; i < 16; i++ )
        guest_map(0x400000 + i * UINT64_C(4096), 40 + i, P);
    view_begin(repeats, UINT64_MAX);
    view_repeat(repeats, VIEW_TICK, 0);
    assert_int_equal(view_read_physical(repeats, 0x9000, &byte, 1, NULL), 0);
    assert_int_equal(view_read_physical(repeats, 0x5000, &byte, 1, NULL), 0);
    assert_int_equal(view_read_physical(repeats, 0x9000, &byte, 1, NULL), 0);
    assert_int_equal(view_read_virtual(repeats, GUEST_CR3, 0x400000, many, sizeof(many), NULL), 0);
    assert_int_equal(expected.calls, 1);

    guest[9][0] = 7;
    view_begin(repeats, UINT64_MAX);
    view_repeat(repeats, VIEW_TICK, 0);
    assert_int_equal(expected.calls, 2);
    assert_int_equal(expected.count, 2 + 4);
    assert_int_equal(expected.gfns[0], 9);
    assert_int_equal(expected.gfns[1], 5);
    assert_int_equal(expected.gfns[2], GUEST_TABLES);
    guest_reads = 0;
    assert_int_equal(view_read_physical(repeats, 0x9000, &byte, 1, NULL), 0);
    assert_int_equal(byte, 7);
    assert_int_equal(guest_reads, 0);
    assert_int_equal(view_read_physical(repeats, 0x6000, &byte, 1, NULL), 0);

    /* A call of another kind neither has it nor changes it. */
    view_begin(repeats, UINT64_MAX);
    assert_int_equal(view_read_physical(repeats, 0x5000, &byte, 1, NULL), 0);
    assert_int_equal(expected.calls, 2);
    view_begin(repeats, UINT64_MAX);
    view_repeat(repeats, VIEW_TICK, 0);
    assert_int_equal(expected.calls, 3);
    assert_int_equal(expected.count, 2);
    assert_int_equal(expected.gfns[0], 9);
    assert_int_equal(expected.gfns[1], 6);
    view_close(repeats);
}

/* Pages of one address space have tables in common, and these come at once; of another one's, nothing is known. */
static void tables_of_pages_are_repeated(void **state)
{
    const struct memory memory = { NULL, guest_read, GUEST_FRAMES, take_expected };
    unsigned char byte;
    struct view *repeats;

    (void)state;
    memset(&expected, 0, sizeof(expected));
    assert_int_equal(view_open(&repeats, &memory), 0);
    guest_map(0x400000, 5, P);
    guest_map(0x401000, 6, P);
    view_begin(repeats, UINT64_MAX);
    view_repeat(repeats, VIEW_PAGE, GUEST_CR3);
    assert_int_equal(view_read_virtual(repeats, GUEST_CR3, 0x400000, &byte, 1, NULL), 0);
    assert_int_equal(expected.calls, 0);

    view_begin(repeats, UINT64_MAX);
    view_repeat(repeats, VIEW_PAGE, GUEST_CR3);
    assert_int_equal(expected.calls, 1);
    assert_int_equal(expected.count, 4);
    assert_int_equal(expected.gfns[0], GUEST_CR3 / AV_PAGE_SIZE);
    guest_reads = 0;
    assert_int_equal(view_read_virtual(repeats, GUEST_CR3, 0x401000, &byte, 1, NULL), 0);
    assert_int_equal(guest_reads, 1);

    /* A tick between them changes nothing of that. */
    view_begin(repeats, UINT64_MAX);
    view_repeat(repeats, VIEW_TICK, 0);
    assert_int_equal(expected.calls, 1);
    view_begin(repeats, UINT64_MAX);
    view_repeat(repeats, VIEW_PAGE, GUEST_CR3);
    assert_int_equal(expected.calls, 2);
    assert_int_equal(expected.count, 4);

    view_begin(repeats, UINT64_MAX);
    view_repeat(repeats, VIEW_PAGE, GUEST_CR3 + AV_PAGE_SIZE);
    assert_int_equal(expected.calls, 2);
    view_close(repeats);
}

struct listed {
    uint64_t addresses[8];
    unsigned int count, stop;
};

static int list(void *arg, const struct av_mapping *mapping)
{
    struct listed *listed = arg;

    if ( listed->count < 8 )
        listed->addresses[listed->count] = mapping->virtual_start;
    return ++listed->count == listed->stop ? 7 : 0;
}

static void lists_are_in_order(void **state)
{
    struct listed listed = { .count = 0 };

    (void)state;
    guest_map(0xffff800000000000, 7, P);
    guest_map(0x400000, 5, P);
    guest_map(0x401000, 6, P);
    assert_int_equal(view_list(view, GUEST_CR3, list, &listed), 0);
    assert_int_equal(listed.count, 3);
    assert_int_equal(listed.addresses[0], 0x400000);
    assert_int_equal(listed.addresses[2], 0xffff800000000000);
    listed = (struct listed){ .stop = 2 };
    assert_int_equal(view_list(view, GUEST_CR3, list, &listed), 7);
    assert_int_equal(view_list(view, UINT64_C(1) << 50, list, &listed), -ENXIO);
}

/* A table that holds itself everywhere: walks end, lists end, and in bounded time. */
static void tables_that_hold_themselves(void **state)
{
    uint64_t *table = (uint64_t *)guest[GUEST_TABLES];
    struct listed listed = { .count = 0 };

    (void)state;
    for ( unsigned int i = 0; i < 512; i++ )
        table[i] = GUEST_CR3 | P | W | U;
    assert_int_equal(translate(0x123456789123).physical, GUEST_CR3 | 0x123);
    assert_int_equal(view_list(view, GUEST_CR3, list, &listed), -E2BIG);

    /* Frame numbers beyond everything. */
    for ( unsigned int i = 0; i < 512; i++ )
        table[i] = UINT64_C(0x000ffffffffff000) | P;
    view_begin(view, UINT64_MAX);
    assert_int_equal(view_list(view, GUEST_CR3, list, &listed), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(four_levels),
        TEST(large_pages),
        TEST(other_paging),
        TEST(reads_cross_pages_and_stop_where_nothing_is),
        TEST(a_frame_is_the_same_during_a_call),
        TEST(what_is_read_is_expected),
        TEST(what_was_read_is_read_again),
        TEST(tables_of_pages_are_repeated),
        TEST(lists_are_in_order),
        TEST(tables_that_hold_themselves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
