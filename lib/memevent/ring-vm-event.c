/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Xen's vm_event ring, interface version 7, as its paging and its monitor ring use it: bounds, decoding, and the one place
 * where a response is built.  What a monitor's entry says is vm-event-access.c's; locks, notifications and statistics are
 * the channel's (memevent.c).
 *
 * One page: four indices, then slots of 400 bytes that hold first a request, later a
 * response.  Response number n goes into the slot of request number n, whichever request it
 * answers: it was copied out before, and Xen does not use the slot again before it has consumed
 * that response.  Nothing but a response gives a slot back, so every request gets one, those
 * that nobody waits for and those that make no sense too.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "barrier.h"
#include "outstanding.h"
#include "ring-vm-event.h"
#include "vm-event-access.h"

/*
 * Xen's public headers need the integer types and hide this one from everybody but tool stacks.  Of
 * <xen/io/ring.h> only the types are used: its macros read shared memory as if it were ours, see barrier.h.
 */
#ifndef __XEN_TOOLS__
#define __XEN_TOOLS__ 1
#endif
#include <xen/vm_event.h>

/* A slot's beginning up to the end of what a paging event says; the rest are registers, which a monitor wants. */
#define PAGING_BYTES (offsetof(vm_event_request_t, u) + sizeof(struct vm_event_paging))
#define PAGING_WORDS (PAGING_BYTES / sizeof(uint64_t))
#define ENTRY_WORDS  (sizeof(vm_event_request_t) / sizeof(uint64_t))

/* The most of an entry's body that Xen wants to see again: which frame, and what was tried there. */
#define BODY_BYTES   sizeof(struct vm_event_mem_access)

#define KNOWN_FLAGS        (VM_EVENT_FLAG_VCPU_PAUSED | VM_EVENT_FLAG_FOREIGN)
#define KNOWN_PAGING_FLAGS (MEM_PAGING_DROP_PAGE | MEM_PAGING_EVICT_FAIL)

_Static_assert(VM_EVENT_INTERFACE_VERSION == 7, "another interface version needs another decoder");
_Static_assert(sizeof(vm_event_request_t) == 400, "the layout of version 7");
_Static_assert(offsetof(vm_event_request_t, u) == 24, "the layout of version 7");
_Static_assert(PAGING_BYTES % sizeof(uint64_t) == 0, "copied in words");
_Static_assert(sizeof(vm_event_request_t) % sizeof(uint64_t) == 0, "copied in words");
_Static_assert(sizeof(struct vm_event_paging) <= BODY_BYTES, "of either ring");
_Static_assert(sizeof(vm_event_request_t) == sizeof(vm_event_response_t), "slots hold both");

/* What a response is built from. */
struct request {
    uint32_t reason;
    uint32_t flags;
    uint32_t vcpu;
    uint8_t  body[BODY_BYTES];
};

struct ring_vm_event {
    struct transport base;
    bool is_monitor;              /* class ACCESS; else PAGING */

    vm_event_sring_t *shared;
    uint32_t slots;               /* a power of two */

    /* Ours alone; the copies in the shared page are only ever written. */
    uint32_t req_cons;            /* requests taken */
    uint32_t batch_end;           /* Xen's index when it was last read and found in bounds */
    uint32_t rsp_built;           /* responses written into slots */
    uint32_t rsp_published;       /* responses that Xen was let see */
    bool     broken;

    struct outstanding table;
    struct request *requests;     /* one for each place of the table */
    union vm_event_slot *slots_taken;   /* so, too; NULL without is_monitor */
};

static struct ring_vm_event *to_ring(struct transport *transport)
{
    return (struct ring_vm_event *)transport;
}

static const struct ring_vm_event *to_const_ring(const struct transport *transport)
{
    return (const struct ring_vm_event *)transport;
}

static void ring_close(struct transport *transport)
{
    struct ring_vm_event *ring = to_ring(transport);

    if ( !ring )
        return;

    outstanding_close(&ring->table);
    free(ring->requests);
    free(ring->slots_taken);
    free(ring);
}

/* The one place where a response is made.  Nothing in it comes from shared memory. */
static void build_response(struct ring_vm_event *ring, const struct request *request)
{
    vm_event_response_t response = {
        .version = VM_EVENT_INTERFACE_VERSION,
        .flags   = request->flags,
        .reason  = request->reason,
        .vcpu_id = request->vcpu,
    };

    memcpy(&response.u, request->body, sizeof(request->body));
    ring->shared->ring[ring->rsp_built & (ring->slots - 1)].rsp = response;
    ring->rsp_built++;
}

