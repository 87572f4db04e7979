/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Two guests write to the pages that they share while the host has no memory for the copies. The consumer of their
 * OOM channels answers a number of times without having found any: who waits asks again, and never sees an error.
 * Then memory is freed.
 *
 *   channel-oom DOMID TTY LOG DOMID TTY LOG FRAMES TAKE FREE     commands that take the host's memory, and free it
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "channel-sharing.h"

#define CLASS           XEN_MEMEVENT_CLASS_OOM
#define IN_VAIN         30          /* answers that come without memory */
#define PATIENCE_US     240000000u

static struct pair pair;
static struct channel channels[2];
static unsigned long events, again;

static void command(const char *what)
{
    if ( system(what) )
        fail("'%s' does not work", what);
}

/* What each vCPU asked for last: answered in vain, it must ask for the same. */
static uint64_t asked[2];

static void take_one(unsigned int i)
{
    struct xen_memevent_request request;

    while ( channel_take(&channels[i], &request) )
    {
        if ( request.kind == XEN_MEMEVENT_OOM_UNSHARE ? request.gfn >= pair.frames
                                                      : request.kind != XEN_MEMEVENT_OOM_RESCAN )
            fail("a request of kind %u for frame %#"PRIx64, request.kind, request.gfn);
        if ( request.flags & XEN_MEMEVENT_VCPU_PAUSED )
        {
            again += asked[i] == request.gfn;
            asked[i] = request.gfn;
            if ( !events )
                expect(-EBUSY, channel_detach(channels[i].domid, CLASS), "detach with a request unanswered");
        }
        events++;
        channel_answer(&channels[i], request.id, 0);
        channel_publish(&channels[i]);
    }
}

/* Until there were enough, and each guest has asked; or the guests are done. */
static void serve_until(unsigned long enough, const char *what)
{
    uint64_t until = now_us() + PATIENCE_US;

    while ( !pair_is_done(&pair, what) &&
            (events < enough || asked[0] == XEN_MEMEVENT_NO_GFN || asked[1] == XEN_MEMEVENT_NO_GFN) )
    {
        if ( now_us() > until )
            fail("the guests do not go on: %lu events", events);
        for ( unsigned int i = 0; i < 2; i++ )
            take_one(i);
        channel_wait(&channels[events % 2], 20);
    }
}

int main(int argc, char **argv)
{
    struct merged merged = { { 0 }, 0 };
    struct xen_memevent_info info;
    unsigned long in_vain;

    if ( argc != 10 )
        fail("usage: channel-oom DOMID TTY LOG DOMID TTY LOG FRAMES TAKE FREE");
    hypervisor_open();
    pair_open(&pair, argv + 1, strtoull(argv[7], NULL, 0));
    for ( unsigned int i = 0; i < 2; i++ )
    {
        asked[i] = XEN_MEMEVENT_NO_GFN;
        expect(0, channel_attach(&channels[i], pair.sharers[i].domid, CLASS, 0, 0, 0), "attach");
    }
    pair_merge(&pair, &merged);
    printf("%lu frames are merged\n", merged.outcomes[XEN_MEMEVENT_MERGED]);
    if ( merged.outcomes[XEN_MEMEVENT_MERGED] < pair.frames / 2 )
        fail("too few pages were merged");

    command(argv[8]);
    pair_tell(&pair, "seq/write");
    serve_until(IN_VAIN, "guest: seq");
    in_vain = events;
    if ( in_vain < IN_VAIN || again < IN_VAIN / 2 )
        fail("%lu requests in vain, %lu of them for the same frame again", in_vain, again);
    if ( pair_is_done(&pair, "guest: seq") )
        fail("the guests do without memory");
    expect(-ENOMEM, sharer_do(&pair.sharers[0], XEN_MEMEVENT_SHARING_UNSHARE, asked[0]), "unshare without memory");
    pass("without memory a guest asks again each time: %lu requests in vain", in_vain);

    command(argv[9]);
    serve_until(~0ul, "guest: seq");
    /* Whoever waited has gone on; a notice that nobody waits for may be left. */
    for ( unsigned int i = 0; i < 2; i++ )
        take_one(i);
    printf("%lu requests in all\n", events);
    pair_does(&pair, "verify", "guest: verify");
    for ( unsigned int i = 0; i < 2; i++ )
    {
        expect(0, channel_info(channels[i].domid, CLASS, &info), "the counters");
        expect(info.produced, info.answered, "requests answered");
        expect(0, channel_detach(channels[i].domid, CLASS), "detach");
    }
    pass("with memory the guests go on, and every word is right");

    return 0;
}
