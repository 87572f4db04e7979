/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * A lossy channel of <public/memevent.h> as a transport: the consumer's end of its rings, one for each physical CPU.
 */
#ifndef MEMEVENT_RING_LOSSY_H
#define MEMEVENT_RING_LOSSY_H

#include "hypervisor/hypervisor.h"
#include "transport.h"

/*
 * Opens the rings, whose memory stays the caller's and must outlive the transport.  It goes on where a former consumer
 * was.  -EINVAL: the geometry makes no sense; -ENOMEM.
 */
int ring_lossy_open(const struct hypervisor_ring *ring, struct transport **out);

#endif /* MEMEVENT_RING_LOSSY_H */
