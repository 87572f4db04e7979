/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hashes of blocks: half a MiB for 16 MiB of code.
 */
#include "region.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

static uint64_t hash_of(const struct region *region, const uint8_t *block, size_t index)
{
    return XXH3_64bits_withSeed(block, REGION_BLOCK, region->key + index);
}

int region_take(struct region *region, uint64_t start, uint8_t *bytes, size_t length, const struct sites *sites,
                const bool *absent, uint64_t key)
{
    region->start = start;
    region->bytes = length / AV_PAGE_SIZE * AV_PAGE_SIZE;
    region->key = key;
    region->at = 0;
    region_free(region);
    region->hashes = calloc(region->bytes / REGION_BLOCK + 1, sizeof(*region->hashes));
    region->absent = calloc(region->bytes / AV_PAGE_SIZE + 1, sizeof(*region->absent));
    if ( !region->hashes || !region->absent )
        return -ENOMEM;
    memcpy(region->absent, absent, region->bytes / AV_PAGE_SIZE * sizeof(*absent));
    if ( sites )
        sites_mask(sites, bytes, 0, region->bytes, 0, NULL, NULL);
    for ( size_t i = 0; i < region->bytes / REGION_BLOCK; i++ )
        region->hashes[i] = hash_of(region, bytes + i * REGION_BLOCK, i);
    return 0;
}

void region_free(struct region *region)
{
    free(region->hashes);
    region->hashes = NULL;
    free(region->absent);
    region->absent = NULL;
}

static void compare_page(struct region *region, size_t page, const uint8_t *bytes, const struct region_reports *reports)
{
    size_t first = page * (AV_PAGE_SIZE / REGION_BLOCK);

    for ( size_t i = 0; i < AV_PAGE_SIZE / REGION_BLOCK; i++ )
    {
        uint64_t hash = hash_of(region, bytes + i * REGION_BLOCK, first + i);

        if ( region->absent[page] )
            region->hashes[first + i] = hash;
        else if ( hash != region->hashes[first + i] )
            reports->changed(reports->arg, region->start + (first + i) * REGION_BLOCK);
    }
    region->absent[page] = false;
}

/* Pages in a row that are all there, from octet `offset` of the region on; behind them `beyond` octets are. */
static void compare(struct region *region, size_t offset, uint8_t *bytes, size_t length, size_t beyond,
                    const struct sites *sites, const struct region_reports *reports)
{
    if ( sites )
        sites_mask(sites, bytes, offset, length, beyond, reports->site, reports->arg);
    for ( size_t at = 0; at < length; at += AV_PAGE_SIZE )
        compare_page(region, (offset + at) / AV_PAGE_SIZE, bytes + at, reports);
}

int region_compare(struct region *region, const struct reader *reader, const struct sites *sites,
                   const struct region_reports *reports)
{
    static uint8_t bytes[REGION_STEP + SITES_BYTES];
    size_t left = region->bytes - region->at, length = left < REGION_STEP ? left : REGION_STEP;
    size_t beyond = left > length ? SITES_BYTES : 0;
    bool absent[REGION_STEP / AV_PAGE_SIZE + 1];
    int rc = reader_read_pages(reader, region->start + region->at, bytes, length + beyond, absent);

    if ( rc )
        return rc;
    if ( beyond && absent[length / AV_PAGE_SIZE] )
        beyond = 0;
    for ( size_t at = 0, run; at < length; at += run )
    {
        for ( run = 0; at + run < length && !absent[(at + run) / AV_PAGE_SIZE]; run += AV_PAGE_SIZE )
            ;
        if ( run )
            compare(region, region->at + at, bytes + at, run, at + run == length ? beyond : 0, sites, reports);
        else
            run = AV_PAGE_SIZE;
    }
    region->at += length;
    if ( region->at < region->bytes )
        return 0;
    region->at = 0;
    return 1;
}
