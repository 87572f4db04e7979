/* SPDX-License-Identifier: GPL-2.0-only */
/* Exceptions: nothing here may cause one, so each ends the guest with a line that says where. */
#ifndef TESTS_GUEST_TRAP_H
#define TESTS_GUEST_TRAP_H

#include <stdint.h>

void trap_open(void);

/* Instructions carried out again because Xen could not fetch them, see trap.c. */
uint64_t trap_refetches(void);

#endif
