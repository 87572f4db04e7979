/* SPDX-License-Identifier: GPL-2.0-only */
/* Stand-in for Xen's header of this name: a word that others write or read meanwhile. */
#ifndef SHIM_ASM_ATOMIC_H
#define SHIM_ASM_ATOMIC_H

#define read_atomic(word) __atomic_load_n(word, __ATOMIC_RELAXED)
#define write_atomic(word, value) __atomic_store_n(word, value, __ATOMIC_RELAXED)

#endif /* SHIM_ASM_ATOMIC_H */
