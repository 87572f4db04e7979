/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Sharing on a stock hypervisor, where nothing compares: a merge is made of nominations, two mappings, a comparison and
 * upstream's operation, each for a whole stretch at once.  Also who may share, and the audit, on any Xen.  A
 * hypervisor with channels compares itself: xen-operations.c.
 *
 * A handle is given out once, and a write takes it away.  So what upstream's operation finds under both handles has not
 * changed since the nominations, and the comparison was made after them.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include <memevent/operations.h>

#include "xen-host.h"

/* Xen's public headers name the integer types without declaring them: they come last. */
#include <xen/memory.h>
#include <xen/xen.h>

/* A stretch has two pages an operation. */
#define SHARING_ENTRIES (2 * HYPERVISOR_BATCH_MAX)
#define SHARING_PAGES \
    ((SHARING_ENTRIES * sizeof(xen_mem_sharing_op_t) + HYPERVISOR_PAGE_SIZE - 1) / HYPERVISOR_PAGE_SIZE)

const char xen_sharing_missing[] =
    "this hypervisor was built without MEM_SHARING: rebuild Xen with CONFIG_EXPERT=y, CONFIG_UNSUPPORTED=y and "
    "CONFIG_MEM_SHARING=y, or boot the one that tests/system/xenhost builds";

int xen_sharing_open(struct xen_host *host)
{
    host->sharing = xencall_alloc_buffer_pages(host->call, SHARING_PAGES);

    return host->sharing ? 0 : -ENOMEM;
}

void xen_sharing_close(struct xen_host *host)
{
    if ( host->sharing )
        xencall_free_buffer_pages(host->call, host->sharing, SHARING_PAGES);
    host->sharing = NULL;
}

/* As xen_batch_has_paging(). */
bool xen_sharing_is_there(struct xen_host *host)
{
    int rc;

    pthread_mutex_lock(&host->batch_lock);
    memset(&host->sharing[0], 0, sizeof(host->sharing[0]));
    host->sharing[0].op = XENMEM_sharing_op_nominate_gfn;
    host->sharing[0].domain = DOMID_INVALID;
    rc = xencall2(host->call, __HYPERVISOR_memory_op, XENMEM_sharing_op, (uintptr_t)&host->sharing[0]);
    rc = rc < 0 ? -errno : rc;
    pthread_mutex_unlock(&host->batch_lock);

    return rc != -ENOSYS && rc != -EOPNOTSUPP;
}

int xen_enable_sharing(struct hypervisor *hv, uint16_t domid, const char **why)
{
    struct xen_host *host = xen_host_of(hv);
    struct domain_info domain;
    const char *unused = NULL;
    int rc = xen_get_domain(hv, domid, &domain);

    why = why ? why : &unused;
    *why = NULL;
    if ( rc )
        return rc;
    if ( domain.is_dying )
        return -ESRCH;
    if ( !domain.is_hvm )
    {
        *why = "pages of a PV guest cannot be shared, because it manages its own page tables: "
               "make it a PVH or HVM guest (type=\"pvh\")";
        return -EPROTOTYPE;
    }
    if ( !xen_sharing_is_there(host) )
    {
        *why = xen_sharing_missing;
        return -ENOSYS;
    }
    if ( !xc_memshr_control(host->xc, domid, 1) )
        return 0;
    rc = -errno;
    if ( rc == -ENODEV )
        *why = "sharing needs hardware-assisted paging (HAP), which this domain does not have: "
               "set hap=1 in its configuration, on a CPU with nested paging";
    else if ( rc == -EXDEV )
        *why = "pages are not shared while the domain has an IOMMU context, because devices would write to them: "
               "remove its passed-through devices and passthrough= from its configuration";
    else if ( rc == -EOPNOTSUPP )
        *why = "a stock Xen shares pages on Intel's processors only: "
               "boot one with the patches of hypervisor-patches, which does so on AMD's";

    return rc;
}

int xen_audit_sharing(struct hypervisor *hv)
{
    int rc = xc_memshr_audit(xen_host_of(hv)->xc);

    return rc < 0 ? -errno : rc;
}

/* ---- upstream's operations, many at a time ---- */

