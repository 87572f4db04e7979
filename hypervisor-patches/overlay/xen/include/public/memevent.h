/* SPDX-License-Identifier: MIT */
/*
 * HYPERVISOR_memevent_op: memory events, one channel per consumer, and the operations that
 * save their consumers crossings.
 *
 *   long HYPERVISOR_memevent_op(uint32_t call, void *arg);
 *
 * Everything that crosses is fixed in size and the same for 32 and 64 bits.  Addresses are the
 * caller's virtual ones, in 64 bits.  Pads must be zero on the way in.  Each structure has its
 * octet table; XEN_MEMEVENT_LAYOUT at the end lets both sides assert it.  This file includes nothing:
 * who includes it has defined the types of <stdint.h>, and the negated values of Xen's errno.h are
 * what comes back.
 *
 * The idea of call identifiers as tuples, and of annotations, is that of the VMI proposal.
 */
#ifndef XEN_PUBLIC_MEMEVENT_H
#define XEN_PUBLIC_MEMEVENT_H

#define XEN_MEMEVENT_HYPERCALL          55      /* __HYPERVISOR_arch_7 */

/*
 * Calls
 * =====
 *
 *  31        24 23        16 15         8 7          0
 * +------------+------------+------------+------------+
 * |   family   |    call    |    zero    | annotation |
 * +------------+------------+------------+------------+
 *
 * An annotation that the hypervisor does not know is as if it were absent; a reserved bit that is set is
 * -EINVAL; a family or a call that is not known is -ENOSYS.
 */
#define XEN_MEMEVENT_CALL(family, call) (((uint32_t)(family) << 24) | ((uint32_t)(call) << 16))
#define XEN_MEMEVENT_FAMILY_MASK        0xff000000u
#define XEN_MEMEVENT_CALL_MASK          0x00ff0000u
#define XEN_MEMEVENT_RESERVED_MASK      0x0000ff00u
#define XEN_MEMEVENT_ANNOTATION_MASK    0x000000ffu

#define XEN_MEMEVENT_FAMILY_QUERY       0x00
#define XEN_MEMEVENT_FAMILY_CHANNEL     0x01
#define XEN_MEMEVENT_FAMILY_PAGING      0x02
#define XEN_MEMEVENT_FAMILY_SHARING     0x03
#define XEN_MEMEVENT_FAMILY_ACCESS      0x04
#define XEN_MEMEVENT_FAMILY_EXPERIMENTAL 0xff   /* never in a release */

/* The caller allows completion to be put off until a flush. */
#define XEN_MEMEVENT_MAY_QUEUE          0x01u

/* Takes struct xen_memevent_query: what is known of a tuple. */
#define XEN_MEMEVENT_QUERY              XEN_MEMEVENT_CALL(XEN_MEMEVENT_FAMILY_QUERY, 0x00)
/* Takes struct xen_memevent_batch: an array of operations, preemptible. */
#define XEN_MEMEVENT_BATCH              XEN_MEMEVENT_CALL(XEN_MEMEVENT_FAMILY_QUERY, 0x01)

/* Takes struct xen_memevent_attach. */
#define XEN_MEMEVENT_ATTACH             XEN_MEMEVENT_CALL(XEN_MEMEVENT_FAMILY_CHANNEL, 0x01)
/* Takes struct xen_memevent_detach. */
#define XEN_MEMEVENT_DETACH             XEN_MEMEVENT_CALL(XEN_MEMEVENT_FAMILY_CHANNEL, 0x02)
/* Takes struct xen_memevent_info. */
#define XEN_MEMEVENT_INFO               XEN_MEMEVENT_CALL(XEN_MEMEVENT_FAMILY_CHANNEL, 0x03)

/* All others are operations: they take struct xen_memevent_operation, alone or in a batch. */

/*
 * Marks a page as about to go.  The guest's next touch of it takes the mark away, without an event and
 * without waiting for anybody: XEN_MEMEVENT_PAGING_EVICT finds that out.
 * -EBUSY: no page that can be paged, or somebody holds it (mapped, granted).  -ENOMEM: no memory to split a superpage.
 */
