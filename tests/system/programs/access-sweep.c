/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Restricts all frames of a running guest again and again, as a scanner does that lets nothing execute which was
 * written since: rx, so that a frame tells of its first write, then rw, so that it tells of its first fetch. Each
 * frame that tells is let go. The guest, which knows nothing of it, is the judge.
 *
 *   access-sweep DOMID FRAMES ROUNDS      rounds of both; frames [0, FRAMES) that hold RAM
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "monitor.h"

#define CHUNK           1024    /* frames restricted between two looks at the ring: the guest runs meanwhile */
#define LINGER_SECONDS  15      /* how long a round is looked at */

static xc_interface *xch;
static struct monitor monitor;
static uint32_t domid;
static uint64_t frames;

static void __attribute__((noreturn)) fail(const char *what, int rc)
{
    printf("FAILED: %s: %s\n", what, strerror(rc < 0 ? -rc : errno));
    exit(1);
}

struct told {
    unsigned long writes, fetches, in_walks;
};

static void serve(struct told *told)
{
    vm_event_request_t request;
    int rc;

    while ( monitor_take(&monitor, &request) )
    {
        uint32_t flags = request.u.mem_access.flags;

        if ( request.reason != VM_EVENT_REASON_MEM_ACCESS || request.u.mem_access.gfn >= frames )
            fail("an event of something else", -EPROTO);
        told->writes += !!(flags & MEM_ACCESS_W);
        told->fetches += !!(flags & MEM_ACCESS_X);
        told->in_walks += !!(flags & MEM_ACCESS_FAULT_IN_GPT);
        if ( xc_set_mem_access(xch, domid, XENMEM_access_rwx, request.u.mem_access.gfn, 1) )
            fail("letting a frame go", 0);
        rc = monitor_answer(&monitor, &request, 0);
        if ( rc )
            fail("an answer", rc);
    }
}

static void sweep(xenmem_access_t access, const char *name)
{
    struct told before = { 0 }, told = { 0 };   /* before all frames have it, some are as the last sweep left them */
    time_t until;
    uint64_t gfn;
    int rc;

    for ( gfn = 0; gfn < frames; gfn += CHUNK )
    {
        if ( xc_set_mem_access(xch, domid, access, gfn, gfn + CHUNK < frames ? CHUNK : frames - gfn) )
            fail("restricting frames", 0);
        serve(&before);
    }
    for ( until = time(NULL) + LINGER_SECONDS; time(NULL) < until; )
    {
        rc = monitor_wait(&monitor, 100);
        if ( rc )
            fail("the event channel", rc);
        serve(&told);
    }
    printf("%s: %lu writes, %lu fetches, %lu by walks\n", name, told.writes, told.fetches, told.in_walks);
    if ( access == XENMEM_access_rx ? !told.writes || told.fetches : !told.fetches || told.writes )
        fail("nothing was told, or what is allowed", -EPROTO);
}

int main(int argc, char **argv)
{
    unsigned long rounds;
    int rc;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if ( argc != 4 )
        fail("usage: access-sweep DOMID FRAMES ROUNDS", -EINVAL);
    domid = strtoul(argv[1], NULL, 10);
    frames = strtoull(argv[2], NULL, 10);

    xch = xc_interface_open(NULL, NULL, 0);
    if ( !xch )
        fail("Xen", 0);
    rc = monitor_open(&monitor, xch, domid);
    if ( rc )
        fail("the monitor ring", rc);

    for ( rounds = strtoul(argv[3], NULL, 10); rounds; rounds-- )
    {
        sweep(XENMEM_access_rx, "rx");
        sweep(XENMEM_access_rw, "rw");
    }

    /* What did not tell is let go as well, and nothing may wait for an answer when the ring goes. */
    if ( xc_set_mem_access(xch, domid, XENMEM_access_rwx, 0, frames) )
        fail("letting all frames go", 0);
    for ( rc = 0; rc < 5; rc++ )
    {
        struct told told = { 0 };

        serve(&told);
        monitor_wait(&monitor, 100);
    }
    monitor_close(&monitor);
    xc_interface_close(xch);

    return 0;
}
