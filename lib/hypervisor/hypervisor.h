/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The one door to Xen.  A struct of operations with a written contract; the rest of the suite
 * knows these and nothing of libxenctrl.  xen-*.c implement them for the Xen host that the
 * process runs on.
 *
 * Contract of all operations: errors are -errno (the place where Xen's -1 plus errno is
 * translated); nothing is printed; sizes are in bytes and memory in pages of 4 KiB unless a name
 * says KiB.  One struct hypervisor is used by one thread at a time, except ring operations
 * on different rings, buffers that different threads hold, and submit(), query_frames(), map_frames() and
 * unmap_frames(), which are thread-safe.
 */
#ifndef HYPERVISOR_HYPERVISOR_H
#define HYPERVISOR_HYPERVISOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <memevent/memevent.h>

#define HYPERVISOR_PAGE_SHIFT 12
#define HYPERVISOR_PAGE_SIZE  (1u << HYPERVISOR_PAGE_SHIFT)

/* Operations in one submit(): as many as one multicall's argument pages hold without the
 * hypervisor's preemption check being starved; also what one mapping call takes. */
#define HYPERVISOR_BATCH_MAX  512

/* Frames in one query_frames(): XEN_DOMCTL_getpageframeinfo3 refuses more. */
#define HYPERVISOR_QUERY_MAX  1024

/* Frames in one map_frames(): 4 MiB, what the processor's caches of translations and of data still have something of. */
#define HYPERVISOR_MAP_MAX    1024

/* What this host can do, and in words what stands in the way. */
struct hypervisor_info {
    char version[64];             /* "4.17.5" */
    bool has_paging;              /* MEM_PAGING is built in */
    const char *paging_missing;   /* !has_paging: a sentence that says what to do; static */
    bool has_sharing;             /* MEM_SHARING is built in; what a domain lacks says enable_sharing() */
    const char *sharing_missing;  /* !has_sharing: a sentence; static */
    /*
     * This hypervisor has channels of its own, PAGING at least; attach_ring() of a class that it lacks is -ENOSYS.
     * Without them PAGING and ACCESS come over upstream's rings.
     */
    bool has_channels;
    const char *channels_missing; /* !has_channels: a sentence; static */
};

struct domain_info {
    uint16_t domid;
    bool     is_hvm;              /* PVH or HVM; false: PV */
    bool     has_hap;
    bool     is_dying;            /* being torn down, or gone */
    bool     is_shutdown;
    bool     is_suspended;        /* shut down in order to be saved or migrated, or to go on later */
    bool     is_paused;           /* by a tool stack */
    uint8_t  shutdown_reason;     /* SHUTDOWN_* of Xen, with is_shutdown */
    uint32_t vcpus;
    uint64_t pages;               /* backed by memory now */
    uint64_t pages_paged;         /* paged out, as Xen counts them */
    uint64_t pages_shared;        /* frames of its own that are shared or nominated; none of pages' */
    uint64_t pages_limit;         /* the most it may have */
    uint8_t  uuid[16];
};

/* Memory of the whole host. */
struct memory_info {
    uint64_t pages;               /* that there are */
    uint64_t pages_free;          /* of these, given to nobody */
    uint64_t pages_shared;        /* that frames share, or that were nominated for it, each counted once */
    uint64_t pages_saved;         /* frames that would need one of their own if nothing were shared */
};

enum frame_state {
    FRAME_RAM   = 1,              /* backed by memory of the domain */
    FRAME_EMPTY = 2,              /* no memory there now: never populated, or paged out */
};

/*
 * Operations.  call is a tuple: family (31-24), call (23-16), zero, annotations (7-0); no annotation is passed down to
 * here.  Besides what is listed, any gets -ESRCH: no such domain; -EPERM; -ENOSYS: this hypervisor does not have it.
 *
 * What a page can be.  Each operation goes along one of these arrows or fails without effect:
 *
 *            NOMINATE            EVICT
 *   in use ------------> marked -------> out
 *      ^  ^-- RELEASE, touch --'          |
 *      '------------- LOAD ---------------'         (the guest can give the page up in each of the three)
 *
 * How a touch of a marked page is learned of is the one thing in which hypervisors differ:
 *  - a channel that reports touches (memevent_reports_touches(): upstream's ring) sends MEMEVENT_PAGING_TOUCHED, and
 *    the page is out of reach until PAGING_LOAD without data and the answer;
 *  - any other takes the mark away without an event, and nobody waits: PAGING_EVICT or PAGING_QUERY finds that out.
 */
