/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * libmemevent: memory events of Xen domains, one channel per consumer.
 *
 * A program opens the host, attaches to a channel of one domain, takes events in
 * batches and answers them in any order.  The library has no thread, no log and no
 * event loop of its own: it gives a file descriptor.  Which hypervisor interface
 * carries the channel is hidden here and can be asked (memevent_get_transport()).
 *
 * Errors are -errno, everywhere.  No function prints or exits.  Unless a function
 * says otherwise, one channel is used from one thread at a time.
 */
#ifndef MEMEVENT_MEMEVENT_H
#define MEMEVENT_MEMEVENT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An open host (a connection to a hypervisor), and one channel on it: both opaque. */
struct hypervisor;
struct memevent_channel;

/* What a channel carries.  A stock hypervisor has PAGING only. */
enum memevent_class {
    MEMEVENT_CLASS_PAGING = 1,    /* a paged-out page was touched, dropped, or could not be evicted */
};

/* What happened.  A consumer must expect, and answer, kinds that it does not know. */
enum memevent_kind {
    MEMEVENT_PAGING_POPULATE = 1, /* somebody needs the page: load it, then answer */
    MEMEVENT_PAGING_DROP     = 2, /* the guest gave the page up: forget its bytes, then answer */
    MEMEVENT_PAGING_TOUCHED  = 3, /* a nominated page was needed before it was evicted: its frame
                                   * is still there.  Load without bytes, then answer */
};

#define MEMEVENT_FLAG_VCPU_PAUSED (1u << 0) /* a vCPU of the guest waits for this answer */
#define MEMEVENT_FLAG_FOREIGN     (1u << 1) /* caused by another domain (a mapping from dom0) */
#define MEMEVENT_FLAG_EVICT_FAILS (1u << 2) /* DROP of a page that was nominated, not evicted */

struct memevent_event {
    uint64_t id;                  /* identity of the request; what an answer names.  Never 0 */
    uint64_t gfn;                 /* guest frame number, in pages of 4 KiB */
    uint32_t vcpu;                /* number of the vCPU that caused it, meaningful with VCPU_PAUSED */
    uint16_t kind;                /* enum memevent_kind */
    uint16_t flags;               /* MEMEVENT_FLAG_* */
};

/* Counters since the attach; all are events unless named otherwise. */
struct memevent_statistics {
    uint64_t received;
    uint64_t answered;
    uint64_t refused;             /* memevent_answer() calls that named no outstanding request */
    uint64_t malformed;           /* ring entries whose contents made no sense; answered so that their slot comes back */
    uint64_t notifications;       /* notifications sent to the hypervisor */
    uint64_t wakeups;             /* notifications taken from the hypervisor */
    uint32_t outstanding;         /* now: taken and not answered */
    uint32_t outstanding_limit;   /* the most there can be on this channel */
};

/*
 * Opens the host: spec is NULL or "xen" for the Xen host that the program runs on
 * (it must be dom0).  On success *out is the caller's and is closed with memevent_close_host().
 * -EACCES, -ENOENT: not running in a dom0, or without the rights to be one's tool stack.
 * -EINVAL: an unknown spec.
 */
int  memevent_open_host(const char *spec, struct hypervisor **out);
void memevent_close_host(struct hypervisor *host);    /* NULL is accepted; channels must be detached */

/*
 * Attaches to the channel of the given class of a domain, as its one consumer.
 * On success *out is the caller's; it is released with memevent_detach().
 * On failure, *why (if why is not NULL) points to a static sentence for people that says what
 * stands in the way and what to do, or NULL where errno says it all.
 * -EBUSY    another consumer is, or was, attached
 * -ENODEV   the domain does not run on hardware-assisted paging (HAP)
 * -EPROTOTYPE the domain is a PV guest
 * -EMLINK   the domain has an IOMMU (a passed-through device)
 * -EXDEV    the domain is populate-on-demand
 * -EOPNOTSUPP this dom0 is a PVH one
 * -ENOSYS   this hypervisor was built without MEM_PAGING, or the class needs another hypervisor
 * -ESRCH    no such domain
 */
int memevent_attach(struct hypervisor *host, enum memevent_class channel_class, uint16_t domid,
                    struct memevent_channel **out, const char **why);

/*
 * Detaches: flushes what was answered, then closes the channel.  NULL is accepted.  Requests that
 * were not answered leave their vCPUs paused on a stock hypervisor, so answer everything first.
 */
void memevent_detach(struct memevent_channel *channel);

/* A descriptor that becomes readable when events arrive after memevent_arm().  Belongs to the channel. */
int memevent_fd(const struct memevent_channel *channel);

/*
 * Takes the next event into *event.  1: there is one; 0: none now; -EBADMSG: the ring itself makes
 * no sense (an index out of bounds): the channel cannot go on and stays so.
 * The peer's index is read once a batch; the entry is copied once, checked, and only the copy used.
 */
int memevent_next(struct memevent_channel *channel, struct memevent_event *event);

/*
 * Asks to be woken through memevent_fd() by the next event.  1: events are there already, call
 * memevent_next(); 0: armed, it is safe to sleep.  Until it is armed again after a wake-up the
 * channel stays quiet, so a busy consumer costs the hypervisor and itself no interrupts.
 */
int memevent_arm(struct memevent_channel *channel);

/*
 * 1 if an event is waiting, 0 if not; reads shared memory only, for a consumer that polls for a
 * moment before it sleeps.
 */
int memevent_peek(const struct memevent_channel *channel);

/*
 * Answers the outstanding request id: the vCPU that waits for it, if any, goes on once the answer is
 * flushed.  Any order; from any thread that holds the event.  -ENOENT: no such request (never was, or
 * of an earlier attachment); -EALREADY: it was answered before.  Nothing is sent to the hypervisor
 * before memevent_flush().
 */
int memevent_answer(struct memevent_channel *channel, uint64_t id);

/*
 * Publishes all answers and notifies the hypervisor once, if there were any.  From any thread: of two
 * that flush at the same time one notifies for both.  After a failure the next flush notifies again.
 */
int memevent_flush(struct memevent_channel *channel);

/* From any thread. */
void memevent_get_statistics(const struct memevent_channel *channel, struct memevent_statistics *out);

/* In words, static: "vm_event ring, interface version 7". */
const char *memevent_get_transport(const struct memevent_channel *channel);

/*
 * 1: the channel outlives its consumer.  After one that died without memevent_detach() another attaches, and gets
 * every request again that was not answered; they are there when memevent_attach() returns, before all new ones.
 * 0: it does not (a stock hypervisor): attaching again is -EBUSY for good.
 */
int memevent_can_reattach(const struct memevent_channel *channel);

#ifdef __cplusplus
}
#endif

#endif /* MEMEVENT_MEMEVENT_H */
