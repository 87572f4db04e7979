/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * two-consumers DOMID CYCLES: one consumer of a domain stays, others come and go.
 *
 * A monitor gets an event for each CR3 that the guest loads, which pauses the vCPU, and answers it. All the
 * while the domain's paging and sharing rings are attached to and left again, CYCLES times, with at
 * least one event after each. Last the monitor leaves, and the guest has to go on alone.
 */
#include "paging-ring.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xen/hvm/params.h>

#define PATIENCE_MS 100     /* how long one look for an event waits ... */
#define PATIENCE    300     /* ... and after how many without any the guest counts as stuck */

static unsigned long events, cycle;

static void __attribute__((noreturn)) fail(const char *what, int rc)
{
    printf("FAILED: %s, in cycle %lu: %s\n", what, cycle, strerror(rc < 0 ? -rc : errno));
    exit(1);
}

static bool answer_all(struct monitor *monitor)
{
    vm_event_request_t request;
    bool any = false;
    int rc;

    while ( monitor_take(monitor, &request) )
    {
        rc = monitor_answer(monitor, &request, 0);
        if ( rc )
            fail("answering", rc);
        events++;
        any = true;
    }
    return any;
}

static void wait_ms(struct monitor *monitor, int ms)
{
    int rc = monitor_wait(monitor, ms);

    if ( rc )
        fail("waiting", rc);
}

static void expect_event(struct monitor *monitor, const char *when)
{
    for ( unsigned int i = 0; i < PATIENCE; i++ )
    {
        if ( answer_all(monitor) )
            return;
        wait_ms(monitor, PATIENCE_MS);
    }
    errno = ETIME;
    fail(when, 0);
}

int main(int argc, char **argv)
{
    struct monitor monitor;
    xc_interface *xch;
    unsigned long cycles;
    uint32_t domid, port;
    xen_pfn_t gfn;
    int rc;

    if ( argc != 3 )
    {
        fprintf(stderr, "usage: two-consumers DOMID CYCLES\n");
        return 2;
    }
    domid = strtoul(argv[1], NULL, 10);
    cycles = strtoul(argv[2], NULL, 10);
    xch = xc_interface_open(NULL, NULL, 0);
    if ( !xch )
        fail("opening Xen", 0);

    rc = monitor_open(&monitor, xch, domid);
    if ( rc )
        fail("the monitor ring", rc);
    if ( xc_monitor_write_ctrlreg(xch, domid, VM_EVENT_X86_CR3, true, true, 0, false) )
        fail("events for CR3", 0);
    expect_event(&monitor, "no event from the guest at all");

    if ( !paging_ring_page(xch, domid, HVM_PARAM_PAGING_RING_PFN, &gfn) ||
         !paging_ring_page(xch, domid, HVM_PARAM_SHARING_RING_PFN, &gfn) )
        fail("pages for the other rings", 0);
    for ( cycle = 0; cycle < cycles; cycle++ )
    {
        if ( xc_mem_paging_enable(xch, domid, &port) )
            fail("attaching to the paging ring", 0);
        answer_all(&monitor);
        if ( xc_memshr_ring_enable(xch, domid, &port) )
            fail("attaching to the sharing ring", 0);
        answer_all(&monitor);
        if ( xc_mem_paging_disable(xch, domid) )
            fail("leaving the paging ring", 0);
        expect_event(&monitor, "no event after the paging ring was left");
        if ( xc_memshr_ring_disable(xch, domid) )
            fail("leaving the sharing ring", 0);
        expect_event(&monitor, "no event after the sharing ring was left");
    }

    if ( xc_monitor_write_ctrlreg(xch, domid, VM_EVENT_X86_CR3, false, true, 0, false) )
        fail("no more events for CR3", 0);
    /* A vCPU that is paused now has its event in the ring, and would wait for ever. */
    for ( unsigned int i = 0; i < 10; i++ )
    {
        answer_all(&monitor);
        wait_ms(&monitor, 10);
    }
    monitor_close(&monitor);
    printf("cycles %lu events %lu\n", cycles, events);
    return 0;
}
