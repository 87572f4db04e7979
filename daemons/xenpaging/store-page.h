/* SPDX-License-Identifier: GPL-2.0-only */
/* The contents of one page: checksum, same-filled or not, lz4 in and out.  Knows nothing of where they are kept. */
#ifndef XENPAGING_STORE_PAGE_H
#define XENPAGING_STORE_PAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "store-record.h"

/*
 * Pages that lz4 does not bring down to this many octets are kept raw: the next size class of the pool holds a whole
 * page, so compressing less far than this saves nothing and costs a decompression.
 */
#define STORE_LZ4_LENGTH_MAX 3824U

/* Checksum of a page's uncompressed bytes, bound to the key and to whose page it is. */
uint64_t store_page_sum(const struct store_secret *secret, uint16_t domid, uint64_t gfn, const void *page);

/* Whether all 8-byte words of the page are equal, and which word. */
bool store_page_is_same(const void *page, uint64_t *word);

/* Octets needed for the scratch of store_page_compress. */
unsigned int store_page_scratch_size(void);

/* Returns the compressed length, up to STORE_LZ4_LENGTH_MAX, or 0 if the page is to be kept raw. */
unsigned int store_page_compress(void *scratch, const void *page, void *out);

/*
 * Brings back the page that entry (SAME, LZ4, RAW) describes, verified; payload is entry->length octets, or unused for SAME.
 * 0, or -EBADMSG with the page all zeros.  payload may be anything at all.
 */
int store_page_expand(const struct store_secret *secret, const struct store_entry *entry, const void *payload, void *page);

/* Verifies bytes that are in page already; 0, or -EBADMSG with the page all zeros. */
int store_page_verify(const struct store_secret *secret, uint16_t domid, uint64_t gfn, uint64_t sum, void *page);

#endif
