/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stand-in for Xen's header of this name.  ASSERT ends the program whether NDEBUG is set or not: a test that
 * violates what the core demands of its caller must not pass.
 */
#ifndef SHIM_XEN_LIB_H
#define SHIM_XEN_LIB_H

#include <stdio.h>
#include <stdlib.h>

#ifdef SHIM_NO_ASSERT   /* for measurements: Xen has them in its debug builds only */
#define ASSERT(condition) ((void)sizeof(!(condition)))
#else
#define ASSERT(condition) \
    do { \
        if ( !(condition) ) \
        { \
            fprintf(stderr, "%s:%d: assertion '%s' failed\n", __FILE__, __LINE__, #condition); \
            abort(); \
        } \
    } while ( 0 )
#endif

#define BUILD_BUG_ON(condition) _Static_assert(!(condition), "!(" #condition ")")

/* Marks what is called by a pointer, for processors that check it. */
#define cf_check

#endif /* SHIM_XEN_LIB_H */
