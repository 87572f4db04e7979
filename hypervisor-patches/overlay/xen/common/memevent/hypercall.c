/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * HYPERVISOR_memevent_op: which tuple is what, who may, and arguments in and out.  What calls do is elsewhere.
 */
#include <xen/errno.h>
#include <xen/event.h>
#include <xen/guest_access.h>
#include <xen/hypercall.h>
#include <xen/lib.h>
#include <xen/memevent-private.h>
#include <xen/sched.h>
#include <xsm/xsm.h>

typedef struct xen_memevent_query xen_memevent_query_t;
typedef struct xen_memevent_batch xen_memevent_batch_t;
typedef struct xen_memevent_operation xen_memevent_operation_t;
typedef struct xen_memevent_attach xen_memevent_attach_t;
typedef struct xen_memevent_detach xen_memevent_detach_t;
typedef struct xen_memevent_info xen_memevent_info_t;
DEFINE_XEN_GUEST_HANDLE(xen_memevent_query_t);
DEFINE_XEN_GUEST_HANDLE(xen_memevent_batch_t);
DEFINE_XEN_GUEST_HANDLE(xen_memevent_operation_t);
DEFINE_XEN_GUEST_HANDLE(xen_memevent_attach_t);
DEFINE_XEN_GUEST_HANDLE(xen_memevent_detach_t);
DEFINE_XEN_GUEST_HANDLE(xen_memevent_info_t);

/* One row for each call that there is.  Operations go through carry_out(). */
static const struct call {
    uint32_t tuple;
    bool is_operation;
} calls[] = {
    { XEN_MEMEVENT_QUERY },
    { XEN_MEMEVENT_BATCH },
    { XEN_MEMEVENT_ATTACH },
    { XEN_MEMEVENT_DETACH },
    { XEN_MEMEVENT_INFO },
#ifdef CONFIG_MEM_PAGING
    { XEN_MEMEVENT_PAGING_NOMINATE, true },
    { XEN_MEMEVENT_PAGING_EVICT, true },
    { XEN_MEMEVENT_PAGING_LOAD, true },
    { XEN_MEMEVENT_PAGING_RELEASE, true },
    { XEN_MEMEVENT_PAGING_QUERY, true },
#endif
#ifdef CONFIG_MEM_ACCESS
    { XEN_MEMEVENT_ACCESS_SET, true },
#endif
#ifdef CONFIG_MEM_SHARING
    { XEN_MEMEVENT_SHARING_NOMINATE, true },
    { XEN_MEMEVENT_SHARING_MERGE, true },
    { XEN_MEMEVENT_SHARING_UNSHARE, true },
#endif
};

static const struct call *find_call(uint32_t tuple)
{
    unsigned int i;

    for ( i = 0; i < ARRAY_SIZE(calls); i++ )
        if ( calls[i].tuple == (tuple & ~XEN_MEMEVENT_ANNOTATION_MASK) )
            return &calls[i];

    return NULL;
}

static int query(XEN_GUEST_HANDLE_PARAM(xen_memevent_query_t) arg)
{
    struct xen_memevent_query query;
    unsigned int i;

    if ( copy_from_guest(&query, arg, 1) )
        return -EFAULT;
    if ( query.pad || (query.call & XEN_MEMEVENT_RESERVED_MASK) )
        return -EINVAL;

    query.known = 0;
    for ( i = 0; i < ARRAY_SIZE(calls); i++ )
        if ( !((calls[i].tuple ^ query.call) & XEN_MEMEVENT_FAMILY_MASK) )
            query.known |= XEN_MEMEVENT_KNOWN_FAMILY;
    if ( find_call(query.call) )
        query.known |= XEN_MEMEVENT_KNOWN_CALL;
    /* Nothing is put off here: a batch is the caller's to keep. */
    query.annotations = 0;

    return __copy_to_guest(arg, &query, 1) ? -EFAULT : 0;
}

/* The domain of an operation, kept over a batch: most batches have one. */
struct target {
    domid_t domid;
    struct domain *d;
};

static void release_target(struct target *target)
{
    if ( target->d )
        rcu_unlock_domain(target->d);
    target->d = NULL;
}

/* -ESRCH: there is none, or it is being torn down. */
static int lock_live_domain(domid_t domid, struct domain **d)
{
    int rc = rcu_lock_remote_domain_by_id(domid, d);

    if ( !rc && (*d)->is_dying )
    {
        rcu_unlock_domain(*d);
        rc = -ESRCH;
    }
    /* The caller's own domain comes with an error and unlocked. */
    if ( rc )
        *d = NULL;

    return rc;
}

