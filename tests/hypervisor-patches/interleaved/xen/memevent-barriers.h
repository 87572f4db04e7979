/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The overlay's header of this name for interleave.c: each access to a shared word is a point at which
 * another thread of the model may go on instead.  Found first on the search path.
 */
#ifndef XEN_MEMEVENT_BARRIERS_H
#define XEN_MEMEVENT_BARRIERS_H

#include "tests/hypervisor-patches/interleave.h"

/* On x86, as interleave.c has it, loads are acquiring and stores releasing anyway. */
static inline uint32_t memevent_load_acquire(const uint32_t *index)
{
    return interleave_load(index);
}

static inline void memevent_store_release(uint32_t *index, uint32_t value)
{
    interleave_store(index, value);
}

static inline uint32_t memevent_load_relaxed(const uint32_t *word)
{
    return interleave_load(word);
}

static inline void memevent_store_relaxed(uint32_t *word, uint32_t value)
{
    interleave_store(word, value);
}

/* Counters, in the model with their lower halves. */
static inline uint64_t memevent_load_relaxed64(const uint64_t *word)
{
    return interleave_load((const uint32_t *)word);
}

static inline void memevent_store_relaxed64(uint64_t *word, uint64_t value)
{
    interleave_store_counter((uint32_t *)word, value);
}

static inline bool memevent_swap_if(uint32_t *word, uint32_t old, uint32_t new)
{
    return interleave_swap_if(word, old, new);
}

static inline void memevent_full_barrier(void)
{
    interleave_barrier();
}

/* The model does not speculate. */
static inline uint32_t memevent_bounded_index(uint32_t index, uint32_t limit)
{
    (void)limit;

    return index;
}

#endif /* XEN_MEMEVENT_BARRIERS_H */
