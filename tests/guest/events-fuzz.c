/* SPDX-License-Identifier: GPL-2.0-only */
/* See events-fuzz.h.  Arguments are mostly nearly right: what is refused at the door tells of nothing behind it. */
#include "events-fuzz.h"

#include <xen/errno.h>

#include <public/event-nlevel.h>

#include "clock.h"
#include "console.h"
#include "events.h"
#include "hypercall.h"
#include "layout.h"
#include "pattern.h"
#include "vcpu.h"

/* Beyond all memory of a guest of ours: Xen neither reads nor writes an argument there. */
#define NO_MEMORY       0xff0000000000ull
#define LOWEST_ERROR    (-200)      /* Xen's are above it */
#define PORTS_TRIED     6000u       /* some more than are ever bound */
#define BURST           300u        /* turns; some milliseconds */
#define COMMANDS_KNOWN  14u         /* of upstream's, from 0 on */

static uint64_t state, calls, registered, selectors, fifo, strange;

static uint64_t any(void)
{
    return pattern_mix(++state);
}

static uint32_t below(uint32_t limit)
{
    return any() % limit;
}

/* Numbers around a limit, and numbers far from it. */
static uint32_t around(uint32_t limit)
{
    switch ( below(8) )
    {
    case 0:
        return any();

    case 1:
        return limit + below(2);

    default:
        return below(limit);
    }
}

static uint64_t some_gfn(void)
{
    uint64_t first = (uint64_t)events_table(0) / 4096, pages = events_channels() * sizeof(uint32_t) / 4096;

    switch ( below(32) )
    {
    case 0:
        return any();

    case 1:
        return NO_MEMORY / 4096 + below(16);

    case 2:
        return first;       /* the same one often */

    default:
        return first + any() % pages;
    }
}

static long call(unsigned int command, void *arg, size_t length)
{
    long rc;

    calls++;
    if ( !below(64) )
        rc = hypercall_once(__HYPERVISOR_event_channel_op, command, (void *)(NO_MEMORY + below(1u << 20)));
    else
        rc = events_call(command, arg, length);
    if ( rc > 0 || rc < LOWEST_ERROR )
        strange++;

    return rc;
}

static void try_init(void)
{
    struct xen_nlevel_init init = { .depth = below(4) ? 2 + below(3) : around(XEN_NLEVEL_DEPTH_MAX) };
    unsigned int i;

    init.pages = init.depth == 2 && below(4) ? 1 : around(XEN_NLEVEL_PAGES_MAX);
    for ( i = 0; i < XEN_NLEVEL_PAGES_MAX; i++ )
    {
        init.pending_gfn[i] = some_gfn();
        init.mask_gfn[i] = some_gfn();
    }
    registered += !call(EVTCHNOP_nlevel_init, &init, sizeof(init));
}

static void try_vcpu(void)
{
    struct xen_nlevel_vcpu vcpu = { .vcpu = below(2) ? 0 : around(GUEST_VCPUS_MAX), .gfn = some_gfn(),
                                    .offset = below(2) ? below(512) * 8 : around(4096) };

    selectors += !call(EVTCHNOP_nlevel_vcpu, &vcpu, sizeof(vcpu));
}

static void try_fifo(void)
{
    struct evtchn_init_control control = { .control_gfn = some_gfn(), .vcpu = around(2),
                                           .offset = below(2) ? 0 : around(4096) };
    struct evtchn_expand_array expand = { .array_gfn = some_gfn() };

    if ( below(2) )
        fifo += !call(EVTCHNOP_init_control, &control, sizeof(control));
    else
        call(EVTCHNOP_expand_array, &expand, sizeof(expand));
}

static void try_port(void)
{
    struct evtchn_bind_ipi bind = { .vcpu = below(4) ? 0 : around(2) };
    struct evtchn_bind_vcpu move = { .port = around(PORTS_TRIED), .vcpu = around(2) };
    struct evtchn_set_priority priority = { .port = around(PORTS_TRIED), .priority = around(16) };
    struct evtchn_send send = { .port = around(64) };
    struct evtchn_unmask unmask = { .port = around(PORTS_TRIED) };
    struct evtchn_close close = { .port = around(PORTS_TRIED) };

    switch ( below(8) )
    {
    case 0 ... 2:
        call(EVTCHNOP_bind_ipi, &bind, sizeof(bind));
        break;

    case 3:
        call(EVTCHNOP_bind_vcpu, &move, sizeof(move));
        break;

    case 4:
        call(EVTCHNOP_set_priority, &priority, sizeof(priority));
        break;

    case 5:
        call(EVTCHNOP_unmask, &unmask, sizeof(unmask));
        break;

    case 6:
        call(EVTCHNOP_close, &close, sizeof(close));
        break;

    default:
        call(EVTCHNOP_send, &send, sizeof(send));
    }
}

/* What the domain may do to its own pages, at any time. */
static void scribble(void)
{
    uint32_t *words = events_table(0);
    unsigned int i;

    for ( i = 0; i < 16; i++ )
        words[any() % events_channels()] = below(2) ? 0 : any();
}

static void reset(void)
{
    struct evtchn_reset arg = { .dom = DOMID_SELF };

    call(EVTCHNOP_reset, &arg, sizeof(arg));
}

static uint64_t asked;

static void turn(void)
{
    uint64_t nothing[64] = { 0 };

    switch ( below(16) )
    {
    case 0:
        if ( !below(4) )
            reset();
        break;

    case 1 ... 3:
        try_init();
        break;

    case 4 ... 6:
        try_vcpu();
        break;

    case 7:
        try_fifo();
        break;

    case 8:
        scribble();
        break;

    case 9:
        /* Commands that nobody knows, the neighbours of ours among them. */
        if ( call(below(2) ? 62 + 4 * below(2) + below(2) : COMMANDS_KNOWN + 1 + below(48), nothing, sizeof(nothing)) !=
             -XEN_ENOSYS )
            strange++;
        break;

    default:
        try_port();
    }
}

/* The console is without a channel meanwhile; its other end does not wait for ever. */
static void burst(void)
{
    uint32_t remote_port = console_remote_port();
    uint64_t i;

    events_reset();
    for ( i = 0; i < BURST && i < asked; i++ )
        turn();
    asked -= i;
    events_reset();
    console_rebind(remote_port);
}

bool events_fuzz(uint64_t count, uint64_t seed)
{
    bool good;

    state = seed;
    calls = registered = selectors = fifo = strange = 0;
    for ( asked = count; asked; )
        vcpus_change_channels(burst);
    events_register();
    /* One in a dozen turns is a registration, and one in a hundred a reset. */
    good = !strange && (count < 5000 || (registered && selectors && fifo));
    console_print("event-fuzz seed=%lu calls=%lu registered=%lu selectors=%lu fifo=%lu bad=%lu", seed, calls, registered,
                  selectors, fifo, good ? 0 : strange + 1);

    return good;
}
