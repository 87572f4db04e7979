/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stand-in for Xen's header of this name.  Here a grace period ends when the program says that no reader is left:
 * with shim_rcu_quiet(), called by one thread.  Until then, what was given to call_rcu() is only kept.
 */
#ifndef SHIM_XEN_RCUPDATE_H
#define SHIM_XEN_RCUPDATE_H

#include <stdbool.h>
#include <stddef.h>

struct rcu_head {
    struct rcu_head *next;
    void (*func)(struct rcu_head *head);
};

struct rcu_head *shim_rcu_waiting __attribute__((weak));

/* As deep as this thread is in read-side sections; Xen counts likewise, for each processor. */
__thread unsigned int shim_rcu_depth __attribute__((weak));

#define rcu_read_lock(lock) ((void)(lock), shim_rcu_depth++, __atomic_signal_fence(__ATOMIC_SEQ_CST))
#define rcu_read_unlock(lock) ((void)(lock), __atomic_signal_fence(__ATOMIC_SEQ_CST), (void)shim_rcu_depth--)

static inline void call_rcu(struct rcu_head *head, void (*func)(struct rcu_head *head))
{
    head->func = func;
    head->next = __atomic_load_n(&shim_rcu_waiting, __ATOMIC_RELAXED);
    while ( !__atomic_compare_exchange_n(&shim_rcu_waiting, &head->next, head, true,
                                         __ATOMIC_RELEASE, __ATOMIC_RELAXED) )
        ;
}

static inline unsigned int shim_rcu_quiet(void)
{
    struct rcu_head *head = __atomic_exchange_n(&shim_rcu_waiting, NULL, __ATOMIC_ACQUIRE);
    unsigned int done = 0;

    for ( struct rcu_head *next; head; head = next, done++ )
    {
        next = head->next;
        head->func(head);
    }

    return done;
}

#define rcu_assign_pointer(pointer, value) __atomic_store_n(&(pointer), value, __ATOMIC_RELEASE)
#define rcu_dereference(pointer) __atomic_load_n(&(pointer), __ATOMIC_ACQUIRE)

#endif /* SHIM_XEN_RCUPDATE_H */