#define HYPERVISOR_CALL(family, call) (((uint32_t)(family) << 24) | ((uint32_t)(call) << 16))
enum hypervisor_call {
    /* in use -> marked.  -EBUSY: not a page that can be paged, or somebody holds it (mapped, granted). */
    PAGING_NOMINATE = HYPERVISOR_CALL(0x02, 0x01),
    /*
     * marked -> out.  On success data holds exactly what the guest last wrote.  After a failure data is undefined.
     * -EAGAIN: it is not marked: it was touched, or never nominated.  Nothing comes by an event.
     * -EBUSY: somebody holds it; it may be marked still.  A channel that reports touches says this for a touch, too.
     * -EFAULT: data was not to be reached just now, and the mark may be gone.
     */
    PAGING_EVICT    = HYPERVISOR_CALL(0x02, 0x02),
    /*
     * out -> in use, with data's bytes.  The guest can use the page at once.  Without data (NULL): marked -> in use,
     * for who does not know in which state a page is.
     * -ENOENT: it is not out (in already, or given up), without data: nor marked.
     * -ENOMEM: the host, or the domain's limit, has no page for it now.
     * -EINVAL: it is out and data is NULL.  -EFAULT: data was not to be reached just now; it is still out.
     */
    PAGING_LOAD     = HYPERVISOR_CALL(0x02, 0x03),
    /*
     * marked -> in use.  -ENOENT: it is not marked.  Where touches are reported a status of 0 only means that an event
     * MEMEVENT_PAGING_TOUCHED which is MEMEVENT_FLAG_FOREIGN follows, if the channel has room for it; if none does,
     * ask again.
     */
    PAGING_RELEASE  = HYPERVISOR_CALL(0x02, 0x04),
    /*
     * Changes nothing. 0: out; -EAGAIN: marked; -ENOENT: neither.  A page that is being loaded by an event's answer is
     * out. -ENOSYS where touches are reported.
     */
    PAGING_QUERY    = HYPERVISOR_CALL(0x02, 0x05),

    /*
     * Sharing.  Each allows it for its domains first, as enable_sharing() does, and can fail as that.  A nominated page
     * is read-only and belongs to nobody until a write or SHARING_UNSHARE gives it back; it counts as shared although only
     * one frame has it.  Handles come from one counter of the host's and never again: one that is the same as before says
     * that the page's bytes are.
     *
     * Makes a page sharable; handle comes out, and is the one it had if it was shared already.
     * -EBUSY: somebody holds it (mapped, granted).  -EINVAL: there is no page, it is out, or of a kind that cannot be
     * shared.  -ENOMEM: the hypervisor has no memory for the books.
     */
    SHARING_NOMINATE = HYPERVISOR_CALL(0x03, 0x01),
    /*
     * Nominates both pages, compares all their bytes after both are frozen, and lets the client's become the source's
     * if they are equal.  outcome says what happened, and which page a failure was about; handle comes out with a
     * status of 0, and is the source's.  A page that was nominated for this and not merged is given back.
     * -EILSEQ: the bytes differ.  -EAGAIN: one of them was unshared meanwhile.  Others as of SHARING_NOMINATE.
     * What else shares the client's page: frames of the two domains move with it, those of others keep it.  (A stock
     * hypervisor moves those too, and dies of it; there the caller must not merge a page that third domains share as a
     * client.)
     * On a stock hypervisor SOURCE and CLIENT go with -EAGAIN if a page could not be mapped for the comparison, and a
     * page that was merged as the client of one is not found as the source of another of the same submit(): STALE.
     */
    SHARING_MERGE    = HYPERVISOR_CALL(0x03, 0x02),
    /*
     * Gives the domain a page of its own again.  -ENOMEM: there is none, and nobody is asked for one.  -ENOENT: the page
     * is not shared.
     */
    SHARING_UNSHARE  = HYPERVISOR_CALL(0x03, 0x03),

    /*
     * Sets the access of count frames; done comes out.  -EINVAL: this host's page tables cannot say it.  With gfn
     * MEMEVENT_NO_GFN and a count of 1: of frames that the domain is given from now on; n, r, rw, rx or rwx.
     */
    ACCESS_SET       = HYPERVISOR_CALL(0x04, 0x01),
};

