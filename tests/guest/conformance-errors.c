/* SPDX-License-Identifier: GPL-2.0-only */
/* See conformance-errors.h.  Calls are rows: what is asked for, and what has to be the answer. */
#include "conformance-errors.h"

#include <stdint.h>

#include <xen/errno.h>

#include <public/event-nlevel.h>

#include "events.h"
#include "hypercall.h"

/* No page of any guest of ours. */
#define NO_GFN          0xfffffffffull
#define NO_VCPU         1000u
#define NO_PORT         0x7ffffff0u

static expect_fn expect;

static void answers(const char *what, long found, long expected)
{
    expect(found == expected, "errors", what, 0, found, expected);
}

static long nlevel_init(uint32_t depth, uint32_t pages, uint64_t gfn)
{
    struct xen_nlevel_init init = { .depth = depth, .pages = pages };
    unsigned int i;
    long rc;

    for ( i = 0; i < XEN_NLEVEL_PAGES_MAX; i++ )
        init.pending_gfn[i] = init.mask_gfn[i] = gfn;
    rc = events_call(EVTCHNOP_nlevel_init, &init, sizeof(init));
    answers("nlevel_init: depth_max", init.depth_max, XEN_NLEVEL_DEPTH_MAX);
    answers("nlevel_init: pages_max", init.pages_max, XEN_NLEVEL_PAGES_MAX);

    return rc;
}

static long nlevel_vcpu(uint32_t vcpu, uint32_t offset, uint64_t gfn)
{
    struct xen_nlevel_vcpu arg = { .vcpu = vcpu, .offset = offset, .gfn = gfn };

    return events_call(EVTCHNOP_nlevel_vcpu, &arg, sizeof(arg));
}

static long init_control(uint32_t vcpu, uint32_t offset, uint64_t gfn)
{
    struct evtchn_init_control arg = { .vcpu = vcpu, .offset = offset, .control_gfn = gfn };

    return events_call(EVTCHNOP_init_control, &arg, sizeof(arg));
}

static long expand_array(uint64_t gfn)
{
    struct evtchn_expand_array arg = { .array_gfn = gfn };

    return events_call(EVTCHNOP_expand_array, &arg, sizeof(arg));
}

static long set_priority(uint32_t port, uint32_t priority)
{
    struct evtchn_set_priority arg = { .port = port, .priority = priority };

    return events_call(EVTCHNOP_set_priority, &arg, sizeof(arg));
}

static void refuses_nlevel(void)
{
    static const struct {
        uint32_t depth, pages;
        long error;
        const char *what;
    } rows[] = {
        { 0, 1, -XEN_EDOM, "nlevel_init: depth 0" },
        { 1, 1, -XEN_EDOM, "nlevel_init: depth 1" },
        { XEN_NLEVEL_DEPTH_MAX + 1, 1, -XEN_EDOM, "nlevel_init: depth 5" },
        { 0xffffffff, 1, -XEN_EDOM, "nlevel_init: the largest depth" },
        { 3, 0, -XEN_EINVAL, "nlevel_init: no pages" },
        { 2, 2, -XEN_E2BIG, "nlevel_init: more pages than two levels can number" },
        { 3, 9, -XEN_E2BIG, "nlevel_init: more pages than three levels can number" },
        { 4, XEN_NLEVEL_PAGES_MAX + 1, -XEN_E2BIG, "nlevel_init: more pages than the limit" },
        { 4, 0xffffffff, -XEN_E2BIG, "nlevel_init: the largest number of pages" },
    };
    unsigned int i;

    for ( i = 0; i < sizeof(rows) / sizeof(rows[0]); i++ )
        answers(rows[i].what, nlevel_init(rows[i].depth, rows[i].pages, events_spare_gfn()), rows[i].error);
    answers("nlevel_init: no page", nlevel_init(3, 8, NO_GFN), -XEN_EINVAL);
}

