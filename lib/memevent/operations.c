/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Operations and those of them that wait: a queue of fixed size for each thread, which holds pointers, and the way
 * into the hypervisor in pieces that it takes.  What they do is lib/hypervisor's business.
 */
#include <errno.h>

#include <memevent/operations.h>

#include "hypervisor/hypervisor.h"

/* The public tuples are those of the contract. */
#define SAME(call) _Static_assert((uint32_t)MEMEVENT_##call == (uint32_t)call, #call)
SAME(PAGING_NOMINATE);
SAME(PAGING_EVICT);
SAME(PAGING_LOAD);
SAME(PAGING_RELEASE);
SAME(PAGING_QUERY);
SAME(SHARING_NOMINATE);
SAME(SHARING_MERGE);
SAME(SHARING_UNSHARE);
SAME(ACCESS_SET);

#define ANNOTATIONS 0xffu

_Static_assert(MEMEVENT_QUEUE_MAX <= HYPERVISOR_BATCH_MAX, "a queue goes in one piece");

/* What waits in this thread.  Static, so that it is there with the thread and nothing is allocated. */
static __thread struct {
    struct hypervisor *host;      /* of all that waits; meaningless when nothing does */
    unsigned int count;
    struct memevent_operation *operations[MEMEVENT_QUEUE_MAX];
} queue;

static void to_hypervisor(const struct memevent_operation *from, struct hypervisor_operation *to)
{
    *to = (struct hypervisor_operation){
        /* An annotation that is not known is as if it were absent; the one that is has had its effect here. */
        .call = from->call & ~ANNOTATIONS, .domid = from->domid, .pad = from->pad, .pad2 = from->pad2,
        .gfn = from->gfn, .data = from->data,
        .sharing = {
            .client_gfn = from->sharing.client_gfn, .client_domid = from->sharing.client_domid,
            .pad = from->sharing.pad, .outcome = from->sharing.outcome, .handle = from->sharing.handle,
        },
    };
}

static void from_hypervisor(const struct hypervisor_operation *from, struct memevent_operation *to)
{
    to->sharing.client_gfn = from->sharing.client_gfn;
    to->sharing.client_domid = from->sharing.client_domid;
    to->sharing.pad = from->sharing.pad;
    to->sharing.outcome = from->sharing.outcome;
    to->sharing.handle = from->sharing.handle;
    to->status = from->status;
}

_Static_assert(sizeof(struct memevent_access) <= sizeof(struct memevent_sharing) &&
               sizeof(struct hypervisor_sharing) == sizeof(struct memevent_sharing) &&
               sizeof(struct hypervisor_access) == sizeof(struct memevent_access), "one union, copied by its largest");

/* At most a queue of them.  As memevent_submit(). */
static int carry_out(struct hypervisor *host, struct memevent_operation *const *operations, unsigned int count)
{
    struct hypervisor_operation copies[MEMEVENT_QUEUE_MAX];
    int rc;

    for ( unsigned int i = 0; i < count; i++ )
        to_hypervisor(operations[i], &copies[i]);
    rc = host->ops->submit(host, copies, count);
    if ( rc == -EINVAL )
        /* One of them breaks the contract and nothing was touched: the others shall not pay for it. */
        for ( unsigned int i = 0; i < count; i++ )
        {
            int error = host->ops->submit(host, &copies[i], 1);

            if ( error )
                copies[i].status = error;
        }
    for ( unsigned int i = 0; i < count; i++ )
        from_hypervisor(&copies[i], operations[i]);

    return rc;
}

int memevent_flush_operations(void)
{
    unsigned int count = queue.count;

    queue.count = 0;

    return count ? carry_out(queue.host, queue.operations, count) : 0;
}

static int enqueue(struct hypervisor *host, struct memevent_operation *operation)
{
    int rc = 0;

    if ( queue.count == MEMEVENT_QUEUE_MAX || (queue.count && queue.host != host) )
        rc = memevent_flush_operations();
    queue.host = host;
    queue.operations[queue.count++] = operation;
    operation->status = -EINPROGRESS;

    return rc;
}

int memevent_submit(struct hypervisor *host, struct memevent_operation *operations, unsigned int count)
{
    bool now = false;
    int rc = 0;

    /* All of them pass through the queue: what waits goes first, and what follows in as few pieces. */
    for ( unsigned int i = 0; i < count; i++ )
    {
        int error = enqueue(host, &operations[i]);

        rc = rc ? rc : error;
        now |= !(operations[i].call & MEMEVENT_MAY_QUEUE);
    }
    if ( now )
    {
        int error = memevent_flush_operations();

        rc = rc ? rc : error;
    }

    return rc;
}

void *memevent_alloc_buffer(struct hypervisor *host, unsigned int pages)
{
    return host->ops->alloc_buffer(host, pages);
}

void memevent_free_buffer(struct hypervisor *host, void *buffer, unsigned int pages)
{
    if ( buffer )
        host->ops->free_buffer(host, buffer, pages);
}
