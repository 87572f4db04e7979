/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The producer's end of one ring of a lossy channel: one for each physical CPU, so that a record costs no lock
 * and no shared line.  The caller is on that CPU and is not interrupted by another producer; no
 * function here sleeps, loops, locks or allocates.
 */
#ifndef XEN_MEMEVENT_LOSSY_H
#define XEN_MEMEVENT_LOSSY_H

#include <xen/types.h>
#include <public/memevent.h>

struct memevent_lossy {
    struct xen_memevent_lossy *shared;      /* the consumer writes to all of it as it likes */
    struct xen_memevent_record *records;    /* slots of them, in shared memory */
    uint32_t slots;                         /* a power of two */
    uint32_t batch;                         /* records that are worth a notification */

    /* Ours alone. */
    uint32_t producer;
    uint32_t consumer;                      /* as last seen: an old value only hides room */
    uint32_t notified;                      /* the consumer's wish that was last fulfilled */
    uint64_t produced;
    uint64_t dropped;
    uint64_t dropped_told;                  /* of these, those before the last notification */
};

/* shared is zeroed memory of records_offset + slots records. */
void memevent_lossy_init(struct memevent_lossy *ring, void *shared, uint32_t records_offset,
                         uint32_t slots, uint32_t batch);

/*
 * A consumer begins where another one was, which may have written anywhere: what Xen shows is shown once more,
 * and an index that cannot be becomes the last one that Xen has seen, so that no slot is taken for a record
 * in which none was put.  Records that nobody has taken are as that one left them, and may come twice.  While nobody
 * is attached; records may come meanwhile.
 */
void memevent_lossy_renew(struct memevent_lossy *ring);

/* Puts a record, or drops and counts it.  True: the consumer wants a notification, and gets it from the caller. */
bool memevent_lossy_put(struct memevent_lossy *ring, const struct xen_memevent_record *record);

/* The deadline has passed.  True: there is something, or something was lost, and the consumer wants to know.  From any CPU. */
bool memevent_lossy_expire(struct memevent_lossy *ring);

/* Records that the consumer has taken, as far as its index can be believed. */
uint64_t memevent_lossy_consumed(const struct memevent_lossy *ring);

#endif /* XEN_MEMEVENT_LOSSY_H */
