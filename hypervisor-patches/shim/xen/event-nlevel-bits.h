/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The overlay's header of this name for user space, by the compiler's atomics.  Found first on the search path.
 * Written so that gcc makes one locked instruction of each, as Xen's are, and no loop.
 */
#ifndef XEN_EVENT_NLEVEL_BITS_H
#define XEN_EVENT_NLEVEL_BITS_H

#include <stdbool.h>
#include <stdint.h>

static inline bool nlevel_test_and_set(uint32_t *words, unsigned int bit)
{
    uint32_t one = 1u << (bit % 32);

    return __atomic_fetch_or(&words[bit / 32], one, __ATOMIC_SEQ_CST) & one;
}

static inline bool nlevel_test_and_clear(uint32_t *words, unsigned int bit)
{
    uint32_t one = 1u << (bit % 32);

    return __atomic_fetch_and(&words[bit / 32], ~one, __ATOMIC_SEQ_CST) & one;
}

static inline bool nlevel_test(const uint32_t *words, unsigned int bit)
{
    return __atomic_load_n(&words[bit / 32], __ATOMIC_RELAXED) >> (bit % 32) & 1;
}

static inline uint32_t *nlevel_load_pointer(uint32_t *const *pointer)
{
    return __atomic_load_n(pointer, __ATOMIC_RELAXED);
}

static inline unsigned int nlevel_bounded(unsigned int index, unsigned int limit)
{
    (void)limit;

    return index;
}

/* For the domain's side: word @index of 1 << @word_shift bits, which is 0 then. */
static inline uint64_t nlevel_take_word(uint32_t *words, unsigned int index, unsigned int word_shift)
{
    if ( word_shift == 6 )
        return __atomic_exchange_n((uint64_t *)words + index, 0, __ATOMIC_SEQ_CST);

    return __atomic_exchange_n(words + index, 0, __ATOMIC_SEQ_CST);
}

static inline uint64_t nlevel_load_word(const uint32_t *words, unsigned int index, unsigned int word_shift)
{
    if ( word_shift == 6 )
        return __atomic_load_n((const uint64_t *)words + index, __ATOMIC_RELAXED);

    return __atomic_load_n(words + index, __ATOMIC_RELAXED);
}

#endif /* XEN_EVENT_NLEVEL_BITS_H */