static int nominate_status(int64_t result)
{
    /* Upstream's words for: somebody holds the page. */
    return result == -E2BIG || result == -EEXIST ? -EBUSY : result;
}

/* Sends count of host->sharing from first on; their results are in host->multicall.  batch_lock is held. */
static int send(struct xen_host *host, unsigned int first, unsigned int count)
{
    if ( !count )
        return 0;
    for ( unsigned int i = 0; i < count; i++ )
        host->multicall[i] = (struct multicall_entry){
            .op   = __HYPERVISOR_memory_op,
            .args = { XENMEM_sharing_op, (uintptr_t)&host->sharing[first + i] },
        };
    xen_count(&host->counts.hypercalls, 1);
    xen_count(&host->counts.system_calls, 1);
    xen_count(&host->counts.operations, count);

    return xencall2(host->call, __HYPERVISOR_multicall, (uintptr_t)host->multicall, count) < 0 ? -errno : 0;
}

static void write_frame(xen_mem_sharing_op_t *op, uint8_t what, uint16_t domid, uint64_t gfn)
{
    memset(op, 0, sizeof(*op));
    op->op = what;
    op->domain = domid;
    if ( what == XENMEM_sharing_op_nominate_gfn )
        op->u.nominate.u.gfn = gfn;
    else
        op->u.debug.u.gfn = gfn;
}

static int nominate(struct xen_host *host, struct hypervisor_operation *operations, unsigned int count)
{
    int rc;

    pthread_mutex_lock(&host->batch_lock);
    for ( unsigned int i = 0; i < count; i++ )
        write_frame(&host->sharing[i], XENMEM_sharing_op_nominate_gfn, operations[i].domid, operations[i].gfn);
    rc = send(host, 0, count);
    for ( unsigned int i = 0; i < count && !rc; i++ )
    {
        operations[i].status = nominate_status((int64_t)host->multicall[i].result);
        operations[i].sharing.handle = operations[i].status ? 0 : host->sharing[i].u.nominate.handle;
    }
    pthread_mutex_unlock(&host->batch_lock);

    return rc;
}

/* A frame, and how many frames share its page; -errno: it is not shared. */
struct sharer {
    uint64_t gfn;
    int frames;
};

static int count_sharers(struct xen_host *host, uint16_t domid, struct sharer *sharers, unsigned int count)
{
    int rc;

    pthread_mutex_lock(&host->batch_lock);
    for ( unsigned int i = 0; i < count; i++ )
        write_frame(&host->sharing[i], XENMEM_sharing_op_debug_gfn, domid, sharers[i].gfn);
    rc = send(host, 0, count);
    for ( unsigned int i = 0; i < count && !rc; i++ )
        sharers[i].frames = (int64_t)host->multicall[i].result;
    pthread_mutex_unlock(&host->batch_lock);

    return rc;
}

/* A mapping that may be written to takes each page out of sharing. */
static int map_to_write(struct xen_host *host, uint16_t domid, const xen_pfn_t *gfns, unsigned int count, int *errors)
{
    void *mapping;

    if ( !count )
        return 0;
    xen_count(&host->counts.hypercalls, 1);
    xen_count(&host->counts.system_calls, 3);
    mapping = xenforeignmemory_map(host->memory, domid, PROT_READ | PROT_WRITE, count, gfns, errors);
    if ( !mapping )
        return errno ? -errno : -EIO;
    xenforeignmemory_unmap(host->memory, mapping, count);

    return 0;
}

/* Of one domain. */
static int unshare_frames(struct xen_host *host, struct hypervisor_operation *operations, unsigned int count)
{
    struct sharer sharers[HYPERVISOR_BATCH_MAX];
    xen_pfn_t gfns[HYPERVISOR_BATCH_MAX];
    unsigned int which[HYPERVISOR_BATCH_MAX], n = 0;
    int errors[HYPERVISOR_BATCH_MAX];
    int rc;

    for ( unsigned int i = 0; i < count; i++ )
        sharers[i].gfn = operations[i].gfn;
    rc = count_sharers(host, operations[0].domid, sharers, count);
    if ( rc )
        return rc;
    for ( unsigned int i = 0; i < count; i++ )
    {
        operations[i].status = sharers[i].frames == -EINVAL ? -ENOENT : sharers[i].frames < 0 ? sharers[i].frames : 0;
        if ( operations[i].status )
            continue;
        which[n] = i;
        gfns[n++] = operations[i].gfn;
    }
    rc = map_to_write(host, operations[0].domid, gfns, n, errors);
    for ( unsigned int i = 0; i < n; i++ )
        /* It was there to be mapped: what it lacked is a page for the copy. */
        operations[which[i]].status = rc ? rc : errors[i] ? -ENOMEM : 0;

    return 0;
}

