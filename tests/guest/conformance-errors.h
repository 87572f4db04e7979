/* SPDX-License-Identifier: GPL-2.0-only */
/* Every error that the event-channel ABIs document, and that a refused call changes nothing. */
#ifndef TESTS_GUEST_CONFORMANCE_ERRORS_H
#define TESTS_GUEST_CONFORMANCE_ERRORS_H

#include <stdbool.h>

/* Counts and says what is not as it has to be; see conformance.c. */
typedef bool (*expect_fn)(bool holds, const char *check, const char *what, unsigned long port, long found,
                          long expected);

/* With two levels. */
void errors_before_registration(expect_fn expect);

/* With whatever ABI events.c has registered. */
void errors_after_registration(expect_fn expect);

#endif