struct hypervisor_operation {
    uint32_t call;                /* enum hypervisor_call */
    uint16_t domid;
    uint16_t pad;                 /* must be zero */
    int32_t  status;              /* out: 0 or -errno of this one */
    uint32_t pad2;                /* must be zero */
    uint64_t gfn;                 /* MERGE: the source's */
    void    *data;                /* EVICT, LOAD: a page of alloc_buffer() or lock_buffer(), aligned; else NULL */
    union {                       /* zero for the paging family */
        struct hypervisor_sharing {
            uint64_t client_gfn;  /* MERGE, as the next one */
            uint16_t client_domid;
            uint16_t pad;
            uint32_t outcome;     /* out, MERGE: enum memevent_outcome of <memevent/operations.h> */
            uint64_t handle;      /* out, NOMINATE and MERGE: the shared page's */
        } sharing;
        struct hypervisor_access {
            uint32_t count;       /* frames */
            uint32_t access;      /* XENMEM_access_* of Xen's */
            uint32_t done;        /* out: frames that were set */
            uint32_t pad;
        } access;
    };
};

/* What lies in a ring's memory. */
enum hypervisor_ring_kind {
    RING_VM_EVENT = 0,            /* upstream's vm_event ring: one page, and only that, size and fd say something */
    RING_RELIABLE = 1,            /* <public/memevent.h>, "Reliable rings" */
    RING_LOSSY    = 2,            /* the same, "Lossy rings" */
};

/* Memory shared with the hypervisor and its event channel.  Fields are for lib/memevent; constant while attached. */
struct hypervisor_ring {
    void  *page;                  /* read and write; of several rings the first */
    size_t size;                  /* of all of it */
    int    fd;                    /* readable when the channel was signalled while armed */
    enum hypervisor_ring_kind kind;

    /* RELIABLE and LOSSY: what the hypervisor said at the attach, not checked. */
    uint32_t rings;               /* 1; LOSSY: one for each physical CPU */
    uint32_t ring_size;           /* from one ring's begin to the next one's */
    uint32_t slots;               /* of each ring, a power of two */
    uint32_t request_size;        /* of a request, or record */
    uint32_t response_size;
    uint32_t request_offset;      /* from a ring's begin to its first request */
    uint32_t response_offset;
    uint32_t batch;               /* LOSSY: records that are worth a notification */
    uint32_t redelivered;         /* requests that an earlier consumer left unanswered, and that come again */
    uint32_t attachment;          /* how many consumers there have been, this one included */
};

/* Of one vCPU, x86's; gpr in the order rax rcx rdx rbx rsp rbp rsi rdi r8..r15. */
struct hypervisor_registers {
    uint64_t gpr[16];
    uint64_t rip, rflags;
    uint64_t cr0, cr3, cr4;
    uint64_t efer, star, lstar;
    uint64_t idt_base, gdt_base;
    uint32_t idt_limit, gdt_limit;
    uint64_t fs_base, gs_base, shadow_gs;
};

/* What a domain with an ACCESS channel can be asked to tell of besides violations, and what `which` is then. */
enum hypervisor_monitor {
    MONITOR_CONTROL_REGISTER,     /* writes that change CR`which`: 0, 3 or 4; -EOPNOTSUPP: another one */
    MONITOR_MSR,                  /* writes to that MSR */
    MONITOR_BREAKPOINT,           /* INT3; 0 */
    MONITOR_REQUEST,              /* HVMOP_guest_request_vm_event, by programs as well as by the kernel; 0 */
};

struct hypervisor;
struct hypervisor_counts {        /* since the host was opened; for people who count what a page costs */
    uint64_t hypercalls;          /* a multicall counts as one */
    uint64_t operations;          /* of submit(), carried by them */
    uint64_t system_calls;        /* made by this room: ioctl, mmap, munmap, read, write */
};

struct hypervisor_ops {
    const char *name;

    void (*close)(struct hypervisor *hv);
    int  (*probe)(struct hypervisor *hv, struct hypervisor_info *out);