/* Reads Xen's index.  1: there are requests up to batch_end; 0: none; -EBADMSG. */
static int begin_batch(struct ring_vm_event *ring)
{
    /* req_prod is read /before/ the entries; pairs with vm_event_put_request(), which writes it after them. */
    uint32_t req_prod = load_acquire(&ring->shared->req_prod);
    uint32_t held = ring->req_cons - ring->rsp_published;

    /*
     * Slots that are held until Xen sees their responses cannot carry new requests.  An
     * index that went backwards is a huge difference, and refused by the same comparison.
     */
    if ( req_prod - ring->req_cons > ring->slots - held )
    {
        ring->broken = true;
        return -EBADMSG;
    }

    ring->batch_end = req_prod;

    return req_prod != ring->req_cons;
}

static bool is_paging(const vm_event_request_t *entry)
{
    return entry->version == VM_EVENT_INTERFACE_VERSION &&
           entry->reason == VM_EVENT_REASON_MEM_PAGING &&
           !(entry->flags & ~KNOWN_FLAGS) &&
           !(entry->u.mem_paging.flags & ~KNOWN_PAGING_FLAGS);
}

static void decode_paging(const vm_event_request_t *entry, uint64_t id, struct memevent_event *event)
{
    const struct vm_event_paging *paging = &entry->u.mem_paging;
    uint16_t flags = 0;

    if ( entry->flags & VM_EVENT_FLAG_VCPU_PAUSED )
        flags |= MEMEVENT_FLAG_VCPU_PAUSED;
    if ( entry->flags & VM_EVENT_FLAG_FOREIGN )
        flags |= MEMEVENT_FLAG_FOREIGN;

    *event = (struct memevent_event){
        .id = id, .gfn = paging->gfn, .vcpu = entry->vcpu_id, .kind = MEMEVENT_PAGING_POPULATE,
    };

    if ( paging->flags & MEM_PAGING_DROP_PAGE )
    {
        event->kind = MEMEVENT_PAGING_DROP;
        if ( paging->flags & MEM_PAGING_EVICT_FAIL )
            flags |= MEMEVENT_FLAG_EVICT_FAILS;
    }
    else if ( paging->flags & MEM_PAGING_EVICT_FAIL )
        event->kind = MEMEVENT_PAGING_TOUCHED;

    event->flags = flags;
}

/* The request at this place of the table, as details and as an event. */
static void keep_access(struct ring_vm_event *ring, int place, const vm_event_request_t *entry, uint64_t id,
                        struct memevent_event *event)
{
    struct xen_memevent_request *request = &ring->slots_taken[place].access.request;

    vm_event_fill_slot(&ring->slots_taken[place], entry);
    request->id = id;
    *event = (struct memevent_event){
        .id = id, .gfn = request->gfn, .vcpu = request->vcpu, .kind = request->kind, .flags = request->flags,
    };
}

static int ring_take(struct transport *transport, struct memevent_event *event)
{
    struct ring_vm_event *ring = to_ring(transport);
    union {
        vm_event_request_t request;
        uint64_t words[ENTRY_WORDS];
    } copy = { .words = { 0 } };
    const vm_event_request_t *entry = &copy.request;
    struct request request;
    uint64_t id;
    int rc;

    if ( ring->broken )
        return -EBADMSG;

    if ( ring->req_cons == ring->batch_end )
    {
        rc = begin_batch(ring);
        if ( rc <= 0 )
            return rc;
    }

    copy_once(copy.words, &ring->shared->ring[ring->req_cons & (ring->slots - 1)],
              ring->is_monitor ? ENTRY_WORDS : PAGING_WORDS);
    ring->req_cons++;

    if ( ring->is_monitor ? !vm_event_is_access(entry) : !is_paging(entry) )
    {
        /*
         * No part of it can be trusted but the wish to have a vCPU unpaused, which Xen checks
         * itself.  With this reason Xen does nothing else; if the vCPU still lacks its page it will ask again.
         */
        request = (struct request){
            .reason = VM_EVENT_REASON_UNKNOWN,
            .flags  = entry->flags & VM_EVENT_FLAG_VCPU_PAUSED,
            .vcpu   = entry->vcpu_id,
        };
        build_response(ring, &request);
        return TRANSPORT_MALFORMED;
    }

    request = (struct request){ .reason = entry->reason, .flags = entry->flags, .vcpu = entry->vcpu_id };
    memcpy(request.body, &entry->u, sizeof(request.body));

    /* A place is there: what is outstanding holds slots, and begin_batch() counted those. */
    rc = outstanding_take(&ring->table, &id);
    if ( rc < 0 )
    {
        ring->broken = true;
        return -EBADMSG;
    }

    ring->requests[rc] = request;
    if ( ring->is_monitor )
        keep_access(ring, rc, entry, id, event);
    else
        decode_paging(entry, id, event);

    return TRANSPORT_EVENT;
}

static int ring_peek(const struct transport *transport)
{
    const struct ring_vm_event *ring = to_const_ring(transport);

    return !ring->broken && (ring->req_cons != ring->batch_end ||
                             ring->req_cons != load_relaxed(&ring->shared->req_prod));
}

