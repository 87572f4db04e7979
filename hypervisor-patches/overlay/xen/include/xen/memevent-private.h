/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the memory-event channels have in common, and nobody else needs.
 */
#ifndef XEN_MEMEVENT_PRIVATE_H
#define XEN_MEMEVENT_PRIVATE_H

#include <xen/memevent.h>
#include <xen/memevent-evictions.h>
#include <xen/memevent-reliable.h>
#include <xen/sched.h>
#include <xen/spinlock.h>

/*
 * A reliable channel of a domain.
 *
 * lock is a leaf: it is taken with p2m and page locks held, and under it nothing but event channels' own.  Fields without a
 * word on their lock belong to attach_lock (channel.c), under which a channel comes and goes.
 */
struct memevent_channel {
    spinlock_t lock;
    bool live;                      /* lock, to write; read without */
    int port;                       /* lock; the domain's end, or 0 */
    struct memevent_reliable core;  /* lock */
    uint32_t flags;                 /* of its first attachment */
    struct page_info **pages;
    unsigned int nr_pages;
};

/* Allocated with a domain's first channel, and there until the domain is not. */
struct memevent_domain {
    struct memevent_channel channels[XEN_MEMEVENT_CLASSES];
#ifdef CONFIG_MEM_PAGING
    struct memevent_evictions evictions;
#endif
    bool holds_vm_event;            /* the domain's vm_event state, until the domain is not */
};

/* Whether the caller can mean this as an address of its own. */
static inline bool memevent_is_address(uint64_t address)
{
    return !current->hcall_compat || !(address >> 32);
}

/* NULL: the domain has no such channel.  Its life is the domain's; live is looked at again under the lock. */
struct memevent_channel *memevent_channel_of(const struct domain *d, unsigned int class);

/*
 * An entry for an event of this channel, with the lock held until memevent_put() or memevent_drop_claim(); the request's
 * common fields are filled in.  NULL, with no lock: the channel is gone, the vCPU has asked already, or nobody's entries are
 * used up: *why is -ENOENT, -EEXIST, -EBUSY.
 * v: the vCPU that will wait, or NULL.
 */
struct xen_memevent_request *memevent_claim(struct domain *d, struct memevent_channel *channel,
                                            const struct vcpu *v, int *why);
/* Sends it, and pauses the vCPU that it names. */
void memevent_put(struct domain *d, struct memevent_channel *channel, struct vcpu *v,
                  struct xen_memevent_request *request);
void memevent_drop_claim(struct memevent_channel *channel, struct xen_memevent_request *request);
/* An event found no entry: the consumer is to look for itself. */
void memevent_rescan(struct domain *d, struct memevent_channel *channel, unsigned int kind);

/* XEN_MEMEVENT_ATTACH, DETACH, INFO of a domain's channel.  The caller has checked pads and rights. */
int memevent_attach(struct domain *d, struct xen_memevent_attach *attach);
int memevent_detach(struct domain *d, unsigned int class);
int memevent_get_info(struct domain *d, struct xen_memevent_info *info);

/* The same of the host's channel, which tells of shared pages only. */
#ifdef CONFIG_MEM_SHARING
int memevent_host_attach(struct xen_memevent_attach *attach);
int memevent_host_detach(unsigned int class);
int memevent_host_get_info(struct xen_memevent_info *info);
unsigned int memevent_host_frames(unsigned int class);
int memevent_host_acquire(unsigned int class, unsigned int frame, unsigned int nr_frames,
                          xen_pfn_t mfn_list[]);
#else
static inline int memevent_host_attach(struct xen_memevent_attach *attach)
{
    return -ENOSYS;
}

static inline int memevent_host_detach(unsigned int class)
{
    return -ENOSYS;
}

static inline int memevent_host_get_info(struct xen_memevent_info *info)
{
    return -ENOENT;
}

static inline unsigned int memevent_host_frames(unsigned int class)
{
    return 0;
}

static inline int memevent_host_acquire(unsigned int class, unsigned int frame, unsigned int nr_frames,
                                        xen_pfn_t mfn_list[])
{
    return -EINVAL;
}
#endif

/* Whether somebody holds the other end of this port of d's.  No port (0) is held by nobody. */
bool memevent_port_is_bound(struct domain *d, int port);
/* What a consumer's notification calls. */
void cf_check memevent_kicked(struct vcpu *v, unsigned int port);

/* What a class asks of a domain, its answers' meaning, its operations.  Each is in the file of its family. */
#ifdef CONFIG_MEM_PAGING
bool cf_check memevent_paging_busy(const struct domain *d);
void cf_check memevent_paging_hold(struct domain *d);
void cf_check memevent_paging_let_go(struct domain *d);
int cf_check memevent_paging_allowed(const struct domain *d);
int memevent_paging_operation(struct domain *d, struct xen_memevent_operation *operation);
#endif

#ifdef CONFIG_MEM_SHARING
bool cf_check memevent_oom_busy(const struct domain *d);
int cf_check memevent_oom_allowed(const struct domain *d);
int memevent_sharing_operation(struct domain *d, struct xen_memevent_operation *operation);
#endif

#ifdef CONFIG_MEM_ACCESS
int cf_check memevent_access_allowed(const struct domain *d);
int cf_check memevent_access_begin(struct domain *d);
void cf_check memevent_access_finish(struct domain *d);
void cf_check memevent_access_answered(struct domain *d, const struct xen_memevent_request *request,
                                       const struct xen_memevent_response *response);
/* As the others; -ERESTART: it is not done yet, and goes on where it was if it is called again. */
int memevent_access_operation(struct domain *d, struct xen_memevent_operation *operation);
#endif

#endif /* XEN_MEMEVENT_PRIVATE_H */
