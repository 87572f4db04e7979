/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * An entry of upstream's monitor ring (vm_event, interface version 7), said as a slot of an ACCESS channel says it, and what
 * an answer has to repeat of it.  Rings, ids and indices are ring-vm-event.c's.
 *
 * An entry is a private copy of what lay in shared memory, and nothing in it is believed.
 */
#ifndef MEMEVENT_VM_EVENT_ACCESS_H
#define MEMEVENT_VM_EVENT_ACCESS_H

#include <stdbool.h>
#include <stdint.h>

#ifndef __XEN_TOOLS__
#define __XEN_TOOLS__ 1
#endif
#include <xen/vm_event.h>

#include <public/memevent.h>

/* What memevent_get_details() and memevent_get_registers() are answered from. */
union vm_event_slot {
    struct xen_memevent_access_request access;
    uint8_t octets[XEN_MEMEVENT_FULL_SIZE];
};

/* Is it an event of this ring, of a kind that says something by itself?  Others are to be answered and not handed out. */
bool vm_event_is_access(const vm_event_request_t *entry);

/* Everything of *slot but id and time, which the ring has not. */
void vm_event_fill_slot(union vm_event_slot *slot, const vm_event_request_t *entry);

/* What a response with these MEMEVENT_ACTION_* has in its flags.  False: there are no such actions. */
bool vm_event_action_flags(uint32_t actions, uint32_t *flags);

#endif /* MEMEVENT_VM_EVENT_ACCESS_H */
