/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Batches of operations: what the caller brings is checked here, and for a stock hypervisor they are carried
 * out here, by its multicall: one crossing for many pages.  An eviction with copy, which stock Xen does not have, is
 * made of a mapping, a copy and the eviction proper.  A hypervisor with channels has batches: xen-operations.c.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "xen-host.h"

/* Xen's public headers name the integer types without declaring them: they come last. */
#include <xen/memory.h>
#include <xen/xen.h>

/* The argument pages: contiguous, and resident whenever the hypervisor reads them. */
#define MULTICALL_PAGES \
    ((HYPERVISOR_BATCH_MAX * sizeof(struct multicall_entry) + HYPERVISOR_PAGE_SIZE - 1) / HYPERVISOR_PAGE_SIZE)
#define PAGING_PAGES \
    ((HYPERVISOR_BATCH_MAX * sizeof(xen_mem_paging_op_t) + HYPERVISOR_PAGE_SIZE - 1) / HYPERVISOR_PAGE_SIZE)
#define FRAMES_PAGES \
    ((HYPERVISOR_QUERY_MAX * sizeof(xen_pfn_t) + HYPERVISOR_PAGE_SIZE - 1) / HYPERVISOR_PAGE_SIZE)

int xen_batch_open(struct xen_host *host)
{
    host->multicall = xencall_alloc_buffer_pages(host->call, MULTICALL_PAGES);
    if ( !host->multicall )
        return -ENOMEM;
    host->paging = xencall_alloc_buffer_pages(host->call, PAGING_PAGES);
    if ( !host->paging )
        return -ENOMEM;
    host->frames = xencall_alloc_buffer_pages(host->call, FRAMES_PAGES);
    return host->frames ? 0 : -ENOMEM;
}

void xen_batch_close(struct xen_host *host)
{
    if ( host->frames )
        xencall_free_buffer_pages(host->call, host->frames, FRAMES_PAGES);
    if ( host->paging )
        xencall_free_buffer_pages(host->call, host->paging, PAGING_PAGES);
    if ( host->multicall )
        xencall_free_buffer_pages(host->call, host->multicall, MULTICALL_PAGES);
    host->frames = NULL;
    host->paging = NULL;
    host->multicall = NULL;
}

void *xen_alloc_buffer(struct hypervisor *hv, unsigned int pages)
{
    void *buffer = xencall_alloc_buffer_pages(xen_host_of(hv)->call, pages);

    if ( buffer )
        memset(buffer, 0, (size_t)pages * HYPERVISOR_PAGE_SIZE);
    return buffer;
}

void xen_free_buffer(struct hypervisor *hv, void *buffer, unsigned int pages)
{
    if ( buffer )
        xencall_free_buffer_pages(xen_host_of(hv)->call, buffer, pages);
}

int xen_lock_buffer(struct hypervisor *hv, void *memory, unsigned int pages)
{
    (void)hv;
    /* Populates it as well, for writing where the mapping permits that. */
    return mlock(memory, (size_t)pages * HYPERVISOR_PAGE_SIZE) ? -errno : 0;
}

void xen_unlock_buffer(struct hypervisor *hv, void *memory, unsigned int pages)
{
    (void)hv;
    if ( memory )
        munlock(memory, (size_t)pages * HYPERVISOR_PAGE_SIZE);
}

/*
 * Is the operation there at all?  A domain that cannot exist is named, so that the answer is
 * "no such domain" where paging is built in, and "no such call" where it is not.
 */
bool xen_batch_has_paging(struct xen_host *host)
{
    int rc;

    pthread_mutex_lock(&host->batch_lock);
    host->paging[0] = (xen_mem_paging_op_t){
        .op     = XENMEM_paging_op_nominate,
        .domain = DOMID_INVALID,
    };
    rc = xencall2(host->call, __HYPERVISOR_memory_op, XENMEM_paging_op, (uintptr_t)&host->paging[0]);
    rc = rc < 0 ? -errno : rc;
    pthread_mutex_unlock(&host->batch_lock);
    return rc != -ENOSYS && rc != -EOPNOTSUPP;
}

