/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * evtchn-rebind DOMID SECONDS: how long a bind and close of a channel between dom0 and DOMID takes, over and over. Both
 * calls take the lock for writing that DOMID has for all its channels, so that whoever holds it for long is seen here.
 * Prints `N binds and closes: MEAN us each, the longest LONGEST us`.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <xencall.h>
#include <xenctrl.h>
#include <xen/event_channel.h>

#define OURSELVES 0             /* dom0's number */

static xencall_handle *calls;
static union {
    evtchn_alloc_unbound_t alloc;
    evtchn_bind_interdomain_t bind;
    evtchn_close_t close;
} *argument;                    /* memory that Xen can be given */

static void call(unsigned int command, const char *what)
{
    if ( xencall2(calls, __HYPERVISOR_event_channel_op, command, (uintptr_t)argument) )
    {
        printf("FAILED: %s: %s\n", what, strerror(errno));
        exit(1);
    }
}

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);

    return time.tv_sec + time.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    double begin, before, seconds, sum = 0, longest = 0;
    unsigned long count = 0;
    evtchn_port_t remote;
    domid_t domid;

    if ( argc != 3 )
    {
        fprintf(stderr, "usage: evtchn-rebind DOMID SECONDS\n");
        return 2;
    }
    domid = strtoul(argv[1], NULL, 10);
    seconds = strtod(argv[2], NULL);
    calls = xencall_open(NULL, 0);
    argument = calls ? xencall_alloc_buffer(calls, sizeof(*argument)) : NULL;
    if ( !argument )
    {
        printf("FAILED: opening Xen: %s\n", strerror(errno));
        return 1;
    }

    /* The domain's end stays; it is unbound again after each close of ours. */
    argument->alloc = (evtchn_alloc_unbound_t){ .dom = domid, .remote_dom = OURSELVES };
    call(EVTCHNOP_alloc_unbound, "a channel of the domain's");
    remote = argument->alloc.port;
    begin = before = now();
    do {
        evtchn_port_t local;
        double after;

        argument->bind = (evtchn_bind_interdomain_t){ .remote_dom = domid, .remote_port = remote };
        call(EVTCHNOP_bind_interdomain, "binding");
        local = argument->bind.local_port;
        argument->close = (evtchn_close_t){ .port = local };
        call(EVTCHNOP_close, "closing");
        after = now();
        sum += after - before;
        if ( after - before > longest )
            longest = after - before;
        before = after;
        count++;
    } while ( before - begin < seconds );
    printf("%lu binds and closes: %.0f us each, the longest %.0f us\n", count, sum / count * 1e6, longest * 1e6);

    return 0;
}
