/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The consumer's end of a lossy channel: records in order of each CPU, and how many there was no room for.  Locks,
 * notifications and statistics are the channel's (memevent.c).
 *
 * Each ring's index is read once a visit and bounded, each record's words once.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <public/memevent.h>

#include "barrier.h"
#include "ring-lossy.h"

#define RECORD_WORDS (sizeof(struct xen_memevent_record) / sizeof(uint64_t))

_Static_assert(sizeof(struct memevent_record) == sizeof(struct xen_memevent_record), "handed out as they are");
_Static_assert(offsetof(struct memevent_record, domid) == offsetof(struct xen_memevent_record, domid), "domid");
_Static_assert(offsetof(struct memevent_record, kind) == offsetof(struct xen_memevent_record, kind), "kind");
_Static_assert(offsetof(struct memevent_record, reason) == offsetof(struct xen_memevent_record, reason), "reason");

/* Keep sizes from wrapping, whatever the geometry says: more than any host has, or any ring holds. */
#define RINGS_MAX 4096u
#define SLOTS_MAX (1u << 20)

struct ring {
    struct xen_memevent_lossy *control;
    const char *records;
    uint32_t consumer;            /* records taken: ours alone, what stands of it in shared memory is only written */
    uint32_t armed;               /* wishes so far; likewise */
    uint64_t lost;                /* of Xen's count of dropped ones: told already */
};

struct ring_lossy {
    struct transport base;
    uint32_t slots;               /* of each ring, a power of two */
    uint32_t batch;
    uint32_t count;               /* of rings */
    uint32_t next;                /* the ring to begin with: no CPU's is always last */
    bool     broken;
    struct ring *rings;
};

static struct ring_lossy *to_ring(struct transport *transport)
{
    return (struct ring_lossy *)transport;
}

static const struct ring_lossy *to_const_ring(const struct transport *transport)
{
    return (const struct ring_lossy *)transport;
}

static void ring_close(struct transport *transport)
{
    struct ring_lossy *lossy = to_ring(transport);

    if ( !lossy )
        return;

    free(lossy->rings);
    free(lossy);
}

/* Takes up to max records of one ring; -EBADMSG. */
static int visit(struct ring_lossy *lossy, struct ring *ring, struct memevent_record *records, unsigned int max,
                 uint64_t *lost)
{
    /* The index /before/ the records; pairs with the release in memevent_lossy_put(). */
    uint32_t producer = load_acquire(&ring->control->producer);
    uint64_t dropped = load_relaxed64(&ring->control->dropped);
    uint32_t there = producer - ring->consumer;
    unsigned int taken;

    if ( there > lossy->slots )
        return -EBADMSG;

    *lost += dropped - ring->lost;
    ring->lost = dropped;

    for ( taken = 0; taken < there && taken < max; taken++ )
    {
        union {
            struct memevent_record record;
            uint64_t words[RECORD_WORDS];
        } copy;

        copy_once(copy.words, ring->records + (size_t)(ring->consumer++ & (lossy->slots - 1)) *
                  sizeof(struct xen_memevent_record), RECORD_WORDS);
        records[taken] = copy.record;
        records[taken].pad = 0;
    }
    /* The records were read /before/ the index; pairs with the acquire in is_full(), after which Xen writes there. */
    if ( taken )
        store_release(&ring->control->consumer, ring->consumer);

    return (int)taken;
}

static int ring_take_records(struct transport *transport, struct memevent_record *records, unsigned int max,
                             uint64_t *lost)
{
    struct ring_lossy *lossy = to_ring(transport);
    unsigned int taken = 0;

    *lost = 0;
    if ( lossy->broken )
        return -EBADMSG;

    for ( uint32_t i = 0; i < lossy->count; i++ )
    {
        int rc = visit(lossy, &lossy->rings[lossy->next], records + taken, max - taken, lost);

        if ( rc < 0 )
        {
            lossy->broken = true;
            /* What was taken before is good, and the next call says it. */
            return taken || *lost ? (int)taken : rc;
        }
        taken += rc;
        lossy->next = lossy->next + 1 < lossy->count ? lossy->next + 1 : 0;
        if ( taken == max )
            break;
    }

    return (int)taken;
}

