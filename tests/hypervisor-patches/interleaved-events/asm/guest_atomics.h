/* SPDX-License-Identifier: GPL-2.0-only */
/* The shim's header of this name for interleave.c: each access is a point at which another thread may go on instead. */
#ifndef INTERLEAVED_EVENTS_ASM_GUEST_ATOMICS_H
#define INTERLEAVED_EVENTS_ASM_GUEST_ATOMICS_H

#include "tests/hypervisor-patches/interleave.h"

#define interleaved_word(bit, words) ((uint32_t *)(words) + (bit) / 32)
#define interleaved_bit(bit)         (1u << ((bit) % 32))

#define test_bit(bit, words) ((interleave_load(interleaved_word(bit, words)) & interleaved_bit(bit)) != 0)
#define guest_test_bit(d, bit, words) ((void)(d), test_bit(bit, words))
#define guest_set_bit(d, bit, words) \
    ((void)(d), (void)interleave_change(interleaved_word(bit, words), ~0u, interleaved_bit(bit)))
#define guest_clear_bit(d, bit, words) \
    ((void)(d), (void)interleave_change(interleaved_word(bit, words), ~interleaved_bit(bit), 0))
#define guest_test_and_set_bit(d, bit, words) \
    ((void)(d), (interleave_change(interleaved_word(bit, words), ~0u, interleaved_bit(bit)) & interleaved_bit(bit)) != 0)
#define guest_test_and_clear_bit(d, bit, words) \
    ((void)(d), (interleave_change(interleaved_word(bit, words), ~interleaved_bit(bit), 0) & interleaved_bit(bit)) != 0)
#define cmpxchg(word, old, new) interleave_swap(word, old, new)

#endif /* INTERLEAVED_EVENTS_ASM_GUEST_ATOMICS_H */
