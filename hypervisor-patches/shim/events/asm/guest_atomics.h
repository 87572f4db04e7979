/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stand-in for Xen's header of this name: bits and words that a domain changes at the same time, by the
 * compiler's atomics, which make the same instructions as Xen's.
 */
#ifndef SHIM_EVENTS_ASM_GUEST_ATOMICS_H
#define SHIM_EVENTS_ASM_GUEST_ATOMICS_H

#include <stdbool.h>
#include <stdint.h>

#include <xen/event-nlevel-bits.h>

/* They are bits of words of 32, 64 or as many; little endian makes them bits of words of 32. */
#define guest_test_bit(d, bit, words)          ((void)(d), nlevel_test((const uint32_t *)(words), bit))
#define guest_set_bit(d, bit, words)           ((void)(d), (void)nlevel_test_and_set((uint32_t *)(words), bit))
#define guest_clear_bit(d, bit, words)         ((void)(d), (void)nlevel_test_and_clear((uint32_t *)(words), bit))
#define guest_test_and_set_bit(d, bit, words)  ((void)(d), nlevel_test_and_set((uint32_t *)(words), bit))
#define guest_test_and_clear_bit(d, bit, words) ((void)(d), nlevel_test_and_clear((uint32_t *)(words), bit))
#define test_bit(bit, words)                   nlevel_test((const uint32_t *)(words), bit)

static inline uint32_t cmpxchg(uint32_t *word, uint32_t old, uint32_t new)
{
    __atomic_compare_exchange_n(word, &old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);

    return old;
}

#endif /* SHIM_EVENTS_ASM_GUEST_ATOMICS_H */
