/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The consumer's end of a reliable channel: a ring of requests, a ring of responses, and the table of what was taken
 * and not answered.  Ids are the hypervisor's: the index in them is the place in its table, and in ours, so that an
 * answer costs the same however many there are.  Locks, notifications and statistics are the channel's (memevent.c).
 *
 * Two words of shared memory are read, each once a batch or less, and bounded; of a slot the words that are used,
 * each once.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <public/memevent.h>

#include "barrier.h"
#include "ring-reliable.h"

#define REQUEST_WORDS (sizeof(struct xen_memevent_request) / sizeof(uint64_t))

#define ASSERT_SIZE(type, octets)         _Static_assert(sizeof(type) == (octets), #type);
#define ASSERT_PLACE(type, field, octets) _Static_assert(offsetof(type, field) == (octets), #type "." #field);
XEN_MEMEVENT_LAYOUT(ASSERT_SIZE, ASSERT_PLACE)
_Static_assert(MEMEVENT_HOST == XEN_MEMEVENT_HOST, "one number for the host");
_Static_assert((uint16_t)MEMEVENT_CLASS_PAGING == XEN_MEMEVENT_CLASS_PAGING &&
               (uint16_t)MEMEVENT_CLASS_OOM == XEN_MEMEVENT_CLASS_OOM &&
               (uint16_t)MEMEVENT_CLASS_ACCESS == XEN_MEMEVENT_CLASS_ACCESS &&
               (uint16_t)MEMEVENT_CLASS_INVALIDATE == XEN_MEMEVENT_CLASS_INVALIDATE, "one number for a class");
_Static_assert(MEMEVENT_NO_GFN == XEN_MEMEVENT_NO_GFN, "one number for no frame");

#define ACCESS_ACTIONS (MEMEVENT_ACTION_EMULATE | MEMEVENT_ACTION_SKIP_WRITE | MEMEVENT_ACTION_DENY)
_Static_assert(MEMEVENT_ACTION_EMULATE == XEN_MEMEVENT_ACTION_EMULATE &&
               MEMEVENT_ACTION_SKIP_WRITE == XEN_MEMEVENT_ACTION_SKIP_WRITE &&
               MEMEVENT_ACTION_DENY == XEN_MEMEVENT_ACTION_DENY, "actions go as they are");
_Static_assert(sizeof(struct memevent_details) ==
               sizeof(struct xen_memevent_access_request) - sizeof(struct xen_memevent_request),
               "details come as they are");
_Static_assert(offsetof(struct memevent_details, gpr) + sizeof(struct xen_memevent_request) ==
               offsetof(struct xen_memevent_access_request, gpr), "details come as they are");

/* More than any domain has vCPUs: keeps sizes from wrapping, whatever the geometry says. */
#define SLOTS_MAX 65536u
/* The largest slot of any class. */
#define SLOT_SIZE_MAX XEN_MEMEVENT_FULL_SIZE

enum place_state {
    PLACE_UNUSED,                 /* nothing came under this index in this attachment */
    PLACE_TAKEN,
    PLACE_ANSWERED,
};

struct place {
    uint32_t first;               /* generation of the first request taken under this index, or not so long ago, and */
    uint32_t generation;          /* of the latest */
    enum place_state state;
};

/* So far back a place knows what was answered: less than the half of all generations, which is the past. */
#define MEMORY (UINT32_C(1) << 30)

struct ring_reliable {
    struct transport base;
    enum memevent_class class;

    struct xen_memevent_reliable *control;
    const char *requests;         /* slots of request_size octets, written by Xen */
    char *responses;              /* slots of response_size octets, written by us */
    uint32_t slots;               /* a power of two */
    uint32_t request_size;
    uint32_t response_size;

    /* Ours alone; what stands of them in shared memory is only ever written. */
    uint32_t request_consumer;    /* requests taken */
    uint32_t request_shown;       /* of these, as Xen was let know */
    uint32_t batch_end;           /* Xen's index when it was last read and found in bounds */
    uint32_t response_producer;   /* responses written into slots */
    uint32_t response_published;  /* responses that Xen was let see */
    uint32_t response_room;       /* responses that fit before Xen's index has to be read again */
    bool     broken;

    struct place *places;         /* slots of them */
    uint64_t *slots_taken;        /* ACCESS: what was in them, request_size octets a place; else NULL */
};

