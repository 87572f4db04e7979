/* SPDX-License-Identifier: GPL-2.0-only */
/* See monitor.h. Requests are answered one by one, in the order of the caller's answers. */
#include "monitor.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>

int monitor_open(struct monitor *m, xc_interface *xch, uint32_t domid)
{
    uint32_t remote;
    int rc;

    memset(m, 0, sizeof(*m));
    m->xch = xch;
    m->domid = domid;
    m->port = -1;

    m->page = xc_monitor_enable(xch, domid, &remote);
    if ( !m->page )
        return -errno;

    /* Nothing is restricted yet, and no event asked for: Xen does not touch the page meanwhile. */
    SHARED_RING_INIT((vm_event_sring_t *)m->page);
    BACK_RING_INIT(&m->ring, (vm_event_sring_t *)m->page, XC_PAGE_SIZE);

    m->evtchn = xenevtchn_open(NULL, 0);
    if ( !m->evtchn )
        goto fail;
    m->port = xenevtchn_bind_interdomain(m->evtchn, domid, remote);
    if ( m->port < 0 )
        goto fail;

    return 0;

 fail:
    rc = -errno;
    monitor_close(m);

    return rc;
}

void monitor_close(struct monitor *m)
{
    if ( m->evtchn )
        xenevtchn_close(m->evtchn);
    m->evtchn = NULL;
    if ( m->page )
    {
        xc_monitor_disable(m->xch, m->domid);
        munmap(m->page, XC_PAGE_SIZE);
    }
    m->page = NULL;
}

int monitor_take(struct monitor *m, vm_event_request_t *request)
{
    if ( !RING_HAS_UNCONSUMED_REQUESTS(&m->ring) )
        return 0;

    memcpy(request, RING_GET_REQUEST(&m->ring, m->ring.req_cons), sizeof(*request));
    m->ring.req_cons++;
    m->ring.sring->req_event = m->ring.req_cons + 1;

    return 1;
}

int monitor_answer(struct monitor *m, const vm_event_request_t *request, uint32_t flags)
{
    vm_event_response_t response = {
        .version = VM_EVENT_INTERFACE_VERSION,
        .reason = request->reason,
        .vcpu_id = request->vcpu_id,
        .flags = (request->flags & VM_EVENT_FLAG_VCPU_PAUSED) | flags,
        .u.mem_access = request->u.mem_access,  /* EMULATE looks at it */
    };

    memcpy(RING_GET_RESPONSE(&m->ring, m->ring.rsp_prod_pvt), &response, sizeof(response));
    m->ring.rsp_prod_pvt++;
    RING_PUSH_RESPONSES(&m->ring);

    return xenevtchn_notify(m->evtchn, m->port) ? -errno : 0;
}

int monitor_wait(struct monitor *m, int milliseconds)
{
    struct pollfd pfd = { .fd = xenevtchn_fd(m->evtchn), .events = POLLIN };
    int port, rc = poll(&pfd, 1, milliseconds);

    if ( rc <= 0 )
        return rc < 0 && errno != EINTR ? -errno : 0;

    port = xenevtchn_pending(m->evtchn);
    if ( port < 0 || xenevtchn_unmask(m->evtchn, port) )
        return -errno;

    return 0;
}