static int ring_want_wakeup(struct transport *transport)
{
    struct ring_vm_event *ring = to_ring(transport);

    if ( ring->broken )
        return -EBADMSG;

    /*
     * The event channel was armed and req_event is written /before/ req_prod is read; pairs with
     * vm_event_put_request(), which writes req_prod before it raises the event channel.  So
     * either we see the request here, or its signal finds us armed.  Xen does not look at
     * req_event (it always notifies); a peer that does gets a true one.
     */
    store_full(&ring->shared->req_event, ring->req_cons + 1);

    return ring->req_cons != ring->batch_end || ring->req_cons != load_full(&ring->shared->req_prod);
}

static int ring_answer(struct transport *transport, uint64_t id, uint32_t actions)
{
    struct ring_vm_event *ring = to_ring(transport);
    uint32_t flags = 0;
    int rc;

    if ( actions && (!ring->is_monitor || !vm_event_action_flags(actions, &flags)) )
        return -EINVAL;

    rc = outstanding_release(&ring->table, id);
    if ( rc < 0 )
        return rc;

    /* Of a monitor's request only this flag is also a response's: the others ask Xen to do something. */
    if ( ring->is_monitor )
        ring->requests[rc].flags = (ring->requests[rc].flags & VM_EVENT_FLAG_VCPU_PAUSED) | flags;
    build_response(ring, &ring->requests[rc]);

    return 0;
}

static int ring_get_slot(const struct transport *transport, uint64_t id, size_t offset, void *out, size_t size)
{
    const struct ring_vm_event *ring = to_const_ring(transport);
    int place;

    if ( offset >= sizeof(*ring->slots_taken) )
        return -EOPNOTSUPP;
    place = outstanding_find(&ring->table, id);
    if ( place < 0 )
        return -ENOENT;

    if ( size > sizeof(*ring->slots_taken) - offset )
        size = sizeof(*ring->slots_taken) - offset;
    memcpy(out, ring->slots_taken[place].octets + offset, size);

    return 0;
}

static bool ring_publish(struct transport *transport)
{
    struct ring_vm_event *ring = to_ring(transport);

    if ( ring->rsp_built == ring->rsp_published )
        return false;

    /*
     * The responses are written, and the requests that lay in their slots were read, /before/ rsp_prod;
     * pairs with vm_event_get_response(), after which vm_event_put_request() may use the slots.
     */
    store_release(&ring->shared->rsp_prod, ring->rsp_built);
    ring->rsp_published = ring->rsp_built;

    return true;
}

#define RING_OPS                        \
    .name        = "vm_event ring, interface version 7", \
    .close       = ring_close,          \
    .take        = ring_take,           \
    .peek        = ring_peek,           \
    .want_wakeup = ring_want_wakeup,    \
    .answer      = ring_answer,         \
    .publish     = ring_publish

static const struct transport_ops paging_ops = { RING_OPS, .reports_touches = true };
static const struct transport_ops monitor_ops = { RING_OPS, .get_slot = ring_get_slot };

int ring_vm_event_open(void *page, size_t size, enum memevent_class class, uint32_t start, struct transport **out)
{
    struct ring_vm_event *ring;
    vm_event_sring_t *shared = page;
    int rc;

    if ( !page || (uintptr_t)page % sizeof(uint64_t) != 0 ||
         size < sizeof(vm_event_sring_t) || size > UINT32_MAX ||
         (class != MEMEVENT_CLASS_PAGING && class != MEMEVENT_CLASS_ACCESS) )
        return -EINVAL;

    ring = calloc(1, sizeof(*ring));
    if ( !ring )
        return -ENOMEM;

    ring->is_monitor = class == MEMEVENT_CLASS_ACCESS;
    ring->base.ops = ring->is_monitor ? &monitor_ops : &paging_ops;
    ring->shared = shared;
    ring->slots = (uint32_t)__RING_SIZE(shared, size);
    ring->base.limit = ring->slots;
    ring->req_cons = ring->batch_end = ring->rsp_built = ring->rsp_published = start;

    rc = outstanding_open(&ring->table, ring->slots, outstanding_first_generation());
    if ( rc < 0 )
        goto fail;

    rc = -ENOMEM;
    ring->requests = calloc(ring->slots, sizeof(*ring->requests));
    if ( !ring->requests )
        goto fail;
    if ( ring->is_monitor )
    {
        ring->slots_taken = calloc(ring->slots, sizeof(*ring->slots_taken));
        if ( !ring->slots_taken )
            goto fail;
    }

    shared->req_prod = shared->rsp_prod = start;
    shared->req_event = shared->rsp_event = start + 1;

    *out = &ring->base;

    return 0;

 fail:
    ring_close(&ring->base);

    return rc;
}
