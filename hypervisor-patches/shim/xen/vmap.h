/* SPDX-License-Identifier: GPL-2.0-only */
/* Stand-in for Xen's header of this name.  The memory is xmalloc.h's. */
#ifndef SHIM_XEN_VMAP_H
#define SHIM_XEN_VMAP_H

#define vzalloc(size) shim_zalloc(1, size, sizeof(void *))
#define vfree(memory) free(memory)

#endif /* SHIM_XEN_VMAP_H */