#define XEN_MEMEVENT_PAGING_NOMINATE    XEN_MEMEVENT_CALL(XEN_MEMEVENT_FAMILY_PAGING, 0x01)
/*
 * Takes a marked page away and copies what the guest last wrote to data (4096 octets).
 * -EAGAIN: it is not marked (any more): it was touched, or never nominated.  -EBUSY: somebody holds it.
 * -EFAULT: data could not be written; the page is the guest's again, unmarked.  After a failure data is undefined.
 * A request for the page, or its DROP, can be on the ring before the call has returned.
 */
#define XEN_MEMEVENT_PAGING_EVICT       XEN_MEMEVENT_CALL(XEN_MEMEVENT_FAMILY_PAGING, 0x02)
/*
 * Gives a page back that is out, with data's 4096 octets.  The guest can use it at once.
 * -ENOENT: it is not out.  -ENOMEM: the host, or the domain's limit, has no page for it.  -EFAULT: data
 * could not be read.
 */
#define XEN_MEMEVENT_PAGING_LOAD        XEN_MEMEVENT_CALL(XEN_MEMEVENT_FAMILY_PAGING, 0x03)
/* Takes the mark of XEN_MEMEVENT_PAGING_NOMINATE away.  -ENOENT: there is none. */
#define XEN_MEMEVENT_PAGING_RELEASE     XEN_MEMEVENT_CALL(XEN_MEMEVENT_FAMILY_PAGING, 0x04)
/* Asks of a page: 0, it is out; -EAGAIN, it is marked; -ENOENT, neither. */
#define XEN_MEMEVENT_PAGING_QUERY       XEN_MEMEVENT_CALL(XEN_MEMEVENT_FAMILY_PAGING, 0x05)

/* Makes a page sharable (read-only, reference counted); handle out.  -EBUSY: somebody holds it. */
#define XEN_MEMEVENT_SHARING_NOMINATE   XEN_MEMEVENT_CALL(XEN_MEMEVENT_FAMILY_SHARING, 0x01)
/*
 * Nominates both pages, compares all their octets, and lets the client's page become the source's if they are
 * equal.  outcome says what happened, and what a failure was about.
 */
#define XEN_MEMEVENT_SHARING_MERGE      XEN_MEMEVENT_CALL(XEN_MEMEVENT_FAMILY_SHARING, 0x02)
/* Gives the domain a page of its own again.  -ENOMEM: there is none.  -ENOENT: the page is not shared. */
#define XEN_MEMEVENT_SHARING_UNSHARE    XEN_MEMEVENT_CALL(XEN_MEMEVENT_FAMILY_SHARING, 0x03)

/*
 * Sets the access of count frames from gfn on.  -EINVAL: this host's page tables cannot say it.  With gfn
 * XEN_MEMEVENT_NO_GFN and a count of 1: of frames that the domain is given from now on; only n, r, rw, rx and rwx.
 */
#define XEN_MEMEVENT_ACCESS_SET         XEN_MEMEVENT_CALL(XEN_MEMEVENT_FAMILY_ACCESS, 0x01)

/*
 * struct xen_memevent_query, 16 octets
 *
 *        0       4   call          in   a tuple; with annotations, those are asked about as well
 *        4       4   known         out  XEN_MEMEVENT_KNOWN_*
 *        8       4   annotations   out  those of the call's that have an effect
 *       12       4   pad
 */
struct xen_memevent_query {
    uint32_t call;
    uint32_t known;
    uint32_t annotations;
    uint32_t pad;
};
#define XEN_MEMEVENT_KNOWN_FAMILY       (1u << 0)
#define XEN_MEMEVENT_KNOWN_CALL         (1u << 1)

/*
 * struct xen_memevent_batch, 16 octets
 *
 *        0       8   operations    in   address of count struct xen_memevent_operation
 *        8       4   count         in
 *       12       4   done          in   0;  out  how many have been carried out: their status is valid
 *
 * The call returns 0 when done is count, whatever the operations' own status.
 */