/* ---- merging ---- */

struct pair {
    uint64_t source, client;      /* handles; 0: not nominated */
};

static void set_outcome(struct hypervisor_operation *operation, int status, uint32_t outcome)
{
    operation->status = status;
    operation->sharing.outcome = outcome;
}

/* Both pages of each.  What could not be has a status. */
static int nominate_pairs(struct xen_host *host, struct hypervisor_operation *operations, struct pair *pairs,
                          unsigned int count)
{
    int rc = 0;

    pthread_mutex_lock(&host->batch_lock);
    for ( unsigned int side = 0; side < 2 && !rc; side++ )
    {
        for ( unsigned int i = 0; i < count; i++ )
            write_frame(&host->sharing[i], XENMEM_sharing_op_nominate_gfn,
                        side ? operations[i].sharing.client_domid : operations[i].domid,
                        side ? operations[i].sharing.client_gfn : operations[i].gfn);
        rc = send(host, 0, count);
        for ( unsigned int i = 0; i < count && !rc; i++ )
        {
            int status = nominate_status((int64_t)host->multicall[i].result);

            if ( !status )
                *(side ? &pairs[i].client : &pairs[i].source) = host->sharing[i].u.nominate.handle;
            else if ( !operations[i].status )
                set_outcome(&operations[i], status, side ? MEMEVENT_CLIENT : MEMEVENT_SOURCE);
        }
    }
    pthread_mutex_unlock(&host->batch_lock);

    return rc;
}

/* Their frames of the two domains, or those that are left of them, are mapped and compared. */
static int compare(struct xen_host *host, struct hypervisor_operation *operations, struct pair *pairs,
                   unsigned int count)
{
    uint64_t gfns[2][HYPERVISOR_BATCH_MAX];
    int errors[2][HYPERVISOR_BATCH_MAX];
    unsigned int which[HYPERVISOR_BATCH_MAX], n = 0;
    const char *one = NULL, *other = NULL;
    int rc;

    for ( unsigned int i = 0; i < count; i++ )
    {
        if ( operations[i].status )
            continue;
        if ( pairs[i].source == pairs[i].client )
        {
            set_outcome(&operations[i], 0, MEMEVENT_ALREADY);
            continue;
        }
        which[n] = i;
        gfns[0][n] = operations[i].gfn;
        gfns[1][n++] = operations[i].sharing.client_gfn;
    }
    if ( !n )
        return 0;
    rc = xen_map_frames(&host->hv, operations[0].domid, gfns[0], n, errors[0], (const void **)&one);
    if ( !rc )
        rc = xen_map_frames(&host->hv, operations[0].sharing.client_domid, gfns[1], n, errors[1],
                            (const void **)&other);
    for ( unsigned int i = 0; i < n && !rc; i++ )
    {
        struct hypervisor_operation *operation = &operations[which[i]];
        size_t offset = (size_t)i * HYPERVISOR_PAGE_SIZE;

        if ( errors[0][i] || errors[1][i] )
            set_outcome(operation, -EAGAIN, errors[0][i] ? MEMEVENT_SOURCE : MEMEVENT_CLIENT);
        else if ( memcmp(one + offset, other + offset, HYPERVISOR_PAGE_SIZE) )
            set_outcome(operation, -EILSEQ, MEMEVENT_DIFFERENT);
    }
    xen_unmap_frames(&host->hv, other, n);
    xen_unmap_frames(&host->hv, one, n);

    return rc;
}

