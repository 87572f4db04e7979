/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The few ways in which this room touches an index that the hypervisor also touches.  All
 * accesses to shared indices go through here; a use says what it orders and whom it pairs with.
 *
 * There is no bare fence: ThreadSanitizer does not model one, and an ordered access says
 * better what it is for.
 */
#ifndef MEMEVENT_BARRIER_H
#define MEMEVENT_BARRIER_H

#include <stdint.h>

/* Nothing after it in the program is done before it. */
static inline uint32_t load_acquire(const uint32_t *shared)
{
    return __atomic_load_n(shared, __ATOMIC_ACQUIRE);
}

/* Everything before it in the program, loads too, is done before it. */
static inline void store_release(uint32_t *shared, uint32_t value)
{
    __atomic_store_n(shared, value, __ATOMIC_RELEASE);
}

/* A hint, which orders nothing. */
static inline uint32_t load_relaxed(const uint32_t *shared)
{
    return __atomic_load_n(shared, __ATOMIC_RELAXED);
}

static inline uint64_t load_relaxed64(const uint64_t *shared)
{
    return __atomic_load_n(shared, __ATOMIC_RELAXED);
}

/*
 * "I announce, then I look": store_full() is visible to the peer before the load_full() that
 * follows it reads, which neither release nor acquire promises.
 */
static inline void store_full(uint32_t *shared, uint32_t value)
{
    __atomic_store_n(shared, value, __ATOMIC_SEQ_CST);
}

static inline uint32_t load_full(const uint32_t *shared)
{
    return __atomic_load_n(shared, __ATOMIC_SEQ_CST);
}

static inline uint64_t load_full64(const uint64_t *shared)
{
    return __atomic_load_n(shared, __ATOMIC_SEQ_CST);
}

/*
 * Copies words out of an entry, each read exactly once, so that what is checked is what is used
 * whatever the peer does to the entry meanwhile.
 */
static inline void copy_once(uint64_t *to, const void *shared, unsigned int words)
{
    typedef uint64_t __attribute__((may_alias)) shared_word;
    const shared_word *from = shared;
    unsigned int i;

    for ( i = 0; i < words; i++ )
        to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}

#endif /* MEMEVENT_BARRIER_H */
