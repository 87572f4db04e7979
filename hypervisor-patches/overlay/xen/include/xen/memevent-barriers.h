/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the rings' indices need of the machine.  The rest of the channel core knows
 * no barrier but these.  Outside the hypervisor a file of the same name takes this one's place.
 */
#ifndef XEN_MEMEVENT_BARRIERS_H
#define XEN_MEMEVENT_BARRIERS_H

#include <xen/nospec.h>
#include <xen/types.h>
#include <asm/atomic.h>
#include <asm/system.h>

static inline uint32_t memevent_load_acquire(const uint32_t *index)
{
    uint32_t value = read_atomic(index);

    smp_rmb();

    return value;
}

static inline void memevent_store_release(uint32_t *index, uint32_t value)
{
    smp_wmb();
    write_atomic(index, value);
}

/* For words whose order with others does not matter. */
static inline uint32_t memevent_load_relaxed(const uint32_t *word)
{
    return read_atomic(word);
}

static inline void memevent_store_relaxed(uint32_t *word, uint32_t value)
{
    write_atomic(word, value);
}

static inline uint64_t memevent_load_relaxed64(const uint64_t *word)
{
    return read_atomic(word);
}

static inline void memevent_store_relaxed64(uint64_t *word, uint64_t value)
{
    write_atomic(word, value);
}

/* Whether the word was old, and is new now. */
static inline bool memevent_swap_if(uint32_t *word, uint32_t old, uint32_t new)
{
    return cmpxchg(word, old, new) == old;
}

/* Between a store to one of our words and a load of the peer's. */
static inline void memevent_full_barrier(void)
{
    smp_mb();
}

/* An index that was found to be below the limit, and is not above it in speculation either. */
static inline uint32_t memevent_bounded_index(uint32_t index, uint32_t limit)
{
    return array_index_nospec(index, limit);
}

#endif /* XEN_MEMEVENT_BARRIERS_H */
