/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The one door to Xen.  A struct of operations with a written contract; the rest of the suite
 * knows these and nothing of libxenctrl.  xen-*.c implement them for the Xen host that the
 * process runs on.
 *
 * Contract of all operations: errors are -errno (the place where Xen's -1 plus errno is
 * translated); nothing is printed; sizes are in bytes and memory in pages of 4 KiB unless a name
 * says KiB.  One struct hypervisor is used by one thread at a time, except ring operations
 * on different rings, buffers that different threads hold, and submit(), which is thread-safe.
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

/* What this host can do, and in words what stands in the way. */
struct hypervisor_info {
    char version[64];             /* "4.17.5" */
    bool has_paging;              /* MEM_PAGING is built in */
    const char *paging_missing;   /* !has_paging: a sentence that says what to do; static */
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
    uint64_t pages_limit;         /* the most it may have */
    uint8_t  uuid[16];
};

enum frame_state {
    FRAME_RAM   = 1,              /* backed by memory of the domain */
    FRAME_EMPTY = 2,              /* no memory there now: never populated, or paged out */
};

/* One operation of a batch.  call is a tuple: family (31-24), call (23-16), zero, annotations (7-0). */
#define HYPERVISOR_CALL(family, call) (((uint32_t)(family) << 24) | ((uint32_t)(call) << 16))
enum hypervisor_call {
    /*
     * Asks whether the page can go, and marks it: from now on the first touch of it comes back as a
     * MEMEVENT_PAGING_TOUCHED event.  -EBUSY: not a page that can be paged, or in use (mapped, granted).
     */
    PAGING_NOMINATE = HYPERVISOR_CALL(0x02, 0x01),
    /*
     * Copies a nominated page's bytes to data and frees the page.  On success data holds exactly what
     * the guest last wrote.  -EBUSY: it was touched or mapped since it was nominated; data is undefined.
     */
    PAGING_EVICT    = HYPERVISOR_CALL(0x02, 0x02),
    /*
     * Gives a page back: from data if it was evicted; data may be NULL if it was only nominated.
     * The guest can use the page at once.  -ENOENT: the page is not out (dropped, or in already);
     * -ENOMEM: the host has no free page now; -EINVAL: it was evicted and data is NULL.
     */
    PAGING_LOAD     = HYPERVISOR_CALL(0x02, 0x03),
    /*
     * Takes a nomination back, by a touch on the guest's behalf: an event that is MEMEVENT_FLAG_FOREIGN follows,
     * if the channel has room for it; if none does, ask again.  -ENOENT: the page is not nominated.
     */
    PAGING_RELEASE  = HYPERVISOR_CALL(0x02, 0x04),
};

struct hypervisor_operation {
    uint32_t call;                /* enum hypervisor_call */
    uint16_t domid;
    uint16_t pad;                 /* must be zero */
    int32_t  status;              /* out: 0 or -errno of this one */
    uint32_t pad2;                /* must be zero */
    uint64_t gfn;
    void    *data;                /* EVICT, LOAD: one page of alloc_buffer() or lock_buffer(), page-aligned */
};

/* A shared ring and its event channel, as a stock hypervisor offers it.  Fields are for lib/memevent. */
struct hypervisor_ring {
    void  *page;                  /* shared with the hypervisor, read and write */
    size_t size;
    int    fd;                    /* readable when the channel was signalled while armed */
};

struct hypervisor;
struct hypervisor_counts {        /* since the host was opened; for people who count what a page costs */
    uint64_t hypercalls;          /* a multicall counts as one */
    uint64_t operations;          /* paging operations carried by them */
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

    /* One past the highest frame number that the domain has used. */
    int  (*get_frame_limit)(struct hypervisor *hv, uint16_t domid, uint64_t *out);
    /* States of count (at most HYPERVISOR_QUERY_MAX) frames from first on, a byte each: enum frame_state. */
    int  (*query_frames)(struct hypervisor *hv, uint16_t domid, uint64_t first, unsigned int count,
                         uint8_t *states);

    /* Page-aligned memory that hypercalls can use without another copy; zeroed.  NULL: no memory. */
    void *(*alloc_buffer)(struct hypervisor *hv, unsigned int pages);
    void (*free_buffer)(struct hypervisor *hv, void *buffer, unsigned int pages);
    /*
     * The same for page-aligned memory of the caller's own, such as a shared mapping that is to outlive the process:
     * populates it and locks it into memory, so that it can be data of submit().  Linux may still move a locked page from
     * one frame to another, and an operation that meets this gets -EFAULT as its status, without effect: it passes.
     * -ENOMEM, -EPERM, -EAGAIN: RLIMIT_MEMLOCK, or no memory.
     */
    int  (*lock_buffer)(struct hypervisor *hv, void *memory, unsigned int pages);
    void (*unlock_buffer)(struct hypervisor *hv, void *memory, unsigned int pages);

    /*
     * Carries out count (at most HYPERVISOR_BATCH_MAX) operations of one domain and one call, in order, in as few
     * crossings as the hypervisor allows; each gets its own status.  0, or -errno when nothing was carried out.
     */
    int  (*submit)(struct hypervisor *hv, struct hypervisor_operation *operations, unsigned int count);

    /*
     * Rings: see lib/memevent.  why as in memevent_attach().  The shared part of the ring is initialised,
     * and the page out of the guest's reach.
     */
    int  (*attach_ring)(struct hypervisor *hv, enum memevent_class class, uint16_t domid,
                        struct hypervisor_ring **out, const char **why);
    void (*detach_ring)(struct hypervisor *hv, struct hypervisor_ring *ring);
    /* Lets the next signal make ring->fd readable; takes the one that did.  0, or 1 if one was taken. */
    int  (*arm_ring)(struct hypervisor *hv, struct hypervisor_ring *ring);
    int  (*notify_ring)(struct hypervisor *hv, struct hypervisor_ring *ring);

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

#endif /* HYPERVISOR_HYPERVISOR_H */
