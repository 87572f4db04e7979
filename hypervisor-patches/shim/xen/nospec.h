/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stand-in for Xen's header of this name: a program has no other's memory to read by speculation.  With SHIM_NOSPEC an
 * index is masked all the same, for measurements.
 */
#ifndef SHIM_XEN_NOSPEC_H
#define SHIM_XEN_NOSPEC_H

#if defined(SHIM_NOSPEC) && defined(__x86_64__)
/* All ones for an index below size, else 0, by the carry of one comparison, so that there is nothing to predict. */
static inline unsigned long shim_nospec_mask(unsigned long index, unsigned long size)
{
    unsigned long mask;

    asm volatile ( "cmp %[size], %[index]; sbb %[mask], %[mask]"
                   : [mask] "=r" (mask) : [size] "g" (size), [index] "r" (index) : "cc" );

    return mask;
}

#define array_index_nospec(index, size) ((typeof(index))((index) & shim_nospec_mask(index, size)))
#else
#define array_index_nospec(index, size) ((void)(size), (index))
#endif

#endif /* SHIM_XEN_NOSPEC_H */
