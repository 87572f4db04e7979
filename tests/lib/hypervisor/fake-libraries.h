/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stand-ins for the Xen libraries that lib/hypervisor calls, with one guest behind them.  They take what Xen takes
 * and object to everything else: arguments outside of hypercall buffers, fields that must be zero, an eviction while
 * the page is mapped.  What they answer is set here; what was asked is counted here.
 */
#ifndef TESTS_HYPERVISOR_FAKE_LIBRARIES_H
#define TESTS_HYPERVISOR_FAKE_LIBRARIES_H

#include <stdbool.h>
#include <stdint.h>

#include <public/memevent.h>

#define FAKE_DOMID    5U
#define FAKE_GFNS     2048U
#define FAKE_RING_GFN 2000U
#define FAKE_PORT     17U         /* Xen's */
#define FAKE_BOUND    23U         /* ours */

struct fake_libraries {
    /* The guest. */
    bool populated[FAKE_GFNS];
    uint32_t flags;               /* XEN_DOMINF_* */
    uint64_t pod_entries;
    bool exists;
    unsigned int pauses;
    bool paging_enabled;

    /* Answers; 0 or a positive errno. */
    int paging[FAKE_GFNS];        /* of the paging operation on the frame */
    int mapping[FAKE_GFNS];       /* of mapping the frame: reported for it alone */
    int set_type[FAKE_GFNS];
    bool has_no_paging;
    int open_fails_at;            /* the connection of that number cannot be opened, 1..5 */
    int multicall_fails, map_fails, domctl_fails, param_fails, populate_fails, decrease_fails, enable_fails;
    int events_fail, bind_fails, priority_fails, notify_fails;
    int pod_fails;

    /* A hypervisor with channels. */
    bool has_channels;
    uint32_t not_known;           /* a call that it does not have */
    int attach_fails, detach_fails, resource_fails;
    unsigned int frames, rings, ring_frames;
    int release[FAKE_GFNS];       /* of taking a mark from the frame; of all else, paging */
    unsigned int faults[FAKE_GFNS];     /* so often is the page's data not to be reached */
    unsigned int batch_faults;    /* so often the batch itself, after one operation */

    /* What was seen. */
    unsigned int hypercalls, multicalls;
    unsigned int operations;
    uint64_t asked[FAKE_GFNS];    /* frames of the operations, in order */
    uint32_t asked_op;            /* of the last one */
    unsigned int disables;
    int priority;                 /* of the port; -1: never set */
    unsigned int batches;
    struct xen_memevent_operation sent[FAKE_GFNS];      /* operations of batches, in order */
    struct xen_memevent_attach attached;
    unsigned int attaches, detaches;
    uint16_t remote;              /* domain of the bound port */
    unsigned int opened, mapped, buffers, channels;  /* and not closed */
};

extern struct fake_libraries fake;

void fake_reset(void);
/* Makes the event channel's descriptor readable. */
void fake_signal(void);

#endif
