/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Index records and stored pages from octets that nobody vouches for, as a later process finds them in a memfd after a
 * crash.  An input is a record (24 octets) and then a payload; it is decoded
 *   - as it is: what is accepted must be in bounds and encode to itself;
 *   - with its check made right, as damage elsewhere would leave it, to get past that;
 *   - and the payload is expanded by what the record says.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FUZZ_TARGET "store"
#include "fuzz.h"

#include "daemons/xenpaging/store-page.h"
#include "daemons/xenpaging/store-record.h"
#include "daemons/xenpaging/store.h"

/* All zeros: corpora stay valid. */
static const struct store_secret secret;
static const struct store_bounds bounds = { .records = 1000, .places = 1 << 20, .slots = 1 << 20 };

static void check_entry(const struct store_entry *entry)
{
    switch ( entry->kind )
    {
    case STORE_FREE:
        REQUIRE(entry->next < bounds.records || entry->next == STORE_NONE);
        return;
    case STORE_SAME:
        break;
    case STORE_LZ4:
    case STORE_RAW:
        REQUIRE(entry->length > 0 && entry->length <= STORE_PAGE_SIZE && entry->place < bounds.places);
        break;
    case STORE_FILE:
        REQUIRE(entry->slot < bounds.slots);
        break;
    default:
        abort();
    }
    REQUIRE(entry->domid < STORE_DOMID_LIMIT && entry->gfn < STORE_GFN_LIMIT);
}

/* The record's own fields, whatever they are, with a check that fits. */
static struct store_entry fields_of(const struct store_record *record)
{
    struct store_entry entry = {
        .kind = record->where >> 60,
        .domid = record->who >> 40,
        .gfn = record->who & ((UINT64_C(1) << 40) - 1),
        .sum = record->sum,
        .length = ((record->where >> 48) & 0xfff) + 1,
        .place = (uint32_t)record->where,
        .slot = record->where & ((UINT64_C(1) << 36) - 1),
        .next = (uint32_t)record->where,
    };

    if ( entry.kind > STORE_FILE )
        entry.kind = STORE_SAME;
    return entry;
}

static void expand(const struct store_entry *entry, const uint8_t *data, size_t size)
{
    struct store_entry e = *entry;
    unsigned char *payload, *page;
    int rc;

    if ( e.kind == STORE_LZ4 || e.kind == STORE_RAW )
    {
        if ( !size )
            return;
        e.length = size < STORE_PAGE_SIZE ? size : STORE_PAGE_SIZE;
    }
    else
        size = 0;
    /* Exactly as long as they may be used, so that the sanitizer sees an octet too far. */
    payload = malloc(size ? e.length : 1);
    page = malloc(STORE_PAGE_SIZE);
    if ( !payload || !page )
        abort();
    if ( size )
        memcpy(payload, data, e.length);
    memset(page, 0xa5, STORE_PAGE_SIZE);
    rc = store_page_expand(&secret, &e, payload, page);
    if ( rc )
    {
        REQUIRE(rc == -EBADMSG);
        for ( unsigned int i = 0; i < STORE_PAGE_SIZE; i++ )
            REQUIRE(!page[i]);
    }
    else if ( e.kind != STORE_SAME )
        REQUIRE(store_page_sum(&secret, e.domid, e.gfn, page) == e.sum);
    free(page);
    free(payload);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct store_record record, again = { 0 };
    struct store_entry entry, made;

    if ( size < sizeof(record) )
        return 0;
    memcpy(&record, data, sizeof(record));
    data += sizeof(record);
    size -= sizeof(record);

    if ( !store_record_decode(&record, &secret, &bounds, &entry) )
    {
        check_entry(&entry);
        store_record_encode(&again, &secret, &entry);
        REQUIRE(again.where == record.where);
        REQUIRE(entry.kind == STORE_FREE || (again.who == record.who && again.sum == record.sum));
        expand(&entry, data, size);
    }

    made = fields_of(&record);
    store_record_encode(&record, &secret, &made);
    if ( !store_record_decode(&record, &secret, &bounds, &entry) )
        check_entry(&entry);
    expand(&made, data, size);
    return 0;
}
