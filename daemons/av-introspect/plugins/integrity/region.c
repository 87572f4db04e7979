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

int region_take(struct region *region, uint64_t start, uint8_t *bytes, size_t length, const struct sites *sites, uint64_t key)
{
    region->start = start;
    region->bytes = length / AV_PAGE_SIZE * AV_PAGE_SIZE;
    region->key = key;
    region->at = 0;
    free(region->hashes);
    region->hashes = calloc(region->bytes / REGION_BLOCK + 1, sizeof(*region->hashes));
    if ( !region->hashes )
        return -ENOMEM;
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
}

static void compare(const struct region *region, const uint8_t *bytes, size_t length, const struct region_reports *reports)
{
    for ( size_t at = 0; at < length; at += REGION_BLOCK )
    {
        size_t index = (region->at + at) / REGION_BLOCK;

        if ( hash_of(region, bytes + at, index) != region->hashes[index] )
            reports->changed(reports->arg, region->start + index * REGION_BLOCK);
    }
}

int region_compare(struct region *region, const struct reader *reader, const struct sites *sites,
                   const struct region_reports *reports)
{
    static uint8_t bytes[REGION_STEP + SITES_BYTES];
    size_t left = region->bytes - region->at, length = left < REGION_STEP ? left : REGION_STEP;
    size_t beyond = left > length ? SITES_BYTES : 0;
    int rc = reader_read(reader, region->start + region->at, bytes, length + beyond);

    if ( rc == -ETIME )
        return rc;
    if ( !rc )
    {
        if ( sites )
            sites_mask(sites, bytes, region->at, length, beyond, reports->site, reports->arg);
        compare(region, bytes, length, reports);
    }
    region->at += length;
    if ( region->at < region->bytes )
        return 0;
    region->at = 0;
    return 1;
}
