/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stand-in for Xen's header of this name: a lock that spins, and gives the processor away when it has done so for
 * long, as there may be more threads than processors.  It counts how often it was found taken.
 *
 * With SHIM_LOCK_ORDER each place that initializes locks is a class, as in a lock validator: taking two classes in
 * both orders, or two locks of one class, ends the program.
 *
 * With SHIM_TICKETS the lock has tickets, as Xen's has: who came first has it first, also when another could go on.
 */
#ifndef SHIM_XEN_SPINLOCK_H
#define SHIM_XEN_SPINLOCK_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#define SHIM_SPINS   200    /* some microseconds: longer than any section here, if its owner runs */
#define SHIM_CLASSES 8

typedef struct {
    union {
        uint32_t taken;
        struct {
            uint16_t head, tail;    /* with tickets: whose turn it is, and the next to be drawn */
        };
    };
    uint32_t class;
} spinlock_t;

__thread unsigned long shim_lock_waits __attribute__((weak));

#ifdef SHIM_LOCK_ORDER
unsigned int shim_lock_classes __attribute__((weak));
bool shim_lock_before[SHIM_CLASSES][SHIM_CLASSES] __attribute__((weak));
__thread unsigned int shim_lock_held[SHIM_CLASSES] __attribute__((weak));

static inline uint32_t shim_lock_class(unsigned int *class)
{
    if ( !*class )
        *class = ++shim_lock_classes;
    if ( *class >= SHIM_CLASSES )
        abort();

    return *class;
}

static inline void shim_lock_order(uint32_t class)
{
    for ( uint32_t other = 0; other < SHIM_CLASSES; other++ )
    {
        if ( !shim_lock_held[other] )
            continue;
        __atomic_store_n(&shim_lock_before[other][class], true, __ATOMIC_SEQ_CST);
        if ( __atomic_load_n(&shim_lock_before[class][other], __ATOMIC_SEQ_CST) )
            abort();
    }
    shim_lock_held[class]++;
}

#define spin_lock_init(lock) \
    do { \
        static unsigned int class_; \
        (lock)->taken = 0; \
        (lock)->class = shim_lock_class(&class_); \
    } while ( 0 )
#else
#define spin_lock_init(lock) ((lock)->taken = (lock)->class = 0)
#endif

/* While others have it. */
static inline void shim_lock_wait(unsigned int *spins)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
    if ( ++*spins % SHIM_SPINS == 0 )
        sched_yield();
}

static inline void spin_lock(spinlock_t *lock)
{
    unsigned int spins = 0;

#ifdef SHIM_LOCK_ORDER
    shim_lock_order(lock->class);
#endif
#ifdef SHIM_TICKETS
    uint16_t mine = __atomic_fetch_add(&lock->taken, 1u << 16, __ATOMIC_ACQUIRE) >> 16;

    if ( __atomic_load_n(&lock->head, __ATOMIC_ACQUIRE) == mine )
        return;
    shim_lock_waits++;
    do {
        shim_lock_wait(&spins);
    } while ( __atomic_load_n(&lock->head, __ATOMIC_ACQUIRE) != mine );
#else
    if ( !__atomic_exchange_n(&lock->taken, 1, __ATOMIC_ACQUIRE) )
        return;
    shim_lock_waits++;
    do {
        while ( __atomic_load_n(&lock->taken, __ATOMIC_RELAXED) )
            shim_lock_wait(&spins);
    } while ( __atomic_exchange_n(&lock->taken, 1, __ATOMIC_ACQUIRE) );
#endif
}

static inline void spin_unlock(spinlock_t *lock)
{
#ifdef SHIM_LOCK_ORDER
    shim_lock_held[lock->class]--;
#endif
#ifdef SHIM_TICKETS
    __atomic_store_n(&lock->head, lock->head + 1, __ATOMIC_RELEASE);
#else
    __atomic_store_n(&lock->taken, 0, __ATOMIC_RELEASE);
#endif
}

static inline bool spin_is_locked(const spinlock_t *lock)
{
#ifdef SHIM_TICKETS
    uint32_t both = __atomic_load_n(&lock->taken, __ATOMIC_RELAXED);

    return both >> 16 != (both & 0xffff);
#else
    return __atomic_load_n(&lock->taken, __ATOMIC_RELAXED);
#endif
}

#endif /* SHIM_XEN_SPINLOCK_H */
