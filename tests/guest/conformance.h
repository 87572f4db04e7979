/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the hypervisor has to do with event channels, whichever ABI the guest uses: a line on the console for each
 * thing that is checked, and one of `bad` for what is not as it has to be.
 */
#ifndef TESTS_GUEST_CONFORMANCE_H
#define TESTS_GUEST_CONFORMANCE_H

#include <stdbool.h>
#include <stdint.h>

/* What is refused before anything is registered, and that nothing is changed by it.  False: something was wrong. */
bool conformance_refusals(void);

/* Everything else, after events_register(), with @count channels where it is about their number. */
bool conformance_run(uint32_t count, unsigned int vcpus);

#endif
