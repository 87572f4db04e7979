/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Setting the access of frames on a hypervisor without batches of its own, and whether it has such a thing at all.
 */
#include <errno.h>

#include "xen-host.h"

#include <xen/memory.h>

/* Frames, a number each, that go in one call.  Of nothing that depends on how many. */
static int set_many(struct xen_host *host, struct hypervisor_operation *operations, unsigned int count)
{
    uint64_t gfns[HYPERVISOR_BATCH_MAX];
    uint8_t access[HYPERVISOR_BATCH_MAX];

    for ( unsigned int i = 0; i < count; i++ )
    {
        gfns[i] = operations[i].gfn;
        access[i] = operations[i].access.access;
    }
    xen_count(&host->counts.hypercalls, 1);
    xen_count(&host->counts.system_calls, 1);
    xen_count(&host->counts.operations, count);
    return xc_set_mem_access_multi(host->xc, operations[0].domid, access, gfns, count) ? -errno : 0;
}

static void set_range(struct xen_host *host, struct hypervisor_operation *operation)
{
    xen_count(&host->counts.hypercalls, 1);
    xen_count(&host->counts.system_calls, 1);
    xen_count(&host->counts.operations, 1);
    operation->status = xc_set_mem_access(host->xc, operation->domid, operation->access.access, operation->gfn,
                                          operation->access.count) ? -errno : 0;
    operation->access.done = operation->status ? 0 : operation->access.count;
}

/* The last frame number means the domain's default to Xen, and an access is an octet there. */
static bool is_sound(const struct hypervisor_operation *operation)
{
    return operation->access.count && operation->access.access <= XENMEM_access_default &&
           operation->gfn <= UINT64_MAX - operation->access.count;
}

static unsigned int count_singles(const struct hypervisor_operation *operations, unsigned int count)
{
    unsigned int n = 0;

    while ( n < count && is_sound(&operations[n]) && operations[n].access.count == 1 )
        n++;
    return n;
}

int xen_access_carry_out(struct xen_host *host, struct hypervisor_operation *operations, unsigned int count)
{
    unsigned int i = 0;

    while ( i < count )
    {
        unsigned int singles = count_singles(operations + i, count - i), end = i + (singles ? singles : 1);

        /* Of a call that fails nobody knows where it did: each by itself, then, which does no harm twice. */
        if ( singles > 1 && !set_many(host, operations + i, singles) )
            for ( ; i < end; i++ )
                operations[i].access.done = 1;
        for ( ; i < end; i++ )
        {
            if ( is_sound(&operations[i]) )
                set_range(host, &operations[i]);
            else
                operations[i].status = -EINVAL;
        }
    }
    return 0;
}

bool xen_access_is_there(struct xen_host *host, uint16_t domid)
{
    xenmem_access_t access;

    /* The default that new frames get, which every domain has. */
    return !xc_get_mem_access(host->xc, domid, ~0ULL, &access) || errno != EINVAL;
}