static struct ring_reliable *to_ring(struct transport *transport)
{
    return (struct ring_reliable *)transport;
}

static const struct ring_reliable *to_const_ring(const struct transport *transport)
{
    return (const struct ring_reliable *)transport;
}

static void ring_close(struct transport *transport)
{
    struct ring_reliable *ring = to_ring(transport);

    if ( !ring )
        return;

    free(ring->slots_taken);
    free(ring->places);
    free(ring);
}

/* Lets Xen use the slots of what was taken. */
static void show_taken(struct ring_reliable *ring)
{
    if ( ring->request_shown == ring->request_consumer )
        return;

    /* The slots were read /before/ the index; pairs with the acquire in room(), after which Xen writes there. */
    store_release(&ring->control->request_consumer, ring->request_consumer);
    ring->request_shown = ring->request_consumer;
}

/* Reads Xen's index.  1: there are requests up to batch_end; 0: none; -EBADMSG. */
static int begin_batch(struct ring_reliable *ring)
{
    uint32_t producer;

    show_taken(ring);
    /* The index /before/ the slots; pairs with the release in memevent_reliable_flush(). */
    producer = load_acquire(&ring->control->request_producer);

    /* An index that went backwards is a huge difference, and refused by the same comparison. */
    if ( producer - ring->request_consumer > ring->slots )
    {
        ring->broken = true;
        return -EBADMSG;
    }

    ring->batch_end = producer;

    return producer != ring->request_consumer;
}

/* Half of all differences are the past: generations go round. */
static bool is_before(uint32_t a, uint32_t b)
{
    return a != b && b - a < UINT32_C(1) << 31;
}

/* Enters the request into the table.  False: that id cannot be. */
static bool enter(struct ring_reliable *ring, uint64_t id)
{
    uint32_t index = (uint32_t)id, generation = id >> 32;
    struct place *place;

    if ( index >= ring->slots || !generation )
        return false;

    place = &ring->places[index];
    /* Xen has one request a place, and its numbers only grow. */
    if ( place->state == PLACE_TAKEN || (place->state == PLACE_ANSWERED && !is_before(place->generation, generation)) )
        return false;
    if ( place->state == PLACE_UNUSED )
        place->first = generation;
    else if ( generation - place->first > MEMORY )
        place->first = generation - MEMORY;
    place->generation = generation;
    place->state = PLACE_TAKEN;

    return true;
}

static uint16_t kind_of(enum memevent_class class, uint16_t kind)
{
    /* The public numbers are those of the ring, but for one that upstream's ring had first. */
    if ( class == MEMEVENT_CLASS_PAGING )
        switch ( kind )
        {
        case XEN_MEMEVENT_PAGING_POPULATE: return MEMEVENT_PAGING_POPULATE;
        case XEN_MEMEVENT_PAGING_DROP:     return MEMEVENT_PAGING_DROP;
        case XEN_MEMEVENT_PAGING_RESCAN:   return MEMEVENT_PAGING_RESCAN;
        /* Not one of ours, and never to be taken for one of ours. */
        default:                           return kind | 0x8000u;
        }

    return kind;
}

static void decode(enum memevent_class class, const struct xen_memevent_request *request, struct memevent_event *event)
{
    uint16_t flags = 0;

    if ( request->flags & XEN_MEMEVENT_VCPU_PAUSED )
        flags |= MEMEVENT_FLAG_VCPU_PAUSED;
    if ( request->flags & XEN_MEMEVENT_FOREIGN )
        flags |= MEMEVENT_FLAG_FOREIGN;
    if ( request->flags & XEN_MEMEVENT_AGAIN )
        flags |= MEMEVENT_FLAG_AGAIN;

    *event = (struct memevent_event){
        .id = request->id,
        .gfn = request->gfn,
        .vcpu = request->vcpu,
        .kind = kind_of(class, request->kind),
        .flags = flags,
        .time = request->time,
    };
}

static uint64_t *kept_slot(const struct ring_reliable *ring, uint32_t index)
{
    return ring->slots_taken + (size_t)index * (ring->request_size / sizeof(uint64_t));
}

