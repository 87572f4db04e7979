/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Index records to entries and back.  Whether the place or slot that a record names is really its own is for the pool
 * and the file to say; whether the bytes there are the right ones, for store-page.c.
 */
#include "store-record.h"

#include <errno.h>
#include <string.h>

#include <xxhash.h>

#include "store.h"

/* Tells a record in use from memory that was never one. */
#define STORE_RECORD_MARK UINT64_C(0xb7)

#define MASK(bits) ((UINT64_C(1) << (bits)) - 1)

#define KIND_SHIFT         60
#define SAME_CHECK_BITS    60
#define RAM_LENGTH_SHIFT   48
#define RAM_LENGTH_BITS    12
#define RAM_CHECK_SHIFT    32
#define RAM_CHECK_BITS     16
#define RAM_PLACE_BITS     32
#define FILE_CHECK_SHIFT   36
#define FILE_CHECK_BITS    24
#define FILE_SLOT_BITS     36
#define FREE_NEXT_BITS     32

#define WHO_MARK_SHIFT     56
#define WHO_DOMID_SHIFT    40
#define WHO_DOMID_BITS     16
#define WHO_GFN_BITS       40

static uint64_t hash(const struct store_secret *secret, uint64_t a, uint64_t b, uint64_t c)
{
    const uint64_t words[3] = { a, b, c };

    return XXH3_64bits_withSecret(words, sizeof(words), secret->bytes, sizeof(secret->bytes));
}

static uint64_t who_of(const struct store_entry *entry)
{
    return STORE_RECORD_MARK << WHO_MARK_SHIFT | (uint64_t)entry->domid << WHO_DOMID_SHIFT | entry->gfn;
}

/* The only place that knows how where is put together; decode compares with it instead of checking field by field. */
static uint64_t where_of(const struct store_secret *secret, const struct store_entry *entry, uint64_t who)
{
    uint64_t where = (uint64_t)entry->kind << KIND_SHIFT;

    switch ( entry->kind )
    {
    case STORE_FREE:
        return where | entry->next;
    case STORE_SAME:
        return where | (hash(secret, where, who, entry->sum) & MASK(SAME_CHECK_BITS));
    case STORE_LZ4:
    case STORE_RAW:
        where |= (uint64_t)(entry->length - 1) << RAM_LENGTH_SHIFT | entry->place;
        return where | (hash(secret, where, who, 0) & MASK(RAM_CHECK_BITS)) << RAM_CHECK_SHIFT;
    case STORE_FILE:
        where |= entry->slot;
        return where | (hash(secret, where, who, 0) & MASK(FILE_CHECK_BITS)) << FILE_CHECK_SHIFT;
    }
    return 0;
}

int store_record_decode(const struct store_record *record, const struct store_secret *secret,
                        const struct store_bounds *bounds, struct store_entry *out)
{
    const struct store_record copy = {
        .sum = record->sum,
        .where = __atomic_load_n(&record->where, __ATOMIC_RELAXED),
        .who = record->who,
    };
    struct store_entry entry = { .kind = STORE_FREE, .next = STORE_NONE };

    memset(out, 0, sizeof(*out));

    switch ( copy.where >> KIND_SHIFT )
    {
    case STORE_FREE:
        entry.next = copy.where & MASK(FREE_NEXT_BITS);
        if ( entry.next >= bounds->records && entry.next != STORE_NONE )
            return -EBADMSG;
        /* who of a free record is left over from what it was: where is what frees it. */
        if ( where_of(secret, &entry, 0) != copy.where )
            return -EBADMSG;
        *out = entry;
        return 0;
    case STORE_SAME:
        entry.kind = STORE_SAME;
        break;
    case STORE_LZ4:
    case STORE_RAW:
        entry.kind = copy.where >> KIND_SHIFT;
        entry.place = copy.where & MASK(RAM_PLACE_BITS);
        entry.length = ((copy.where >> RAM_LENGTH_SHIFT) & MASK(RAM_LENGTH_BITS)) + 1;
        if ( entry.place >= bounds->places )
            return -EBADMSG;
        if ( entry.kind == STORE_RAW && entry.length != STORE_PAGE_SIZE )
            return -EBADMSG;
        break;
    case STORE_FILE:
        entry.kind = STORE_FILE;
        entry.slot = copy.where & MASK(FILE_SLOT_BITS);
        if ( entry.slot >= bounds->slots )
            return -EBADMSG;
        break;
    default:
        return -EBADMSG;
    }

    entry.sum = copy.sum;
    entry.domid = (copy.who >> WHO_DOMID_SHIFT) & MASK(WHO_DOMID_BITS);
    entry.gfn = copy.who & MASK(WHO_GFN_BITS);
    if ( entry.domid >= STORE_DOMID_LIMIT || entry.gfn >= STORE_GFN_LIMIT )
        return -EBADMSG;
    if ( who_of(&entry) != copy.who || where_of(secret, &entry, copy.who) != copy.where )
        return -EBADMSG;

    *out = entry;
    return 0;
}

void store_record_encode(struct store_record *record, const struct store_secret *secret, const struct store_entry *entry)
{
    uint64_t who = entry->kind == STORE_FREE ? 0 : who_of(entry);
    uint64_t where = where_of(secret, entry, who);

    if ( entry->kind == STORE_FREE )
    {
        __atomic_store_n(&record->where, where, __ATOMIC_RELEASE);
        record->who = 0;
        return;
    }
    record->sum = entry->sum;
    record->who = who;
    /* sum and who /before/ where; pairs with the decoding in a process that takes over after this one died. */
    __atomic_store_n(&record->where, where, __ATOMIC_RELEASE);
}

void store_record_relocate(struct store_record *record, const struct store_secret *secret, const struct store_entry *entry)
{
    /* The bytes at the new place /before/ where; pairs with the decoding in a process that takes over. */
    __atomic_store_n(&record->where, where_of(secret, entry, who_of(entry)), __ATOMIC_RELEASE);
}
