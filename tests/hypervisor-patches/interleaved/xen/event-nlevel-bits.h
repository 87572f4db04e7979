/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The overlay's header of this name for interleave.c: each access is a point at which another thread of
 * the model may go on instead.  Words of 32 bits only.  Found first on the search path.
 */
#ifndef XEN_EVENT_NLEVEL_BITS_H
#define XEN_EVENT_NLEVEL_BITS_H

#include "tests/hypervisor-patches/interleave.h"

static inline bool nlevel_test_and_set(uint32_t *words, unsigned int bit)
{
    return interleave_change(&words[bit / 32], ~0u, 1u << (bit % 32)) >> (bit % 32) & 1;
}

static inline bool nlevel_test_and_clear(uint32_t *words, unsigned int bit)
{
    return interleave_change(&words[bit / 32], ~(1u << (bit % 32)), 0) >> (bit % 32) & 1;
}

static inline bool nlevel_test(const uint32_t *words, unsigned int bit)
{
    return interleave_load(&words[bit / 32]) >> (bit % 32) & 1;
}

/* No half of it says less than the whole: it is NULL, or one other. */
static inline uint32_t *nlevel_load_pointer(uint32_t *const *pointer)
{
    interleave_load((const uint32_t *)pointer);

    return *pointer;
}

/* The model does not speculate. */
static inline unsigned int nlevel_bounded(unsigned int index, unsigned int limit)
{
    (void)limit;

    return index;
}

static inline uint64_t nlevel_take_word(uint32_t *words, unsigned int index, unsigned int word_shift)
{
    INTERLEAVE_REQUIRE(word_shift == 5);

    return interleave_change(&words[index], 0, 0);
}

static inline uint64_t nlevel_load_word(const uint32_t *words, unsigned int index, unsigned int word_shift)
{
    INTERLEAVE_REQUIRE(word_shift == 5);

    return interleave_load(&words[index]);
}

#endif /* XEN_EVENT_NLEVEL_BITS_H */
