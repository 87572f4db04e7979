/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The event-channel ABI that the guest uses, of three: registering it, and the same operations for each.  As long as
 * nothing is registered that is two levels, with which every domain begins.
 */
#ifndef TESTS_GUEST_EVENTS_H
#define TESTS_GUEST_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#include <xen/xen.h>
#include <xen/event_channel.h>

#include "memory.h"
#include "program.h"

/*
 * Takes the memory that @abi needs off the end of @free, and as much for a table of all its channels; false when it
 * does not fit.  Nothing is registered.
 */
bool events_reserve(enum events_abi abi, struct memory_range *free, unsigned int vcpus);

/* Of the ABI that was reserved for. */
unsigned int events_channels(void);
unsigned int events_depth(void);                /* 0: FIFO */
bool events_is_nlevel(void);                    /* not FIFO, and not what every domain begins with */
const char *events_name(void);
uint32_t *events_table(unsigned int which);     /* two of them, a word a channel */
uint64_t events_spare_gfn(void);                /* a page that is not registered */

/* Tells Xen; any answer but 0 ends the guest. */
void events_register(void);

/* EVTCHNOP_reset: all channels closed, two levels again. */
void events_reset(void);

void events_clear(evtchn_port_t port);
bool events_is_pending(evtchn_port_t port);
void events_mask(evtchn_port_t port);
void events_unmask_by_xen(evtchn_port_t port);

/* On the vCPU that the port is bound to. */
void events_unmask_here(evtchn_port_t port);

/* Takes what is pending for the vCPU on which it is called. */
unsigned int events_take(void (*take)(void *arg, unsigned int port), void *arg);

/* One command with its argument; Xen's answer. */
long events_call(unsigned int command, void *arg, size_t length);

#endif
