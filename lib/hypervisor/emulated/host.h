/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What the files of the emulated host share.  One lock is around everything; a wait is for `changed`, which is broadcast
 * whenever somebody may go on.  Functions are called with the lock held unless they say otherwise.
 */
#ifndef HYPERVISOR_EMULATED_HOST_H
#define HYPERVISOR_EMULATED_HOST_H

#include <pthread.h>

#include <xen/memevent-lossy.h>
#include <xen/memevent-reliable.h>

#include "emulated.h"

/* Rings of the lossy channel: as on a host with two CPUs. */
#define EMULATED_CPUS 2

/* A page of the host's memory.  Of several frames if it is shared. */
struct emulated_page {
    unsigned int references;            /* frames that have it */
    unsigned int pins;                  /* dom0's mappings, and a merge under way: it is not freed, nor nominated */
    uint64_t handle;                    /* 0: not shared */
    uint8_t octets[HYPERVISOR_PAGE_SIZE];
};

enum emulated_frame_state {
    EMULATED_ABSENT,
    EMULATED_RAM,
    EMULATED_MARKED,                    /* nominated for paging */
    EMULATED_OUT,
    EMULATED_SHARED,
};

/* What can be done to a page: bits of XENMEM_access_*, and of MEM_ACCESS_* of an event. */
#define EMULATED_READ    1u
#define EMULATED_WRITE   2u
#define EMULATED_EXECUTE 4u
#define EMULATED_RWX     (EMULATED_READ | EMULATED_WRITE | EMULATED_EXECUTE)

struct emulated_frame {
    enum emulated_frame_state state;
    uint8_t access;                     /* XENMEM_access_*; it stays with the frame, whatever becomes of the page */
    bool held;                          /* by a fault */
    bool is_asked;                      /* OUT: another domain's access has asked for it */
    struct emulated_page *page;         /* NULL: ABSENT, OUT */
};

/* What a channel and who has it mapped share: it goes with the last of them. */
struct emulated_memory {
    unsigned int references;
    size_t size;
    void *octets;
};

struct emulated_ring {
    struct hypervisor_ring ring;        /* first: what lib/memevent sees */
    struct emulated_memory *memory;
    struct emulated_channel *channel;   /* NULL: its consumer is dead */
    bool masked, pending;               /* the event channel's */
};

struct emulated_channel {
    struct emulated_host *host;
    struct emulated_domain *domain;     /* NULL: of the host */
    enum memevent_class class;
    bool live;
    struct emulated_ring *consumer;     /* NULL: none */
    struct emulated_memory *memory;
    struct memevent_reliable core;

    /* INVALIDATE. */
    struct memevent_lossy rings[EMULATED_CPUS];
    uint32_t deadline;                  /* us */
    uint32_t attachments;
    uint64_t notifications;
    pthread_t timer;
    bool has_timer;
};

static inline bool emulated_is_reliable(const struct emulated_channel *channel)
{
    return channel->class != MEMEVENT_CLASS_INVALIDATE;
}

struct emulated_domain {
    struct emulated_domain *next;
    uint16_t domid;
    uint32_t vcpus;
    uint64_t frame_count;
    struct emulated_frame *frames;
    uint64_t pages, pages_out, pages_shared;
    bool *waits;                        /* for each vCPU: its request is unanswered */
    uint32_t *actions;                  /* for each vCPU: what the answer asked for, until its access is done */
    bool *faults;                       /* for each vCPU: it takes an exception in place of its access */
    bool *breakpoints;                  /* for each vCPU: it takes a breakpoint when it goes on */
    uint32_t new_access;                /* of frames that it is given */
    uint32_t monitors;                  /* a bit for each enum hypervisor_monitor that is told of */
    unsigned int inside;                /* vCPUs in emulated_access() */
    unsigned int paused;
    bool is_dying, has_crashed;
    struct emulated_channel channels[XEN_MEMEVENT_CLASSES];
};

struct emulated_key {
    struct emulated_key *next;
    char *path, *value;
};

struct emulated_watch {
    struct emulated_watch *next;
    char *path, *token;
};

struct emulated_host {
    struct hypervisor base;             /* first: the operations cast back */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct emulated_domain *domains;    /* by number */
    uint64_t pages_limit, pages_used;
    uint64_t last_handle;
    uint64_t pages_shared, pages_saved; /* pages with a handle; frames of theirs but one each */
    unsigned int lost_signals, failing_nominations;
    bool skips_comparison;
    emulated_hook hook;
    void *hook_opaque;
    bool is_closing;
    struct emulated_channel invalidate;
    struct hypervisor_counts counts;

    struct emulated_key *keys;
    struct emulated_watch *watches, *fired;
    int watch_fd;
};

struct emulated_host *emulated_host_of(struct hypervisor *hv);
/* NULL: there is none, or it dies. */
struct emulated_domain *emulated_find(struct emulated_host *host, uint16_t domid);

/* frames.c */
struct emulated_frame *emulated_frame(struct emulated_domain *domain, uint64_t gfn);
struct emulated_page *emulated_alloc_page(struct emulated_host *host);
void emulated_put_page(struct emulated_host *host, struct emulated_page *page);
void emulated_unpin_page(struct emulated_host *host, struct emulated_page *page);
void emulated_drop_frame(struct emulated_host *host, struct emulated_domain *domain, uint64_t gfn,
                         enum xen_memevent_reason reason);
