/* SPDX-License-Identifier: GPL-2.0-only */
/* See console.h. Only vCPU 0 reads input. */
#include "console.h"

#include <stdint.h>

#include <xen/errno.h>
#include <xen/hvm/params.h>
#include <xen/io/console.h>

#include "clock.h"
#include "hypercall.h"
#include "text.h"

#define NS_PER_MS           1000000ull

/* The daemon's event ends a wait; this only bounds the harm of one that got lost. */
#define RING_RECHECK_NS     (100 * NS_PER_MS)

/* After the last line nobody else would tell a console that is never read. */
#define DRAIN_MAX_NS        (10000 * NS_PER_MS)

/* A vCPU that holds the lock may be waiting for a page: try so often before yielding, and forcing. */
#define LOCK_SPINS          200
#define LOCK_FORCE_YIELDS   100000

static volatile struct xencons_interface *ring;
static evtchn_port_t port;
static bool lock;

static struct {
    char text[CONSOLE_LINE_MAX * 4];
    size_t used;
    bool too_long;
} input;

void console_open(void)
{
    uint64_t pfn = hvm_param(HVM_PARAM_CONSOLE_PFN);

    port = hvm_param(HVM_PARAM_CONSOLE_EVTCHN);
    if ( !pfn || !port )
        guest_panic("the toolstack gave no console");
    ring = (void *)(pfn * 4096);
}

uint32_t console_remote_port(void)
{
    struct evtchn_status status = { .dom = DOMID_SELF, .port = port };
    long rc = hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_status, &status, sizeof(status));

    if ( rc || status.status != EVTCHNSTAT_interdomain )
        guest_panic("EVTCHNOP_status of the console: %ld, %u", rc, status.status);

    return status.u.interdomain.port;
}

void console_rebind(uint32_t remote_port)
{
    struct evtchn_bind_interdomain bind = { .remote_dom = 0, .remote_port = remote_port };
    long rc = hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_interdomain, &bind, sizeof(bind));

    if ( rc )
        guest_panic("EVTCHNOP_bind_interdomain of the console: %ld", rc);
    port = bind.local_port;
}

static void lock_take(unsigned long most_yields)
{
    unsigned int spins = 0;
    unsigned long yields = 0;

    while ( __atomic_exchange_n(&lock, true, __ATOMIC_ACQUIRE) )
    {
        asm volatile("pause");
        if ( ++spins % LOCK_SPINS )
            continue;
        if ( most_yields && ++yields > most_yields )
            return;
        sched_yield();
    }
}

static void lock_release(void)
{
    __atomic_store_n(&lock, false, __ATOMIC_RELEASE);
}

static void wait_for_ring(void)
{
    event_poll(port, clock_system_ns() + RING_RECHECK_NS);
}

/* Under the lock. */
static void put(const char *text, size_t length)
{
    XENCONS_RING_IDX prod = ring->out_prod;

    while ( length )
    {
        event_clear(port);
        /* Reading out_cons /before/ overwriting what it frees; pairs with the daemon's barrier. */
        while ( length && prod - __atomic_load_n(&ring->out_cons, __ATOMIC_ACQUIRE) <
                          sizeof(ring->out) )
        {
            ring->out[MASK_XENCONS_IDX(prod++, ring->out)] = *text++;
            length--;
        }
        /* The octets /before/ the index that hands them over; pairs with the daemon's read. */
        __atomic_store_n(&ring->out_prod, prod, __ATOMIC_RELEASE);
        event_send(port);
        if ( length )
            wait_for_ring();
    }
}

void console_print(const char *format, ...)
{
    char line[CONSOLE_LINE_MAX];
    va_list args;
    size_t n;

    /* One octet is kept for the line's end. */
    n = text_print(line, sizeof(line) - 1, "guest: ");
    va_start(args, format);
    n += text_format(line + n, sizeof(line) - 1 - n, format, args);
    va_end(args);
    line[n++] = '\n';

    lock_take(0);
    put(line, n);
    lock_release();
}

void console_print_last(const char *line)
{
    size_t n;

    if ( !ring )
        return;

    for ( n = 0; line[n]; n++ )
        ;
    lock_take(LOCK_FORCE_YIELDS);
    put(line, n);
    put("\n", 1);
    lock_release();
    console_drain();
}

void console_drain(void)
{
    uint64_t end = clock_system_ns() + DRAIN_MAX_NS;

    for ( ; ; )
    {
        event_clear(port);
        if ( __atomic_load_n(&ring->out_cons, __ATOMIC_ACQUIRE) == ring->out_prod ||
             clock_system_ns() >= end )
            return;
        wait_for_ring();
    }
}

/* Moves what dom0 wrote into input.text; what does not fit there stays in the ring. */
static void take_input(void)
{
    XENCONS_RING_IDX cons = ring->in_cons, prod;

    /* The index /before/ the octets it covers; pairs with the daemon's write of it. */
    prod = __atomic_load_n(&ring->in_prod, __ATOMIC_ACQUIRE);
    if ( prod == cons || prod - cons > sizeof(ring->in) )
        return;
    while ( cons != prod && input.used < sizeof(input.text) )
        input.text[input.used++] = ring->in[MASK_XENCONS_IDX(cons++, ring->in)];
    /* The octets were read /before/ their place is given back. */
    __atomic_store_n(&ring->in_cons, cons, __ATOMIC_RELEASE);
    event_send(port);
}

/* Takes the first line off input.text; 0 when there is no whole line, or an empty one. */
static long split_line(char *line, size_t size)
{
    size_t end, i;
    bool too_long;

    for ( end = 0; end < input.used; end++ )
        if ( input.text[end] == '\n' || input.text[end] == '\r' )
            break;

    if ( end == input.used )
    {
        if ( input.used == sizeof(input.text) )
        {
            input.used = 0;
            input.too_long = true;
        }
        return 0;
    }

    too_long = input.too_long || end >= size;
    input.too_long = false;
    for ( i = 0; !too_long && i < end; i++ )
        line[i] = input.text[i];
    line[i] = '\0';

    for ( i = end + 1; i < input.used; i++ )
        input.text[i - end - 1] = input.text[i];
    input.used -= end + 1;

    return too_long ? -XEN_E2BIG : (long)end;
}

static bool has_line(void)
{
    size_t i;

    for ( i = 0; i < input.used; i++ )
        if ( input.text[i] == '\n' || input.text[i] == '\r' )
            return true;

    return false;
}

long console_read_line(char *line, size_t size, bool wait)
{
    long length;

    for ( ; ; )
    {
        event_clear(port);
        take_input();
        do {
            length = split_line(line, size);
            if ( length )
                return length;
        } while ( has_line() );

        if ( !wait )
            return 0;
        if ( __atomic_load_n(&ring->in_prod, __ATOMIC_ACQUIRE) == ring->in_cons )
            wait_for_ring();
    }
}
