/* SPDX-License-Identifier: GPL-2.0-only */
/* See hypercall.h. */
#include "hypercall.h"

#include <stdint.h>

#include <xen/errno.h>
#include <xen/hvm/params.h>
#include <xen/memory.h>

#include "console.h"
#include "layout.h"
#include "text.h"

#define CPUID_XEN_FIRST     0x40000000u
#define CPUID_XEN_LAST      0x40010000u
#define CPUID_XEN_STEP      0x100u
#define HYPERCALL_BYTES     32          /* one entry of the hypercall page */

/*
 * A hole in every PVH guest's map, between its RAM and its ACPI tables: mapping the shared page
 * here drops no page of ours, which a pager might be holding at that moment.
 */
#define SHARED_INFO_ADDRESS 0xf0000000ul

/* The argument was touched just before: more than a few of these in a row is not paging. */
#define EFAULT_RETRIES_MAX  10000

/* Xen's emergency console for HVM guests: what is written goes to its log. */
#define XEN_LOG_PORT        0xe9

extern uint8_t guest_hypercall_page[];
extern uint8_t guest_stacks[];

volatile struct shared_info *const shared_info = (void *)SHARED_INFO_ADDRESS;

void (*event_clear_by)(evtchn_port_t port);

static uint64_t efaults;
static bool panicking;

static void cpuid(uint32_t leaf, uint32_t regs[4])
{
    asm volatile("cpuid" : "=a" (regs[0]), "=b" (regs[1]), "=c" (regs[2]), "=d" (regs[3])
                         : "a" (leaf), "c" (0));
}

static uint32_t find_xen_leaves(void)
{
    uint32_t leaf, r[4];

    for ( leaf = CPUID_XEN_FIRST; leaf < CPUID_XEN_LAST; leaf += CPUID_XEN_STEP )
    {
        cpuid(leaf, r);
        if ( r[1] == 0x566e6558 && r[2] == 0x65584d4d && r[3] == 0x4d4d566e ) /* XenVMMXenVMM */
            return leaf;
    }

    return 0;
}

bool hypercall_open(void)
{
    uint32_t leaf = find_xen_leaves(), r[4];
    struct xen_add_to_physmap map = {
        .domid = DOMID_SELF,
        .space = XENMAPSPACE_shared_info,
        .gpfn = SHARED_INFO_ADDRESS / 4096,
    };
    unsigned long page = (unsigned long)guest_hypercall_page;

    if ( !leaf )
        return false;

    cpuid(leaf + 2, r);
    asm volatile("wrmsr" :: "c" (r[1]), "a" ((uint32_t)page), "d" ((uint32_t)(page >> 32))
                         : "memory");

    return !hypercall(__HYPERVISOR_memory_op, XENMEM_add_to_physmap, &map, sizeof(map));
}

static long call3(unsigned int number, unsigned long a, unsigned long b, unsigned long c)
{
    long rc;

    asm volatile("call *%[entry]"
                 : "=a" (rc), "+D" (a), "+S" (b), "+d" (c)
                 : [entry] "r" (guest_hypercall_page + number * HYPERCALL_BYTES)
                 : "memory", "cc", "r8", "r10", "r11");

    return rc;
}

/* A write to each page of the argument that changes nothing brings it in. */
static void touch(void *arg, size_t length)
{
    volatile uint8_t *at = arg;

    asm volatile("lock orb $0, %0" : "+m" (at[0]) :: "cc");
    asm volatile("lock orb $0, %0" : "+m" (at[length - 1]) :: "cc");
}

long hypercall_once(unsigned int number, unsigned long cmd, const void *arg)
{
    return call3(number, cmd, (unsigned long)arg, 0);
}

uint64_t hypercall_efaults(void)
{
    return __atomic_load_n(&efaults, __ATOMIC_RELAXED);
}

void hypercall_count_efault(void)
{
    __atomic_fetch_add(&efaults, 1, __ATOMIC_RELAXED);
}

long hypercall(unsigned int number, unsigned long cmd, void *arg, size_t length)
{
    unsigned int tries;
    long rc;

    for ( tries = 0; tries < EFAULT_RETRIES_MAX; tries++ )
    {
        rc = call3(number, cmd, (unsigned long)arg, 0);
        if ( rc != -XEN_EFAULT || !length )
            return rc;
        hypercall_count_efault();
        touch(arg, length);
    }

    guest_panic("hypercall %u/%lu: -EFAULT %u times in a row", number, cmd, tries);
}

