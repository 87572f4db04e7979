/* SPDX-License-Identifier: GPL-2.0-only */
/* Stand-in for Xen's header of this name. */
#ifndef SHIM_XEN_STRING_H
#define SHIM_XEN_STRING_H

#include <string.h>

#endif /* SHIM_XEN_STRING_H */
