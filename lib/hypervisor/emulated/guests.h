/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Guests of an emulated host that nobody wrote a test for: each vCPU is a thread that does what the spec's load says, knows
 * what every byte of its pages has to be, and looks.
 */
#ifndef HYPERVISOR_EMULATED_GUESTS_H
#define HYPERVISOR_EMULATED_GUESTS_H

#include "emulated.h"
#include "spec.h"

struct emulated_guests;

/* Makes the domains, fills them, and lets them run.  hv outlives the guests. */
int  emulated_guests_start(struct hypervisor *hv, const struct emulated_spec *spec, struct emulated_guests **out);
/* Stops them; then each looks at all that it can reach without waiting.  How many pages were ever wrong. */
uint64_t emulated_guests_stop(struct emulated_guests *guests);

#endif /* HYPERVISOR_EMULATED_GUESTS_H */