struct xen_memevent_batch {
    uint64_t operations;
    uint32_t count;
    uint32_t done;
};

/*
 * struct xen_memevent_operation, 64 octets
 *
 *        0       4   call          in   a tuple of the families PAGING, SHARING and ACCESS
 *        4       2   domid         in
 *        6       2   pad0
 *        8       4   status        out  0 or a negated errno; called alone, this is what is returned as well
 *       12       4   pad1
 *       16      48   u                  by the call's family
 *
 *   paging
 *       16       8   gfn           in
 *       24       8   data          in   EVICT, LOAD: address of 4096 octets; else 0
 *       32      32   pad
 *   sharing
 *       16       8   gfn           in   MERGE: the source's
 *       24       8   client_gfn    in   MERGE only
 *       32       2   client_domid  in   MERGE only
 *       34       2   pad2
 *       36       4   outcome       out  MERGE: enum xen_memevent_outcome
 *       40       8   handle        out  NOMINATE, MERGE: the shared page's
 *       48      16   pad3
 *   access
 *       16       8   gfn           in
 *       24       4   count         in   frames
 *       28       4   access        in   XENMEM_access_*
 *       32       4   done          in   0;  out  frames that were set
 *       36      28   pad
 */
struct xen_memevent_operation {
    uint32_t call;
    uint16_t domid;
    uint16_t pad0;
    int32_t  status;
    uint32_t pad1;
    union {
        struct xen_memevent_paging_arguments {
            uint64_t gfn;
            uint64_t data;
            uint64_t pad[4];
        } paging;
        struct xen_memevent_sharing_arguments {
            uint64_t gfn;
            uint64_t client_gfn;
            uint16_t client_domid;
            uint16_t pad2;
            uint32_t outcome;
            uint64_t handle;
            uint64_t pad3[2];
        } sharing;
        struct xen_memevent_access_arguments {
            uint64_t gfn;
            uint32_t count;
            uint32_t access;
            uint32_t done;
            uint32_t pad[7];
        } access;
    } u;
};

/* What became of a merge.  Only MERGED and ALREADY go with a status of 0. */
enum xen_memevent_outcome {
    XEN_MEMEVENT_MERGED      = 1,       /* the client's page is freed, unless third domains share it */
    XEN_MEMEVENT_ALREADY     = 2,       /* both frames were the same page before */
    XEN_MEMEVENT_DIFFERENT   = 3,       /* -EILSEQ: the octets differ; neither page has changed */
    XEN_MEMEVENT_SOURCE      = 4,       /* the source could not be nominated: status says why */
    XEN_MEMEVENT_CLIENT      = 5,       /* the client could not be nominated: status says why */
    XEN_MEMEVENT_STALE       = 6,       /* -EAGAIN: one of them was unshared meanwhile */
};

/*
 * Channels
 * ========
 *
 * A channel has a class, a domain or the host, and one consumer.
 */
enum xen_memevent_class {
    XEN_MEMEVENT_CLASS_PAGING     = 1,  /* reliable, of a domain */
    XEN_MEMEVENT_CLASS_OOM        = 2,  /* reliable, of a domain */
    XEN_MEMEVENT_CLASS_ACCESS     = 3,  /* reliable, of a domain */
    XEN_MEMEVENT_CLASS_INVALIDATE = 4,  /* lossy, of the host */
};
#define XEN_MEMEVENT_CLASSES            5   /* one more than the highest */

/* The domain that stands for the whole host: Xen's own. */
#define XEN_MEMEVENT_HOST               0x7ff2u

/* XENMEM_acquire_resource's type for a channel's frames; its id is the class. */
#define XEN_MEMEVENT_RESOURCE           0x100u

/* ACCESS: requests carry all registers. */
#define XEN_MEMEVENT_FULL_REGISTERS     (1u << 0)

