/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A domain's side of event channels of N levels: what it does with the bits that Xen sets.  Written from the public
 * header alone.  Pure; also compiled natively, against the hypervisor's side.
 */
#ifndef TESTS_GUEST_NLEVEL_VIEW_H
#define TESTS_GUEST_NLEVEL_VIEW_H

#include <stdbool.h>
#include <stdint.h>

/* The pages lie one behind the other, on a multiple of 8 as the selectors do. */
struct nlevel_view {
    unsigned int depth, word_shift, channels;
    uint32_t *pending, *mask;
};

/* Levels 1 to depth - 2 of a vCPU, and its evtchn_pending_sel. */
struct nlevel_view_vcpu {
    uint32_t *levels, *last;
};

/*
 * Takes what is pending for the vCPU, each with its bit cleared first; the number of them.  Its upcall was cleared
 * before.
 */
unsigned int nlevel_view_take(const struct nlevel_view *view, const struct nlevel_view_vcpu *vcpu,
                              void (*take)(void *arg, unsigned int channel), void *arg);

void nlevel_view_mask(const struct nlevel_view *view, unsigned int channel);

/* True: it was pending and is found by the next take of @vcpu, to which it has to be bound. */
bool nlevel_view_unmask(const struct nlevel_view *view, const struct nlevel_view_vcpu *vcpu, unsigned int channel);

#endif
