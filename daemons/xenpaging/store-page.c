/* SPDX-License-Identifier: GPL-2.0-only */
/* The contents of one page.  What is not verified here is not given out by the store. */
#include "store-page.h"

#include <errno.h>
#include <string.h>

#include <lz4.h>
#if defined(__x86_64__)
#include <xxh_x86dispatch.h>
#else
#include <xxhash.h>
#endif

#include "store.h"

/* lz4's speed setting; 1 is its default and best ratio. */
#define STORE_LZ4_ACCELERATION 1

uint64_t store_page_sum(const struct store_secret *secret, uint16_t domid, uint64_t gfn, const void *page)
{
    const uint64_t words[2] = {
        XXH3_64bits_withSecret(page, STORE_PAGE_SIZE, secret->bytes, sizeof(secret->bytes)),
        (uint64_t)domid << 48 | gfn,
    };

    return XXH3_64bits_withSecret(words, sizeof(words), secret->bytes, sizeof(secret->bytes));
}

bool store_page_is_same(const void *page, uint64_t *word)
{
    const unsigned char *bytes = page;

    memcpy(word, bytes, sizeof(*word));
    /* The last word first: most pages that are not same-filled differ there, and stay out of the cache. */
    if ( memcmp(bytes, bytes + STORE_PAGE_SIZE - sizeof(*word), sizeof(*word)) )
        return false;
    return !memcmp(bytes, bytes + sizeof(*word), STORE_PAGE_SIZE - sizeof(*word));
}

unsigned int store_page_scratch_size(void)
{
    return LZ4_sizeofState();
}

unsigned int store_page_compress(void *scratch, const void *page, void *out)
{
    int n = LZ4_compress_fast_extState(scratch, page, out, STORE_PAGE_SIZE, STORE_LZ4_LENGTH_MAX, STORE_LZ4_ACCELERATION);

    return n > 0 ? n : 0;
}

int store_page_verify(const struct store_secret *secret, uint16_t domid, uint64_t gfn, uint64_t sum, void *page)
{
    if ( store_page_sum(secret, domid, gfn, page) == sum )
        return 0;
    memset(page, 0, STORE_PAGE_SIZE);
    return -EBADMSG;
}

int store_page_expand(const struct store_secret *secret, const struct store_entry *entry, const void *payload, void *page)
{
    switch ( entry->kind )
    {
    case STORE_SAME:
        /* The word was verified with the record, by its check. */
        for ( size_t i = 0; i < STORE_PAGE_SIZE; i += sizeof(entry->sum) )
            memcpy((unsigned char *)page + i, &entry->sum, sizeof(entry->sum));
        return 0;
    case STORE_LZ4:
        if ( LZ4_decompress_safe(payload, page, entry->length, STORE_PAGE_SIZE) != (int)STORE_PAGE_SIZE )
            break;
        return store_page_verify(secret, entry->domid, entry->gfn, entry->sum, page);
    case STORE_RAW:
        if ( entry->length != STORE_PAGE_SIZE )
            break;
        memcpy(page, payload, STORE_PAGE_SIZE);
        return store_page_verify(secret, entry->domid, entry->gfn, entry->sum, page);
    case STORE_FREE:
    case STORE_FILE:
        break;
    }
    memset(page, 0, STORE_PAGE_SIZE);
    return -EBADMSG;
}
