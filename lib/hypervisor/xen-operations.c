/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Batches of operations on a hypervisor that has XEN_MEMEVENT_BATCH: any mixture in one crossing.  Checking what the
 * caller brings, and a stock hypervisor's way, are in xen-batch.c.
 */
#include <errno.h>
#include <string.h>

#include "xen-host.h"

#include <public/memevent.h>

/* A load without data is two operations: see write_load(). */
#define ENTRIES_MAX (2 * HYPERVISOR_BATCH_MAX)
#define OPERATIONS_PAGES \
    ((ENTRIES_MAX * sizeof(struct xen_memevent_operation) + sizeof(struct xen_memevent_batch) + \
      HYPERVISOR_PAGE_SIZE - 1) / HYPERVISOR_PAGE_SIZE)

/*
 * Attempts for memory that the kernel happened to be moving: it takes microseconds, and that it should meet the same
 * page this often means something else.
 */
#define FAULT_ATTEMPTS 4

/* The contract's tuples are the ABI's. */
#define SAME(call) _Static_assert((uint32_t)call == XEN_MEMEVENT_##call, #call)
SAME(PAGING_NOMINATE);
SAME(PAGING_EVICT);
SAME(PAGING_LOAD);
SAME(PAGING_RELEASE);
SAME(PAGING_QUERY);
SAME(SHARING_NOMINATE);
SAME(SHARING_MERGE);
SAME(SHARING_UNSHARE);
SAME(ACCESS_SET);

int xen_operations_open(struct xen_host *host)
{
    if ( !host->has_channels )
        return 0;
    host->operations = xencall_alloc_buffer_pages(host->call, OPERATIONS_PAGES);
    return host->operations ? 0 : -ENOMEM;
}

void xen_operations_close(struct xen_host *host)
{
    if ( host->operations )
        xencall_free_buffer_pages(host->call, host->operations, OPERATIONS_PAGES);
    host->operations = NULL;
}

static bool is_load_without_data(const struct hypervisor_operation *operation)
{
    return operation->call == PAGING_LOAD && !operation->data;
}

static void write_entry(struct xen_memevent_operation *entry, const struct hypervisor_operation *operation,
                        uint32_t call)
{
    *entry = (struct xen_memevent_operation){ .call = call, .domid = operation->domid };
    switch ( call & XEN_MEMEVENT_FAMILY_MASK )
    {
    case XEN_MEMEVENT_CALL(XEN_MEMEVENT_FAMILY_SHARING, 0):
        entry->u.sharing.gfn = operation->gfn;
        entry->u.sharing.client_gfn = operation->sharing.client_gfn;
        entry->u.sharing.client_domid = operation->sharing.client_domid;
        break;
    case XEN_MEMEVENT_CALL(XEN_MEMEVENT_FAMILY_ACCESS, 0):
        entry->u.access.gfn = operation->gfn;
        entry->u.access.count = operation->access.count;
        entry->u.access.access = operation->access.access;
        break;
    default:
        entry->u.paging.gfn = operation->gfn;
        entry->u.paging.data = (uintptr_t)operation->data;
        break;
    }
}

static void read_entry(const struct xen_memevent_operation *entry, struct hypervisor_operation *operation)
{
    operation->status = entry->status;
    switch ( operation->call & XEN_MEMEVENT_FAMILY_MASK )
    {
    case XEN_MEMEVENT_CALL(XEN_MEMEVENT_FAMILY_SHARING, 0):
        operation->sharing.outcome = entry->u.sharing.outcome;
        operation->sharing.handle = entry->u.sharing.handle;
        break;
    case XEN_MEMEVENT_CALL(XEN_MEMEVENT_FAMILY_ACCESS, 0):
        operation->access.done = entry->u.access.done;
        break;
    }
}

/* Sends count entries.  *done: how many have a status. */
static int send(struct xen_host *host, unsigned int count, unsigned int *done)
{
    struct xen_memevent_batch *batch = (struct xen_memevent_batch *)(host->operations + ENTRIES_MAX);
    int rc = 0;

    *done = 0;
    xen_count(&host->counts.operations, count);
    for ( unsigned int attempt = 0; attempt < FAULT_ATTEMPTS && *done < count; attempt++ )
    {
        *batch = (struct xen_memevent_batch){
            .operations = (uintptr_t)(host->operations + *done),
            .count = count - *done,
        };
        rc = xen_channel_call(host, XEN_MEMEVENT_BATCH, batch);
        *done += batch->done <= count - *done ? batch->done : 0;
        if ( rc != -EFAULT )
            break;
    }
    return rc;
}

/*
 * A load without data asks for a mark to be taken and, if there was none, whether the page is out: that is what its
 * caller has to know.
 */
static int status_of_load(const struct xen_memevent_operation *release, const struct xen_memevent_operation *query)
{
    if ( release->status != -ENOENT )
        return release->status;
    return query->status == 0 ? -EINVAL : query->status;
}

/* One crossing for all.  What was not carried out gets the error as its status. */
static int cross(struct xen_host *host, struct hypervisor_operation *operations, unsigned int count)
{
    unsigned int entries = 0, done;
    int rc;

    for ( unsigned int i = 0; i < count; i++ )
    {
        if ( is_load_without_data(&operations[i]) )
        {
            write_entry(&host->operations[entries++], &operations[i], XEN_MEMEVENT_PAGING_RELEASE);
            write_entry(&host->operations[entries++], &operations[i], XEN_MEMEVENT_PAGING_QUERY);
        }
        else
            write_entry(&host->operations[entries++], &operations[i], operations[i].call);
    }

    rc = send(host, entries, &done);

    entries = 0;
    for ( unsigned int i = 0; i < count; i++ )
    {
        unsigned int first = entries;

        entries += is_load_without_data(&operations[i]) ? 2 : 1;
        if ( entries > done )
            operations[i].status = rc ? rc : -EIO;
        else if ( entries - first == 2 )
            operations[i].status = status_of_load(&host->operations[first], &host->operations[first + 1]);
        else
            read_entry(&host->operations[first], &operations[i]);
    }
    return rc ? rc : done == entries ? 0 : -EIO;
}

/* Memory that is moved meanwhile cannot be read by the hypervisor: by then it is there again. */
static void load_again(struct xen_host *host, struct hypervisor_operation *operation)
{
    for ( unsigned int attempt = 1; attempt < FAULT_ATTEMPTS && operation->status == -EFAULT; attempt++ )
    {
        /* Waits for the kernel to be done with the page. */
        (void)*(volatile char *)operation->data;
        if ( cross(host, operation, 1) )
            break;
    }
}

int xen_operations_carry_out(struct xen_host *host, struct hypervisor_operation *operations, unsigned int count)
{
    int rc;

    pthread_mutex_lock(&host->batch_lock);
    rc = cross(host, operations, count);
    for ( unsigned int i = 0; i < count && !rc; i++ )
        if ( operations[i].call == PAGING_LOAD && operations[i].data && operations[i].status == -EFAULT )
            load_again(host, &operations[i]);
    pthread_mutex_unlock(&host->batch_lock);
    return rc;
}