void errors_before_registration(expect_fn to)
{
    evtchn_port_t port;
    uint64_t gfn = events_spare_gfn();

    expect = to;
    refuses_nlevel();
    answers("nlevel_vcpu: two levels", nlevel_vcpu(0, 0, gfn), -XEN_EOPNOTSUPP);
    answers("expand_array: two levels", expand_array(gfn), -XEN_EOPNOTSUPP);
    answers("init_control: no vCPU", init_control(NO_VCPU, 0, gfn), -XEN_ENOENT);
    answers("init_control: offset unaligned", init_control(0, 4, gfn), -XEN_EINVAL);
    answers("init_control: offset beyond the page", init_control(0, 4096 - 64, gfn), -XEN_EINVAL);
    answers("init_control: no page", init_control(0, 0, NO_GFN), -XEN_EINVAL);

    /* Two levels still, and they work. */
    port = event_bind_ipi(0);
    answers("set_priority: two levels", set_priority(port, 0), -XEN_ENOSYS);
    event_send(port);
    answers("two levels after refusals: pending", shared_info->evtchn_pending[port / 64] >> (port % 64) & 1, 1);
    events_call(EVTCHNOP_close, &(struct evtchn_close){ .port = port }, sizeof(struct evtchn_close));
}

static void refuses_after_levels(uint64_t gfn)
{
    answers("nlevel_init: again", nlevel_init(3, 1, gfn), -XEN_EEXIST);
    answers("init_control: N levels", init_control(0, 0, gfn), -XEN_EBUSY);
    answers("expand_array: N levels", expand_array(gfn), -XEN_EOPNOTSUPP);
    answers("nlevel_vcpu: no vCPU", nlevel_vcpu(NO_VCPU, 0, gfn), -XEN_ENOENT);
    if ( events_depth() == 2 )
        answers("nlevel_vcpu: depth 2", nlevel_vcpu(0, 0, gfn), -XEN_EINVAL);
    else
        answers("nlevel_vcpu: again", nlevel_vcpu(0, 0, gfn), -XEN_EEXIST);
}

static void refuses_after_fifo(evtchn_port_t port, uint64_t gfn)
{
    answers("nlevel_init: FIFO", nlevel_init(3, 1, gfn), -XEN_EBUSY);
    answers("nlevel_vcpu: FIFO", nlevel_vcpu(0, 0, gfn), -XEN_EOPNOTSUPP);
    answers("init_control: again", init_control(0, 0, gfn), -XEN_EINVAL);
    answers("expand_array: beyond 131,072 channels", expand_array(gfn), -XEN_ENOSPC);
    answers("set_priority: 15", set_priority(port, 15), 0);
    answers("set_priority: 16", set_priority(port, 16), -XEN_EINVAL);
}

void errors_after_registration(expect_fn to)
{
    struct evtchn_send send = { .port = NO_PORT };
    struct evtchn_unmask unmask = { .port = NO_PORT };
    struct evtchn_close close = { .port = NO_PORT };
    struct evtchn_bind_ipi bind = { .vcpu = NO_VCPU };
    uint64_t gfn = events_spare_gfn();
    evtchn_port_t port;

    expect = to;
    port = event_bind_ipi(0);
    if ( !events_depth() )
        refuses_after_fifo(port, gfn);
    else
    {
        answers("set_priority: levels", set_priority(port, 0), -XEN_ENOSYS);
        if ( events_is_nlevel() )
            refuses_after_levels(gfn);
    }
    answers("send: no channel", events_call(EVTCHNOP_send, &send, sizeof(send)), -XEN_EINVAL);
    answers("unmask: no channel", events_call(EVTCHNOP_unmask, &unmask, sizeof(unmask)), -XEN_EINVAL);
    answers("close: no channel", events_call(EVTCHNOP_close, &close, sizeof(close)), -XEN_EINVAL);
    answers("bind_ipi: no vCPU", events_call(EVTCHNOP_bind_ipi, &bind, sizeof(bind)), -XEN_ENOENT);
    close.port = port;
    answers("close", events_call(EVTCHNOP_close, &close, sizeof(close)), 0);
    answers("close: again", events_call(EVTCHNOP_close, &close, sizeof(close)), -XEN_EINVAL);
    send.port = port;
    answers("send: closed", events_call(EVTCHNOP_send, &send, sizeof(send)), -XEN_EINVAL);
}
