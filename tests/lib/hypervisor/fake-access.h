/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stand-ins for the Xen library's calls for a monitor's ring and for the access of frames, of fake-libraries' guest.
 */
#ifndef TESTS_HYPERVISOR_FAKE_ACCESS_H
#define TESTS_HYPERVISOR_FAKE_ACCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "fake-libraries.h"

struct fake_access {
    bool is_enabled;              /* the monitor's ring */
    bool is_missing;              /* the processor's page tables cannot say an access, or Xen does not let them */
    int enable_fails;             /* errno */
    int fails[FAKE_GFNS];         /* errno for the frame */
    uint8_t access[FAKE_GFNS];    /* what was set, plus 1 */
    unsigned int calls, disables;
};
extern struct fake_access fake_access;

#endif
