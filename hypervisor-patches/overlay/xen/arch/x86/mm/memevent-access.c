/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ACCESS family: upstream's monitor events, on a channel of their own, and access rights of many frames at once.
 * What is an event is decided by upstream's code, which builds its own request; here that becomes ours, and an answer
 * becomes upstream's response.
 */
#include <xen/errno.h>
#include <xen/event.h>
#include <xen/lib.h>
#include <xen/mem_access.h>
#include <xen/memevent-private.h>
#include <xen/vm_event.h>
#include <asm/altp2m.h>
#include <asm/mem_access.h>
#include <asm/monitor.h>
#include <asm/p2m.h>
#include <asm/vm_event.h>
#include <public/vm_event.h>

/* ---- Life ---- */

int cf_check memevent_access_allowed(const struct domain *d)
{
    if ( !is_hvm_domain(d) )
        return -ENODEV;

    return vm_event_check_ring(d->vm_event_monitor) ? -EBUSY : 0;
}

int cf_check memevent_access_begin(struct domain *d)
{
    int rc = arch_monitor_init_domain(d);

    if ( rc || d->memevent->holds_vm_event )
        return rc;

    rc = vm_event_init_domain(d);
    d->memevent->holds_vm_event = !rc;

    return rc;
}

void cf_check memevent_access_finish(struct domain *d)
{
    /*
     * v->arch.vm_event keeps the reference that begin() took, and goes with the domain: an answer that was taken a moment ago
     * may be acted on yet, and a register's write that waited for one is still to be carried out.
     */
    arch_monitor_cleanup_domain(d);
}

/* ---- Events ---- */

static void fill_registers(struct xen_memevent_access_request *request, const struct vcpu *v)
{
    const struct cpu_user_regs *regs = guest_cpu_user_regs();

    request->gpr[0] = regs->rax;
    request->gpr[1] = regs->rcx;
    request->gpr[2] = regs->rdx;
    request->gpr[3] = regs->rbx;
    request->gpr[4] = regs->rsp;
    request->gpr[5] = regs->rbp;
    request->gpr[6] = regs->rsi;
    request->gpr[7] = regs->rdi;
    request->gpr[8] = regs->r8;
    request->gpr[9] = regs->r9;
    request->gpr[10] = regs->r10;
    request->gpr[11] = regs->r11;
    request->gpr[12] = regs->r12;
    request->gpr[13] = regs->r13;
    request->gpr[14] = regs->r14;
    request->gpr[15] = regs->r15;
    request->rip = regs->rip;
    request->cr3 = v->arch.hvm.guest_cr[3];
}

static void fill(struct xen_memevent_access_request *request, const struct vcpu *v,
                 vm_event_request_t *upstreams, bool full)
{
    BUILD_BUG_ON(XEN_MEMEVENT_REGISTERS_OFFSET + sizeof(upstreams->data.regs.x86) > XEN_MEMEVENT_FULL_SIZE);

    request->request.vcpu = v->vcpu_id;
    request->request.kind = upstreams->reason;
    request->request.gfn = XEN_MEMEVENT_NO_GFN;
    if ( upstreams->reason == VM_EVENT_REASON_MEM_ACCESS )
    {
        request->request.gfn = upstreams->u.mem_access.gfn;
        request->gla = upstreams->u.mem_access.gla;
        request->access = upstreams->u.mem_access.flags;
    }
    else
        memcpy(request->values, &upstreams->u, min(sizeof(request->values), sizeof(upstreams->u)));
    if ( altp2m_active(v->domain) )
        request->view = altp2m_vcpu_idx(v);

    fill_registers(request, v);
    if ( full )
    {
        vm_event_fill_regs(upstreams);
        memcpy((void *)request + XEN_MEMEVENT_REGISTERS_OFFSET, &upstreams->data.regs.x86,
               sizeof(upstreams->data.regs.x86));
    }
}

int memevent_access_send(struct vcpu *v, bool sync, vm_event_request_t *upstreams)
{
    struct domain *d = v->domain;
    struct memevent_channel *channel = memevent_channel_of(d, XEN_MEMEVENT_CLASS_ACCESS);
    struct xen_memevent_request *request;
    bool wait = sync;
    int why;

    if ( !channel )
        return -ENOENT;

    request = memevent_claim(d, channel, sync ? v : NULL, &why);
    if ( !request && why != -ENOENT )
    {
        /*
         * A vCPU can have two events in one exit, and those that it need not wait for can have used up what belongs to
         * nobody.  Either way the other kind of entry does; and where an event found no room, its vCPU waits.
         */
        request = memevent_claim(d, channel, sync ? NULL : v, &why);
        wait = true;
    }
    if ( !request )
        /*
         * A violation comes again: the vCPU is paused by the event that took its entry, and then tries again.  Others are
         * lost, as on a full ring of upstream's.
         */
        return sync && upstreams->reason == VM_EVENT_REASON_MEM_ACCESS ? 1 : -EBUSY;

    fill(container_of(request, struct xen_memevent_access_request, request), v, upstreams,
         channel->core.request_size == XEN_MEMEVENT_FULL_SIZE);
    if ( sync )
        vm_event_sync_event(v, true);
    if ( wait )
        /* Upstream's helpers for an answer look at its own count; ours comes on top, with memevent_put(). */
        vm_event_vcpu_pause(v);
    memevent_put(d, channel, wait ? v : NULL, request);

    return sync;
}