static uint8_t stock_operation(uint32_t call)
{
    switch ( call )
    {
    case PAGING_NOMINATE: return XENMEM_paging_op_nominate;
    case PAGING_EVICT:    return XENMEM_paging_op_evict;
    default:              return XENMEM_paging_op_prep;
    }
}

/* Sends those of the operations whose status is 0, and sets it.  Called with batch_lock held. */
static int carry_out(struct xen_host *host, struct hypervisor_operation *operations, unsigned int count)
{
    unsigned int sent = 0;

    for ( unsigned int i = 0; i < count; i++ )
    {
        xen_mem_paging_op_t *paging = &host->paging[sent];

        if ( operations[i].status )
            continue;
        memset(paging, 0, sizeof(*paging));
        paging->op = stock_operation(operations[i].call);
        paging->domain = operations[i].domid;
        paging->gfn = operations[i].gfn;
        if ( operations[i].call == PAGING_LOAD )
            set_xen_guest_handle_raw(paging->buffer, operations[i].data);
        host->multicall[sent] = (struct multicall_entry){
            .op   = __HYPERVISOR_memory_op,
            .args = { XENMEM_paging_op, (uintptr_t)paging },
        };
        sent++;
    }
    if ( !sent )
        return 0;

    xen_count(&host->counts.hypercalls, 1);
    xen_count(&host->counts.system_calls, 1);
    xen_count(&host->counts.operations, sent);
    if ( sent == 1 )
    {
        /* A page that somebody waits for usually comes alone: no multicall around it. */
        int rc = xencall2(host->call, __HYPERVISOR_memory_op, XENMEM_paging_op, (uintptr_t)host->paging);

        host->multicall[0].result = rc < 0 ? -errno : rc;
    }
    else if ( xencall2(host->call, __HYPERVISOR_multicall, (uintptr_t)host->multicall, sent) < 0 )
        return -errno;

    sent = 0;
    for ( unsigned int i = 0; i < count; i++ )
        if ( !operations[i].status )
            operations[i].status = (int64_t)host->multicall[sent++].result;
    return 0;
}

/*
 * Copies the pages out.  They are nominated, so a guest that writes one makes its eviction fail;
 * the mapping itself would too, so it is gone before the evictions are sent.
 */
static int copy_out(struct xen_host *host, struct hypervisor_operation *operations, unsigned int count)
{
    xen_pfn_t gfns[HYPERVISOR_BATCH_MAX];
    int errors[HYPERVISOR_BATCH_MAX];
    char *mapping;

    for ( unsigned int i = 0; i < count; i++ )
        gfns[i] = operations[i].gfn;

    xen_count(&host->counts.hypercalls, 1);
    xen_count(&host->counts.system_calls, 3);
    mapping = xenforeignmemory_map(host->memory, operations[0].domid, PROT_READ, count, gfns, errors);
    if ( !mapping )
        return -errno;
    for ( unsigned int i = 0; i < count; i++ )
    {
        if ( errors[i] )
            operations[i].status = -EBUSY;
        else
            memcpy(operations[i].data, mapping + (size_t)i * HYPERVISOR_PAGE_SIZE, HYPERVISOR_PAGE_SIZE);
    }
    xenforeignmemory_unmap(host->memory, mapping, count);
    return 0;
}

/*
 * Setting a page's type to what it should be again makes Xen notice that it is on its way out, and treat that as
 * a touch by dom0: the one call of a tool stack's that does so for a page that is only nominated.
 */
static int touch(struct xen_host *host, struct hypervisor_operation *operations, unsigned int count)
{
    for ( unsigned int i = 0; i < count; i++ )
    {
        xen_count(&host->counts.hypercalls, 1);
        xen_count(&host->counts.system_calls, 1);
        if ( !xendevicemodel_set_mem_type(host->model, operations[i].domid, HVMMEM_ram_rw, operations[i].gfn, 1) )
            operations[i].status = -ENOENT;
        else if ( errno == EINVAL )
            operations[i].status = -ENOENT;     /* there is no page: the guest gave it up */
        else
            operations[i].status = errno == EAGAIN ? 0 : -errno;
    }
    return 0;
}

