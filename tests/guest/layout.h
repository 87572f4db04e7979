/* SPDX-License-Identifier: GPL-2.0-only */
/* Sizes and numbers that start.S and the C files share; constants only, for both languages. */
#ifndef TESTS_GUEST_LAYOUT_H
#define TESTS_GUEST_LAYOUT_H

/* One PDPT and a directory each GiB; Xen puts a guest's low RAM, and all that we use, below. */
#define GUEST_MAP_GIB           4

/* struct shared_info has room for this many vcpu_info; more would have to register their own. */
#define GUEST_VCPUS_MAX         32

/* A power of two: a vCPU knows its number by the place of its stack. */
#define GUEST_STACK_BYTES       0x4000

#define GUEST_CS                0x08
#define GUEST_DS                0x10

#define GUEST_TRAP_VECTORS      32
#define GUEST_TRAP_STUB_BYTES   16
/* Vectors whose frame holds an error code: DF, TS, NP, SS, GP, PF, AC, CP. */
#define GUEST_TRAP_ERROR_CODES  0x00227d00

#endif
