/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pairs that decide.h offers, asked of Xen in batches: it compares the bytes, and it alone.
 */
#include <errno.h>

#include <memevent/operations.h>

#include "sharer.h"

static void count_refusal(struct sharer *s, int error)
{
    for ( unsigned int i = 0; i < SHARER_ERRNOS; i++ )
    {
        if ( s->merges.refused[i].count && s->merges.refused[i].error != error )
            continue;
        s->merges.refused[i].error = error;
        s->merges.refused[i].count++;
        return;
    }
}

static void ask(struct sharer *s, const struct decide_pair *pairs, unsigned int count)
{
    struct hypervisor_operation operations[HYPERVISOR_BATCH_MAX];
    int rc;

    for ( unsigned int i = 0; i < count; i++ )
        operations[i] = (struct hypervisor_operation){
            .call = SHARING_MERGE, .domid = pairs[i].source_domid, .gfn = pairs[i].source_gfn,
            .sharing = { .client_gfn = pairs[i].client_gfn, .client_domid = pairs[i].client_domid },
        };
    rc = s->hv->ops->submit(s->hv, operations, count);
    s->merges.batches++;
    for ( unsigned int i = 0; i < count; i++ )
    {
        int status = operations[i].status;

        /* -EINVAL for the batch: none was tried, and no status says it. */
        if ( rc == -EINVAL )
            status = rc;
        if ( status && operations[i].sharing.outcome != MEMEVENT_DIFFERENT &&
             operations[i].sharing.outcome != MEMEVENT_STALE )
            count_refusal(s, -status);
        decide_merged(s->decide, &pairs[i], status, rc == -EINVAL ? 0 : operations[i].sharing.outcome);
    }
}

void merge_all(struct sharer *s)
{
    struct decide_pair pairs[HYPERVISOR_BATCH_MAX];
    unsigned int count;

    while ( (count = decide_take(s->decide, pairs, HYPERVISOR_BATCH_MAX)) > 0 )
        ask(s, pairs, count);
}
