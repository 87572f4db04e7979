/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stand-in for Xen's header of this name.  The thread sanitizer knows no fences; that what races is
 * accessed by these alone it does see.
 */
#ifndef SHIM_XEN_ATOMIC_H
#define SHIM_XEN_ATOMIC_H

#define read_atomic(word) __atomic_load_n(word, __ATOMIC_RELAXED)
#define write_atomic(word, value) __atomic_store_n(word, value, __ATOMIC_RELAXED)

#if defined(__SANITIZE_THREAD__)
#define smp_rmb() ((void)0)
#define smp_wmb() ((void)0)
#else
#define smp_rmb() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define smp_wmb() __atomic_thread_fence(__ATOMIC_RELEASE)
#endif

#endif /* SHIM_XEN_ATOMIC_H */
