/* SPDX-License-Identifier: GPL-2.0-only */
/* What Xen handed over at the start: the command line, and the free memory to work in. */
#ifndef TESTS_GUEST_MEMORY_H
#define TESTS_GUEST_MEMORY_H

#include <stdint.h>

struct memory_range {
    uint64_t start, end;            /* octets, on page boundaries */
};

/*
 * Copies the command line to @cmdline (@size octets, cut to size - 1: the parser refuses one that
 * long) and returns the largest free range. Nothing that Xen handed over is needed afterwards, so
 * the range may hold it.
 */
struct memory_range memory_open(char *cmdline, unsigned int size);

#endif
