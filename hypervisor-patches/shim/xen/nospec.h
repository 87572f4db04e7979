/* SPDX-License-Identifier: GPL-2.0-only */
/* Stand-in for Xen's header of this name: a program has no other's memory to read by speculation. */
#ifndef SHIM_XEN_NOSPEC_H
#define SHIM_XEN_NOSPEC_H

#define array_index_nospec(index, size) ((void)(size), (index))

#endif /* SHIM_XEN_NOSPEC_H */