/*
 * Operations that go together: evictions and merges need mappings of their domains first, releases are no memory
 * operations.
 */
static unsigned int stretch(const struct hypervisor_operation *operations, unsigned int count)
{
    const struct hypervisor_operation *first = &operations[0];
    unsigned int n = 1;

    if ( first->call == PAGING_NOMINATE || first->call == PAGING_LOAD )
        while ( n < count && (operations[n].call == PAGING_NOMINATE || operations[n].call == PAGING_LOAD) )
            n++;
    else
        while ( n < count && operations[n].call == first->call && operations[n].domid == first->domid &&
                (first->call != SHARING_MERGE ||
                 operations[n].sharing.client_domid == first->sharing.client_domid) )
            n++;
    return n;
}

/* On a stock hypervisor, one stretch. */
static int carry_out_stretch(struct xen_host *host, struct hypervisor_operation *operations, unsigned int count)
{
    int rc = 0;

    switch ( operations[0].call )
    {
    case PAGING_NOMINATE:
    case PAGING_LOAD:
        break;
    case PAGING_EVICT:
        rc = copy_out(host, operations, count);
        if ( rc )
            return rc;
        break;
    case PAGING_RELEASE:
        return touch(host, operations, count);
    case SHARING_NOMINATE:
    case SHARING_MERGE:
    case SHARING_UNSHARE:
        return xen_sharing_carry_out(host, operations, count);
    case ACCESS_SET:
        return xen_access_carry_out(host, operations, count);
    default:
        for ( unsigned int i = 0; i < count; i++ )
            operations[i].status = -ENOSYS;
        return 0;
    }

    pthread_mutex_lock(&host->batch_lock);
    rc = carry_out(host, operations, count);
    pthread_mutex_unlock(&host->batch_lock);
    return rc;
}

static bool is_zero(const void *octets, size_t size)
{
    const unsigned char *p = octets;

    while ( size && !p[size - 1] )
        size--;
    return !size;
}

/* Does it keep the contract? */
static bool is_sane(const struct hypervisor_operation *op)
{
    if ( op->pad || op->pad2 || ((uintptr_t)op->data & (HYPERVISOR_PAGE_SIZE - 1)) )
        return false;
    switch ( op->call )
    {
    case PAGING_EVICT:
        return op->data && is_zero(&op->sharing, sizeof(op->sharing));
    case PAGING_LOAD:
        return is_zero(&op->sharing, sizeof(op->sharing));
    case PAGING_NOMINATE:
    case PAGING_RELEASE:
    case PAGING_QUERY:
        return !op->data && is_zero(&op->sharing, sizeof(op->sharing));
    case SHARING_NOMINATE:
    case SHARING_MERGE:
    case SHARING_UNSHARE:
        return !op->data && !op->sharing.pad;
    case ACCESS_SET:
        return !op->data && !op->access.pad;
    default:
        return false;
    }
}

int xen_submit(struct hypervisor *hv, struct hypervisor_operation *operations, unsigned int count)
{
    struct xen_host *host = xen_host_of(hv);
    int rc = 0;

    if ( count > HYPERVISOR_BATCH_MAX )
        return -EINVAL;
    for ( unsigned int i = 0; i < count; i++ )
        if ( !is_sane(&operations[i]) )
            return -EINVAL;
    for ( unsigned int i = 0; i < count; i++ )
        operations[i].status = 0;
    if ( !count )
        return 0;
    if ( host->has_channels )
        return xen_operations_carry_out(host, operations, count);

    for ( unsigned int first = 0, n; first < count; first += n )
    {
        n = stretch(operations + first, count - first);
        if ( !rc )
            rc = carry_out_stretch(host, operations + first, n);
        for ( unsigned int i = first; rc && i < first + n; i++ )
            operations[i].status = rc;
    }
    return rc;
}
