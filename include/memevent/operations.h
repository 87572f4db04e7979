/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Operations on the memory of domains, in batches: what a consumer of <memevent/memevent.h> does about its events.
 *
 * Each is a tuple of family and call with arguments and a status of its own.  One that is annotated
 * MEMEVENT_MAY_QUEUE may wait in a buffer of the calling thread until a flush, so that many cross into the
 * hypervisor together: as one batch where it has that, else as a multicall.  The idea of such tuples and
 * annotations is that of the VMI proposal for Xen.
 *
 * Errors are -errno; nothing is allocated.
 */
#ifndef MEMEVENT_OPERATIONS_H
#define MEMEVENT_OPERATIONS_H

#include <memevent/memevent.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 *  31        24 23        16 15         8 7          0
 * +------------+------------+------------+------------+
 * |   family   |    call    |    zero    | annotation |
 * +------------+------------+------------+------------+
 *
 * Statuses that any can have: -ESRCH, no such domain; -EPERM; -ENOSYS, this hypervisor does not have it.
 */
enum memevent_call {
    /* Marks a page as about to go.  -EBUSY: it cannot be paged, or somebody holds it (mapped, granted). */
    MEMEVENT_PAGING_NOMINATE  = 0x02010000,
    /*
     * Takes a marked page away; data gets exactly what the guest last wrote, or is undefined after a failure.
     * -EAGAIN: it is not marked (any more).  -EBUSY: somebody holds it, or, where memevent_reports_touches(), used it.
     * -EFAULT: data was not to be reached just now, and the mark may be gone.
     */
    MEMEVENT_PAGING_EVICT     = 0x02020000,
    /*
     * Gives a page back that is out, with data's bytes; without data (NULL) takes the mark of one that is marked.
     * -ENOENT: it is neither.  -ENOMEM: there is no page for it now.  -EINVAL: it is out and data is NULL.
     * -EFAULT: data was not to be reached just now; the page is still out.
     */
    MEMEVENT_PAGING_LOAD      = 0x02030000,
    /*
     * Takes the mark.  -ENOENT: there is none.  Where memevent_reports_touches() it goes with the event
     * MEMEVENT_PAGING_TOUCHED that follows, if there is room for it; if none comes, ask again.
     */
    MEMEVENT_PAGING_RELEASE   = 0x02040000,
    /* 0: the page is out; -EAGAIN: it is marked; -ENOENT: neither.  -ENOSYS where memevent_reports_touches(). */
    MEMEVENT_PAGING_QUERY     = 0x02050000,

    /*
     * Makes a page sharable: read-only, until somebody writes.  handle comes out.  -EBUSY: somebody holds it (mapped,
     * granted).  -EINVAL: there is no page, or it is of a kind that cannot be shared.  Of all of this family: -ENODEV,
     * the domain has no HAP; -EXDEV, it has an IOMMU; -EOPNOTSUPP, it is a PV guest, or this is a stock hypervisor on AMD.
     */
    MEMEVENT_SHARING_NOMINATE = 0x03010000,
    /*
     * Nominates gfn's page and the client's, compares all their bytes in that state, and lets the client's become the
     * other if they are equal.  outcome comes out, and with a status of 0 handle.  -EILSEQ: the bytes differ.
     * On a stock hypervisor the comparison is made here, and a page that third domains share must not be the client.
     */
    MEMEVENT_SHARING_MERGE    = 0x03020000,
    /* Gives the domain a page of its own again.  -ENOMEM: there is none.  -ENOENT: the page is not shared. */
    MEMEVENT_SHARING_UNSHARE  = 0x03030000,

    /* Sets the access of count frames from gfn on.  done comes out.  -EINVAL: this host cannot say it. */
    MEMEVENT_ACCESS_SET       = 0x04010000,
};

/* The caller can wait for the status until a flush. */
#define MEMEVENT_MAY_QUEUE 0x01u

enum memevent_outcome {
    MEMEVENT_MERGED      = 1,     /* the client's page is freed */
    MEMEVENT_ALREADY     = 2,     /* both frames were the same page before */
    MEMEVENT_DIFFERENT   = 3,     /* the bytes differ; neither page has changed */
    MEMEVENT_SOURCE      = 4,     /* status is about gfn's page */
    MEMEVENT_CLIENT      = 5,     /* status is about the client's */
    MEMEVENT_STALE       = 6,     /* -EAGAIN: one of them was unshared meanwhile */
};

struct memevent_operation {
    uint32_t call;                /* enum memevent_call, with annotations */
    uint16_t domid;
    uint16_t pad;                 /* must be zero */
    int32_t  status;              /* out: 0 or -errno; -EINPROGRESS while it waits for a flush */
    uint32_t pad2;                /* must be zero */
    uint64_t gfn;
    void    *data;                /* EVICT, LOAD: a page of memevent_alloc_buffer(), aligned; else NULL */
    union {                       /* zero for the paging family */
        struct memevent_sharing {
            uint64_t client_gfn;  /* MERGE, as the next one */
            uint16_t client_domid;
            uint16_t pad;
            uint32_t outcome;     /* out, MERGE: enum memevent_outcome */
            uint64_t handle;      /* out, NOMINATE and MERGE: the shared page's */
        } sharing;
        struct memevent_access {
            uint32_t count;       /* frames */
            uint32_t access;      /* XENMEM_access_* of Xen's */
            uint32_t done;        /* out: frames that were set */
            uint32_t pad;
        } access;
    };
};

/* Operations that wait at most, a thread; one more sends them. */
#define MEMEVENT_QUEUE_MAX 64u

/*
 * Carries out count operations in order, each with its own status; any number, any mixture.  If all of them are
 * annotated MEMEVENT_MAY_QUEUE they may wait: their status is -EINPROGRESS then, and they, and their data, must stay
 * where they are until it is not.  Otherwise all are carried out on return, and those that waited in this thread
 * before them.
 * 0, whatever their status; or the first error for which the hypervisor was not reached, which is the status of what
 * was not carried out then. -EINVAL: the same is the status of operations whose fields contradict each other; the
 * others were carried out.
 *
 * From any thread; what waits belongs to the thread, and to one host: for another's operations it is sent first.
 */
int memevent_submit(struct hypervisor *host, struct memevent_operation *operations, unsigned int count);

/*
 * Carries out what waits in this thread: before it needs a status, sleeps, ends, or closes the host.  As
 * memevent_submit().
 */
int memevent_flush_operations(void);

/* Page-aligned memory that operations can use, zeroed.  NULL: no memory. */
void *memevent_alloc_buffer(struct hypervisor *host, unsigned int pages);
void memevent_free_buffer(struct hypervisor *host, void *buffer, unsigned int pages);   /* NULL is accepted */

#ifdef __cplusplus
}
#endif

#endif /* MEMEVENT_OPERATIONS_H */
