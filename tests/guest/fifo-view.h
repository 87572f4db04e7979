/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A domain's side of FIFO event channels: event words, and a vCPU's queues.  Written from the description in Xen's
 * public event_channel.h and the design of the ABI.  Pure: registering, and telling Xen, is the caller's.
 */
#ifndef TESTS_GUEST_FIFO_VIEW_H
#define TESTS_GUEST_FIFO_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#define FIFO_QUEUES 16

/* The pages of the event array lie one behind the other. */
struct fifo_view {
    unsigned int channels;
    uint32_t *words;
};

struct fifo_view_vcpu {
    uint32_t *ready, *heads;        /* in its control block */
    uint32_t next[FIFO_QUEUES];     /* where it goes on; 0: at the head */
};

/*
 * Takes what is pending, the highest priority first, each with its bit cleared first; the number of them.  Only on
 * the vCPU whose queues they are.  Its upcall was cleared before.
 */
unsigned int fifo_view_take(const struct fifo_view *view, struct fifo_view_vcpu *vcpu,
                            void (*take)(void *arg, unsigned int channel), void *arg);

void fifo_view_mask(const struct fifo_view *view, unsigned int channel);

/* False: it is pending, so that Xen has to unmask it. */
bool fifo_view_unmask(const struct fifo_view *view, unsigned int channel);

void fifo_view_clear(const struct fifo_view *view, unsigned int channel);
bool fifo_view_is_pending(const struct fifo_view *view, unsigned int channel);

#endif
