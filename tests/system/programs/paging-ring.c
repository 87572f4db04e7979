/* SPDX-License-Identifier: GPL-2.0-only */
/* See paging-ring.h. */
#include "paging-ring.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include <xenforeignmemory.h>
#include <xen/hvm/params.h>

void *paging_ring_page(xc_interface *xch, uint32_t domid, int param, xen_pfn_t *gfn)
{
    xenforeignmemory_handle *fmem = xenforeignmemory_open(NULL, 0);
    uint64_t value;
    void *page;
    int error;

    if ( !fmem || xc_hvm_param_get(xch, domid, param, &value) )
        return NULL;
    *gfn = value;
    page = xenforeignmemory_map(fmem, domid, PROT_READ | PROT_WRITE, 1, gfn, &error);
    if ( page && !error )
        return page;
    if ( page )
        xenforeignmemory_unmap(fmem, page, 1);
    if ( xc_domain_populate_physmap_exact(xch, domid, 1, 0, 0, gfn) )
        return NULL;
    return xenforeignmemory_map(fmem, domid, PROT_READ | PROT_WRITE, 1, gfn, NULL);
}

int paging_ring_open(struct monitor *m, xc_interface *xch, uint32_t domid)
{
    uint32_t remote;
    xen_pfn_t gfn;

    memset(m, 0, sizeof(*m));
    m->xch = xch;
    m->domid = domid;
    m->page = paging_ring_page(xch, domid, HVM_PARAM_PAGING_RING_PFN, &gfn);
    if ( !m->page )
        return -errno;
    SHARED_RING_INIT((vm_event_sring_t *)m->page);
    BACK_RING_INIT(&m->ring, (vm_event_sring_t *)m->page, XC_PAGE_SIZE);
    if ( xc_mem_paging_enable(xch, domid, &remote) )
        return -errno;
    m->evtchn = xenevtchn_open(NULL, 0);
    if ( !m->evtchn )
        return -errno;
    m->port = xenevtchn_bind_interdomain(m->evtchn, domid, remote);
    if ( m->port < 0 )
        return -errno;
    /* The guest must not see it. */
    return xc_domain_decrease_reservation_exact(xch, domid, 1, 0, &gfn) ? -errno : 0;
}
