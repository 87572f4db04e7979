/* SPDX-License-Identifier: GPL-2.0-only */
/* Stand-in for Xen's header of this name.  A test that wants memory to end defines shim_out_of_memory() as its own. */
#ifndef SHIM_XEN_XMALLOC_H
#define SHIM_XEN_XMALLOC_H

#include <stdbool.h>
#include <stdlib.h>

bool __attribute__((weak)) shim_out_of_memory(void);

static inline void *shim_zalloc(size_t count, size_t size)
{
    return shim_out_of_memory && shim_out_of_memory() ? NULL : calloc(count, size);
}

static inline void *shim_aligned_alloc(size_t size)
{
    return shim_out_of_memory && shim_out_of_memory() ? NULL : aligned_alloc(size, size);
}

#define xzalloc(type) ((type *)shim_zalloc(1, sizeof(type)))
#define xzalloc_array(type, count) ((type *)shim_zalloc(count, sizeof(type)))
#define xfree(memory) free(memory)

#endif /* SHIM_XEN_XMALLOC_H */