void cf_check memevent_access_answered(struct domain *d, const struct xen_memevent_request *request,
                                       const struct xen_memevent_response *response)
{
    const struct xen_memevent_access_request *asked =
        container_of(request, const struct xen_memevent_access_request, request);
    vm_event_response_t upstreams = {
        .version = VM_EVENT_INTERFACE_VERSION,
        .reason = request->kind,
        .vcpu_id = request->vcpu,
        .altp2m_idx = asked->view,
    };
    struct vcpu *v;

    if ( !(request->flags & XEN_MEMEVENT_VCPU_PAUSED) )
        return;
    v = d->vcpu[request->vcpu];

    if ( response->action & XEN_MEMEVENT_ACTION_EMULATE )
        upstreams.flags |= VM_EVENT_FLAG_EMULATE;
    if ( response->action & XEN_MEMEVENT_ACTION_SKIP_WRITE )
        upstreams.flags |= VM_EVENT_FLAG_EMULATE_NOWRITE;
    if ( response->action & XEN_MEMEVENT_ACTION_DENY )
        upstreams.flags |= VM_EVENT_FLAG_DENY;

    /* What was asked is taken from our own copy of it, never from the answer. */
    if ( request->kind == VM_EVENT_REASON_MEM_ACCESS )
    {
        upstreams.u.mem_access.gfn = request->gfn;
        upstreams.u.mem_access.gla = asked->gla;
        upstreams.u.mem_access.flags = asked->access;
    }
    else
        memcpy(&upstreams.u, asked->values, min(sizeof(asked->values), sizeof(upstreams.u)));

    vm_event_emulate_check(v, &upstreams);
    vm_event_register_write_resume(v, &upstreams);
    vm_event_vcpu_unpause(v);
}

/* ---- Operations ---- */

/* Of frames that come. What changes by being used would do so once for all of them. */
static int set_default(struct domain *d, struct xen_memevent_access_arguments *arguments)
{
    int rc;

    if ( arguments->count != 1 || arguments->done || arguments->access > XENMEM_access_rwx ||
         !p2m_mem_access_sanity_check(d) )
        return -EINVAL;
    if ( !memevent_has_channel(d, XEN_MEMEVENT_CLASS_ACCESS) )
        return -ENODEV;
    rc = p2m_set_mem_access(d, INVALID_GFN, 0, 0, 0, arguments->access, 0);
    if ( !rc )
        arguments->done = 1;

    return rc;
}

int memevent_access_operation(struct domain *d, struct xen_memevent_operation *operation)
{
    struct xen_memevent_access_arguments *arguments = &operation->u.access;
    uint64_t limit = domain_get_maximum_gpfn(d) + 1ULL;
    unsigned int i;
    long rc;

    for ( i = 0; i < ARRAY_SIZE(arguments->pad); i++ )
        if ( arguments->pad[i] )
            return -EINVAL;
    if ( (operation->call & ~XEN_MEMEVENT_ANNOTATION_MASK) != XEN_MEMEVENT_ACCESS_SET )
        return -ENOSYS;
    if ( arguments->gfn == XEN_MEMEVENT_NO_GFN )
        return set_default(d, arguments);
    if ( !arguments->count || arguments->done >= arguments->count ||
         arguments->gfn >= limit || arguments->count > limit - arguments->gfn ||
         arguments->access > XENMEM_access_default || !p2m_mem_access_sanity_check(d) )
        return -EINVAL;
    if ( !memevent_has_channel(d, XEN_MEMEVENT_CLASS_ACCESS) )
        return -ENODEV;

    /* The mask: ask whether somebody else should run every 64 frames. */
    rc = p2m_set_mem_access(d, _gfn(arguments->gfn), arguments->count, arguments->done, 63,
                            arguments->access, 0);
    if ( rc > 0 )
    {
        arguments->done = rc;
        return -ERESTART;
    }
    if ( !rc )
        arguments->done = arguments->count;

    return rc;
}
