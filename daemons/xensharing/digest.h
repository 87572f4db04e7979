/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Bytes of a page -> 64 bits: what pages are looked up by.  XXH3 with a secret that is made anew at each start, so
 * that no guest can choose pages that collide; a digest never leaves the process.  Equal digests are a reason to
 * compare two pages, never to merge them.
 */
#ifndef XENSHARING_DIGEST_H
#define XENSHARING_DIGEST_H

#include <stdbool.h>
#include <stdint.h>

#define DIGEST_PAGE_SIZE 4096U

/* No digest is this: a page that was not looked at yet. */
#define DIGEST_NEVER 0U
/* Set in digests of pages filled with one repeated 64-bit word, and in no other. */
#define DIGEST_FILLED 1U
/* The digest of a page of zeros. */
#define DIGEST_ZERO  DIGEST_FILLED

static inline bool digest_is_filled(uint64_t digest)
{
    return digest & DIGEST_FILLED;
}

struct digest;

/* -errno: no memory, or no random numbers. */
int  digest_open(struct digest **out);
void digest_close(struct digest *d);    /* NULL is accepted */

/*
 * Of one page, aligned to 8 octets.  A filled page gives a digest that follows from its word.  From any thread.  The
 * guest may write meanwhile: then the digest is of something that was there in part, and it will not come again.
 */
uint64_t digest_page(const struct digest *d, const void *page);

/*
 * Of count pages one behind the other: faster, the next page is fetched while one is being read.  errors[i] other
 * than 0: page i must not be touched, and its digest is DIGEST_NEVER.  errors may be NULL.  From any thread.
 */
void digest_pages(const struct digest *d, const void *pages, unsigned int count, const int *errors, uint64_t *digests);

#endif
