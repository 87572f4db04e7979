/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counts of durations in bins that grow with the value, 16 to each power of two: percentiles to
 * within 1/16 over the whole range in a fixed size. Pure; also compiled natively for its test.
 */
#ifndef TESTS_GUEST_HISTOGRAM_H
#define TESTS_GUEST_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_SUB_BITS  4
#define HISTOGRAM_SUB       (1u << HISTOGRAM_SUB_BITS)
#define HISTOGRAM_BINS      ((64 - HISTOGRAM_SUB_BITS + 1) * HISTOGRAM_SUB)

struct histogram {
    uint64_t count;
    uint64_t max;
    uint64_t bins[HISTOGRAM_BINS];
};

void histogram_clear(struct histogram *h);
void histogram_add(struct histogram *h, uint64_t value);
void histogram_merge(struct histogram *to, const struct histogram *from);

/* The bin's upper end, never above the largest value seen; 0 when nothing was added. */
uint64_t histogram_percentile(const struct histogram *h, unsigned int percent);

#endif
