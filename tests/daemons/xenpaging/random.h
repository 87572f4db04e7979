/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reproducible random numbers for tests: the seed is printed, and taken from $SEED if that is set.
 */
#ifndef TESTS_XENPAGING_RANDOM_H
#define TESTS_XENPAGING_RANDOM_H

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* splitmix64 (Steele, Lea, Flood): any seed will do. */
static inline uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static inline uint64_t random_below(uint64_t *state, uint64_t limit)
{
    return random_next(state) % limit;
}

static inline uint64_t random_seed(void)
{
    const char *given = getenv("SEED");
    struct timespec t;
    uint64_t seed;

    clock_gettime(CLOCK_REALTIME, &t);
    seed = given ? strtoull(given, NULL, 0) : (uint64_t)t.tv_sec * 1000000007 + t.tv_nsec;
    printf("SEED=%" PRIu64 "\n", seed);
    return seed;
}

#endif
