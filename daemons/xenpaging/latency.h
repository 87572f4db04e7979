/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A histogram of durations with a bounded error: four buckets to each doubling.
 */
#ifndef XENPAGING_LATENCY_H
#define XENPAGING_LATENCY_H

#include <stdint.h>

/* Nanoseconds from 1 to 2^40 (18 minutes), four buckets a doubling: a percentile is told up to 25 % too long. */
#define LATENCY_DOUBLINGS 40U
#define LATENCY_BUCKETS   (LATENCY_DOUBLINGS * 4U)

struct latency {
    uint64_t count;
    uint64_t longest;             /* nanoseconds */
    uint64_t bucket[LATENCY_BUCKETS];
};

/* Nanoseconds of the monotonic clock. */
uint64_t latency_clock(void);

void latency_add(struct latency *l, uint64_t nanoseconds);

/* The duration below which the given share (0..1000 thousandths) of them lies; 0 if there are none. */
uint64_t latency_quantile(const struct latency *l, unsigned int thousandths);

#endif
