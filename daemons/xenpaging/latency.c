/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Durations by their leading three bits.
 */
#include <time.h>

#include "latency.h"

static unsigned int bucket_of(uint64_t nanoseconds)
{
    unsigned int doubling, quarter, bucket;

    if ( nanoseconds < 4 )
        return nanoseconds;
    doubling = 63 - __builtin_clzll(nanoseconds);
    quarter = (nanoseconds >> (doubling - 2)) & 3;
    bucket = (doubling - 1) * 4 + quarter;
    return bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS - 1;
}

/* The first duration that falls into the next bucket. */
static uint64_t bucket_end(unsigned int bucket)
{
    if ( bucket < 4 )
        return bucket + 1;
    return (uint64_t)(bucket % 4 + 5) << (bucket / 4 - 1);
}

uint64_t latency_clock(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void latency_add(struct latency *l, uint64_t nanoseconds)
{
    l->bucket[bucket_of(nanoseconds)]++;
    l->count++;
    if ( nanoseconds > l->longest )
        l->longest = nanoseconds;
}

uint64_t latency_quantile(const struct latency *l, unsigned int thousandths)
{
    uint64_t wanted = (l->count * thousandths + 999) / 1000, seen = 0;

    if ( !l->count )
        return 0;
    for ( unsigned int bucket = 0; bucket < LATENCY_BUCKETS; bucket++ )
    {
        seen += l->bucket[bucket];
        if ( seen >= wanted && seen )
            return bucket_end(bucket) < l->longest ? bucket_end(bucket) : l->longest;
    }
    return l->longest;
}