/*
 * struct xen_memevent_attach, 80 octets
 *
 *        0       2   domid            in   or XEN_MEMEVENT_HOST
 *        2       2   channel_class    in
 *        4       4   flags            in   XEN_MEMEVENT_FULL_REGISTERS
 *        8       4   batch            in   lossy: records in one ring that are worth a notification; else 0
 *       12       4   deadline         in   lossy: us after which fewer are; else 0
 *       16       4   port             out  event channel, to be bound by the caller's domain
 *       20       4   frames           out  the resource's size
 *       24       4   rings            out  1; lossy: one for each physical CPU
 *       28       4   ring_frames      out  frames of each ring
 *       32       4   slots            out  requests (and responses, or records) in a ring, a power of two
 *       36       4   request_size     out  octets of a request, or record
 *       40       4   response_size    out  octets of a response; lossy: 0
 *       44       4   request_offset   out  octets from a ring's begin to its first request
 *       48       4   response_offset  out  to its first response
 *       52       4   redelivered      out  requests that an earlier consumer left unanswered: they come again
 *       56       4   attachment       out  how many consumers there have been, this one included
 *       60       4   pad0
 *       64      16   pad1
 *
 * The first consumer creates the channel, and its flags stay.  When a consumer's end of the event channel is closed (it
 * detaches, or dies), the channel lives on and another can attach.  Frames that it has mapped stay mapped to it.
 *
 * -EBUSY: it has a consumer, or the domain has one on upstream's own ring.  -ESRCH, -EPERM, -EINVAL.
 * PAGING, for the first consumer: -ENODEV no HAP, -EMLINK an IOMMU, -EXDEV populate-on-demand, -EOPNOTSUPP a PVH dom0 or
 * altp2m, -ENOSYS built without.  While there is the channel, a domain is given no device and no altp2m.
 */
struct xen_memevent_attach {
    uint16_t domid;
    uint16_t channel_class;
    uint32_t flags;
    uint32_t batch;
    uint32_t deadline;
    uint32_t port;
    uint32_t frames;
    uint32_t rings;
    uint32_t ring_frames;
    uint32_t slots;
    uint32_t request_size;
    uint32_t response_size;
    uint32_t request_offset;
    uint32_t response_offset;
    uint32_t redelivered;
    uint32_t attachment;
    uint32_t pad0;
    uint64_t pad1[2];
};

/*
 * struct xen_memevent_detach, 8 octets
 *
 *        0       2   domid
 *        2       2   channel_class
 *        4       4   pad
 *
 * Ends the channel.  -EBUSY: PAGING, OOM: requests are unanswered; PAGING: pages are out.  An ACCESS channel's waiting
 * vCPUs go on.  -ENOENT: there is no such channel.
 */
struct xen_memevent_detach {
    uint16_t domid;
    uint16_t channel_class;
    uint32_t pad;
};

/*
 * struct xen_memevent_info, 128 octets.  Counters since the channel was created; none is ever reset.
 *
 *        0       2   domid           in
 *        2       2   channel_class   in
 *        4       4   pad0
 *        8       4   outstanding     out  requests that are unanswered now
 *       12       4   waiting         out  of these, those that the ring has no room for
 *       16       4   outstanding_max out
 *       20       4   attachments     out
 *       24       8   produced        out  requests, or records offered
 *       32       8   answered        out  accepted responses; lossy: records consumed
 *       40       8   dropped         out  lossy: records that found the ring full
 *       48       8   coalesced       out  events that went into a RESCAN
 *       56       8   unknown         out  responses that name no request there ever was
 *       64       8   repeated        out  responses to what was answered before
 *       72       8   malformed       out  responses with pads or actions that are not
 *       80       8   overruns        out  response indices out of bounds
 *       88       8   redelivered     out  requests that were given to another consumer again
 *       96       8   notifications   out  sent to the consumer
 *      104       8   kicks           out  notifications from the consumer; lossy: 0, as none is needed
 *      112      16   pad1
 */
