/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stand-in for Xen's header of this name.  The thread sanitizer knows no fences; that what races is accessed
 * by asm/atomic.h alone it does see.
 */
#ifndef SHIM_ASM_SYSTEM_H
#define SHIM_ASM_SYSTEM_H

#define smp_mb() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#if defined(__SANITIZE_THREAD__)
#define smp_rmb() ((void)0)
#define smp_wmb() ((void)0)
#else
#define smp_rmb() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define smp_wmb() __atomic_thread_fence(__ATOMIC_RELEASE)
#endif

#endif /* SHIM_ASM_SYSTEM_H */
