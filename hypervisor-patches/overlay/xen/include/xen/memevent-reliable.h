/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The producer's end of a reliable channel: a table of outstanding requests, a ring on which they go out,
 * a ring on which responses come in.  No locks, no domains, no allocation, nothing printed: the same code
 * runs in the hypervisor and in programs that test it.  The caller holds one lock around every function here.
 *
 * A request owns an entry of the table from its claim to its answer, whatever happens to consumers meanwhile.
 * Entries [0, vcpus) belong to the vCPU of that number, so that a vCPU can always ask; the next one is for
 * RESCAN; the others are for whoever cannot wait.
 *
 *   FREE --claim()--> CLAIMED --put()--> WAITING --flush()--> SENT --take()--> FREE
 *                                           ^                  |
 *                                           +----reattach()----+
 */
#ifndef XEN_MEMEVENT_RELIABLE_H
#define XEN_MEMEVENT_RELIABLE_H

#include <xen/types.h>
#include <public/memevent.h>

/* The fewest slots: with 64 octets each, what a page of requests holds. */
#define MEMEVENT_SLOTS_MIN          64
/*
 * Entries that belong to no vCPU, at least: pages dropped from a foreign domain come in the batches of a
 * balloon driver, and what finds no place costs the consumer a scan.
 */
#define MEMEVENT_SHARED_MIN         16
/* The largest slots of all classes; what reliable_take() copies a response into. */
#define MEMEVENT_REQUEST_SIZE_MAX   XEN_MEMEVENT_FULL_SIZE
#define MEMEVENT_RESPONSE_SIZE_MAX  sizeof(struct xen_memevent_access_response)

enum memevent_entry_state {
    MEMEVENT_ENTRY_FREE,
    MEMEVENT_ENTRY_CLAIMED,
    MEMEVENT_ENTRY_WAITING,
    MEMEVENT_ENTRY_SENT,
};

struct memevent_entry {
    uint32_t generation;            /* the upper half of its requests' ids; never 0 */
    uint32_t next;                  /* FREE, and nobody's own: the next such; WAITING: the next to be sent */
    uint32_t state;                 /* enum memevent_entry_state */
    uint32_t pad;
};

struct memevent_reliable {
    /* Geometry; constant. */
    uint32_t slots;                 /* a power of two */
    uint32_t vcpus;
    uint32_t request_size;
    uint32_t response_size;
    uint32_t request_offset;        /* octets from the shared memory's begin */
    uint32_t response_offset;
    uint32_t size;                  /* of the shared memory, a multiple of a page */

    /* Memory of the caller's. */
    void *shared;                   /* size octets; the consumer writes to all of them as it likes */
    struct memevent_entry *entries; /* slots of them */
    void *requests;                 /* slots * request_size octets: what an entry's request says */

    /* Ours alone: nothing of it is ever read back from shared memory. */
    uint32_t request_producer;
    uint32_t response_consumer;
    uint32_t free_head;             /* entries that are nobody's own */
    uint32_t waiting_head;
    uint32_t waiting_tail;
    uint64_t rescan_time;           /* of the first loss after the RESCAN that is out, if rescan_again */
    bool     rescan_again;          /* something was lost after the RESCAN that is out */
    bool     notification_owed;     /* for what was sent while responses were taken: the next flush says it */

    struct xen_memevent_info info;  /* the counters in it */
};

/* An answer that was accepted: the request's own words, and the response's. */
struct memevent_answer {
    uint32_t index;
    uint8_t  request[MEMEVENT_REQUEST_SIZE_MAX] __attribute__((aligned(8)));
    uint8_t  response[MEMEVENT_RESPONSE_SIZE_MAX] __attribute__((aligned(8)));
};

/*
 * Fills in the geometry for so many vCPUs.  Sizes of a request and a response are multiples of 16, and no smaller than
 * those of PAGING, with which all begin.  The caller then provides shared (zeroed), entries and requests, and calls
 * reliable_init().
 */
void memevent_reliable_layout(struct memevent_reliable *channel, uint32_t vcpus,
                              uint32_t request_size, uint32_t response_size);
void memevent_reliable_init(struct memevent_reliable *channel);

#define MEMEVENT_NOBODY (~(uint32_t)0)

/*
 * An entry for a request: the vCPU's own, or (MEMEVENT_NOBODY) one of the others.  Its request_size octets, zeroed but for
 * the id, are the caller's until reliable_put() or reliable_cancel().  NULL: the vCPU has asked already, or
 * no other entry is left.
 */
struct xen_memevent_request *memevent_reliable_claim(struct memevent_reliable *channel, uint32_t vcpu);
void memevent_reliable_cancel(struct memevent_reliable *channel, struct xen_memevent_request *request);
/* Whether one of nobody's own entries has a request of this kind for this frame already. */
bool memevent_reliable_is_asked(const struct memevent_reliable *channel, uint16_t kind, uint64_t gfn);
/* Sends it, or lets it wait for room.  As reliable_flush(). */
bool memevent_reliable_put(struct memevent_reliable *channel, struct xen_memevent_request *request);

/*
 * For an event that no entry was left for, and whose loss a RESCAN makes good: kind says which one.
 * As reliable_flush().
 */
bool memevent_reliable_rescan(struct memevent_reliable *channel, uint16_t kind, uint64_t time);

/* Sends what waits as far as there is room.  True: the consumer wants a notification. */
bool memevent_reliable_flush(struct memevent_reliable *channel);

/*
 * Takes the next response.  1: *answer is an accepted one, and its entry is free again.  0: there is none.
 * -EINVAL: one was refused, and counted.  At most slots of them are worth taking for one kick: that bounds what
 * a consumer can make the hypervisor do.
 */
int  memevent_reliable_take(struct memevent_reliable *channel, uint32_t actions_allowed,
                            struct memevent_answer *answer);

/*
 * The same for a class whose answers say no more than that a vCPU goes on (struct xen_memevent_response), many at
 * once: until no response is left, vcpus[] has room numbers of vCPUs that are to go on, or *budget, which is counted
 * down, is used up.  How many numbers it has; if fewer than room, nothing else is to be taken now.
 */
uint32_t memevent_reliable_take_waiting(struct memevent_reliable *channel, uint32_t *vcpus, uint32_t room,
                                        uint32_t *budget);

/*
 * A new consumer: indices begin again, and what was sent and not answered waits to be sent again.  The responses of
 * the former one must have been taken.  How many requests will come again.
 */
uint32_t memevent_reliable_reattach(struct memevent_reliable *channel);

/*
 * The requests that are unanswered, for a channel that ends without them: 1 and *answer with a response of zeros; 0:
 * none is left.
 */
int  memevent_reliable_abandon(struct memevent_reliable *channel, struct memevent_answer *answer);

#endif /* XEN_MEMEVENT_RELIABLE_H */