    /* -ESRCH: no such domain. */
    int  (*get_domain)(struct hypervisor *hv, uint16_t domid, struct domain_info *out);
    /* Domains with a number of at least first, in order; returns how many were filled in, 0 at the end. */
    int  (*list_domains)(struct hypervisor *hv, uint16_t first, struct domain_info *out, unsigned int max);
    int  (*pause_domain)(struct hypervisor *hv, uint16_t domid);
    int  (*unpause_domain)(struct hypervisor *hv, uint16_t domid);
    /* Stops it for good, as a crash of its own would: what becomes of it is the tool stack's business. */
    int  (*crash_domain)(struct hypervisor *hv, uint16_t domid);
    /*
     * A vCPU that waits for the answer to an ACCESS event takes a general protection fault when it goes on, in the place
     * of the instruction that it could not carry out.  -EBUSY: another exception is on its way to it; -EOPNOTSUPP: a PV
     * guest's.
     */
    int  (*inject_fault)(struct hypervisor *hv, uint16_t domid, uint32_t vcpu);
    /* The same for one that waits at an INT3 of so many bytes: the breakpoint that it would have taken.  Errors as above. */
    int  (*inject_breakpoint)(struct hypervisor *hv, uint16_t domid, uint32_t vcpu, uint32_t length);
    /*
     * Of a vCPU as it stands; one that runs is stopped for it and runs on.  -ENODATA: it is not up; -ENOENT: there is no
     * such one; -EINVAL: of a PV guest, or the domain is dying; -ESRCH.
     */
    int  (*get_registers)(struct hypervisor *hv, uint16_t domid, uint32_t vcpu, struct hypervisor_registers *out);
    /*
     * Begins or ends that events of the kind come over the domain's ACCESS channel, which its end ends, too: the vCPU
     * waits for the answer, before what it wanted has happened.  What is so already is no error.  -ENOENT, -ENXIO: there is no
     * such channel.
     */
    int  (*set_monitor)(struct hypervisor *hv, uint16_t domid, enum hypervisor_monitor what, uint32_t which, bool tell);

    /* One past the highest frame number that the domain has used. */
    int  (*get_frame_limit)(struct hypervisor *hv, uint16_t domid, uint64_t *out);
    /* States of count (at most HYPERVISOR_QUERY_MAX) frames from first on, a byte each: enum frame_state. */
    int  (*query_frames)(struct hypervisor *hv, uint16_t domid, uint64_t first, unsigned int count,
                         uint8_t *states);

    /*
     * Maps count (at most HYPERVISOR_MAP_MAX) frames of a domain one behind the other, to be read only; *out goes to
     * unmap_frames() with the same count.  errors[i] is 0 or the -errno of a frame that is not there, whose part of
     * the mapping must not be touched.  What is mapped cannot be nominated for anything.  A frame that is paged out is
     * brought in, and waited for: ask query_frames() first, and never map from the pager itself.
     * 0; -errno: nothing is mapped.
     */
    int  (*map_frames)(struct hypervisor *hv, uint16_t domid, const uint64_t *gfns, unsigned int count, int *errors,
                       const void **out);
    void (*unmap_frames)(struct hypervisor *hv, const void *mapping, unsigned int count);

    int  (*get_memory)(struct hypervisor *hv, struct memory_info *out);
    /*
     * Allows that pages of a domain are shared.  On failure *why (unless why is NULL) is a static sentence for people, or
     * NULL.  -ENOSYS: no MEM_SHARING; -EOPNOTSUPP: a stock hypervisor on AMD; -EPROTOTYPE: a PV guest; -ENODEV: no HAP;
     * -EXDEV: an IOMMU; -ESRCH.
     */
    int  (*enable_sharing)(struct hypervisor *hv, uint16_t domid, const char **why);
    /*
     * Lets the hypervisor check its books of sharing, which takes long; returns how many errors it found. -EOPNOTSUPP: it
     * keeps none, as one that was not built for debugging.
     */
    int  (*audit_sharing)(struct hypervisor *hv);

