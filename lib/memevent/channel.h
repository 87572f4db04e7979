/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * How memevent_attach() puts a channel together, for this room and for tests that begin at other
 * indices than Xen does.  Not installed.
 */
#ifndef MEMEVENT_CHANNEL_H
#define MEMEVENT_CHANNEL_H

#include "hypervisor/hypervisor.h"
#include "transport.h"

/*
 * A channel over ring and transport, which become the channel's: memevent_detach() closes them.
 * On failure (-ENOMEM) they stay the caller's.
 */
int channel_open(struct hypervisor *host, struct hypervisor_ring *ring, struct transport *transport,
                 struct memevent_channel **out);

#endif /* MEMEVENT_CHANNEL_H */
