/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Domains of the real Xen: what they are, which frames they populate, whether they can be paged.
 */
#include <errno.h>
#include <string.h>

#include "xen-host.h"

/* Xen's public headers name the integer types without declaring them: they come last. */
#include <xen/sched.h>

static void describe(const xc_domaininfo_t *in, struct domain_info *out)
{
    unsigned int reason = (in->flags >> XEN_DOMINF_shutdownshift) & XEN_DOMINF_shutdownmask;

    *out = (struct domain_info){
        .domid           = in->domain,
        .is_hvm          = in->flags & XEN_DOMINF_hvm_guest,
        .has_hap         = in->flags & XEN_DOMINF_hap,
        .is_dying        = in->flags & XEN_DOMINF_dying,
        .is_shutdown     = in->flags & XEN_DOMINF_shutdown,
        .is_suspended    = (in->flags & XEN_DOMINF_shutdown) && reason == SHUTDOWN_suspend,
        .is_paused       = in->flags & XEN_DOMINF_paused,
        .shutdown_reason = reason,
        .vcpus           = in->max_vcpu_id + 1,
        .pages           = in->tot_pages,
        .pages_paged     = in->paged_pages,
        .pages_shared    = in->shr_pages,
        .pages_limit     = in->max_pages,
    };
    memcpy(out->uuid, in->handle, sizeof(out->uuid));
}

int xen_get_domain(struct hypervisor *hv, uint16_t domid, struct domain_info *out)
{
    int rc = xen_list_domains(hv, domid, out, 1);

    if ( rc < 0 )
        return rc;
    /* The hypervisor answers with the next domain there is. */
    return rc == 1 && out->domid == domid ? 0 : -ESRCH;
}

int xen_list_domains(struct hypervisor *hv, uint16_t first, struct domain_info *out, unsigned int max)
{
    enum { AT_ONCE = 64 };        /* domains a hypercall: keeps the array on the stack small */
    struct xen_host *host = xen_host_of(hv);
    xc_domaininfo_t info[AT_ONCE];
    int rc;

    if ( max > AT_ONCE )
        max = AT_ONCE;
    xen_count(&host->counts.hypercalls, 1);
    xen_count(&host->counts.system_calls, 1);
    rc = xc_domain_getinfolist(host->xc, first, max, info);
    if ( rc < 0 )
        return -errno;
    for ( int i = 0; i < rc; i++ )
        describe(&info[i], &out[i]);
    return rc;
}

int xen_pause_domain(struct hypervisor *hv, uint16_t domid)
{
    return xc_domain_pause(xen_host_of(hv)->xc, domid) ? -errno : 0;
}

int xen_unpause_domain(struct hypervisor *hv, uint16_t domid)
{
    return xc_domain_unpause(xen_host_of(hv)->xc, domid) ? -errno : 0;
}

int xen_crash_domain(struct hypervisor *hv, uint16_t domid)
{
    return xc_domain_shutdown(xen_host_of(hv)->xc, domid, SHUTDOWN_crash) ? -errno : 0;
}

int xen_get_frame_limit(struct hypervisor *hv, uint16_t domid, uint64_t *out)
{
    xen_pfn_t highest;

    if ( xc_domain_maximum_gpfn(xen_host_of(hv)->xc, domid, &highest) < 0 )
        return -errno;
    *out = highest + 1;
    return 0;
}

int xen_query_frames(struct hypervisor *hv, uint16_t domid, uint64_t first, unsigned int count,
                     uint8_t *states)
{
    struct xen_host *host = xen_host_of(hv);
    struct xen_domctl domctl = { .cmd = XEN_DOMCTL_getpageframeinfo3, .domain = domid };
    int rc = 0;

    if ( count > HYPERVISOR_QUERY_MAX )
        return -EINVAL;
    pthread_mutex_lock(&host->batch_lock);
    for ( unsigned int i = 0; i < count; i++ )
        host->frames[i] = first + i;
    domctl.u.getpageframeinfo3.num = count;
    set_xen_guest_handle_raw(domctl.u.getpageframeinfo3.array, host->frames);
    xen_count(&host->counts.hypercalls, 1);
    xen_count(&host->counts.system_calls, 1);
    if ( xc_domctl(host->xc, &domctl) )
        rc = -errno;
    for ( unsigned int i = 0; i < count && !rc; i++ )
    {
        xen_pfn_t type = host->frames[i] & XEN_DOMCTL_PFINFO_LTAB_MASK;

        /* A broken frame is nobody's to touch; it counts as not there. */
        states[i] = type == XEN_DOMCTL_PFINFO_XTAB || type == XEN_DOMCTL_PFINFO_BROKEN ? FRAME_EMPTY
                                                                                       : FRAME_RAM;
    }
    pthread_mutex_unlock(&host->batch_lock);
    return rc;
}

/* The sentence for an error that enabling paging gives; NULL where the number says it all. */
const char *xen_paging_refusal(int error)
{
    switch ( error )
    {
    case -EBUSY:
        return "another pager is attached to this domain, or was and died without detaching: stop the other "
               "one; if there is none, this domain's paged-out memory is lost and it must be restarted";
    case -ENODEV:
        return "paging needs hardware-assisted paging (HAP), which this domain does not have: "
               "set hap=1 in its configuration, on a CPU with nested paging";
    case -EMLINK:
        return "paging is not possible while the domain has an IOMMU context, because devices cannot wait "
               "for a page: remove its passed-through devices and passthrough= from its configuration";
    case -EXDEV:
        return "paging and populate-on-demand exclude each other: set maxmem equal to memory "
               "in the domain's configuration";
    case -EOPNOTSUPP:
        return "paging is not possible from a PVH dom0: boot Xen with a PV dom0 (no dom0=pvh)";
    case -EPROTOTYPE:
        return "a PV guest cannot be paged, because it manages its own page tables: "
               "make it a PVH or HVM guest (type=\"pvh\")";
    default:
        return NULL;
    }
}

static int check_paging(struct xen_host *host, uint16_t domid)
{
    struct domain_info domain;
    uint64_t pod_entries = 0;
    int rc = xen_get_domain(&host->hv, domid, &domain);

    if ( rc )
        return rc;
    if ( domain.is_dying )
        return -ESRCH;
    if ( !domain.is_hvm )
        return -EPROTOTYPE;
    if ( !domain.has_hap )
        return -ENODEV;
    /* The hypervisor asks this too, but answers only after pages were moved about for the ring. */
    if ( xc_domain_get_pod_target(host->xc, domid, NULL, NULL, &pod_entries) == 0 && pod_entries )
        return -EXDEV;
    return 0;
}

int xen_check_paging(struct xen_host *host, uint16_t domid, const char **why)
{
    struct hypervisor_info info;
    int rc = host->hv.ops->probe(&host->hv, &info);

    *why = NULL;
    if ( rc )
        return rc;
    if ( !info.has_paging )
    {
        *why = info.paging_missing;
        return -ENOSYS;
    }
    rc = check_paging(host, domid);
    *why = xen_paging_refusal(rc);
    return rc;
}