static int find_target(struct target *target, domid_t domid)
{
    if ( target->d && target->domid == domid )
        return 0;

    release_target(target);
    target->domid = domid;

    return lock_live_domain(domid, &target->d);
}

static int carry_out(struct target *target, struct xen_memevent_operation *operation)
{
    const struct call *call;
    int rc;

    if ( operation->pad0 || operation->pad1 || (operation->call & XEN_MEMEVENT_RESERVED_MASK) )
        return -EINVAL;
    call = find_call(operation->call);
    if ( !call || !call->is_operation )
        return -ENOSYS;

    rc = find_target(target, operation->domid);
    if ( rc )
        return rc;

    switch ( operation->call >> 24 )
    {
#ifdef CONFIG_MEM_PAGING
    case XEN_MEMEVENT_FAMILY_PAGING:
        return xsm_mem_paging(XSM_DM_PRIV, target->d) ?: memevent_paging_operation(target->d, operation);
#endif
#ifdef CONFIG_MEM_ACCESS
    case XEN_MEMEVENT_FAMILY_ACCESS:
        return xsm_mem_access(XSM_DM_PRIV, target->d) ?: memevent_access_operation(target->d, operation);
#endif
#ifdef CONFIG_MEM_SHARING
    case XEN_MEMEVENT_FAMILY_SHARING:
        return xsm_mem_sharing(XSM_DM_PRIV, target->d) ?: memevent_sharing_operation(target->d, operation);
#endif
    default:
        return -ENOSYS;
    }
}

static long again(uint32_t tuple, XEN_GUEST_HANDLE_PARAM(void) arg)
{
    return hypercall_create_continuation(__HYPERVISOR_memevent_op, "ih", tuple, arg);
}

static long operate(uint32_t tuple, XEN_GUEST_HANDLE_PARAM(xen_memevent_operation_t) arg)
{
    struct xen_memevent_operation operation;
    struct target target = {};
    long rc;

    if ( copy_from_guest(&operation, arg, 1) )
        return -EFAULT;
    if ( operation.call != tuple )
        return -EINVAL;

    operation.status = carry_out(&target, &operation);
    release_target(&target);

    rc = operation.status;
    if ( rc == -ERESTART )
        operation.status = 0;
    if ( __copy_to_guest(arg, &operation, 1) )
        return -EFAULT;

    return rc == -ERESTART ? again(tuple, guest_handle_cast(arg, void)) : rc;
}

static long batch(uint32_t tuple, XEN_GUEST_HANDLE_PARAM(xen_memevent_batch_t) arg)
{
    XEN_GUEST_HANDLE_PARAM(xen_memevent_operation_t) operations;
    struct xen_memevent_operation operation;
    struct xen_memevent_batch batch;
    struct target target = {};
    bool unfinished;
    long rc = 0;

    if ( copy_from_guest(&batch, arg, 1) )
        return -EFAULT;
    if ( batch.done > batch.count || !memevent_is_address(batch.operations) )
        return -EINVAL;
    operations = guest_handle_from_ptr((void *)(unsigned long)batch.operations, xen_memevent_operation_t);

    while ( batch.done < batch.count )
    {
        rc = -EFAULT;
        if ( copy_from_guest_offset(&operation, operations, batch.done, 1) )
            break;
        operation.status = carry_out(&target, &operation);
        unfinished = operation.status == -ERESTART;
        if ( unfinished )
            operation.status = 0;
        if ( copy_to_guest_offset(operations, batch.done, &operation, 1) )
            break;
        rc = 0;
        if ( !unfinished )
            batch.done++;
        if ( unfinished || (batch.done < batch.count && hypercall_preempt_check()) )
        {
            rc = -ERESTART;
            break;
        }
    }
    release_target(&target);

    if ( __copy_to_guest(arg, &batch, 1) )
        return -EFAULT;

    return rc == -ERESTART ? again(tuple, guest_handle_cast(arg, void)) : rc;
}

/* Calls of the CHANNEL family: the domain that they name, dom_xen for the host. */
static int lock_domain(uint16_t domid, unsigned int class, unsigned int call, struct domain **d)
{
    int rc = 0;

    if ( domid == XEN_MEMEVENT_HOST )
        *d = rcu_lock_domain(dom_xen);
    else
        rc = lock_live_domain(domid, d);

    if ( rc )
        return rc;

    rc = xsm_vm_event_control(XSM_PRIV, *d, class, call);
    if ( rc )
        rcu_unlock_domain(*d);

    return rc;
}

