/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The overlay's header of this name for counting: what it costs both sides to reach memory that they share.  One
 * thread only.  Found first on the search path.
 */
#ifndef XEN_EVENT_NLEVEL_BITS_H
#define XEN_EVENT_NLEVEL_BITS_H

#include <stdbool.h>
#include <stdint.h>

/* Locked instructions, and plain loads. */
extern struct nlevel_cost {
    unsigned int locked, loads;
} nlevel_cost;

static inline bool nlevel_test_and_set(uint32_t *words, unsigned int bit)
{
    bool before = words[bit / 32] >> (bit % 32) & 1;

    nlevel_cost.locked++;
    words[bit / 32] |= 1u << (bit % 32);

    return before;
}

static inline bool nlevel_test_and_clear(uint32_t *words, unsigned int bit)
{
    bool before = words[bit / 32] >> (bit % 32) & 1;

    nlevel_cost.locked++;
    words[bit / 32] &= ~(1u << (bit % 32));

    return before;
}

static inline bool nlevel_test(const uint32_t *words, unsigned int bit)
{
    nlevel_cost.loads++;

    return words[bit / 32] >> (bit % 32) & 1;
}

/* The hypervisor's own memory. */
static inline uint32_t *nlevel_load_pointer(uint32_t *const *pointer)
{
    return *pointer;
}

static inline unsigned int nlevel_bounded(unsigned int index, unsigned int limit)
{
    (void)limit;

    return index;
}

static inline uint64_t nlevel_load_word(const uint32_t *words, unsigned int index, unsigned int word_shift)
{
    nlevel_cost.loads++;

    return word_shift == 6 ? words[2 * index] | (uint64_t)words[2 * index + 1] << 32 : words[index];
}

static inline uint64_t nlevel_take_word(uint32_t *words, unsigned int index, unsigned int word_shift)
{
    uint64_t before = nlevel_load_word(words, index, word_shift);

    nlevel_cost.loads--;
    nlevel_cost.locked++;
    if ( word_shift == 6 )
        words[2 * index] = words[2 * index + 1] = 0;
    else
        words[index] = 0;

    return before;
}

#endif /* XEN_EVENT_NLEVEL_BITS_H */
