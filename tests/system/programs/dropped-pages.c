/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dropped-pages DOMID GFN: pages that are out are given up, more of them than the ring has slots for.
 *
 * The domain is paused. Pages from GFN on are evicted. The toolstack takes some away, which nobody answers to
 * at first, so that the ring is full; others get a new page in their place. Then the ring is answered. Each
 * page has to be told of exactly once, and the number of pages that are out, as Xen counts it, has to be right
 * at each step. Then pages are only nominated, and when a line `touch` is printed, the guest has to touch
 * some; one of those is taken away, and its frame has to come back to Xen. The guest is lost afterwards.
 */
#include "paging-ring.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAKEN    20     /* pages that are taken away: more than the ring's 8 slots */
#define REPLACED 12     /* pages that get a new page in their place, and these too */
#define PAGES (TAKEN + REPLACED)
#define NOMINATED 1024  /* pages that are nominated, of which the guest touches one */

#define PATIENCE_MS 100     /* how long one look for an event waits ... */
#define PATIENCE    300     /* ... and after how many without any the guest counts as stuck */

static unsigned int told[PAGES];
static int status;

static void __attribute__((noreturn)) fail(const char *what, int rc)
{
    printf("FAILED: %s: %s\n", what, strerror(rc < 0 ? -rc : errno));
    exit(1);
}

static void answer(struct monitor *ring, const vm_event_request_t *request)
{
    int rc = monitor_answer(ring, request, 0);

    if ( rc )
        fail("answering", rc);
}

static void wait_ms(struct monitor *ring, int ms)
{
    int rc = monitor_wait(ring, ms);

    if ( rc )
        fail("waiting", rc);
}

static xc_dominfo_t domain(xc_interface *xch, uint32_t domid)
{
    xc_dominfo_t info;

    if ( xc_domain_getinfo(xch, domid, 1, &info) != 1 || info.domid != domid )
        fail("information", 0);
    return info;
}

static void expect_paged(xc_interface *xch, uint32_t domid, long expected, const char *when)
{
    long found = (long)domain(xch, domid).nr_paged_pages;

    printf("%ld pages are out %s\n", found, when);
    if ( found != expected )
    {
        printf("WRONG: that should be %ld\n", expected);
        status = 1;
    }
}

static void take_all(struct monitor *ring, xen_pfn_t first)
{
    vm_event_request_t request;

    /* Answers make room for more: until nothing new comes. */
    for ( unsigned int quiet = 0; quiet < 5; quiet++ )
    {
        bool any = false;

        while ( monitor_take(ring, &request) )
        {
            uint64_t gfn = request.u.mem_paging.gfn;

            if ( (request.u.mem_paging.flags & MEM_PAGING_DROP_PAGE) && gfn >= first && gfn < first + PAGES )
                told[gfn - first]++;
            answer(ring, &request);
            any = true;
        }
        if ( any )
            quiet = 0;
        wait_ms(ring, 20);
    }
}

static void expect_told(unsigned int from, unsigned int count, const char *which)
{
    unsigned int once = 0, more = 0;

    for ( unsigned int i = from; i < from + count; i++ )
    {
        once += told[i] == 1;
        more += told[i] > 1;
    }
    printf("%u of %u pages that were %s were told of\n", once + more, count, which);
    if ( once != count )
    {
        printf("WRONG: %u were not told of, %u more than once\n", count - once - more, more);
        status = 1;
    }
}

/* Pages that are out: some are taken away, some replaced, and the pager is told of each. */
static void drop_paged(struct monitor *ring, xc_interface *xch, uint32_t domid, xen_pfn_t first)
{
    xen_pfn_t gfns[PAGES];
    int taken;

    expect_paged(xch, domid, 0, "at first");
    for ( unsigned int i = 0; i < PAGES; i++ )
    {
        gfns[i] = first + i;
        if ( xc_mem_paging_nominate(xch, domid, first + i) || xc_mem_paging_evict(xch, domid, first + i) )
            fail("evicting", 0);
    }
    expect_paged(xch, domid, PAGES, "after the eviction");

    taken = xc_domain_decrease_reservation(xch, domid, TAKEN, 0, gfns);
    if ( taken != TAKEN )
    {
        printf("WRONG: %d of %d pages that are out could be taken away\n", taken, TAKEN);
        status = 1;
    }
    expect_paged(xch, domid, REPLACED, "after some were taken away");
    if ( xc_domain_populate_physmap_exact(xch, domid, REPLACED, 0, 0, gfns + TAKEN) )
        fail("replacing pages", 0);
    expect_paged(xch, domid, 0, "after the others were replaced");

    take_all(ring, first);
    expect_told(0, TAKEN, "taken away");
    expect_told(TAKEN, REPLACED, "replaced");
}

/* A page that was nominated and then touched is in, whatever its type is called: its frame has to come back. */
static void drop_touched(struct monitor *ring, xc_interface *xch, uint32_t domid, xen_pfn_t first)
{
    vm_event_request_t request;
    unsigned long before;
    xen_pfn_t gfn;

    if ( xc_domain_unpause(xch, domid) )
        fail("unpausing", 0);
    for ( unsigned int i = 0; i < NOMINATED; i++ )
        if ( xc_mem_paging_nominate(xch, domid, first + PAGES + i) )
            fail("nominating", 0);
    printf("touch\n");
    fflush(stdout);
    for ( unsigned int i = 0; !monitor_take(ring, &request); i++ )
    {
        if ( i == PATIENCE )
        {
            printf("WRONG: the guest touched no page\n");
            status = 1;
            return;
        }
        wait_ms(ring, PATIENCE_MS);
    }
    gfn = request.u.mem_paging.gfn;
    before = domain(xch, domid).nr_pages;
    if ( xc_domain_decrease_reservation_exact(xch, domid, 1, 0, &gfn) )
        fail("taking the touched page away", 0);
    if ( domain(xch, domid).nr_pages != before - 1 )
    {
        printf("WRONG: the frame of %lx, which was touched, is lost\n", (unsigned long)gfn);
        status = 1;
    }
    expect_paged(xch, domid, 0, "after a touched one was taken away");
    if ( xc_domain_pause(xch, domid) )
        fail("pausing", 0);
    answer(ring, &request);
}

int main(int argc, char **argv)
{
    struct monitor ring;
    xc_interface *xch;
    uint32_t domid;
    xen_pfn_t first;
    int rc;

    if ( argc != 3 )
    {
        fprintf(stderr, "usage: dropped-pages DOMID GFN\n");
        return 2;
    }
    domid = strtoul(argv[1], NULL, 10);
    first = strtoul(argv[2], NULL, 0);
    xch = xc_interface_open(NULL, NULL, 0);
    if ( !xch )
        fail("opening Xen", 0);
    if ( xc_domain_pause(xch, domid) )
        fail("pausing", 0);
    rc = paging_ring_open(&ring, xch, domid);
    if ( rc )
        fail("the paging ring", rc);
    drop_paged(&ring, xch, domid, first);
    drop_touched(&ring, xch, domid, first);
    return status;
}
