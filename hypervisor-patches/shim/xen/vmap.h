/* SPDX-License-Identifier: GPL-2.0-only */
/* Stand-in for Xen's header of this name. */
#ifndef SHIM_XEN_VMAP_H
#define SHIM_XEN_VMAP_H

#include <xen/xmalloc.h>

#define vzalloc(size) shim_zalloc(1, size)
#define vfree(memory) free(memory)

#endif /* SHIM_XEN_VMAP_H */