long hypercall_vcpu(unsigned int cmd, unsigned int vcpu, void *arg, size_t length)
{
    unsigned int tries;
    long rc;

    for ( tries = 0; tries < EFAULT_RETRIES_MAX; tries++ )
    {
        rc = call3(__HYPERVISOR_vcpu_op, cmd, vcpu, (unsigned long)arg);
        if ( rc != -XEN_EFAULT || !length )
            return rc;
        hypercall_count_efault();
        touch(arg, length);
    }

    guest_panic("vcpu_op %u: -EFAULT %u times in a row", cmd, tries);
}

uint64_t hvm_param(unsigned int index)
{
    struct xen_hvm_param param = { .domid = DOMID_SELF, .index = index };
    long rc = hypercall(__HYPERVISOR_hvm_op, HVMOP_get_param, &param, sizeof(param));

    if ( rc )
        guest_panic("HVMOP_get_param %u: %ld", index, rc);

    return param.value;
}

evtchn_port_t event_bind_ipi(unsigned int vcpu)
{
    struct evtchn_bind_ipi bind = { .vcpu = vcpu };
    long rc = hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_ipi, &bind, sizeof(bind));

    if ( rc )
        guest_panic("EVTCHNOP_bind_ipi for vcpu %u: %ld", vcpu, rc);

    return bind.port;
}

void event_send(evtchn_port_t port)
{
    struct evtchn_send send = { .port = port };
    long rc = hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_send, &send, sizeof(send));

    if ( rc )
        guest_panic("EVTCHNOP_send to port %u: %ld", port, rc);
}

void event_clear(evtchn_port_t port)
{
    if ( event_clear_by )
    {
        event_clear_by(port);
        return;
    }
    /* Clearing is a full barrier /before/ the caller's look at what the event is about. */
    __atomic_and_fetch(&shared_info->evtchn_pending[port / 64], ~(1ul << (port % 64)),
                       __ATOMIC_SEQ_CST);
}

void event_poll(evtchn_port_t port, uint64_t deadline_ns)
{
    struct {
        struct sched_poll poll;
        evtchn_port_t port;
    } arg = { .poll = { .nr_ports = port != 0, .timeout = deadline_ns }, .port = port };
    long rc;

    set_xen_guest_handle(arg.poll.ports, &arg.port);
    rc = hypercall(__HYPERVISOR_sched_op, SCHEDOP_poll, &arg, sizeof(arg));
    if ( rc )
        guest_panic("SCHEDOP_poll: %ld", rc);
}

void sched_yield(void)
{
    hypercall(__HYPERVISOR_sched_op, SCHEDOP_yield, NULL, 0);
}

void guest_suspend(void)
{
    struct sched_shutdown shutdown = { .reason = SHUTDOWN_suspend };
    long rc = hypercall(__HYPERVISOR_sched_op, SCHEDOP_shutdown, &shutdown, sizeof(shutdown));

    if ( rc )
        guest_panic("SCHEDOP_shutdown to suspend: %ld", rc);
}

_Noreturn void guest_shutdown(unsigned int reason)
{
    struct sched_shutdown shutdown = { .reason = reason };

    for ( ; ; )
        hypercall(__HYPERVISOR_sched_op, SCHEDOP_shutdown, &shutdown, sizeof(shutdown));
}

_Noreturn void guest_panic(const char *format, ...)
{
    char line[CONSOLE_LINE_MAX];
    va_list args;
    size_t i, n;

    n = text_print(line, sizeof(line), "guest: panic ");
    va_start(args, format);
    n += text_format(line + n, sizeof(line) - n, format, args);
    va_end(args);

    /* The console may be what failed, and another vCPU may be here too: Xen's log gets it first. */
    for ( i = 0; i <= n; i++ )
        asm volatile("outb %b0, %w1" :: "a" (i < n ? line[i] : '\n'), "Nd" (XEN_LOG_PORT));

    if ( !__atomic_exchange_n(&panicking, true, __ATOMIC_SEQ_CST) )
        console_print_last(line);
    guest_shutdown(SHUTDOWN_crash);
}

unsigned int vcpu_self(void)
{
    return ((unsigned long)__builtin_frame_address(0) - (unsigned long)guest_stacks) /
           GUEST_STACK_BYTES;
}
