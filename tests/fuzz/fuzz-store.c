/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Index records and stored pages from octets that nobody vouches for, as a later process finds them in a memfd after a
 * crash.  An input is a record (24 octets) and then a payload; it is decoded
 *   - as it is: what is accepted must be in bounds and encode to itself;
 *   - with its check made right, as damage elsewhere would leave it, to get past that;
 *   - and the payload is expanded by what the record says.
 * Built with -fsanitize=fuzzer, or with -DFUZZ_REPLAY as a program that runs files given as arguments, or else all files
 * of $FUZZ_CORPUS or $srcdir/tests/fuzz/corpus/store.
 */
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemons/xenpaging/store-page.h"
#include "daemons/xenpaging/store-record.h"
#include "daemons/xenpaging/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* All zeros: corpora stay valid. */
static const struct store_secret secret;
static const struct store_bounds bounds = { .records = 1000, .places = 1 << 20, .slots = 1 << 20 };

static void expect(bool truth)
{
    if ( !truth )
        abort();
}

static void check_entry(const struct store_entry *entry)
{
    switch ( entry->kind )
    {
    case STORE_FREE:
        expect(entry->next < bounds.records || entry->next == STORE_NONE);
        return;
    case STORE_SAME:
        break;
    case STORE_LZ4:
    case STORE_RAW:
        expect(entry->length > 0 && entry->length <= STORE_PAGE_SIZE && entry->place < bounds.places);
        break;
    case STORE_FILE:
        expect(entry->slot < bounds.slots);
        break;
    default:
        abort();
    }
    expect(entry->domid < STORE_DOMID_LIMIT && entry->gfn < STORE_GFN_LIMIT);
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
        expect(rc == -EBADMSG);
        for ( unsigned int i = 0; i < STORE_PAGE_SIZE; i++ )
            expect(!page[i]);
    }
    else if ( e.kind != STORE_SAME )
        expect(store_page_sum(&secret, e.domid, e.gfn, page) == e.sum);
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
        expect(again.where == record.where);
        expect(entry.kind == STORE_FREE || (again.who == record.who && again.sum == record.sum));
        expand(&entry, data, size);
    }

    made = fields_of(&record);
    store_record_encode(&record, &secret, &made);
    if ( !store_record_decode(&record, &secret, &bounds, &entry) )
        check_entry(&entry);
    expand(&made, data, size);
    return 0;
}

#ifdef FUZZ_REPLAY
static uint8_t input[1 << 16];

static int replay(const char *path)
{
    FILE *file = fopen(path, "rb");
    size_t size;

    if ( !file )
    {
        perror(path);
        return 1;
    }
    size = fread(input, 1, sizeof(input), file);
    fclose(file);
    LLVMFuzzerTestOneInput(input, size);
    return 0;
}

int main(int argc, char *argv[])
{
    const char *corpus = getenv("FUZZ_CORPUS"), *top = getenv("srcdir");
    char directory[4096], path[8192];
    struct dirent *entry;
    unsigned int count = 0;
    DIR *dir;

    for ( int i = 1; i < argc; i++ )
        if ( replay(argv[i]) )
            return 1;
    if ( argc > 1 )
        return 0;

    if ( corpus )
        snprintf(directory, sizeof(directory), "%s", corpus);
    else
        snprintf(directory, sizeof(directory), "%s/tests/fuzz/corpus/store", top ? top : ".");
    dir = opendir(directory);
    if ( !dir )
    {
        perror(directory);
        return 1;
    }
    while ( (entry = readdir(dir)) )
    {
        if ( entry->d_name[0] == '.' )
            continue;
        snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
        if ( replay(path) )
            return 1;
        count++;
    }
    closedir(dir);
    printf("%u inputs replayed from %s\n", count, directory);
    /* No corpus, no test. */
    return !count;
}
#endif
