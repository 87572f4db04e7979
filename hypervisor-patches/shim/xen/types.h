/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stand-in for Xen's header of this name, with which the channel core is compiled in user space.  The
 * headers here say what the core needs and no more: what it begins to need has to be added, and is seen.
 */
#ifndef SHIM_XEN_TYPES_H
#define SHIM_XEN_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Xen has it from its configuration, which is in front of every file. */
#ifndef BITS_PER_LONG
#define BITS_PER_LONG (8 * (int)sizeof(long))
#endif

#endif /* SHIM_XEN_TYPES_H */