void emulated_carry_out(struct emulated_host *host, struct hypervisor_operation *operation);

/* access.c */
int  emulated_set_access(struct emulated_domain *domain, struct hypervisor_operation *operation);
/* False: it is a violation that the vCPU waits for.  how: EMULATED_READ or another of these. */
bool emulated_may_access(struct emulated_domain *domain, uint32_t vcpu, uint64_t gfn, unsigned int offset, uint32_t how);

/* sharing.c */
/* The frame gives up its part of a shared page, and tells why; copy: it gets one of its own.  -ENOMEM: no change. */
int  emulated_unshare(struct emulated_host *host, struct emulated_domain *domain, uint64_t gfn,
                      enum xen_memevent_reason reason, bool copy);
int  emulated_share(struct emulated_host *host, struct hypervisor_operation *operation);
int  emulated_enable_sharing(struct hypervisor *hv, uint16_t domid, const char **why);
int  emulated_audit_sharing(struct hypervisor *hv);
int  emulated_get_memory(struct hypervisor *hv, struct memory_info *out);

/* foreign.c */
int  emulated_map_frames(struct hypervisor *hv, uint16_t domid, const uint64_t *gfns, unsigned int count, int *errors,
                         const void **out);
void emulated_unmap_frames(struct hypervisor *hv, const void *mapping, unsigned int count);
/* Calls the hook, if there is one, without the lock: what was found before may be no more. */
void emulated_step(struct emulated_host *host, enum emulated_step step, uint16_t domid, uint64_t gfn);

/* channel.c */
int  emulated_attach_ring(struct hypervisor *hv, enum memevent_class class, uint16_t domid,
                          const struct memevent_options *options, struct hypervisor_ring **out, const char **why);
void emulated_detach_ring(struct hypervisor *hv, struct hypervisor_ring *ring);
void emulated_leave_ring(struct hypervisor *hv, struct hypervisor_ring *ring);
int  emulated_get_channel_info(struct hypervisor *hv, enum memevent_class class, uint16_t domid,
                               struct memevent_channel_info *out);
/* Ends all channels of a domain, or with NULL the host's. */
void emulated_end_channels(struct emulated_host *host, struct emulated_domain *domain);

/* events.c */
int  emulated_arm_ring(struct hypervisor *hv, struct hypervisor_ring *ring);
int  emulated_notify_ring(struct hypervisor *hv, struct hypervisor_ring *ring);
/* The consumer's event, if there is a consumer. */
void emulated_signal(struct emulated_channel *channel);
/* Takes what answers there are, and acts on them. */
void emulated_take_answers(struct emulated_channel *channel);
void emulated_act(struct emulated_channel *channel, const struct memevent_answer *answer);
/*
 * A request of a vCPU, which then waits for domain->waits[vcpu]; EMULATED_NOBODY and EMULATED_FOREIGN: of nobody who
 * waits.  -ENOENT: no channel; -EBUSY: no place, and where that is told in sum, it has been.
 */
#define EMULATED_NOBODY  MEMEVENT_NOBODY
#define EMULATED_FOREIGN (MEMEVENT_NOBODY - 1)
int  emulated_ask(struct emulated_domain *domain, enum memevent_class class, uint16_t kind, uint32_t vcpu,
                  uint64_t gfn);
/* The same in two steps, for a request of which there is more to say.  The channel is live; NULL: no place. */
struct xen_memevent_request *emulated_claim(struct emulated_domain *domain, enum memevent_class class, uint16_t kind,
                                            uint32_t vcpu, uint64_t gfn);
void emulated_put(struct emulated_domain *domain, enum memevent_class class, struct xen_memevent_request *request);
void emulated_tell(struct emulated_host *host, const struct xen_memevent_record *record);
/* The deadline of records has passed. */
void emulated_expire(struct emulated_channel *channel);

/* monitor.c */
int  emulated_inject_breakpoint(struct hypervisor *hv, uint16_t domid, uint32_t vcpu, uint32_t length);
int  emulated_get_registers(struct hypervisor *hv, uint16_t domid, uint32_t vcpu, struct hypervisor_registers *out);
int  emulated_set_monitor(struct hypervisor *hv, uint16_t domid, enum hypervisor_monitor what, uint32_t which, bool tell);

/* store.c */
int  emulated_watch_fd(struct hypervisor *hv);
int  emulated_add_watch(struct hypervisor *hv, const char *path, const char *token);
int  emulated_remove_watch(struct hypervisor *hv, const char *path, const char *token);
int  emulated_next_watch(struct hypervisor *hv, char *path, size_t path_size, char *token, size_t token_size);
int  emulated_read_key(struct hypervisor *hv, const char *path, char *value, size_t size);
int  emulated_write_key(struct hypervisor *hv, const char *path, const char *value);
int  emulated_remove_key(struct hypervisor *hv, const char *path);
/* Tells whoever watches the path, or what it is below of. */
void emulated_fire(struct emulated_host *host, const char *path);
void emulated_store_close(struct emulated_host *host);

#endif /* HYPERVISOR_EMULATED_HOST_H */
