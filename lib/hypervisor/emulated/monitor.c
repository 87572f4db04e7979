/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * vCPUs' registers, and what is told of besides accesses to memory: writes of registers, breakpoints, requests. A vCPU has
 * no more registers than its number, and no paging: all guests' memory is mapped one to one.
 */
#include <errno.h>
#include <string.h>

#include "host.h"

#define CR0_PE 1u

/* VM_EVENT_REASON_*. */
static const uint16_t reasons[] = {
    [MONITOR_CONTROL_REGISTER] = 4, [MONITOR_MSR] = 5, [MONITOR_BREAKPOINT] = 6, [MONITOR_REQUEST] = 8,
};
#define MONITORS (sizeof(reasons) / sizeof(reasons[0]))

int emulated_inject_breakpoint(struct hypervisor *hv, uint16_t domid, uint32_t vcpu, uint32_t length)
{
    struct emulated_host *host = emulated_host_of(hv);
    struct emulated_domain *domain;
    int rc = -ESRCH;

    pthread_mutex_lock(&host->lock);
    host->counts.hypercalls++;
    domain = emulated_find(host, domid);
    if ( domain )
        rc = vcpu >= domain->vcpus || !length ? -EINVAL : domain->breakpoints[vcpu] ? -EBUSY : 0;
    if ( !rc )
        domain->breakpoints[vcpu] = true;
    pthread_mutex_unlock(&host->lock);

    return rc;
}

int emulated_get_registers(struct hypervisor *hv, uint16_t domid, uint32_t vcpu, struct hypervisor_registers *out)
{
    struct emulated_host *host = emulated_host_of(hv);
    struct emulated_domain *domain;
    int rc = -ESRCH;

    pthread_mutex_lock(&host->lock);
    host->counts.hypercalls++;
    domain = emulated_find(host, domid);
    if ( domain )
        rc = vcpu >= domain->vcpus ? -ENOENT : domain->is_dying ? -EINVAL : 0;
    pthread_mutex_unlock(&host->lock);
    if ( !rc )
        *out = (struct hypervisor_registers){ .gpr = { vcpu }, .cr0 = CR0_PE, .cr3 = HYPERVISOR_PAGE_SIZE };

    return rc;
}

int emulated_set_monitor(struct hypervisor *hv, uint16_t domid, enum hypervisor_monitor what, uint32_t which, bool tell)
{
    struct emulated_host *host = emulated_host_of(hv);
    struct emulated_domain *domain;
    int rc = -ESRCH;

    if ( (unsigned int)what >= MONITORS )
        return -EINVAL;
    if ( what == MONITOR_CONTROL_REGISTER && which != 0 && which != 3 && which != 4 )
        return -EOPNOTSUPP;
    pthread_mutex_lock(&host->lock);
    host->counts.hypercalls++;
    domain = emulated_find(host, domid);
    if ( domain )
        rc = domain->channels[MEMEVENT_CLASS_ACCESS].live ? 0 : -ENOENT;
    if ( !rc )
        domain->monitors = tell ? domain->monitors | 1u << what : domain->monitors & ~(1u << what);
    pthread_mutex_unlock(&host->lock);

    return rc;
}

static int do_told(struct emulated_host *host, struct emulated_domain *domain, uint32_t vcpu, enum hypervisor_monitor what,
                   const uint64_t values[4])
{
    struct xen_memevent_request *request = emulated_claim(domain, MEMEVENT_CLASS_ACCESS, reasons[what], vcpu,
                                                          XEN_MEMEVENT_NO_GFN);
    struct xen_memevent_access_request *whole = (void *)request;
    uint32_t actions;
    bool breakpoint;

    if ( !request )
        return 0;
    memcpy(whole->values, values, sizeof(whole->values));
    whole->gpr[0] = vcpu;
    whole->cr3 = HYPERVISOR_PAGE_SIZE;
    emulated_put(domain, MEMEVENT_CLASS_ACCESS, request);
    while ( (domain->waits[vcpu] || domain->paused) && !domain->is_dying && !domain->has_crashed )
        pthread_cond_wait(&host->changed, &host->lock);
    if ( domain->is_dying || domain->has_crashed )
        return -ESRCH;

    actions = domain->actions[vcpu];
    breakpoint = domain->breakpoints[vcpu];
    domain->actions[vcpu] = 0;
    domain->breakpoints[vcpu] = false;
    if ( domain->faults[vcpu] )
    {
        domain->faults[vcpu] = false;
        return -EPERM;
    }
    return actions & MEMEVENT_ACTION_DENY ? -EACCES : breakpoint;
}

int emulated_do(struct hypervisor *hv, uint16_t domid, uint32_t vcpu, enum hypervisor_monitor what, const uint64_t values[4])
{
    struct emulated_host *host = emulated_host_of(hv);
    struct emulated_domain *domain;
    int rc = -ESRCH;

    pthread_mutex_lock(&host->lock);
    domain = emulated_find(host, domid);
    if ( domain && vcpu < domain->vcpus )
    {
        rc = 0;
        domain->inside++;
        if ( (domain->monitors & 1u << what) && domain->channels[MEMEVENT_CLASS_ACCESS].live )
            rc = do_told(host, domain, vcpu, what, values);
        domain->inside--;
        pthread_cond_broadcast(&host->changed);
    }
    pthread_mutex_unlock(&host->lock);

    return rc;
}
