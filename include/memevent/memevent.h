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

/*
 * What a channel carries.  A stock hypervisor has PAGING and, on Intel, ACCESS, over rings of its own.  The first three are
 * reliable: every event is there until it is answered.  The last is lossy: records that need no answer, and that the hypervisor
 * drops and counts when nobody takes them in time.
 */
enum memevent_class {
    MEMEVENT_CLASS_PAGING     = 1,  /* a paged-out page was touched, dropped, or could not be evicted */
    MEMEVENT_CLASS_OOM        = 2,  /* a shared page was written, and there was no memory for a copy */
    MEMEVENT_CLASS_ACCESS     = 3,  /* an access that mem_access forbids, and monitored events */
    MEMEVENT_CLASS_INVALIDATE = 4,  /* lossy, of the whole host: a sharing handle, or a frame of it, is no more */
};

/* The domid of a class that belongs to the whole host. */
#define MEMEVENT_HOST 0x7ff2u

/*
 * What happened; read together with the channel's class.  A consumer must expect, and answer, kinds that it does
 * not know.  Kinds of ACCESS are the numbers of upstream's VM_EVENT_REASON_*.
 */
enum memevent_kind {
    MEMEVENT_PAGING_POPULATE = 1, /* somebody needs the page: load it, then answer */
    MEMEVENT_PAGING_DROP     = 2, /* the guest gave the page up: forget its bytes, then answer.  With
                                   * FLAG_AGAIN the former consumer may have taken the frame out once more:
                                   * ask before you forget */
    MEMEVENT_PAGING_TOUCHED  = 3, /* a nominated page was needed before it was evicted: its frame
                                   * is still there.  Load without bytes, then answer */
    MEMEVENT_PAGING_RESCAN   = 4, /* pages were dropped that no event tells of, gfn is MEMEVENT_NO_GFN: ask
                                   * which are still out, forget the others, then answer.  What is dropped
                                   * after that comes by events */
    MEMEVENT_OOM_UNSHARE     = 1, /* no page was left for a copy of the shared one: make room, then answer */
    MEMEVENT_OOM_RESCAN      = 3, /* the same for accesses of other domains, which try again: make room, then answer */
};

#define MEMEVENT_NO_GFN UINT64_MAX

#define MEMEVENT_FLAG_VCPU_PAUSED (1u << 0) /* a vCPU of the guest waits for this answer */
#define MEMEVENT_FLAG_FOREIGN     (1u << 1) /* caused by another domain (a mapping from dom0) */
#define MEMEVENT_FLAG_EVICT_FAILS (1u << 2) /* DROP of a page that was nominated, not evicted */
#define MEMEVENT_FLAG_AGAIN       (1u << 3) /* an earlier consumer was given it as well, and may have acted on it */

struct memevent_event {
    uint64_t id;                  /* identity of the request; what an answer names.  Never 0 */
    uint64_t gfn;                 /* guest frame number, in pages of 4 KiB */
    uint32_t vcpu;                /* number of the vCPU that caused it, meaningful with VCPU_PAUSED */
    uint16_t kind;                /* enum memevent_kind */
    uint16_t flags;               /* MEMEVENT_FLAG_* */
    uint64_t time;                /* of the event, ns since the hypervisor booted; 0: not known (upstream's ring) */
};

/* What an ACCESS event says besides.  Registers are those of the vCPU that waits; x86's, in Xen's order. */
struct memevent_details {
    uint64_t gla;                 /* guest linear address, if access says that it is valid */
    uint32_t access;              /* MEM_ACCESS_* of Xen's: what was tried, and what is known of gla */
    uint16_t view;                /* altp2m view */
    uint16_t pad;                 /* zero */
    uint64_t values[4];           /* of the other kinds: the first 32 octets of upstream's union */
    uint64_t gpr[16];             /* rax rcx rdx rbx rsp rbp rsi rdi r8..r15 */
    uint64_t rip;
    uint64_t cr3;
};

/* What an answer to an ACCESS event asks for besides letting the vCPU go on.  None: the instruction is tried again. */
#define MEMEVENT_ACTION_EMULATE    (1u << 0)    /* carry it out, whatever the access says */
#define MEMEVENT_ACTION_SKIP_WRITE (1u << 1)    /* with EMULATE: but let its writes come to nothing */
#define MEMEVENT_ACTION_DENY       (1u << 2)    /* a register write or the like is refused */

