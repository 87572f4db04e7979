/* SPDX-License-Identifier: GPL-2.0-only */
/* Stand-in for Xen's header of this name: pages of the hypervisor's own.  The memory is xmalloc.h's. */
#ifndef SHIM_XEN_MM_H
#define SHIM_XEN_MM_H

#include <string.h>

#define PAGE_SIZE 4096

#define alloc_xenheap_page() shim_aligned_alloc(PAGE_SIZE)
#define free_xenheap_page(page) free(page)
#define clear_page(page) memset(page, 0, PAGE_SIZE)

#endif /* SHIM_XEN_MM_H */