/* What comes behind the request proper.  Its words, too, are read once, and nothing is made of them here. */
static void keep_slot(struct ring_reliable *ring, uint32_t index, uint32_t slot)
{
    copy_once(kept_slot(ring, index) + REQUEST_WORDS,
              ring->requests + (size_t)slot * ring->request_size + sizeof(struct xen_memevent_request),
              ring->request_size / sizeof(uint64_t) - REQUEST_WORDS);
}

static int ring_take(struct transport *transport, struct memevent_event *event)
{
    struct ring_reliable *ring = to_ring(transport);
    union {
        struct xen_memevent_request request;
        uint64_t words[REQUEST_WORDS];
    } copy;
    uint32_t slot;
    int rc;

    if ( ring->broken )
        return -EBADMSG;

    if ( ring->request_consumer == ring->batch_end )
    {
        rc = begin_batch(ring);
        if ( rc <= 0 )
            return rc;
    }

    slot = ring->request_consumer++ & (ring->slots - 1);
    copy_once(copy.words, ring->requests + (size_t)slot * ring->request_size, REQUEST_WORDS);

    /* There is nothing that could be answered: if it is a request after all it stays with Xen, which shows it. */
    if ( !enter(ring, copy.request.id) )
        return TRANSPORT_MALFORMED;
    if ( ring->slots_taken )
        keep_slot(ring, (uint32_t)copy.request.id, slot);

    decode(ring->class, &copy.request, event);

    return TRANSPORT_EVENT;
}

static int ring_peek(const struct transport *transport)
{
    const struct ring_reliable *ring = to_const_ring(transport);

    return !ring->broken && (ring->request_consumer != ring->batch_end ||
                             ring->request_consumer != load_relaxed(&ring->control->request_producer));
}

static int ring_want_wakeup(struct transport *transport)
{
    struct ring_reliable *ring = to_ring(transport);

    if ( ring->broken )
        return -EBADMSG;

    /*
     * The wish /before/ the look at Xen's index; pairs with the full barrier in memevent_reliable_flush(), where the
     * index is written before the wish is read.  So either we see the request here, or it is notified.
     */
    store_full(&ring->control->request_event, ring->request_consumer + 1);

    return ring->request_consumer != ring->batch_end ||
           ring->request_consumer != load_full(&ring->control->request_producer);
}

/* Is there a slot for a response?  With an honest peer always: it has a slot for every place of its table. */
static bool has_room(struct ring_reliable *ring)
{
    uint32_t unread;

    if ( ring->response_room )
        return true;

    /* The slots were read by Xen /before/ we write there again; pairs with the release in memevent_reliable_take(). */
    unread = ring->response_producer - load_acquire(&ring->control->response_consumer);
    if ( unread >= ring->slots )
        return false;
    ring->response_room = ring->slots - unread;

    return true;
}

/* The one place where a response is made.  Nothing in it comes from shared memory. */
static void build_response(struct ring_reliable *ring, uint64_t id, uint32_t actions)
{
    char *slot = ring->responses + (size_t)(ring->response_producer & (ring->slots - 1)) * ring->response_size;
    struct xen_memevent_response response = { .id = id, .action = actions };

    memcpy(slot, &response, sizeof(response));
    memset(slot + sizeof(response), 0, ring->response_size - sizeof(response));
    ring->response_producer++;
    ring->response_room--;
}

/* 0; -ENOENT, -EALREADY. */
static int find_taken(const struct ring_reliable *ring, uint64_t id)
{
    uint32_t index = (uint32_t)id, generation = id >> 32;
    const struct place *place;

    if ( index >= ring->slots || !generation )
        return -ENOENT;

    place = &ring->places[index];
    if ( place->state == PLACE_UNUSED )
        return -ENOENT;
    if ( generation == place->generation )
        return place->state == PLACE_TAKEN ? 0 : -EALREADY;

    return is_before(generation, place->first) || is_before(place->generation, generation) ? -ENOENT : -EALREADY;
}

static int ring_answer(struct transport *transport, uint64_t id, uint32_t actions)
{
    struct ring_reliable *ring = to_ring(transport);
    int rc;

    if ( actions & ~(ring->class == MEMEVENT_CLASS_ACCESS ? ACCESS_ACTIONS : 0) )
        return -EINVAL;

    rc = find_taken(ring, id);
    if ( rc )
        return rc;
    if ( !has_room(ring) )
    {
        ring->broken = true;
        return -EBADMSG;
    }

    ring->places[(uint32_t)id].state = PLACE_ANSWERED;
    build_response(ring, id, actions);

    return 0;
}