/* What came over a lossy channel. */
struct memevent_record {
    uint64_t what;                /* kind HANDLE: a sharing handle; GFN: the frame number, of domid */
    uint16_t domid;
    uint8_t  kind;                /* MEMEVENT_RECORD_*; others are to be ignored */
    uint8_t  reason;              /* enum memevent_reason; others may come */
    uint32_t pad;                 /* zero */
};
#define MEMEVENT_RECORD_HANDLE 1  /* nobody shares by this handle any more */
#define MEMEVENT_RECORD_GFN    2  /* this frame has left its handle's page; of the last one HANDLE comes, too */
enum memevent_reason {
    MEMEVENT_UNSHARED  = 1,       /* somebody wrote */
    MEMEVENT_DESTROYED = 2,       /* the frame was given up */
    MEMEVENT_REPLACED  = 3,       /* merged into another handle */
    MEMEVENT_UNDONE    = 4,       /* a nomination that came to nothing */
    MEMEVENT_DYING     = 5,       /* its domain dies */
};

/* How to attach; zeros are a default for all of it.  What a class does not use must be 0. */
struct memevent_options {
    uint32_t flags;               /* ACCESS: MEMEVENT_FULL_REGISTERS */
    uint32_t batch;               /* lossy: records in one CPU's ring that are worth a wake-up; 0: 64 */
    uint32_t deadline;            /* lossy: microseconds after which fewer are; 0: 10000 */
    uint32_t pad;                 /* must be zero */
};
#define MEMEVENT_FULL_REGISTERS (1u << 0)

/* Counters since the attach; all are events unless named otherwise. */
struct memevent_statistics {
    uint64_t received;
    uint64_t answered;
    uint64_t refused;             /* memevent_answer() calls that named no outstanding request */
    uint64_t malformed;           /* ring entries whose contents made no sense; they are not handed out */
    uint64_t notifications;       /* notifications sent to the hypervisor */
    uint64_t wakeups;             /* notifications taken from the hypervisor */
    uint64_t again;               /* of received: those that an earlier consumer left */
    uint64_t lost;                /* lossy: records dropped, as far as the consumer was told */
    uint32_t outstanding;         /* now: taken and not answered */
    uint32_t outstanding_limit;   /* the most there can be on this channel */
};

/* The hypervisor's counters of a channel since it was created, whoever was attached; none is ever reset. */
struct memevent_channel_info {
    uint32_t outstanding;         /* unanswered now */
    uint32_t waiting;             /* of these, those that the ring has no room for */
    uint32_t outstanding_max;
    uint32_t attachments;         /* consumers so far */
    uint64_t produced;            /* requests, or records offered */
    uint64_t answered;            /* responses accepted; lossy: records consumed */
    uint64_t dropped;             /* lossy: records that found the ring full */
    uint64_t coalesced;           /* events that went into a RESCAN */
    uint64_t unknown;             /* responses that name no request there ever was */
    uint64_t repeated;            /* responses to what was answered before */
    uint64_t malformed;           /* responses that say what cannot be said */
    uint64_t overruns;            /* response indices out of bounds */
    uint64_t redelivered;         /* requests given to another consumer again */
    uint64_t notifications;       /* sent to the consumer */
    uint64_t kicks;               /* notifications from the consumer */
};

/*
 * Opens the host: spec is NULL or "xen" for the Xen host that the program runs on
 * (it must be dom0); "xen:stock" uses upstream's interfaces alone, even if there are channels.  On success *out is the caller's and is closed with memevent_close_host().
 * -EACCES, -ENOENT: not running in a dom0, or without the rights to be one's tool stack.
 * -EINVAL: an unknown spec.  -EOPNOTSUPP: "emulated:...", a host without Xen, which only programs have that are
 * made in emulated/ of the build tree and never installed.
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
 * -EOPNOTSUPP this dom0 is a PVH one; ACCESS: this hypervisor cannot watch accesses on this processor
 * -ENOSYS   this hypervisor was built without MEM_PAGING, or the class needs another hypervisor
 * -ESRCH    no such domain
 */