static int share(struct xen_host *host, struct hypervisor_operation *operations, const struct pair *pairs,
                 unsigned int count)
{
    unsigned int which[HYPERVISOR_BATCH_MAX], n = 0;
    int rc;

    pthread_mutex_lock(&host->batch_lock);
    for ( unsigned int i = 0; i < count; i++ )
    {
        xen_mem_sharing_op_t *op = &host->sharing[n];

        if ( operations[i].status || operations[i].sharing.outcome == MEMEVENT_ALREADY )
            continue;
        memset(op, 0, sizeof(*op));
        op->op = XENMEM_sharing_op_share;
        op->domain = operations[i].domid;
        op->u.share.source_gfn = operations[i].gfn;
        op->u.share.source_handle = pairs[i].source;
        op->u.share.client_gfn = operations[i].sharing.client_gfn;
        op->u.share.client_handle = pairs[i].client;
        op->u.share.client_domain = operations[i].sharing.client_domid;
        which[n++] = i;
    }
    rc = send(host, 0, n);
    for ( unsigned int i = 0; i < n && !rc; i++ )
    {
        int64_t result = (int64_t)host->multicall[i].result;

        if ( result == XENMEM_SHARING_OP_S_HANDLE_INVALID || result == XENMEM_SHARING_OP_C_HANDLE_INVALID )
            set_outcome(&operations[which[i]], -EAGAIN, MEMEVENT_STALE);
        else
            set_outcome(&operations[which[i]], result, result ? 0 : MEMEVENT_MERGED);
    }
    pthread_mutex_unlock(&host->batch_lock);

    return rc;
}

/*
 * Pages that were nominated for nothing are given back; those of one side, in one domain.  One that others have as well
 * was shared before.
 */
static void undo(struct xen_host *host, uint16_t domid, const uint64_t *frames, unsigned int count)
{
    struct sharer sharers[HYPERVISOR_BATCH_MAX];
    xen_pfn_t gfns[HYPERVISOR_BATCH_MAX];
    int errors[HYPERVISOR_BATCH_MAX];
    unsigned int n = 0;

    for ( unsigned int i = 0; i < count; i++ )
        sharers[i].gfn = frames[i];
    if ( !count || count_sharers(host, domid, sharers, count) )
        return;
    for ( unsigned int i = 0; i < count; i++ )
        if ( sharers[i].frames == 1 )
            gfns[n++] = frames[i];
    /* What is not given back now is at its next write. */
    (void)map_to_write(host, domid, gfns, n, errors);
}

static void undo_failed(struct xen_host *host, const struct hypervisor_operation *operations,
                        const struct pair *pairs, unsigned int count)
{
    uint64_t frames[HYPERVISOR_BATCH_MAX];

    for ( unsigned int side = 0; side < 2; side++ )
    {
        unsigned int n = 0;

        for ( unsigned int i = 0; i < count; i++ )
            if ( operations[i].status && (side ? pairs[i].client : pairs[i].source) )
                frames[n++] = side ? operations[i].sharing.client_gfn : operations[i].gfn;
        undo(host, side ? operations[0].sharing.client_domid : operations[0].domid, frames, n);
    }
}

/* All of the same two domains. */
static int merge(struct xen_host *host, struct hypervisor_operation *operations, unsigned int count)
{
    struct pair pairs[HYPERVISOR_BATCH_MAX] = { 0 };
    int rc;

    for ( unsigned int i = 0; i < count; i++ )
        operations[i].sharing.outcome = 0;
    rc = nominate_pairs(host, operations, pairs, count);
    if ( !rc )
        rc = compare(host, operations, pairs, count);
    if ( !rc )
        rc = share(host, operations, pairs, count);
    for ( unsigned int i = 0; i < count; i++ )
    {
        if ( rc )
            set_outcome(&operations[i], rc, 0);
        operations[i].sharing.handle = operations[i].status ? 0 : pairs[i].source;
    }
    undo_failed(host, operations, pairs, count);

    return rc;
}

int xen_sharing_carry_out(struct xen_host *host, struct hypervisor_operation *operations, unsigned int count)
{
    switch ( operations[0].call )
    {
    case SHARING_NOMINATE:
        return nominate(host, operations, count);
    case SHARING_MERGE:
        return merge(host, operations, count);
    default:
        return unshare_frames(host, operations, count);
    }
}
