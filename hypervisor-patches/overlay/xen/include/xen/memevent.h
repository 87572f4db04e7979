/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory-event channels, as the rest of the hypervisor sees them: hooks that are called where something happens, and
 * the life of what a domain has of them.
 */
#ifndef XEN_MEMEVENT_H
#define XEN_MEMEVENT_H

#include <xen/mm.h>
#include <xen/types.h>
#include <public/memevent.h>

struct domain;
struct vcpu;
struct vm_event_st;

#ifdef CONFIG_MEMEVENT

/* Whether the domain has a channel of this class, attached to or not.  Needs no lock. */
bool memevent_has_channel(const struct domain *d, unsigned int class);

/* XENMEM_acquire_resource, with the contracts of common/memory.c.  d is dom_xen for the host's channel. */
unsigned int memevent_resource_frames(const struct domain *d, unsigned int class);
int memevent_acquire_resource(struct domain *d, unsigned int class, unsigned int frame,
                              unsigned int nr_frames, xen_pfn_t mfn_list[]);

/* The domain is dying: nobody waits for an answer any more, the pages go.  Then, with the last reference, the rest. */
void memevent_cleanup(struct domain *d);
void memevent_destroy(struct domain *d);

#else

static inline bool memevent_has_channel(const struct domain *d, unsigned int class)
{
    return false;
}

static inline unsigned int memevent_resource_frames(const struct domain *d, unsigned int class)
{
    return 0;
}

static inline int memevent_acquire_resource(struct domain *d, unsigned int class, unsigned int frame,
                                            unsigned int nr_frames, xen_pfn_t mfn_list[])
{
    return -EOPNOTSUPP;
}

static inline void memevent_cleanup(struct domain *d) {}
static inline void memevent_destroy(struct domain *d) {}

#endif /* CONFIG_MEMEVENT */

#if defined(CONFIG_MEMEVENT) && defined(CONFIG_MEM_ACCESS)

/*
 * A monitor event of current, in place of upstream's ring.  1: it waits for the answer; 0: it goes on; -ENOENT: its domain has
 * no ACCESS channel, and nothing was done; -EBUSY: the event is lost, for want of any entry.
 */
int memevent_access_send(struct vcpu *v, bool sync, struct vm_event_st *request);

#else

static inline int memevent_access_send(struct vcpu *v, bool sync, struct vm_event_st *request)
{
    return -ENOENT;
}

#endif

#if defined(CONFIG_MEMEVENT) && defined(CONFIG_MEM_SHARING)

/*
 * A page of the domain could not be unshared for want of memory.  0: the consumer knows, or will, and current is paused if it
 * is the domain's.  -ENOENT: the domain has no OOM channel, and nothing was done.
 */
int memevent_oom(struct domain *d, gfn_t gfn);

/* A sharing handle, or one frame of it, is no longer valid.  Any lock may be held; neither sleeps nor loops. */
void memevent_handle_gone(uint64_t handle, enum xen_memevent_reason reason);
void memevent_gfn_gone(const struct domain *d, gfn_t gfn, enum xen_memevent_reason reason);

#else

static inline int memevent_oom(struct domain *d, gfn_t gfn)
{
    return -ENOENT;
}

static inline void memevent_handle_gone(uint64_t handle, enum xen_memevent_reason reason) {}
static inline void memevent_gfn_gone(const struct domain *d, gfn_t gfn, enum xen_memevent_reason reason) {}

#endif

#if defined(CONFIG_MEMEVENT) && defined(CONFIG_MEM_PAGING)

/*
 * In place of upstream's functions of these names' ends, for a domain with a PAGING channel.  False: it has
 * none, and nothing was done.
 */
bool memevent_paging_populate(struct domain *d, gfn_t gfn);
bool memevent_paging_drop(struct domain *d, gfn_t gfn, bool was_out);

#else

static inline bool memevent_paging_populate(struct domain *d, gfn_t gfn)
{
    return false;
}

static inline bool memevent_paging_drop(struct domain *d, gfn_t gfn, bool was_out)
{
    return false;
}

#endif

#endif /* XEN_MEMEVENT_H */
