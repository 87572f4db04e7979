/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The overlay's header of this name for user space: the same promises, by the compiler's atomics, so that the
 * thread sanitizer knows what is ordered and what is not.  Found first on the search path.
 */
#ifndef XEN_MEMEVENT_BARRIERS_H
#define XEN_MEMEVENT_BARRIERS_H

#include <stdbool.h>
#include <stdint.h>

/* clang says it in its own way. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__ 1
#endif
#endif

static inline uint32_t memevent_load_acquire(const uint32_t *index)
{
    return __atomic_load_n(index, __ATOMIC_ACQUIRE);
}

static inline void memevent_store_release(uint32_t *index, uint32_t value)
{
    __atomic_store_n(index, value, __ATOMIC_RELEASE);
}

static inline uint32_t memevent_load_relaxed(const uint32_t *word)
{
    return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static inline void memevent_store_relaxed(uint32_t *word, uint32_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELAXED);
}

static inline uint64_t memevent_load_relaxed64(const uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static inline void memevent_store_relaxed64(uint64_t *word, uint64_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELAXED);
}

static inline bool memevent_swap_if(uint32_t *word, uint32_t old, uint32_t new)
{
    return __atomic_compare_exchange_n(word, &old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

static inline void memevent_full_barrier(void)
{
#ifdef __SANITIZE_THREAD__
    /* The sanitizer knows no fences; what it sees instead orders no more than this thread's own accesses. */
    static __thread uint32_t word;

    __atomic_fetch_add(&word, 0, __ATOMIC_SEQ_CST);
#else
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

static inline uint32_t memevent_bounded_index(uint32_t index, uint32_t limit)
{
    (void)limit;

    return index;
}

#endif /* XEN_MEMEVENT_BARRIERS_H */
