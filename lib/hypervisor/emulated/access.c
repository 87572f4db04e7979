/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Access rights of frames: what may be done to which, the operation that sets them, and what a violation becomes.  As on
 * nested page tables of AMD's, which cannot let a page be written or executed that cannot be read.
 */
#include <errno.h>

#include "host.h"

/* XENMEM_access_*: up to RWX, a bit each for read, write and execute. */
#define ACCESS_RX2RW   8    /* the first of those that change by being used */
#define ACCESS_N2RWX   9
#define ACCESS_DEFAULT 10

#define REASON_MEM_ACCESS 1         /* VM_EVENT_REASON_MEM_ACCESS */
#define GLA_VALID         8         /* MEM_ACCESS_GLA_VALID */

static bool can_be_said(uint32_t access)
{
    return access <= ACCESS_DEFAULT && (!access || access > EMULATED_RWX || (access & EMULATED_READ));
}

int emulated_set_access(struct emulated_domain *domain, struct hypervisor_operation *operation)
{
    uint32_t count = operation->access.count, access = operation->access.access;
    uint64_t i;

    operation->access.done = 0;
    if ( operation->gfn == XEN_MEMEVENT_NO_GFN )
    {
        if ( count != 1 || access >= ACCESS_RX2RW || !can_be_said(access) )
            return -EINVAL;
        if ( !domain->channels[MEMEVENT_CLASS_ACCESS].live )
            return -ENODEV;
        domain->new_access = access;
        operation->access.done = 1;
        return 0;
    }
    if ( !count || operation->gfn >= domain->frame_count || count > domain->frame_count - operation->gfn ||
         !can_be_said(access) )
        return -EINVAL;
    if ( !domain->channels[MEMEVENT_CLASS_ACCESS].live )
        return -ENODEV;
    for ( i = 0; i < count; i++ )
        domain->frames[operation->gfn + i].access = access == ACCESS_DEFAULT ? domain->new_access : access;
    operation->access.done = count;

    return 0;
}

static int tell(struct emulated_domain *domain, uint32_t vcpu, bool wait, uint64_t gfn, unsigned int offset, uint32_t how)
{
    struct xen_memevent_request *request = emulated_claim(domain, MEMEVENT_CLASS_ACCESS, REASON_MEM_ACCESS,
                                                          wait ? vcpu : EMULATED_NOBODY, gfn);
    struct xen_memevent_access_request *whole = (void *)request;

    if ( !request )
        return -EBUSY;
    request->vcpu = vcpu;
    whole->access = how | GLA_VALID;
    /* The guest's memory is mapped one to one. */
    whole->gla = gfn * HYPERVISOR_PAGE_SIZE + offset;
    whole->gpr[0] = vcpu;
    whole->cr3 = HYPERVISOR_PAGE_SIZE;
    emulated_put(domain, MEMEVENT_CLASS_ACCESS, request);

    return 0;
}

bool emulated_may_access(struct emulated_domain *domain, uint32_t vcpu, uint64_t gfn, unsigned int offset, uint32_t how)
{
    struct emulated_frame *frame = emulated_frame(domain, gfn);

    if ( domain->actions[vcpu] & MEMEVENT_ACTION_EMULATE )
        return true;
    switch ( frame->access )
    {
    case ACCESS_RX2RW:
        if ( how != EMULATED_WRITE )
            return true;
        frame->access = EMULATED_READ | EMULATED_WRITE;
        return true;

    case ACCESS_N2RWX:
        frame->access = EMULATED_RWX;
        if ( domain->channels[MEMEVENT_CLASS_ACCESS].live )
            tell(domain, vcpu, false, gfn, offset, how);
        return true;

    default:
        if ( (frame->access & how) == how )
            return true;
    }
    /* With nobody to ask, it is as if it had never been restricted. */
    if ( !domain->channels[MEMEVENT_CLASS_ACCESS].live )
    {
        frame->access = EMULATED_RWX;
        return true;
    }

    return tell(domain, vcpu, true, gfn, offset, how) != 0;
}
