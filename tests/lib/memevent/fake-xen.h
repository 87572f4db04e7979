/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A small model of what Xen does with a domain's paging or monitor ring, behind a struct hypervisor: the front end of
 * the ring with its accounting of slots, the pause counts of vCPUs, an event channel that can be masked.
 *
 * It judges: every response must be the exact counterpart of one request that is
 * unanswered.  What it objects to is kept and counted (it may happen in any thread);
 * fake_xen_verify() turns that into a failed test.
 */
#ifndef TESTS_LIB_MEMEVENT_FAKE_XEN_H
#define TESTS_LIB_MEMEVENT_FAKE_XEN_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "hypervisor/hypervisor.h"

#ifndef __XEN_TOOLS__
#define __XEN_TOOLS__ 1
#endif
#include <xen/vm_event.h>

#define FAKE_XEN_SLOTS 8
#define FAKE_XEN_VCPUS 64

struct fake_xen {
    struct hypervisor hv;         /* first: the operations cast back */
    struct hypervisor_ring ring;

    /* Xen's side of the ring, under lock. */
    pthread_mutex_t lock;
    uint32_t req_prod;
    uint32_t rsp_cons;
    struct fake_xen_request {
        bool waits;
        vm_event_response_t expected;
    } requests[FAKE_XEN_SLOTS];
    unsigned int paused[FAKE_XEN_VCPUS];
    uint64_t put, got;            /* requests, responses */

    /* The event channel, under evtchn_lock. */
    pthread_mutex_t evtchn_lock;
    bool masked, pending;

    /* How it behaves. */
    enum memevent_class class;    /* ACCESS: it is a monitor ring; else paging's */
    uint32_t start;               /* where its indices begin */
    bool late_resume;             /* a notification only counts; the test calls fake_xen_resume() */
    int notify_error, arm_error, attach_error;    /* -errno to give instead */
    void (*on_arm)(struct fake_xen *xen);    /* called once, in arm_ring() before it looks */

    /* What was seen, to be read with the functions below or when all is quiet. */
    bool attached;
    unsigned int notifications;
    unsigned int objections;
    char objection[160];          /* the first one */
};

void fake_xen_init(struct fake_xen *xen);
void fake_xen_finish(struct fake_xen *xen);

/* A channel as memevent_attach() makes it, beginning at xen->start. */
struct memevent_channel *fake_xen_attach(struct fake_xen *xen);

/* A guest access: puts the request and signals.  -EBUSY when no slot is free: the vCPU would wait. */
int  fake_xen_touch(struct fake_xen *xen, uint32_t vcpu, uint64_t gfn, uint32_t paging_flags);

/*
 * Puts any request at all, and signals.  expected is what must come back; NULL if it follows
 * from the request by the rules for well-formed ones.
 */
int  fake_xen_put(struct fake_xen *xen, const vm_event_request_t *request, const vm_event_response_t *expected);
vm_event_request_t fake_xen_request(uint32_t vcpu, uint64_t gfn, uint32_t paging_flags);

/* What a notification makes Xen do: it takes all responses.  Returns how many. */
unsigned int fake_xen_resume(struct fake_xen *xen);

unsigned int fake_xen_free_slots(struct fake_xen *xen);
unsigned int fake_xen_paused(struct fake_xen *xen, uint32_t vcpu);

/* Fails the running test if the model objected to anything. */
void fake_xen_verify(struct fake_xen *xen);

#endif /* TESTS_LIB_MEMEVENT_FAKE_XEN_H */
