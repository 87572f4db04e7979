/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Event-channel calls with anything for arguments, those of N levels above all: what a hostile domain could do.  The
 * pages that Xen is given are those of a table that nothing else uses meanwhile, or no pages at all.
 */
#ifndef TESTS_GUEST_EVENTS_FUZZ_H
#define TESTS_GUEST_EVENTS_FUZZ_H

#include <stdbool.h>
#include <stdint.h>

/*
 * @count calls, the same ones for the same @seed; afterwards the ABI of events= is registered anew.  False: an answer
 * that no call has, or N levels were never had although nothing else would be tried.
 */
bool events_fuzz(uint64_t count, uint64_t seed);

#endif
