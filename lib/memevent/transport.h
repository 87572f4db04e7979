/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What a channel needs of the shared memory that carries it.  Behind it are layout, bounds,
 * decoding, the ids of requests and the building of responses; before it, in
 * memevent.c, the lock, the statistics, the event channel and the life of the whole.
 *
 * A transport calls nobody and never notifies.  peek() and want_wakeup() are called by the thread that
 * takes events, the others with the channel's lock held.
 */
#ifndef MEMEVENT_TRANSPORT_H
#define MEMEVENT_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <memevent/memevent.h>

struct transport;

enum transport_taken {
    TRANSPORT_NONE = 0,
    TRANSPORT_EVENT = 1,
    /*
     * An entry made no sense.  If it holds up its peer, the transport has built an answer that frees its slot and lets
     * a paused vCPU go on, and that waits for publish() like every other.
     */
    TRANSPORT_MALFORMED = 2,
};

struct transport_ops {
    const char *name;             /* what memevent_get_transport() says */
    bool can_reattach;            /* what memevent_can_reattach() says */
    bool reports_touches;         /* what memevent_reports_touches() says */

    void (*close)(struct transport *transport);

    /* The next event: enum transport_taken, or -EBADMSG, which stays.  NULL if lossy, as answer() and publish(). */
    int  (*take)(struct transport *transport, struct memevent_event *event);

    /* As memevent_take_records().  NULL: it is a reliable one. */
    int  (*take_records)(struct transport *transport, struct memevent_record *records, unsigned int max,
                         uint64_t *lost);

    /* 1: take() would find something (or find the ring broken); 0: it would not. */
    int  (*peek)(const struct transport *transport);

    /*
     * Tells the peer that the next event should be notified, then looks again with a full
     * barrier between the two, and between what the caller did before and the look.  As peek().
     */
    int  (*want_wakeup)(struct transport *transport);

    /* Builds the response of the outstanding request id; -ENOENT, -EALREADY, -EBADMSG; -EINVAL: no such actions. */
    int  (*answer)(struct transport *transport, uint64_t id, uint32_t actions);

    /* Up to size octets of the outstanding request's slot, from offset on; -ENOENT.  NULL: there is no more in it. */
    int  (*get_slot)(const struct transport *transport, uint64_t id, size_t offset, void *out, size_t size);

    /* Lets the peer see all responses built so far.  True: there were any. */
    bool (*publish)(struct transport *transport);
};

/* What every transport's own structure begins with. */
struct transport {
    const struct transport_ops *ops;
    uint32_t limit;               /* the most requests that can be outstanding; 0: lossy */
};

#endif /* MEMEVENT_TRANSPORT_H */
