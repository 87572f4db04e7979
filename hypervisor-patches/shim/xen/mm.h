/* SPDX-License-Identifier: GPL-2.0-only */
/* Stand-in for Xen's header of this name: pages of the hypervisor's own. */
#ifndef SHIM_XEN_MM_H
#define SHIM_XEN_MM_H

#include <string.h>

#include <xen/xmalloc.h>

#define PAGE_SIZE 4096

static inline void *alloc_xenheap_page(void)
{
    return shim_out_of_memory && shim_out_of_memory() ? NULL : aligned_alloc(PAGE_SIZE, PAGE_SIZE);
}

#define free_xenheap_page(page) free(page)
#define clear_page(page) memset(page, 0, PAGE_SIZE)

#endif /* SHIM_XEN_MM_H */
