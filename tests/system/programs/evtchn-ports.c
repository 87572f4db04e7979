/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * evtchn-ports COUNT PAIRS COMMAND: dom0 with very many event channels.
 *
 * COUNT unbound channels are opened by hypercalls of our own, which the kernel knows nothing of. COMMAND runs while
 * they are open, with the highest port in the environment as PORT. Then some are closed and opened
 * again, then all: Xen gives the lowest free port, so that the same ports have to come back, in order. Last, PAIRS
 * loops of two ports each are opened through the kernel, and an event has to come out of each once.
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <xencall.h>
#include <xenctrl.h>
#include <xenevtchn.h>
#include <xen/event_channel.h>

#define OURSELVES   0           /* dom0's number */
#define TIMED       1000U       /* so many of the first and of the last are timed */
#define PATIENCE_MS 60000       /* for one event: an emulated host may stand still for a while */
#define SOME        7           /* each so-manieth is closed and opened again */

static xencall_handle *calls;
static void *argument;          /* memory that Xen can be given */

static void __attribute__((noreturn)) fail(const char *what, unsigned long which)
{
    printf("FAILED: %s (%lu): %s\n", what, which, strerror(errno));
    exit(1);
}

static evtchn_port_t open_port(unsigned long which)
{
    evtchn_alloc_unbound_t *call = argument;

    call->dom = DOMID_SELF;
    call->remote_dom = DOMID_SELF;
    call->port = 0;
    if ( xencall2(calls, __HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, (uintptr_t)argument) )
        fail("opening a channel", which);

    return call->port;
}

static void close_port(evtchn_port_t port)
{
    evtchn_close_t *call = argument;

    call->port = port;
    if ( xencall2(calls, __HYPERVISOR_event_channel_op, EVTCHNOP_close, (uintptr_t)argument) )
        fail("closing a channel", port);
}

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);

    return time.tv_sec + time.tv_nsec / 1e9;
}

static void open_all(evtchn_port_t *ports, unsigned long count)
{
    double first = 0, last = 0, begin = now();

    for ( unsigned long i = 0; i < count; i++ )
    {
        if ( i == TIMED )
            first = now() - begin;
        if ( i == count - TIMED )
            begin = now();
        ports[i] = open_port(i);
        if ( i && ports[i] <= ports[i - 1] )
            fail("a port is not above the one before it", ports[i]);
    }
    last = now() - begin;
    printf("%lu ports, up to %u; the first %u took %.1f ms, the last %u took %.1f ms\n", count, ports[count - 1],
           TIMED, first * 1e3, TIMED, last * 1e3);
}

static void reopen(evtchn_port_t *ports, unsigned long count, unsigned long step)
{
    unsigned long again = 0;

    /* From the middle outwards: the order of closing must not be the order of opening. */
    for ( unsigned long i = 0; i < count; i++ )
    {
        unsigned long j = (i + count / 2) % count;

        if ( j % step == 0 )
            close_port(ports[j]);
    }
    for ( unsigned long i = 0; i < count; i += step, again++ )
    {
        evtchn_port_t port = open_port(i);

        if ( port != ports[i] )
            fail("another port came back", port);
    }
    printf("PASS: %lu closed and opened again have their ports\n", again);
}

static void receive(xenevtchn_handle *device, unsigned int *came, evtchn_port_t limit)
{
    struct pollfd event = { .fd = xenevtchn_fd(device), .events = POLLIN };
    xenevtchn_port_or_error_t port;

    if ( poll(&event, 1, PATIENCE_MS) != 1 )
        fail("waiting for an event", 0);
    port = xenevtchn_pending(device);
    if ( port < 0 || (evtchn_port_t)port >= limit )
        fail("taking an event", port);
    came[port]++;
    if ( xenevtchn_unmask(device, port) )
        fail("unmasking", port);
}

static void pairs_deliver(unsigned long pairs)
{
    xenevtchn_handle *device = xenevtchn_open(NULL, 0);
    evtchn_port_t *ends = calloc(2 * pairs, sizeof(*ends)), top = 0;
    unsigned int *came;

    if ( !device || !ends )
        fail("opening the event channel device", 0);
    for ( unsigned long i = 0; i < pairs; i++ )
    {
        xenevtchn_port_or_error_t port = xenevtchn_bind_unbound_port(device, OURSELVES);

        if ( port < 0 )
            fail("binding an unbound port", i);
        ends[2 * i] = port;
        port = xenevtchn_bind_interdomain(device, OURSELVES, ends[2 * i]);
        if ( port < 0 )
            fail("binding the other end", i);
        ends[2 * i + 1] = port;
    }
    for ( unsigned long i = 0; i < 2 * pairs; i++ )
        top = ends[i] > top ? ends[i] : top;
    came = calloc(top + 1, sizeof(*came));
    if ( !came )
        fail("memory", top);

    /* A port that is bound is told of once by that. */
    for ( unsigned long i = 0; i < pairs; i++ )
        receive(device, came, top + 1);
    for ( unsigned long i = 0; i < pairs; i++ )
    {
        if ( came[ends[2 * i]] || came[ends[2 * i + 1]] != 1 )
            fail("the bind was not told of once", ends[2 * i + 1]);
        came[ends[2 * i + 1]] = 0;
    }

    for ( unsigned long i = 0; i < pairs; i++ )
        if ( xenevtchn_notify(device, ends[2 * i]) )
            fail("notifying", ends[2 * i]);
    for ( unsigned long i = 0; i < pairs; i++ )
        receive(device, came, top + 1);
    for ( unsigned long i = 0; i < pairs; i++ )
        if ( came[ends[2 * i]] || came[ends[2 * i + 1]] != 1 )
            fail("an event did not come once", ends[2 * i + 1]);
    xenevtchn_close(device);
    free(came);
    free(ends);
    printf("PASS: %lu ports open through the kernel, up to %u: each event came once\n", 2 * pairs, top);
}

int main(int argc, char **argv)
{
    unsigned long count, pairs;
    evtchn_port_t *ports;
    char text[16];

    if ( argc != 4 || (count = strtoul(argv[1], NULL, 10)) < 2 * TIMED || !(pairs = strtoul(argv[2], NULL, 10)) )
    {
        fprintf(stderr, "usage: evtchn-ports COUNT PAIRS COMMAND, with COUNT at least %u\n", 2 * TIMED);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    calls = xencall_open(NULL, 0);
    argument = calls ? xencall_alloc_buffer(calls, sizeof(evtchn_alloc_unbound_t)) : NULL;
    ports = calloc(count, sizeof(*ports));
    if ( !argument || !ports )
        fail("beginning", count);

    open_all(ports, count);
    snprintf(text, sizeof(text), "%u", ports[count - 1]);
    setenv("PORT", text, 1);
    errno = 0;
    if ( system(argv[3]) )
        fail("the command", 0);
    reopen(ports, count, SOME);
    reopen(ports, count, 1);
    for ( unsigned long i = 0; i < count; i++ )
        close_port(ports[i]);
    pairs_deliver(pairs);

    free(ports);
    xencall_free_buffer(calls, argument);
    xencall_close(calls);
    return 0;
}
