/* SPDX-License-Identifier: GPL-2.0-only */
/* The shim's header of this name for interleave.c.  What is no word of 32 bits its writer stores for all to see at once. */
#ifndef INTERLEAVED_EVENTS_ASM_ATOMIC_H
#define INTERLEAVED_EVENTS_ASM_ATOMIC_H

#include "tests/hypervisor-patches/interleave.h"

/* Read twice with nothing in between: what the hypervisor reads so it never has a store of its own under way to. */
#define read_atomic(word) \
    ({ \
        if ( sizeof(*(word)) == sizeof(uint32_t) ) \
            interleave_load((const uint32_t *)(word)); \
        else \
            interleave_look(); \
        *(word); \
    })
#define write_atomic(word, value) \
    do { \
        if ( sizeof(*(word)) == sizeof(uint32_t) ) \
            interleave_store((uint32_t *)(word), (uintptr_t)(value)); \
        else \
        { \
            interleave_look(); \
            *(word) = (value); \
        } \
    } while ( 0 )

#endif /* INTERLEAVED_EVENTS_ASM_ATOMIC_H */
