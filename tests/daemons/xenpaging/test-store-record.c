/* SPDX-License-Identifier: GPL-2.0-only */
/* Index records: what was encoded comes back, what is out of bounds or has a wrong bit does not. */
#include "test-store.h"

#include "daemons/xenpaging/store-page.h"
#include "daemons/xenpaging/store-record.h"

static const struct store_bounds bounds = { .records = 5000, .places = 1 << 20, .slots = 1 << 24 };
static struct store_secret secret;

static const struct store_entry entries[] = {
    { .kind = STORE_FREE, .next = STORE_NONE },
    { .kind = STORE_FREE, .next = 0 },
    { .kind = STORE_FREE, .next = 4999 },
    { .kind = STORE_SAME, .domid = 0, .gfn = 0, .sum = 0 },
    { .kind = STORE_SAME, .domid = 1, .gfn = 77, .sum = UINT64_MAX },
    { .kind = STORE_LZ4, .domid = 0x7fef, .gfn = STORE_GFN_LIMIT - 1, .sum = 1, .length = 1, .place = 0 },
    { .kind = STORE_LZ4, .domid = 5, .gfn = 6, .sum = 7, .length = 4096, .place = (1 << 20) - 1 },
    { .kind = STORE_RAW, .domid = 5, .gfn = 6, .sum = 7, .length = 4096, .place = 12345 },
    { .kind = STORE_FILE, .domid = 5, .gfn = 6, .sum = 7, .slot = 0 },
    { .kind = STORE_FILE, .domid = 5, .gfn = 6, .sum = 7, .slot = (1 << 24) - 1 },
};
#define ENTRIES (sizeof(entries) / sizeof(entries[0]))

static void test_round_trip(void **state)
{
    (void)state;
    for ( size_t i = 0; i < ENTRIES; i++ )
    {
        struct store_record record = { 0 };
        struct store_entry out;

        store_record_encode(&record, &secret, &entries[i]);
        assert_int_equal(store_record_decode(&record, &secret, &bounds, &out), 0);
        assert_int_equal(out.kind, entries[i].kind);
        assert_int_equal(out.domid, entries[i].domid);
        assert_int_equal(out.gfn, entries[i].gfn);
        assert_int_equal(out.sum, entries[i].sum);
        assert_int_equal(out.length, entries[i].length);
        assert_int_equal(out.place, entries[i].place);
        assert_int_equal(out.slot, entries[i].slot);
        if ( out.kind == STORE_FREE )
            assert_int_equal(out.next, entries[i].next);
    }
}

/* The check is a short hash, and the key is fixed here, so that what is seen once is seen always. */
static void test_each_wrong_bit(void **state)
{
    (void)state;
    for ( size_t i = 0; i < ENTRIES; i++ )
        for ( unsigned int bit = 0; bit < 128; bit++ )
        {
            struct store_record record = { 0 };
            struct store_entry out;
            bool same = entries[i].kind == STORE_SAME, unused = entries[i].kind == STORE_FREE;

            /* who of a free record means nothing, and its link is checked by the kind of what it leads to. */
            if ( unused && (bit >= 64 || bit < 32) )
                continue;
            store_record_encode(&record, &secret, &entries[i]);
            *(bit < 64 ? &record.where : &record.who) ^= UINT64_C(1) << bit % 64;
            assert_int_equal(store_record_decode(&record, &secret, &bounds, &out), -EBADMSG);
            assert_int_equal(out.kind, STORE_FREE);
            if ( !same || bit >= 64 )
                continue;
            store_record_encode(&record, &secret, &entries[i]);
            record.sum ^= UINT64_C(1) << bit;
            assert_int_equal(store_record_decode(&record, &secret, &bounds, &out), -EBADMSG);
        }
}

