/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * region: a part of the kernel's memory that does not change, as hashes of its octets. The hash is keyed with a
 * number that only this process knows, so that nobody can prepare octets with the same one; a block is small enough
 * that it says which function it was.
 */
#ifndef AV_INTEGRITY_REGION_H
#define AV_INTEGRITY_REGION_H

#include "sites.h"

#define REGION_BLOCK   256u

/* Read and compared in one step. */
#define REGION_STEP    READER_STEP

struct region {
    uint64_t start;
    size_t   bytes;                     /* a number of pages */
    uint64_t key;
    uint64_t *hashes;                   /* of each block; NULL: nothing is known yet */
    bool     *absent;                   /* of each page: nobody has read it, and its hashes are not known yet */
    size_t   at;                        /* what is compared next */
};

/* What a comparison finds. */
struct region_reports {
    void *arg;
    void (*changed)(void *arg, uint64_t address);       /* of a block */
    void (*site)(void *arg, const struct site *site, enum site_state state);
};

/* bytes is all of it but for the pages that are absent, and is changed: sites, which may be NULL, become zeros. 0 or
 * -ENOMEM. */
int  region_take(struct region *region, uint64_t start, uint8_t *bytes, size_t length, const struct sites *sites,
                 const bool *absent, uint64_t key);
void region_free(struct region *region);

/* Compares the next REGION_STEP octets. 0; 1: that was the last piece of it, and the next step is at its start again;
 * -ETIME. Pages that cannot be read are passed over; those that could not be so far are what they are now. */
int  region_compare(struct region *region, const struct reader *reader, const struct sites *sites,
                    const struct region_reports *reports);

#endif /* AV_INTEGRITY_REGION_H */
