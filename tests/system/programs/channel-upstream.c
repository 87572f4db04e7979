/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Upstream's own paging ring on a domain without a channel: it works as it did, keeps a channel out, and is kept
 * out by one.
 *
 *   channel-upstream DOMID TTY LOG FIRST COUNT      takes so many frames out and gives them back on request
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xenctrl.h>

#include "channel.h"
#include "guest.h"
#include "monitor.h"
#include "paging-ring.h"

#define CLASS           XEN_MEMEVENT_CLASS_PAGING
#define PATIENCE_US     240000000u

static xc_interface *xch;
static struct monitor ring;
static struct guest guest;
static uint32_t domid;
static uint64_t first;
static unsigned long count, loads;
static uint8_t (*store)[4096];
static bool *out;

static void evict(void)
{
    xenforeignmemory_handle *mapper = xenforeignmemory_open(NULL, 0);
    unsigned long evicted = 0;

    if ( !mapper )
        fail("no way to the guest's memory: %s", strerror(errno));
    for ( unsigned long i = 0; i < count; i++ )
    {
        xen_pfn_t gfn = first + i;
        void *page;

        if ( xc_mem_paging_nominate(xch, domid, gfn) )
            continue;
        page = xenforeignmemory_map(mapper, domid, PROT_READ, 1, &gfn, NULL);
        if ( !page )
            fail("frame %#lx: %s", (unsigned long)gfn, strerror(errno));
        memcpy(store[i], page, sizeof(store[i]));
        xenforeignmemory_unmap(mapper, page, 1);
        out[i] = !xc_mem_paging_evict(xch, domid, gfn);
        evicted += out[i];
    }
    xenforeignmemory_close(mapper);
    printf("%lu of %lu frames are out\n", evicted, count);
    if ( evicted < count / 2 )
        fail("upstream's calls took too few frames out");
}

static void load(uint64_t gfn)
{
    unsigned long i = gfn - first;

    if ( gfn < first || i >= count || !out[i] )
        return;
    if ( xc_mem_paging_load(xch, domid, gfn, store[i]) )
        fail("loading frame %#"PRIx64": %s", gfn, strerror(errno));
    out[i] = false;
    loads++;
}

static void serve(void)
{
    vm_event_request_t request;

    while ( monitor_take(&ring, &request) )
    {
        vm_event_response_t response = {
            .version = VM_EVENT_INTERFACE_VERSION, .reason = request.reason, .vcpu_id = request.vcpu_id,
            .flags = request.flags, .u.mem_paging = request.u.mem_paging,
        };

        if ( !(request.u.mem_paging.flags & MEM_PAGING_DROP_PAGE) )
            load(request.u.mem_paging.gfn);
        memcpy(RING_GET_RESPONSE(&ring.ring, ring.ring.rsp_prod_pvt), &response, sizeof(response));
        ring.ring.rsp_prod_pvt++;
        RING_PUSH_RESPONSES(&ring.ring);
        if ( xenevtchn_notify(ring.evtchn, ring.port) )
            fail("the ring's event channel: %s", strerror(errno));
    }
}

int main(int argc, char **argv)
{
    uint64_t until = now_us() + PATIENCE_US;
    struct channel channel;
    char line[256];
    int rc;

    if ( argc != 6 )
        fail("usage: channel-upstream DOMID TTY LOG FIRST COUNT");
    hypervisor_open();
    xch = xc_interface_open(NULL, NULL, 0);
    domid = strtoul(argv[1], NULL, 10);
    guest.tty = argv[2];
    guest.log = argv[3];
    first = strtoull(argv[4], NULL, 0);
    count = strtoul(argv[5], NULL, 0);
    store = calloc(count, sizeof(*store));
    out = calloc(count, sizeof(*out));
    if ( !xch || !store || !out )
        fail("no memory, or no Xen");

    expect(0, channel_attach(&channel, domid, CLASS, 0, 0, 0), "attach");
    expect(-EBUSY, paging_ring_open(&ring, xch, domid), "upstream's ring beside a channel");
    expect(0, channel_detach(domid, CLASS), "detach");
    channel_abandon(&channel);
    expect(0, paging_ring_open(&ring, xch, domid), "upstream's ring after the channel");
    expect(-EBUSY, channel_attach(&channel, domid, CLASS, 0, 0, 0), "attach beside upstream's ring");
    pass("a channel and upstream's ring keep each other out");

    evict();
    rc = guest_tell(&guest, "verify");
    if ( rc )
        fail("telling the guest: %s", strerror(-rc));
    while ( !(rc = guest_answered(&guest, "guest: verify", line, sizeof(line))) )
    {
        if ( now_us() > until )
            fail("the guest waits for ever on upstream's ring");
        serve();
        monitor_wait(&ring, 20);
    }
    if ( rc < 0 || !strstr(line, "bad=0 ") )
        fail("the guest: %s", rc < 0 ? strerror(-rc) : line);
    puts(line);
    for ( unsigned long i = 0; i < count; i++ )
        load(first + i);
    serve();
    if ( xc_mem_paging_disable(xch, domid) )
        fail("ending upstream's ring: %s", strerror(errno));
    if ( !loads )
        fail("nothing was asked for");
    pass("upstream's ring and calls work: %lu frames were out, and every word is right", loads);

    expect(0, channel_attach(&channel, domid, CLASS, 0, 0, 0), "attach after upstream's ring");
    expect(0, channel_detach(domid, CLASS), "detach");

    return 0;
}