/* Correctly made, by a process with more of everything. */
static void test_out_of_bounds(void **state)
{
    static const struct store_entry bad[] = {
        { .kind = STORE_FREE, .next = 5000 },
        { .kind = STORE_LZ4, .length = 100, .place = 1 << 20 },
        { .kind = STORE_RAW, .length = 4096, .place = UINT32_MAX },
        { .kind = STORE_RAW, .length = 4095, .place = 0 },
        { .kind = STORE_FILE, .slot = 1 << 24 },
        { .kind = STORE_FILE, .slot = (UINT64_C(1) << 36) - 1 },
        { .kind = STORE_SAME, .domid = STORE_DOMID_LIMIT },
        { .kind = STORE_SAME, .domid = 0xffff },
        { .kind = STORE_SAME, .gfn = STORE_GFN_LIMIT },
        { .kind = STORE_SAME, .gfn = (UINT64_C(1) << 40) - 1 },
    };

    (void)state;
    for ( size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++ )
    {
        struct store_record record = { 0 };
        struct store_entry out;

        store_record_encode(&record, &secret, &bad[i]);
        assert_int_equal(store_record_decode(&record, &secret, &bounds, &out), -EBADMSG);
    }
    for ( uint64_t kind = STORE_FILE + 1; kind < 16; kind++ )
    {
        struct store_record record = { .where = kind << 60 };
        struct store_entry out;

        assert_int_equal(store_record_decode(&record, &secret, &bounds, &out), -EBADMSG);
    }
}

/* Two records that change places, or another store's, are not believed. */
static void test_identity(void **state)
{
    struct store_record a, b, swapped;
    struct store_secret other = secret;
    struct store_entry out;
    unsigned char page[STORE_PAGE_SIZE];

    (void)state;
    store_record_encode(&a, &secret, &entries[7]);
    store_record_encode(&b, &secret, &entries[5]);
    swapped = a;
    swapped.where = b.where;
    assert_int_equal(store_record_decode(&swapped, &secret, &bounds, &out), -EBADMSG);
    memset(other.bytes, 0x77, sizeof(other.bytes));
    assert_int_equal(store_record_decode(&a, &other, &bounds, &out), -EBADMSG);

    test_page(page, TEST_RANDOM, 1);
    assert_true(store_page_sum(&secret, 1, 2, page) != store_page_sum(&secret, 1, 3, page));
    assert_true(store_page_sum(&secret, 1, 2, page) != store_page_sum(&secret, 2, 2, page));
    assert_true(store_page_sum(&secret, 1, 2, page) != store_page_sum(&other, 1, 2, page));
}

/* lz4 that is sound but gives less, or more, than a page. */
static void test_payload_of_wrong_size(void **state)
{
    unsigned char page[STORE_PAGE_SIZE], packed[STORE_PAGE_SIZE], out[STORE_PAGE_SIZE];
    struct store_entry entry = { .kind = STORE_LZ4, .domid = 1, .gfn = 2 };
    void *scratch = malloc(store_page_scratch_size());

    (void)state;
    assert_non_null(scratch);
    test_page(page, TEST_LZ4, 3);
    entry.sum = store_page_sum(&secret, 1, 2, page);
    entry.length = store_page_compress(scratch, page, packed);
    free(scratch);
    assert_int_equal(store_page_expand(&secret, &entry, packed, out), 0);
    assert_memory_equal(out, page, sizeof(page));
    for ( uint32_t whole = entry.length; --entry.length; )
    {
        unsigned char *cut = malloc(entry.length);

        assert_true(entry.length < whole);
        assert_non_null(cut);
        memcpy(cut, packed, entry.length);
        assert_int_equal(store_page_expand(&secret, &entry, cut, out), -EBADMSG);
        free(cut);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_each_wrong_bit),
        cmocka_unit_test(test_out_of_bounds),
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_payload_of_wrong_size),
    };
    uint64_t seed = 1;

    for ( unsigned int i = 0; i < sizeof(secret.bytes); i++ )
        secret.bytes[i] = test_random(&seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
