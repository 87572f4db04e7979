/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * evtchn-wait LOW ROUNDS: how many events dom0 handles before one that is urgent, with and without priorities.
 *
 * LOW channels are raised in one hypercall, one after the other, as a flood of invalidates raises those of many
 * consumers; in the middle of them a channel on which a vCPU waits for a page. The second vCPU does that, and all are
 * bound to the first. The kernel puts them into the reader's list in the order in which it handled them. At first they
 * have the priorities that the suite gives them, then all have that of everybody.
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xencall.h>
#include <xenctrl.h>
#include <xenevtchn.h>
#include <xen/event_channel.h>

#define OURSELVES   0           /* dom0's number */
#define PAGING      2           /* priorities: as in lib/hypervisor/xen-ring.c */
#define INVALIDATE  12
#define EVERYBODY   7
#define MOST        1000U
#define MOST_ROUNDS 1000U
#define PATIENCE_MS 60000       /* for one event: an emulated host may stand still for a while */

static xencall_handle *calls;
static xenevtchn_handle *reader, *raiser;
static evtchn_port_t ports[MOST + 1], ends[MOST + 1];   /* as the reader has them, and as they are raised */
static multicall_entry_t *entries;
static evtchn_send_t *sends;

static void __attribute__((noreturn)) fail(const char *what, long which)
{
    printf("FAILED: %s (%ld): %s\n", what, which, strerror(errno));
    exit(1);
}

static void *buffer(size_t size)
{
    void *memory = xencall_alloc_buffer(calls, size);

    if ( !memory )
        fail("memory", size);
    memset(memory, 0, size);

    return memory;
}

static void bind_all(unsigned int count)
{
    for ( unsigned int i = 0; i < count; i++ )
    {
        xenevtchn_port_or_error_t port = xenevtchn_bind_unbound_port(reader, OURSELVES);

        if ( port < 0 )
            fail("binding an unbound port", i);
        ports[i] = port;
        port = xenevtchn_bind_interdomain(raiser, OURSELVES, ports[i]);
        if ( port < 0 )
            fail("binding the other end", i);
        ends[i] = port;
    }
}

/* All of this program's interrupts, which the kernel has spread over the vCPUs. */
static void bind_to_first_vcpu(void)
{
    FILE *interrupts = fopen("/proc/interrupts", "r"), *affinity;
    char line[1024], path[64];
    unsigned int irq, bound = 0;

    if ( !interrupts )
        fail("/proc/interrupts", 0);
    while ( fgets(line, sizeof(line), interrupts) )
    {
        if ( !strstr(line, "evtchn:evtchn-wait") || sscanf(line, "%u:", &irq) != 1 )
            continue;
        snprintf(path, sizeof(path), "/proc/irq/%u/smp_affinity", irq);
        affinity = fopen(path, "w");
        if ( !affinity || fputs("1\n", affinity) < 0 || fclose(affinity) )
            fail("the first vCPU for an interrupt", irq);
        bound++;
    }
    fclose(interrupts);
    if ( !bound )
        fail("no interrupt has this program's name", 0);
}

static void set_priority(evtchn_port_t port, uint32_t priority)
{
    evtchn_set_priority_t *argument = buffer(sizeof(*argument));

    *argument = (evtchn_set_priority_t){ .port = port, .priority = priority };
    if ( xencall2(calls, __HYPERVISOR_event_channel_op, EVTCHNOP_set_priority, (uintptr_t)argument) )
        fail("setting a priority", port);
    xencall_free_buffer(calls, argument);
}

/* Raises all, number urgent in the middle of them; how many the kernel handled before that one. */
static unsigned int handled_before(unsigned int count, unsigned int urgent)
{
    struct pollfd event = { .fd = xenevtchn_fd(reader), .events = POLLIN };
    unsigned int before = count;

    for ( unsigned int i = 0; i < count; i++ )
    {
        entries[i].op = __HYPERVISOR_event_channel_op;
        entries[i].args[0] = EVTCHNOP_send;
        entries[i].args[1] = (uintptr_t)&sends[i];
    }
    if ( xencall2(calls, __HYPERVISOR_multicall, (uintptr_t)entries, count) )
        fail("raising all", count);
    for ( unsigned int i = 0; i < count; i++ )
    {
        xenevtchn_port_or_error_t port;

        if ( entries[i].result )
            fail("raising one", i);
        if ( poll(&event, 1, PATIENCE_MS) != 1 )
            fail("waiting for an event", i);
        port = xenevtchn_pending(reader);
        if ( port < 0 )
            fail("taking an event", i);
        if ( (evtchn_port_t)port == ports[urgent] )
            before = i;
        if ( xenevtchn_unmask(reader, port) )
            fail("unmasking", port);
    }
    if ( before == count )
        fail("the urgent event did not come", count);

    return before;
}

static int ascending(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* Prints the waits of as many rounds, and returns their sum. */
static unsigned long measure(const char *name, unsigned int low, unsigned int rounds)
{
    static unsigned int waits[MOST_ROUNDS];
    unsigned long sum = 0;

    for ( unsigned int i = 0; i < rounds; i++ )
        sum += waits[i] = handled_before(low + 1, low / 2);
    qsort(waits, rounds, sizeof(*waits), ascending);
    printf("%s priorities: of %u events raised before the urgent one, %u were handled before it"
           " (%u to %u, %u rounds)\n", name, low / 2, waits[rounds / 2], waits[0], waits[rounds - 1], rounds);

    return sum;
}

int main(int argc, char **argv)
{
    unsigned int low = argc == 3 ? strtoul(argv[1], NULL, 10) : 0;
    unsigned int rounds = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
    unsigned long with, without;
    cpu_set_t second;

    if ( low < 2 || low > MOST || !rounds || rounds > MOST_ROUNDS )
    {
        fprintf(stderr, "usage: evtchn-wait LOW ROUNDS, 2 to %u and 1 to %u\n", MOST, MOST_ROUNDS);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    CPU_ZERO(&second);
    CPU_SET(1, &second);
    if ( sched_setaffinity(0, sizeof(second), &second) )
        fail("the second vCPU", 1);
    calls = xencall_open(NULL, 0);
    reader = xenevtchn_open(NULL, 0);
    raiser = xenevtchn_open(NULL, 0);
    if ( !calls || !reader || !raiser )
        fail("opening Xen", 0);
    entries = buffer((low + 1) * sizeof(*entries));
    sends = buffer((low + 1) * sizeof(*sends));

    bind_all(low + 1);
    bind_to_first_vcpu();
    for ( unsigned int i = 0; i <= low; i++ )
    {
        sends[i].port = ends[i];
        set_priority(ports[i], i == low / 2 ? PAGING : INVALIDATE);
    }
    with = measure("with", low, rounds);
    for ( unsigned int i = 0; i <= low; i++ )
        set_priority(ports[i], EVERYBODY);
    without = measure("without", low, rounds);

    /* Without, it is the order of raising; with, only those come before that were handled before it was raised. */
    if ( without != (unsigned long)rounds * (low / 2) )
        fail("events of one priority were not handled in the order of raising", without);
    if ( with >= without )
        fail("the urgent one was never handled before others", with);
    printf("PASS: who is urgent does not wait for who is not\n");

    return 0;
}