struct xen_memevent_info {
    uint16_t domid;
    uint16_t channel_class;
    uint32_t pad0;
    uint32_t outstanding;
    uint32_t waiting;
    uint32_t outstanding_max;
    uint32_t attachments;
    uint64_t produced;
    uint64_t answered;
    uint64_t dropped;
    uint64_t coalesced;
    uint64_t unknown;
    uint64_t repeated;
    uint64_t malformed;
    uint64_t overruns;
    uint64_t redelivered;
    uint64_t notifications;
    uint64_t kicks;
    uint64_t pad1[2];
};

/*
 * Reliable rings
 * ==============
 *
 * struct xen_memevent_reliable, 256 octets at the begin of the first frame.  Indices are free running;
 * slot = index & (slots - 1).  Each line has one writer.
 *
 *        0       4   request_producer   Xen:       requests before it are there
 *       64       4   request_consumer   consumer:  requests before it have been copied
 *       68       4   request_event      consumer:  notify when request_producer passes from before to this
 *      128       4   response_producer  consumer:  responses before it are there; then notify
 *      192       4   response_consumer  Xen:       responses before it have been copied
 *
 * A request keeps its place in Xen's table until it is answered, whoever consumes it; no request waits for
 * another's answer.  Every vCPU has a place.  There is a slot for each place: who moves request_consumer before it
 * publishes an answer to what it copied never makes a request wait for room.
 */
struct xen_memevent_reliable {
    uint32_t request_producer;
    uint32_t pad0[15];
    uint32_t request_consumer;
    uint32_t request_event;
    uint32_t pad1[14];
    uint32_t response_producer;
    uint32_t pad2[15];
    uint32_t response_consumer;
    uint32_t pad3[15];
};

/* PAGING */
#define XEN_MEMEVENT_PAGING_POPULATE    1   /* somebody needs the page: load it, then answer */
/*
 * The guest gave the page up: forget it, then answer.  With XEN_MEMEVENT_AGAIN the former consumer may have taken the frame out
 * once more before it died: ask XEN_MEMEVENT_PAGING_QUERY before you forget it.
 */
#define XEN_MEMEVENT_PAGING_DROP        2
/*
 * More pages were dropped than there were places for: ask which are still out.  What is dropped after
 * the answer comes by events again.
 */
#define XEN_MEMEVENT_PAGING_RESCAN      3
/* OOM */
#define XEN_MEMEVENT_OOM_UNSHARE        1   /* no page was left for a copy of a shared one: make room, then answer */
#define XEN_MEMEVENT_OOM_RESCAN         3   /* so it was for another domain's accesses, which are told to retry */
/* ACCESS: kinds are upstream's VM_EVENT_REASON_* */

#define XEN_MEMEVENT_VCPU_PAUSED        (1u << 0)   /* flags: a vCPU waits for the answer */
#define XEN_MEMEVENT_FOREIGN            (1u << 1)   /* flags: another domain caused it */
#define XEN_MEMEVENT_AGAIN              (1u << 2)   /* flags: an earlier consumer has been given it as well */

/*
 * struct xen_memevent_request, 64 octets: a request of PAGING and OOM
 *
 *        0       8   id            what the answer names: generation (63-32), index in Xen's table (31-0); never 0
 *        8       8   gfn           or XEN_MEMEVENT_NO_GFN
 *       16       4   vcpu          with VCPU_PAUSED, and always of ACCESS
 *       20       2   kind
 *       22       2   flags
 *       24       8   time          of the event: ns since the hypervisor booted
 *       32       2   causer        domain whose access it was
 *       34       6   pad0
 *       40      24   pad1
 */
struct xen_memevent_request {
    uint64_t id;
    uint64_t gfn;
    uint32_t vcpu;
    uint16_t kind;
    uint16_t flags;
    uint64_t time;
    uint16_t causer;
    uint16_t pad0[3];
    uint64_t pad1[3];
};
#define XEN_MEMEVENT_NO_GFN             (~(uint64_t)0)

/*
 * struct xen_memevent_response, 16 octets: an answer to PAGING and OOM
 *
 *        0       8   id
 *        8       4   action        0
 *       12       4   pad
 */