int memevent_attach(struct hypervisor *host, enum memevent_class channel_class, uint16_t domid,
                    struct memevent_channel **out, const char **why);
/* The same with options, which may be NULL.  -EINVAL: one that the class does not have. */
int memevent_attach_with(struct hypervisor *host, enum memevent_class channel_class, uint16_t domid,
                         const struct memevent_options *options, struct memevent_channel **out, const char **why);

/*
 * Detaches: flushes what was answered, then ends the channel.  NULL is accepted.  Requests that
 * were not answered leave their vCPUs paused on a stock hypervisor, so answer everything first.  Where
 * memevent_can_reattach() a channel with unanswered requests, or pages out, does not end but waits for its next
 * consumer.
 */
void memevent_detach(struct memevent_channel *channel);

/*
 * The same, but a channel that memevent_can_reattach() does not end in any case: events go on being collected for the
 * next consumer.
 */
void memevent_leave(struct memevent_channel *channel);

/* A descriptor that becomes readable when events arrive after memevent_arm().  Belongs to the channel. */
int memevent_fd(const struct memevent_channel *channel);

/*
 * Takes the next event into *event.  1: there is one; 0: none now; -EBADMSG: the ring itself makes
 * no sense (an index out of bounds): the channel cannot go on and stays so; -EOPNOTSUPP: it is a lossy one.
 * The peer's index is read once a batch; the entry is copied once, checked, and only the copy used.
 */
int memevent_next(struct memevent_channel *channel, struct memevent_event *event);

/*
 * Takes up to max records of a lossy channel; returns how many, 0: none now.  Of one CPU they come in order, of
 * several in none.  *lost is the number of records that the hypervisor had to drop since this was last told: whatever
 * they would have said may be so, for anything.  In the end, all that were produced were taken or told as lost,
 * exactly.
 * -EBADMSG as in memevent_next(); -EOPNOTSUPP: it is not a lossy one.
 */
int memevent_take_records(struct memevent_channel *channel, struct memevent_record *records, unsigned int max,
                          uint64_t *lost);

/*
 * Asks to be woken through memevent_fd() by the next event.  1: events are there already, call
 * memevent_next(); 0: armed, it is safe to sleep.  Until it is armed again after a wake-up the
 * channel stays quiet, so a busy consumer costs the hypervisor and itself no interrupts.
 * On a lossy channel the wake-up comes when a batch is there or the deadline has passed with less, and 1 says that a
 * batch, or a loss, is there already.
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
 * of an earlier attachment and not taken again); -EALREADY: it was answered before; -EBADMSG: the ring makes no
 * sense any more.  Nothing is sent to the hypervisor before memevent_flush().
 */
int memevent_answer(struct memevent_channel *channel, uint64_t id);

/* The same with actions, MEMEVENT_ACTION_*.  -EINVAL: one that the class does not have. */
int memevent_answer_with(struct memevent_channel *channel, uint64_t id, uint32_t actions);

/*
 * What the outstanding ACCESS request id says besides; and, attached with MEMEVENT_FULL_REGISTERS, upstream's struct
 * vm_event_regs_x86 of its vCPU, of which up to size bytes are copied.  From any thread that holds the event. -ENOENT:
 * it is not outstanding; -EOPNOTSUPP: the channel has no such thing.
 */
int memevent_get_details(const struct memevent_channel *channel, uint64_t id, struct memevent_details *out);
int memevent_get_registers(const struct memevent_channel *channel, uint64_t id, void *out, size_t size);

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

/*
 * 1: the first touch of a nominated page comes as MEMEVENT_PAGING_TOUCHED, and waits for its answer (a stock
 * hypervisor). 0: it takes the nomination away and goes on; an eviction then gives -EAGAIN, and a query -ENOENT.
 */
int memevent_reports_touches(const struct memevent_channel *channel);

/* Requests that an earlier consumer left unanswered when this one attached: so many will be flagged FLAG_AGAIN. */
uint32_t memevent_get_redelivered(const struct memevent_channel *channel);

/* The hypervisor's own counters.  -EOPNOTSUPP: a stock hypervisor has none. */
int memevent_get_channel_info(const struct memevent_channel *channel, struct memevent_channel_info *out);

#ifdef __cplusplus
}
#endif

#endif /* MEMEVENT_MEMEVENT_H */
