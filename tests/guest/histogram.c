/* SPDX-License-Identifier: GPL-2.0-only */
/* See histogram.h. One owner a histogram: adding takes no lock. */
#include "histogram.h"

static unsigned int bin_of(uint64_t value)
{
    unsigned int exponent;

    if ( value < HISTOGRAM_SUB )
        return value;

    exponent = 63 - __builtin_clzll(value);

    return (exponent - HISTOGRAM_SUB_BITS + 1) * HISTOGRAM_SUB +
           ((value >> (exponent - HISTOGRAM_SUB_BITS)) & (HISTOGRAM_SUB - 1));
}

static uint64_t bin_top(unsigned int bin)
{
    unsigned int shift;

    if ( bin < HISTOGRAM_SUB )
        return bin;

    shift = bin / HISTOGRAM_SUB - 1;

    /* The last bin's top is 2^64 - 1: the shift runs over and the subtraction brings it back. */
    return ((uint64_t)(HISTOGRAM_SUB + bin % HISTOGRAM_SUB + 1) << shift) - 1;
}

void histogram_clear(struct histogram *h)
{
    unsigned int i;

    h->count = h->max = 0;
    for ( i = 0; i < HISTOGRAM_BINS; i++ )
        h->bins[i] = 0;
}

void histogram_add(struct histogram *h, uint64_t value)
{
    h->count++;
    if ( value > h->max )
        h->max = value;
    h->bins[bin_of(value)]++;
}

void histogram_merge(struct histogram *to, const struct histogram *from)
{
    unsigned int i;

    if ( !from->count )
        return;

    to->count += from->count;
    if ( from->max > to->max )
        to->max = from->max;
    for ( i = 0; i < HISTOGRAM_BINS; i++ )
        to->bins[i] += from->bins[i];
}

uint64_t histogram_percentile(const struct histogram *h, unsigned int percent)
{
    uint64_t rank, seen = 0;
    unsigned int i;

    if ( !h->count )
        return 0;

    /* count * percent / 100, rounded up, without running over */
    rank = h->count / 100 * percent + (h->count % 100 * percent + 99) / 100;
    if ( !rank )
        rank = 1;

    for ( i = 0; i < HISTOGRAM_BINS; i++ )
    {
        seen += h->bins[i];
        if ( seen >= rank )
            return bin_top(i) < h->max ? bin_top(i) : h->max;
    }

    return h->max;
}