struct xen_memevent_response {
    uint64_t id;
    uint32_t action;
    uint32_t pad;
};

/*
 * struct xen_memevent_access_request, 256 octets.  With XEN_MEMEVENT_FULL_REGISTERS each slot has 640 octets,
 * and upstream's struct vm_event_regs_x86 lies at 256.
 *
 *        0      64   request       kind is VM_EVENT_REASON_*
 *       64       8   gla           guest linear address, with MEM_ACCESS_GLA_VALID
 *       72       4   access        MEM_ACCESS_*: what was tried, and what is known of gla
 *       76       2   view          altp2m view
 *       78       2   pad0
 *       80      32   values        of the other kinds: the body of upstream's union, its first 32 octets
 *      112     128   gpr           rax rcx rdx rbx rsp rbp rsi rdi r8..r15
 *      240       8   rip
 *      248       8   cr3
 */
struct xen_memevent_access_request {
    struct xen_memevent_request request;
    uint64_t gla;
    uint32_t access;
    uint16_t view;
    uint16_t pad0;
    uint64_t values[4];
    uint64_t gpr[16];
    uint64_t rip;
    uint64_t cr3;
};
#define XEN_MEMEVENT_FULL_SIZE          640
#define XEN_MEMEVENT_REGISTERS_OFFSET   256

/*
 * struct xen_memevent_access_response, 64 octets
 *
 *        0       8   id
 *        8       4   action        XEN_MEMEVENT_ACTION_*
 *       12       4   pad0
 *       16      48   pad1
 *
 * No action: the instruction is tried again, so the access must have been allowed meanwhile.
 */
struct xen_memevent_access_response {
    uint64_t id;
    uint32_t action;
    uint32_t pad0;
    uint64_t pad1[6];
};
#define XEN_MEMEVENT_ACTION_EMULATE     (1u << 0)   /* carry the instruction out, whatever the access says */
#define XEN_MEMEVENT_ACTION_SKIP_WRITE  (1u << 1)   /* with EMULATE: but let its writes come to nothing */
#define XEN_MEMEVENT_ACTION_DENY        (1u << 2)   /* a register write or the like is refused */

/*
 * Lossy rings
 * ===========
 *
 * struct xen_memevent_lossy, 256 octets at the begin of each ring's first frame; its records begin at
 * request_offset.  Each line has one writer.
 *
 *        0       4   producer      Xen:       records before it are there
 *        4       4   pad0
 *        8       8   produced      Xen:       records offered, dropped ones included
 *       16       8   dropped       Xen:       of these, those that found the ring full
 *       64       4   consumer      consumer:  records before it have been copied
 *       68       4   armed         consumer:  raised by one: one notification is wanted
 *
 * Before it sleeps a consumer raises armed and then looks at producer and dropped once more.  Its successor goes on from the value
 * that it finds: a wish that is still open there is fulfilled for it.
 */
struct xen_memevent_lossy {
    uint32_t producer;
    uint32_t pad0;
    uint64_t produced;
    uint64_t dropped;
    uint64_t pad1[5];
    uint32_t consumer;
    uint32_t armed;
    uint32_t pad2[46];
};

/*
 * struct xen_memevent_record, 16 octets
 *
 *        0       8   what          HANDLE: the handle; GFN: the frame number, of domid
 *        8       2   domid         GFN only
 *       10       1   kind          XEN_MEMEVENT_HANDLE, XEN_MEMEVENT_GFN
 *       11       1   reason        enum xen_memevent_reason
 *       12       4   pad
 */
