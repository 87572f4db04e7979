/* SPDX-License-Identifier: GPL-2.0-only */
/* The shim's header of this name for interleave.c: as many locks as the model has. */
#ifndef INTERLEAVED_EVENTS_XEN_SPINLOCK_H
#define INTERLEAVED_EVENTS_XEN_SPINLOCK_H

#include "tests/hypervisor-patches/interleave.h"

typedef struct {
    bool free;
} spinlock_t;

#define spin_lock_init(lock) ((lock)->free = true)
#define spin_lock(lock) interleave_lock(&(lock)->free)
#define spin_unlock(lock) interleave_unlock(&(lock)->free)

#endif /* INTERLEAVED_EVENTS_XEN_SPINLOCK_H */
