/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Digests of pages.  The hash is xxhash's XXH3, 128 bits of which the upper 64 are dropped, by the widest
 * instructions that the processor has.  A page of one repeated word is found before it is hashed: what begins
 * otherwise costs two comparisons.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

#include "digest.h"

/* What XXH3 makes of a seed has this length, and more is not used. */
#define SECRET_SIZE 192U
_Static_assert(SECRET_SIZE >= XXH3_SECRET_SIZE_MIN, "xxhash accepts it");

#define WORDS      (DIGEST_PAGE_SIZE / sizeof(uint64_t))
#define CACHE_LINE 64U

typedef XXH128_hash_t hash_with_secret(const void *, size_t, const void *, size_t);

/* In xxhash's library on x86, if it was built so: it picks the instructions at run time. */
extern hash_with_secret XXH3_128bits_withSecret_dispatch __attribute__((weak));

struct digest {
    hash_with_secret *hash;
    uint8_t secret[SECRET_SIZE];
};

int digest_open(struct digest **out)
{
    struct digest *d = calloc(1, sizeof(*d));
    ssize_t got;

    if ( !d )
        return -ENOMEM;
    /* At most 256 octets come whole once the kernel's pool is seeded. */
    do
        got = getrandom(d->secret, sizeof(d->secret), 0);
    while ( got < 0 && errno == EINTR );
    if ( got != (ssize_t)sizeof(d->secret) )
    {
        free(d);
        return got < 0 ? -errno : -EIO;
    }
    d->hash = XXH3_128bits_withSecret_dispatch ? XXH3_128bits_withSecret_dispatch : XXH3_128bits_withSecret;
    /* Its choice is kept in a variable without a lock: make it before there are threads. */
    d->hash(d->secret, sizeof(d->secret), d->secret, sizeof(d->secret));
    *out = d;

    return 0;
}

void digest_close(struct digest *d)
{
    if ( d )
        explicit_bzero(d, sizeof(*d));
    free(d);
}

static uint64_t filled_digest(const struct digest *d, uint64_t word)
{
    if ( !word )
        return DIGEST_ZERO;
    return d->hash(&word, sizeof(word), d->secret, sizeof(d->secret)).low64 | DIGEST_FILLED;
}

uint64_t digest_page(const struct digest *d, const void *page)
{
    const uint64_t *words = page;
    uint64_t word = words[0], digest;

    /* Each word against the one before it, once the cheap comparisons have nothing against it. */
    if ( words[1] == word && words[WORDS - 1] == word && words[WORDS / 2] == word &&
         !memcmp(words, words + 1, DIGEST_PAGE_SIZE - sizeof(*words)) )
        return filled_digest(d, word);

    digest = d->hash(page, DIGEST_PAGE_SIZE, d->secret, sizeof(d->secret)).low64 & ~(uint64_t)DIGEST_FILLED;

    return digest == DIGEST_NEVER ? 2 : digest;
}

static void prefetch(const uint8_t *page)
{
    for ( unsigned int at = 0; at < DIGEST_PAGE_SIZE; at += CACHE_LINE )
        __builtin_prefetch(page + at);
}

void digest_pages(const struct digest *d, const void *pages, unsigned int count, const int *errors, uint64_t *digests)
{
    const uint8_t *page = pages;

    for ( unsigned int i = 0; i < count; i++, page += DIGEST_PAGE_SIZE )
    {
        /* Fetching ahead never faults, so it may touch one that is not there. */
        if ( i + 1 < count )
            prefetch(page + DIGEST_PAGE_SIZE);
        digests[i] = errors && errors[i] ? DIGEST_NEVER : digest_page(d, page);
    }
}