/*
 * Upstream's rings come and go under the lock of domctls, and a domain's vm_event state with both: so do channels.  Only
 * who may have one gets that far: any guest could keep the toolstack waiting for this lock.  -ERESTART: somebody has it.
 */
static int lock_domain_to_change(uint16_t domid, unsigned int class, unsigned int call, struct domain **d)
{
    int rc = lock_domain(domid, class, call, d);

    if ( rc || domctl_lock_acquire() )
        return rc;

    rcu_unlock_domain(*d);

    return -ERESTART;
}

static void unlock_changed(struct domain *d)
{
    domctl_lock_release();
    rcu_unlock_domain(d);
}

static int attach(XEN_GUEST_HANDLE_PARAM(xen_memevent_attach_t) arg)
{
    struct xen_memevent_attach attach;
    struct domain *d;
    int rc;

    if ( copy_from_guest(&attach, arg, 1) )
        return -EFAULT;
    if ( attach.pad0 || attach.pad1[0] || attach.pad1[1] )
        return -EINVAL;

    rc = lock_domain_to_change(attach.domid, attach.channel_class, XEN_VM_EVENT_ENABLE, &d);
    if ( rc )
        return rc;
    rc = d == dom_xen ? memevent_host_attach(&attach) : memevent_attach(d, &attach);
    unlock_changed(d);

    /* If this fails nobody knows the port: it is unbound, so the next to attach is not kept out. */
    return rc ?: __copy_to_guest(arg, &attach, 1) ? -EFAULT : 0;
}

static int detach(XEN_GUEST_HANDLE_PARAM(xen_memevent_detach_t) arg)
{
    struct xen_memevent_detach detach;
    struct domain *d;
    int rc;

    if ( copy_from_guest(&detach, arg, 1) )
        return -EFAULT;
    if ( detach.pad )
        return -EINVAL;

    rc = lock_domain_to_change(detach.domid, detach.channel_class, XEN_VM_EVENT_DISABLE, &d);
    if ( rc )
        return rc;
    rc = d == dom_xen ? memevent_host_detach(detach.channel_class)
                      : memevent_detach(d, detach.channel_class);
    unlock_changed(d);

    return rc;
}

static int get_info(XEN_GUEST_HANDLE_PARAM(xen_memevent_info_t) arg)
{
    struct xen_memevent_info info;
    struct domain *d;
    int rc;

    if ( copy_from_guest(&info, arg, 1) )
        return -EFAULT;
    if ( info.pad0 || info.pad1[0] || info.pad1[1] )
        return -EINVAL;

    rc = lock_domain(info.domid, info.channel_class, XEN_VM_EVENT_GET_VERSION, &d);
    if ( rc )
        return rc;
    rc = d == dom_xen ? memevent_host_get_info(&info) : memevent_get_info(d, &info);
    rcu_unlock_domain(d);

    return rc ?: __copy_to_guest(arg, &info, 1) ? -EFAULT : 0;
}

long do_memevent_op(uint32_t call, XEN_GUEST_HANDLE_PARAM(void) arg)
{
    const struct call *known;
    int rc;

    if ( call & XEN_MEMEVENT_RESERVED_MASK )
        return -EINVAL;
    known = find_call(call);
    if ( !known )
        return -ENOSYS;
    if ( known->is_operation )
        return operate(call, guest_handle_cast(arg, xen_memevent_operation_t));

    switch ( known->tuple )
    {
    case XEN_MEMEVENT_QUERY:
        return query(guest_handle_cast(arg, xen_memevent_query_t));
    case XEN_MEMEVENT_BATCH:
        return batch(call, guest_handle_cast(arg, xen_memevent_batch_t));
    case XEN_MEMEVENT_ATTACH:
    case XEN_MEMEVENT_DETACH:
        rc = known->tuple == XEN_MEMEVENT_ATTACH ? attach(guest_handle_cast(arg, xen_memevent_attach_t))
                                                 : detach(guest_handle_cast(arg, xen_memevent_detach_t));
        return rc == -ERESTART ? again(call, arg) : rc;
    case XEN_MEMEVENT_INFO:
        return get_info(guest_handle_cast(arg, xen_memevent_info_t));
    default:
        return -ENOSYS;
    }
}
