/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The producer's end of one ring of a lossy channel.  What the functions promise is in the header.
 *
 * produced, dropped and the producer's index are private and only shown in shared memory: a consumer that
 * writes there deceives nobody but itself.
 */
#include <xen/lib.h>
#include <xen/memevent-barriers.h>
#include <xen/memevent-lossy.h>

void memevent_lossy_init(struct memevent_lossy *ring, void *shared, uint32_t records_offset,
                         uint32_t slots, uint32_t batch)
{
    ASSERT(slots && !(slots & (slots - 1)));
    ring->shared = shared;
    ring->records = shared + records_offset;
    ring->slots = slots;
    ring->batch = batch;
    ring->producer = ring->consumer = ring->notified = 0;
    ring->produced = ring->dropped = ring->dropped_told = 0;
}

/*
 * How far the consumer has come, as far as it can be believed: not behind where Xen has seen it, which may be before
 * the first record, and not beyond the last record.  Read in this order, as all three only grow: a producer or consumer
 * that goes on meanwhile makes no index wrong.
 */
static uint32_t believed_consumer(const struct memevent_lossy *ring)
{
    uint32_t seen = memevent_load_acquire(&ring->consumer);
    /* Acquire: slots before the index have been read; pairs with the consumer's release of it. */
    uint32_t consumer = memevent_load_acquire(&ring->shared->consumer);
    uint32_t producer = memevent_load_relaxed(&ring->producer);

    return consumer - seen <= producer - seen ? consumer : seen;
}

void memevent_lossy_renew(struct memevent_lossy *ring)
{
    uint64_t produced, dropped;
    uint32_t producer;

    memevent_store_relaxed(&ring->shared->consumer, believed_consumer(ring));
    do {
        produced = memevent_load_relaxed64(&ring->produced);
        dropped = memevent_load_relaxed64(&ring->dropped);
        producer = memevent_load_relaxed(&ring->producer);
        memevent_store_relaxed64(&ring->shared->produced, produced);
        memevent_store_relaxed64(&ring->shared->dropped, dropped);
        memevent_store_release(&ring->shared->producer, producer);
        /* What is shown /before/ the second look: who puts changes its own word first, and shows it then. */
        memevent_full_barrier();
    } while ( produced != memevent_load_relaxed64(&ring->produced) ||
              dropped != memevent_load_relaxed64(&ring->dropped) ||
              producer != memevent_load_relaxed(&ring->producer) );
}

static bool is_full(struct memevent_lossy *ring)
{
    if ( ring->producer - ring->consumer < ring->slots )
        return false;

    memevent_store_relaxed(&ring->consumer, believed_consumer(ring));

    return ring->producer - ring->consumer >= ring->slots;
}

static bool is_wished(const struct memevent_lossy *ring)
{
    return memevent_load_relaxed(&ring->shared->armed) != memevent_load_relaxed(&ring->notified);
}

/* The wish is fulfilled once, by whoever sees it first of put() and expire(). */
static bool take_wish(struct memevent_lossy *ring)
{
    uint32_t armed = memevent_load_relaxed(&ring->shared->armed);
    uint32_t notified = memevent_load_relaxed(&ring->notified);

    if ( armed == notified || !memevent_swap_if(&ring->notified, notified, armed) )
        return false;
    memevent_store_relaxed64(&ring->dropped_told, memevent_load_relaxed64(&ring->dropped));

    return true;
}

bool memevent_lossy_put(struct memevent_lossy *ring, const struct xen_memevent_record *record)
{
    uint32_t producer = ring->producer;

    memevent_store_relaxed64(&ring->produced, ring->produced + 1);
    memevent_store_relaxed64(&ring->shared->produced, ring->produced);
    if ( is_full(ring) )
    {
        memevent_store_relaxed64(&ring->dropped, ring->dropped + 1);
        memevent_store_relaxed64(&ring->shared->dropped, ring->dropped);
        return is_wished(ring) && take_wish(ring);
    }

    ring->records[producer++ & (ring->slots - 1)] = *record;
    memevent_store_relaxed(&ring->producer, producer);
    /* Release: the slots before the index; pairs with the consumer's acquire of it. */
    memevent_store_release(&ring->shared->producer, producer);

    /*
     * No full barrier between index and wish: a wish that is missed here is seen by the next record or, within the
     * deadline, by expire().
     */
    return is_wished(ring) &&
           producer - memevent_load_relaxed(&ring->shared->consumer) >= ring->batch &&
           take_wish(ring);
}

bool memevent_lossy_expire(struct memevent_lossy *ring)
{
    /*
     * The ring can be empty and the loss unknown: a record was dropped while the consumer gave its slots back, and then
     * the wish was missed.
     */
    return is_wished(ring) &&
           (memevent_load_relaxed(&ring->producer) != memevent_load_relaxed(&ring->shared->consumer) ||
            memevent_load_relaxed64(&ring->dropped) != memevent_load_relaxed64(&ring->dropped_told)) &&
           take_wish(ring);
}

uint64_t memevent_lossy_consumed(const struct memevent_lossy *ring)
{
    uint32_t consumer = believed_consumer(ring);
    uint64_t sent = memevent_load_relaxed64(&ring->produced) - memevent_load_relaxed64(&ring->dropped);
    uint32_t left = memevent_load_relaxed(&ring->producer) - consumer;

    /* While records come these are not of one moment. */
    return sent > left ? sent - left : 0;
}
