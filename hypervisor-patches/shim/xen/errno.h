/* SPDX-License-Identifier: GPL-2.0-only */
/* Stand-in for Xen's header of this name: user space has the same names, and on x86 Linux the same numbers. */
#ifndef SHIM_XEN_ERRNO_H
#define SHIM_XEN_ERRNO_H

#include <errno.h>

#endif /* SHIM_XEN_ERRNO_H */
