/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The paging and the monitor ring of a stock Xen (vm_event, interface version 7) as transports of PAGING and ACCESS.
 */
#ifndef MEMEVENT_RING_VM_EVENT_H
#define MEMEVENT_RING_VM_EVENT_H

#include <stddef.h>
#include <stdint.h>

#include "transport.h"

/* Where a stock Xen's own indices stand after it enabled a ring. */
#define RING_VM_EVENT_START 0

/*
 * Takes over a page that the hypervisor has just enabled, and resets the indices in it: Xen leaves this to
 * the consumer, and until then the page holds what the guest wrote there.  No event can be
 * in it yet, as nothing was nominated, and no access restricted, before there is a consumer.
 *
 * start is RING_VM_EVENT_START, or elsewhere for a peer that begins elsewhere.
 * -EINVAL: the page is too small for a ring, or not aligned, or the class has no such ring; -ENOMEM.
 */
int ring_vm_event_open(void *page, size_t size, enum memevent_class class, uint32_t start, struct transport **out);

#endif /* MEMEVENT_RING_VM_EVENT_H */