/* Records in the fullest ring, or so many that a broken one shows. */
static uint32_t fullest(const struct ring_lossy *lossy, uint32_t (*load)(const uint32_t *))
{
    uint32_t most = 0;

    for ( uint32_t i = 0; i < lossy->count; i++ )
    {
        uint32_t there = load(&lossy->rings[i].control->producer) - lossy->rings[i].consumer;

        if ( there > most )
            most = there;
    }

    return most;
}

/* Was there a loss that take_records() has not told yet? */
static bool has_lost(const struct ring_lossy *lossy)
{
    for ( uint32_t i = 0; i < lossy->count; i++ )
        if ( load_full64(&lossy->rings[i].control->dropped) != lossy->rings[i].lost )
            return true;

    return false;
}

static int ring_peek(const struct transport *transport)
{
    const struct ring_lossy *lossy = to_const_ring(transport);

    return !lossy->broken && fullest(lossy, load_relaxed) > 0;
}

static int ring_want_wakeup(struct transport *transport)
{
    struct ring_lossy *lossy = to_ring(transport);

    if ( lossy->broken )
        return -EBADMSG;

    /*
     * The wishes /before/ the look.  A record that Xen puts without seeing the wish is told of when the deadline has
     * passed; a loss that fulfilled an earlier wish is not told of again, and is found here.
     */
    for ( uint32_t i = 0; i < lossy->count; i++ )
        store_full(&lossy->rings[i].control->armed, ++lossy->rings[i].armed);

    return fullest(lossy, load_full) >= lossy->batch || has_lost(lossy);
}

static const struct transport_ops ring_lossy_ops = {
    .name         = "lossy channel",
    .can_reattach = true,
    .close        = ring_close,
    .take_records = ring_take_records,
    .peek         = ring_peek,
    .want_wakeup  = ring_want_wakeup,
};

static bool is_sane(const struct hypervisor_ring *ring)
{
    return ring->page && (uintptr_t)ring->page % sizeof(uint64_t) == 0 &&
           ring->rings && ring->rings <= RINGS_MAX && ring->batch &&
           ring->slots && ring->slots <= SLOTS_MAX && !(ring->slots & (ring->slots - 1)) &&
           ring->request_size == sizeof(struct xen_memevent_record) &&
           ring->request_offset >= sizeof(struct xen_memevent_lossy) &&
           !((ring->request_offset | ring->ring_size) & (sizeof(uint64_t) - 1)) &&
           (uint64_t)ring->request_offset + (uint64_t)ring->slots * ring->request_size <= ring->ring_size &&
           (uint64_t)ring->rings * ring->ring_size <= ring->size;
}

int ring_lossy_open(const struct hypervisor_ring *memory, struct transport **out)
{
    struct ring_lossy *lossy;

    if ( !is_sane(memory) )
        return -EINVAL;

    lossy = calloc(1, sizeof(*lossy));
    if ( !lossy )
        return -ENOMEM;

    lossy->base.ops = &ring_lossy_ops;
    lossy->slots = memory->slots;
    lossy->batch = memory->batch < memory->slots ? memory->batch : memory->slots;
    lossy->count = memory->rings;
    lossy->rings = calloc(memory->rings, sizeof(*lossy->rings));
    if ( !lossy->rings )
    {
        ring_close(&lossy->base);
        return -ENOMEM;
    }

    for ( uint32_t i = 0; i < lossy->count; i++ )
    {
        struct ring *ring = &lossy->rings[i];
        char *start = (char *)memory->page + (size_t)i * memory->ring_size;

        ring->control = (struct xen_memevent_lossy *)start;
        ring->records = start + memory->request_offset;
        /* Where the former consumer was: its own words, which are ours now. */
        ring->consumer = load_relaxed(&ring->control->consumer);
        ring->armed = load_relaxed(&ring->control->armed);
        /* What was lost before us is not our loss: who begins knows nothing yet. */
        ring->lost = load_relaxed64(&ring->control->dropped);
    }

    *out = &lossy->base;

    return 0;
}
