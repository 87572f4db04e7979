/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A hypervisor with one channel of either kind, behind a struct hypervisor: the channels' own core, which the real one
 * compiles as well, and around it what it leaves to others: vCPUs that wait, an event channel, who is attached.
 *
 * It judges as the core does: what a consumer may not do is counted in the channel's counters.
 */
#ifndef TESTS_LIB_MEMEVENT_FAKE_CHANNELS_H
#define TESTS_LIB_MEMEVENT_FAKE_CHANNELS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <xen/memevent-lossy.h>
#include <xen/memevent-reliable.h>

#include "hypervisor/hypervisor.h"

#define FAKE_CHANNELS_DOMID 7
#define FAKE_CHANNELS_VCPUS 100
#define FAKE_CHANNELS_RINGS 3
#define FAKE_CHANNELS_LOSSY_SLOTS 128

struct fake_channels {
    struct hypervisor hv;         /* first: the operations cast back */
    struct hypervisor_ring ring;

    /* The reliable one, under lock. */
    pthread_mutex_t lock;
    struct memevent_reliable core;
    bool live;                    /* it exists, whoever is attached */
    bool waits[FAKE_CHANNELS_VCPUS];
    uint64_t acted;               /* answers that were accepted */
    uint64_t last_gfn;            /* of the request that was answered last */
    uint32_t last_action;         /* of that answer */
    uint32_t actions_allowed;

    /* The lossy one: each ring belongs to the thread that puts into it. */
    struct memevent_lossy lossy[FAKE_CHANNELS_RINGS];

    /* The event channel, under evtchn_lock. */
    pthread_mutex_t evtchn_lock;
    bool masked, pending;

    /* How it behaves. */
    bool late_kick;               /* a notification only counts; the test calls fake_channels_kick() */
    int  attach_error;

    /* What was seen. */
    bool attached;
    struct memevent_options options;
    unsigned int kicks, signals, ended;
};

void fake_channels_init(struct fake_channels *fake);
void fake_channels_finish(struct fake_channels *fake);

/* A vCPU touches a page.  Its request's id; 0 if it waits already. */
uint64_t fake_channels_touch(struct fake_channels *fake, uint32_t vcpu, uint64_t gfn);
/* An event that nobody waits for; a RESCAN if there is no place for it. */
uint64_t fake_channels_drop(struct fake_channels *fake, uint64_t gfn);
/* Any request at all; vcpu may be MEMEVENT_NOBODY. */
uint64_t fake_channels_ask(struct fake_channels *fake, uint32_t vcpu, const struct xen_memevent_request *request);
/* What a notification makes Xen do. */
void fake_channels_kick(struct fake_channels *fake);
bool fake_channels_waits(struct fake_channels *fake, uint32_t vcpu);
struct xen_memevent_reliable *fake_channels_control(struct fake_channels *fake);
/* The slot of the request with this number since the attach. */
struct xen_memevent_request *fake_channels_slot(struct fake_channels *fake, uint32_t number);

/* Puts a record into the ring of one CPU, and signals if that is wanted. */
void fake_channels_invalidate(struct fake_channels *fake, unsigned int cpu, uint64_t handle);
/* The deadline has passed on one CPU. */
void fake_channels_expire(struct fake_channels *fake, unsigned int cpu);

#endif /* TESTS_LIB_MEMEVENT_FAKE_CHANNELS_H */
