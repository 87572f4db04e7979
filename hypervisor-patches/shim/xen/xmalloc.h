/* SPDX-License-Identifier: GPL-2.0-only */
/* Stand-in for Xen's header of this name.  A test that wants memory to end defines shim_out_of_memory() as its own. */
#ifndef SHIM_XEN_XMALLOC_H
#define SHIM_XEN_XMALLOC_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

bool __attribute__((weak)) shim_out_of_memory(void);

/* As aligned as the type asks for, which malloc() does not do beyond 16 octets. */
static inline void *shim_zalloc(size_t count, size_t size, size_t alignment)
{
    void *memory = NULL;

    if ( (shim_out_of_memory && shim_out_of_memory()) || (size && count > SIZE_MAX / size) )
        return NULL;
    if ( posix_memalign(&memory, alignment < sizeof(void *) ? sizeof(void *) : alignment, count * size) )
        return NULL;

    return memset(memory, 0, count * size);
}

static inline void *shim_aligned_alloc(size_t size)
{
    return shim_out_of_memory && shim_out_of_memory() ? NULL : aligned_alloc(size, size);
}

#define xzalloc(type) ((type *)shim_zalloc(1, sizeof(type), __alignof__(type)))
#define xzalloc_array(type, count) ((type *)shim_zalloc(count, sizeof(type), __alignof__(type)))
#define xfree(memory) free(memory)

#endif /* SHIM_XEN_XMALLOC_H */
