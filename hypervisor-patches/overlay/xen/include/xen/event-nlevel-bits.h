/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Bits in memory that a domain changes at the same time.  Those that change one are a full barrier, as locked
 * instructions are.  Outside the hypervisor a file of the same name takes this one's place.
 */
#ifndef XEN_EVENT_NLEVEL_BITS_H
#define XEN_EVENT_NLEVEL_BITS_H

#include <xen/bitops.h>
#include <xen/nospec.h>
#include <xen/types.h>
#include <asm/atomic.h>

static inline bool nlevel_test_and_set(uint32_t *words, unsigned int bit)
{
    return test_and_set_bit(bit, words);
}

static inline bool nlevel_test_and_clear(uint32_t *words, unsigned int bit)
{
    return test_and_clear_bit(bit, words);
}

static inline bool nlevel_test(const uint32_t *words, unsigned int bit)
{
    return test_bit(bit, words);
}

static inline uint32_t *nlevel_load_pointer(uint32_t *const *pointer)
{
    return read_atomic(pointer);
}

/* An index that is below the limit, and is not above it in speculation either. */
static inline unsigned int nlevel_bounded(unsigned int index, unsigned int limit)
{
    return array_index_nospec(index, limit);
}

#endif /* XEN_EVENT_NLEVEL_BITS_H */
