/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * A reliable channel of <public/memevent.h> as a transport: the consumer's end.
 */
#ifndef MEMEVENT_RING_RELIABLE_H
#define MEMEVENT_RING_RELIABLE_H

#include "hypervisor/hypervisor.h"
#include "transport.h"

/*
 * Opens the ring, which stays the caller's and must outlive the transport.  Its indices have just begun at 0.
 * -EINVAL: its geometry makes no sense; -ENOMEM.
 */
int ring_reliable_open(const struct hypervisor_ring *ring, enum memevent_class class, struct transport **out);

#endif /* MEMEVENT_RING_RELIABLE_H */