    /* Page-aligned memory that hypercalls can use without another copy; zeroed.  NULL: no memory. */
    void *(*alloc_buffer)(struct hypervisor *hv, unsigned int pages);
    void (*free_buffer)(struct hypervisor *hv, void *buffer, unsigned int pages);
    /*
     * The same for page-aligned memory of the caller's own, such as a shared mapping that is to outlive the process:
     * populates it and locks it into memory, so that it can be data of submit().  Linux may still move a locked page
     * from one frame to another, and an operation that meets this gets -EFAULT as its status, without effect: it
     * passes.  -ENOMEM, -EPERM, -EAGAIN: RLIMIT_MEMLOCK, or no memory.
     */
    int  (*lock_buffer)(struct hypervisor *hv, void *memory, unsigned int pages);
    void (*unlock_buffer)(struct hypervisor *hv, void *memory, unsigned int pages);

    /*
     * Carries out count (at most HYPERVISOR_BATCH_MAX) operations in order, each with its own status, in as few
     * crossings as the hypervisor allows: one, for any mixture, where there are channels; on a stock one about one for
     * each stretch of the same call and domain.  0; or -errno: the hypervisor was not reached.  Then operations that
     * were not carried out have that same status, and the others theirs; -EINVAL: a broken contract, nothing was
     * touched.
     */
    int  (*submit)(struct hypervisor *hv, struct hypervisor_operation *operations, unsigned int count);

    /*
     * Attaches as the one consumer of a domain's class (INVALIDATE: domid is MEMEVENT_HOST), by a channel if the
     * hypervisor has that class, else PAGING by upstream's ring.  why and the errors as in memevent_attach(); options
     * may be NULL.
     *
     * Of a channel: the first consumer creates it.  One that was left, by leave_ring() or because its consumer died,
     * takes the next: its indices begin again at 0, and what was not answered comes again, flagged
     * MEMEVENT_FLAG_AGAIN, under the ids it had.  The shared part of upstream's ring is initialised, and the page out
     * of the guest's reach.
     */
    int  (*attach_ring)(struct hypervisor *hv, enum memevent_class class, uint16_t domid,
                        const struct memevent_options *options, struct hypervisor_ring **out, const char **why);
    /*
     * Ends it: unmaps, unbinds, and frees the ring.  A channel that has unanswered requests, or pages out, is not
     * ended but left.  Upstream's ring always ends.  NULL is accepted, as in leave_ring().
     */
    void (*detach_ring)(struct hypervisor *hv, struct hypervisor_ring *ring);
    /* Unmaps, unbinds and frees, and the channel lives on for the next consumer.  Upstream's ring is ended. */
    void (*leave_ring)(struct hypervisor *hv, struct hypervisor_ring *ring);
    /* Lets the next signal make ring->fd readable; takes the one that did.  0, or 1 if one was taken. */
    int  (*arm_ring)(struct hypervisor *hv, struct hypervisor_ring *ring);
    int  (*notify_ring)(struct hypervisor *hv, struct hypervisor_ring *ring);
    /* The hypervisor's own counters, whoever is attached.  -ENOENT: no such channel; -ENOSYS: a stock hypervisor. */
    int  (*get_channel_info)(struct hypervisor *hv, enum memevent_class class, uint16_t domid,
                             struct memevent_channel_info *out);

    /* xenstore.  Paths are absolute or, for the tool stack's own, as xenstore defines them. */
    int  (*watch_fd)(struct hypervisor *hv);
    int  (*add_watch)(struct hypervisor *hv, const char *path, const char *token);
    int  (*remove_watch)(struct hypervisor *hv, const char *path, const char *token);
    /* 1: *path and *token are filled in (cut to their sizes); 0: none waits. */
    int  (*next_watch)(struct hypervisor *hv, char *path, size_t path_size, char *token, size_t token_size);
    /* The value, NUL-terminated, cut to size; returns its length before the cut.  -ENOENT. */
    int  (*read_key)(struct hypervisor *hv, const char *path, char *value, size_t size);
    int  (*write_key)(struct hypervisor *hv, const char *path, const char *value);
    int  (*remove_key)(struct hypervisor *hv, const char *path);

    void (*get_counts)(const struct hypervisor *hv, struct hypervisor_counts *out);
};

/* What every back end's own structure begins with. */
struct hypervisor {
    const struct hypervisor_ops *ops;
};

/* The real Xen that this process is dom0 of. */
int hypervisor_open_xen(struct hypervisor **out);
/* The same by upstream's interfaces alone, even if it has channels: to test and measure the way of a stock one. */
int hypervisor_open_stock(struct hypervisor **out);

#endif /* HYPERVISOR_HYPERVISOR_H */
