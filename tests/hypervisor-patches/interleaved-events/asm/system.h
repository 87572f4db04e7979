/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The shim's header of this name for interleave.c.  x86 keeps the order of loads and that of stores; what it costs here
 * is a point at which another thread may go on.  So is a condition that the author found unlikely: it was read just before.
 */
#ifndef INTERLEAVED_EVENTS_ASM_SYSTEM_H
#define INTERLEAVED_EVENTS_ASM_SYSTEM_H

#include "tests/hypervisor-patches/interleave.h"

#define smp_rmb() interleave_look()
#define smp_wmb() interleave_pause()
#define smp_mb()  interleave_barrier()

#define unlikely(condition) \
    ({ \
        bool condition_ = (condition); \
        interleave_pause(); \
        condition_; \
    })

#endif /* INTERLEAVED_EVENTS_ASM_SYSTEM_H */