struct xen_memevent_record {
    uint64_t what;
    uint16_t domid;
    uint8_t  kind;
    uint8_t  reason;
    uint32_t pad;
};
#define XEN_MEMEVENT_HANDLE             1   /* nobody shares by this handle any more */
#define XEN_MEMEVENT_GFN                2   /* this frame has left the handle's page; of the last, HANDLE follows */
enum xen_memevent_reason {
    XEN_MEMEVENT_UNSHARED  = 1,         /* somebody wrote */
    XEN_MEMEVENT_DESTROYED = 2,         /* the frame was given up */
    XEN_MEMEVENT_REPLACED  = 3,         /* merged into another handle */
    XEN_MEMEVENT_UNDONE    = 4,         /* a nomination that came to nothing */
    XEN_MEMEVENT_DYING     = 5,         /* its domain dies */
};

/*
 * The tables above once more, for assertions: SIZE(type, octets), PLACE(type, field, offset).
 */
#define XEN_MEMEVENT_LAYOUT(SIZE, PLACE)                                \
    SIZE(struct xen_memevent_query, 16)                                 \
    PLACE(struct xen_memevent_query, annotations, 8)                    \
    SIZE(struct xen_memevent_batch, 16)                                 \
    PLACE(struct xen_memevent_batch, count, 8)                          \
    SIZE(struct xen_memevent_operation, 64)                             \
    PLACE(struct xen_memevent_operation, domid, 4)                      \
    PLACE(struct xen_memevent_operation, status, 8)                     \
    PLACE(struct xen_memevent_operation, u, 16)                         \
    PLACE(struct xen_memevent_operation, u.paging.data, 24)             \
    PLACE(struct xen_memevent_operation, u.sharing.client_domid, 32)    \
    PLACE(struct xen_memevent_operation, u.sharing.outcome, 36)         \
    PLACE(struct xen_memevent_operation, u.sharing.handle, 40)          \
    PLACE(struct xen_memevent_operation, u.access.access, 28)           \
    PLACE(struct xen_memevent_operation, u.access.done, 32)             \
    SIZE(struct xen_memevent_attach, 80)                                \
    PLACE(struct xen_memevent_attach, port, 16)                         \
    PLACE(struct xen_memevent_attach, slots, 32)                        \
    PLACE(struct xen_memevent_attach, request_offset, 44)               \
    PLACE(struct xen_memevent_attach, attachment, 56)                   \
    PLACE(struct xen_memevent_attach, pad1, 64)                         \
    SIZE(struct xen_memevent_detach, 8)                                 \
    SIZE(struct xen_memevent_info, 128)                                 \
    PLACE(struct xen_memevent_info, produced, 24)                       \
    PLACE(struct xen_memevent_info, kicks, 104)                         \
    SIZE(struct xen_memevent_reliable, 256)                             \
    PLACE(struct xen_memevent_reliable, request_consumer, 64)           \
    PLACE(struct xen_memevent_reliable, request_event, 68)              \
    PLACE(struct xen_memevent_reliable, response_producer, 128)         \
    PLACE(struct xen_memevent_reliable, response_consumer, 192)         \
    SIZE(struct xen_memevent_request, 64)                               \
    PLACE(struct xen_memevent_request, vcpu, 16)                        \
    PLACE(struct xen_memevent_request, kind, 20)                        \
    PLACE(struct xen_memevent_request, time, 24)                        \
    PLACE(struct xen_memevent_request, causer, 32)                      \
    SIZE(struct xen_memevent_response, 16)                              \
    SIZE(struct xen_memevent_access_request, 256)                       \
    PLACE(struct xen_memevent_access_request, access, 72)               \
    PLACE(struct xen_memevent_access_request, values, 80)               \
    PLACE(struct xen_memevent_access_request, gpr, 112)                 \
    PLACE(struct xen_memevent_access_request, cr3, 248)                 \
    SIZE(struct xen_memevent_access_response, 64)                       \
    SIZE(struct xen_memevent_lossy, 256)                                \
    PLACE(struct xen_memevent_lossy, dropped, 16)                       \
    PLACE(struct xen_memevent_lossy, consumer, 64)                      \
    PLACE(struct xen_memevent_lossy, armed, 68)                         \
    SIZE(struct xen_memevent_record, 16)                                \
    PLACE(struct xen_memevent_record, kind, 10)

#endif /* XEN_PUBLIC_MEMEVENT_H */