static int ring_get_slot(const struct transport *transport, uint64_t id, size_t offset, void *out, size_t size)
{
    const struct ring_reliable *ring = to_const_ring(transport);

    if ( !ring->slots_taken || offset >= ring->request_size )
        return -EOPNOTSUPP;
    if ( find_taken(ring, id) )
        return -ENOENT;

    if ( size > ring->request_size - offset )
        size = ring->request_size - offset;
    memcpy(out, (const char *)kept_slot(ring, (uint32_t)id) + offset, size);

    return 0;
}

static bool ring_publish(struct transport *transport)
{
    struct ring_reliable *ring = to_ring(transport);

    /*
     * What was taken is shown /before/ what answers it, so that a place that is free in Xen's table has a slot in the
     * ring; pairs with Xen's taking responses before it looks for room.
     */
    show_taken(ring);
    if ( ring->response_producer == ring->response_published )
        return false;

    /* The slots /before/ the index; pairs with the acquire in memevent_reliable_take(). */
    store_release(&ring->control->response_producer, ring->response_producer);
    ring->response_published = ring->response_producer;

    return true;
}

static const struct transport_ops ring_reliable_ops = {
    .name         = "channel",
    .can_reattach = true,
    .close        = ring_close,
    .take         = ring_take,
    .peek         = ring_peek,
    .want_wakeup  = ring_want_wakeup,
    .answer       = ring_answer,
    .get_slot     = ring_get_slot,
    .publish      = ring_publish,
};

/* Does everything that is going to be touched lie within the memory, and at addresses that a word can be read from? */
static bool is_sane(const struct hypervisor_ring *ring, enum memevent_class class)
{
    size_t least = class == MEMEVENT_CLASS_ACCESS ? sizeof(struct xen_memevent_access_request)
                                                  : sizeof(struct xen_memevent_request);
    uint64_t requests = (uint64_t)ring->slots * ring->request_size;
    uint64_t responses = (uint64_t)ring->slots * ring->response_size;

    return ring->page && (uintptr_t)ring->page % sizeof(uint64_t) == 0 &&
           ring->slots && ring->slots <= SLOTS_MAX && !(ring->slots & (ring->slots - 1)) &&
           ring->request_size >= least && ring->request_size <= SLOT_SIZE_MAX &&
           ring->response_size >= sizeof(struct xen_memevent_response) && ring->response_size <= SLOT_SIZE_MAX &&
           !((ring->request_size | ring->response_size | ring->request_offset | ring->response_offset) &
             (sizeof(uint64_t) - 1)) &&
           ring->request_offset >= sizeof(struct xen_memevent_reliable) &&
           ring->response_offset >= sizeof(struct xen_memevent_reliable) &&
           ring->request_offset + requests <= ring->size && ring->response_offset + responses <= ring->size &&
           (ring->request_offset >= ring->response_offset + responses ||
            ring->response_offset >= ring->request_offset + requests);
}

int ring_reliable_open(const struct hypervisor_ring *memory, enum memevent_class class, struct transport **out)
{
    struct ring_reliable *ring;

    if ( !is_sane(memory, class) )
        return -EINVAL;

    ring = calloc(1, sizeof(*ring));
    if ( !ring )
        return -ENOMEM;

    ring->base.ops = &ring_reliable_ops;
    ring->base.limit = memory->slots;
    ring->class = class;
    ring->control = memory->page;
    ring->requests = (const char *)memory->page + memory->request_offset;
    ring->responses = (char *)memory->page + memory->response_offset;
    ring->slots = memory->slots;
    ring->request_size = memory->request_size;
    ring->response_size = memory->response_size;
    ring->response_room = memory->slots;
    ring->places = calloc(memory->slots, sizeof(*ring->places));
    if ( class == MEMEVENT_CLASS_ACCESS )
        ring->slots_taken = calloc(memory->slots, memory->request_size);
    if ( !ring->places || (class == MEMEVENT_CLASS_ACCESS && !ring->slots_taken) )
    {
        ring_close(&ring->base);
        return -ENOMEM;
    }

    *out = &ring->base;

    return 0;
}
