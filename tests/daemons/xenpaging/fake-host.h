/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A Xen host with one paged guest, behind a struct hypervisor: the guest's frames in the states that Xen's
 * mem_paging.c gives them, the paging ring as vm_event.c fills and empties it, vCPUs that stop at a fault and
 * try again when they are let go, a dom0 that maps pages.
 *
 * It judges: each read of the guest must give what the guest wrote last, each response must be one that
 * Xen would act on, and nothing may be called in a way that Xen would not accept.  An objection fails the test.
 */
#ifndef TESTS_XENPAGING_FAKE_HOST_H
#define TESTS_XENPAGING_FAKE_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "hypervisor/hypervisor.h"

#define FAKE_DOMID  7U
#define FAKE_FRAMES 4096U
#define FAKE_VCPUS  12U
#define FAKE_SLOTS  8U            /* as Xen's ring page has */

struct memevent_reliable;

/* Xen's p2m types, as far as paging knows them. */
enum fake_type {
    FAKE_NONE,                    /* no memory */
    FAKE_RAM,
    FAKE_PAGING_OUT,              /* nominated */
    FAKE_PAGED,
    FAKE_PAGING_IN,               /* touched while it was one of the two above */
};

struct fake_frame {
    enum fake_type type;
    bool backed;                  /* has a page of the host's memory (mfn_valid) */
    uint8_t mappings;             /* by dom0 */
    uint64_t content;             /* what the guest wrote last: a seed, see fake_fill() */
};

struct fake_vcpu {
    unsigned int paused;          /* vm_event_pause_count */
    bool has_access;              /* that it is stopped at, or will do next */
    bool write;
    uint64_t gfn;
    uint64_t content;
};

struct fake_host {
    struct hypervisor hv;         /* first: the operations cast back */

    struct fake_frame frame[FAKE_FRAMES];
    uint8_t *memory;              /* FAKE_FRAMES pages */
    uint64_t pages, pages_paged;
    uint8_t uuid[16];
    bool is_gone, is_dying;
    unsigned int pauses;          /* of the domain, by a tool stack */

    struct fake_vcpu vcpu[FAKE_VCPUS];
    uint64_t random;

    /* The ring. */
    struct hypervisor_ring ring;
    void *stock_page;
    bool attached;
    bool has_channels;            /* the hypervisor is one with channels: then core is in place of the indices */
    struct memevent_reliable *core;
    bool channel_masked, channel_pending;
    uint32_t req_prod, rsp_cons;

    /* How it behaves: one in so many fails; 0: none. */
    unsigned int nominate_fails, evict_fails, load_lacks_memory, submit_fails;
    unsigned int places_lack;     /* of a channel, for drops */
    uint64_t memory_limit;        /* pages that the host has for the guest; 0: enough */
    bool pause_fails;
    /* Called between any two steps of a hypercall: other CPUs go on meanwhile.  A pause waits for what they do. */
    void (*meanwhile)(struct fake_host *h);

    /* What was seen. */
    uint64_t submits[6], faults, touches, drops, lost_drops, reads, writes, loads;
    unsigned int buffers;         /* allocated and not freed */
    char last_key[128], last_value[64];
};

/*
 * All of it is in memory that children share, so that a pager which is killed leaves it as it was; one with channels
 * lets the next attach.
 */
struct fake_host *fake_host_open(uint64_t pages, uint64_t seed, bool has_channels);
void fake_host_close(struct fake_host *h);

/*
 * A hypercall that was begun ends even if the process is dead: between these two fake_kill() waits.  The host's
 * operations have them themselves; what a test does as another CPU it puts between them.
 */
void fake_enter(void);
void fake_leave(void);
/* Ends this process as SIGKILL does.  May be called by a signal's handler. */
void fake_kill(void);
/* Does so when so many operations from now on have ended; 0: it does not. */
void fake_kill_after(unsigned int operations);

/* The bytes that the content stands for: all same-filled, compressible or not, by the seed. */
void fake_fill(void *page, uint64_t content);

/* The vCPU does its access, or takes a new random one, if it is not stopped.  True: it got on. */
bool fake_step(struct fake_host *h, unsigned int vcpu);
/* Gives the vCPU an access to do.  It must have none. */
void fake_access(struct fake_host *h, unsigned int vcpu, uint64_t gfn, bool write);
/* All vCPUs that are not stopped finish what they have to do.  True: none has anything left. */
bool fake_is_idle(struct fake_host *h);
/* The vCPU saw the frame out a moment ago, and asks for it only now that it is in.  It must have no access to do. */
void fake_ask_late(struct fake_host *h, unsigned int vcpu, uint64_t gfn);
unsigned int fake_waiting(const struct fake_host *h);

/* The guest gives a frame up, or populates an empty one.  False: it cannot now. */
bool fake_drop(struct fake_host *h, uint64_t gfn, bool foreign);
bool fake_populate(struct fake_host *h, uint64_t gfn);

/* dom0 maps a frame (a paged one is asked for instead), or gives it back.  False: it cannot now. */
bool fake_map(struct fake_host *h, uint64_t gfn);
void fake_unmap(struct fake_host *h, uint64_t gfn);

/* Every byte that the guest has in memory now, against what it wrote. */
void fake_verify(struct fake_host *h);
unsigned int fake_count(const struct fake_host *h, enum fake_type type);

/* fake-host.c, for fake-channel.c: zeroed memory that children share. */
void *fake_share(size_t size);

/* fake-channel.c, for fake-host.c.  True: the consumer is to be notified. */
void fake_channel_open(struct fake_host *h);
void fake_channel_attach(struct fake_host *h);
void fake_channel_close(struct fake_host *h);
bool fake_channel_populate(struct fake_host *h, uint64_t gfn, unsigned int vcpu);
bool fake_channel_drop(struct fake_host *h, uint64_t gfn);
bool fake_channel_resume(struct fake_host *h);
int  fake_channel_query(const struct fake_host *h, uint64_t gfn);

#endif
