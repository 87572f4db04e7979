/* SPDX-License-Identifier: GPL-2.0-only */
/* See vcpu.h. Interrupts stay off for good; vCPUs wake each other through event channels. */
#include "vcpu.h"

#include <stdint.h>

#include <xen/errno.h>
#include <xen/hvm/hvm_vcpu.h>
#include <xen/vcpu.h>

#include "clock.h"
#include "hypercall.h"
#include "layout.h"

#define CR0_PE_PG       0x80000001u
#define CR4_PAE         0x20u
#define EFER_LME_LMA    0x500u

/* Events wake a waiting vCPU; this only bounds the harm of one that got lost. */
#define WAIT_RECHECK_NS 1000000000ull

/* A vCPU that has not come up by then never will. */
#define START_MAX_NS    30000000000ull

extern uint8_t guest_page_tables[], guest_stacks[], guest_secondary_entry[];

void guest_secondary_main(unsigned int self);

static unsigned int count;
static evtchn_port_t ports[GUEST_VCPUS_MAX];

static struct {
    void (*work)(void *arg, unsigned int n, unsigned int of);
    void *arg;
    unsigned int of;
    unsigned int round;             /* written last by vCPU 0: the rest is then valid */
    unsigned int left;              /* vCPUs that are not done with this round */
} job;

static void wait_for_event(unsigned int self)
{
    event_poll(ports[self], clock_system_ns() + WAIT_RECHECK_NS);
}

static void finish_round(void)
{
    /* Our work /before/ the count that says it is done; pairs with vcpus_run()'s last read. */
    if ( !__atomic_sub_fetch(&job.left, 1, __ATOMIC_ACQ_REL) )
        event_send(ports[0]);
}

void guest_secondary_main(unsigned int self)
{
    unsigned int seen = 0, round;

    finish_round();

    for ( ; ; )
    {
        event_clear(ports[self]);
        /* The round /before/ the job's other fields; pairs with vcpus_run()'s release. */
        round = __atomic_load_n(&job.round, __ATOMIC_ACQUIRE);
        if ( round == seen )
        {
            wait_for_event(self);
            continue;
        }

        /* Also who has no part in it says so: until then vCPU 0 leaves the job as it is. */
        seen = round;
        if ( self < job.of )
            job.work(job.arg, self, job.of);
        finish_round();
    }
}

static void wait_for_others(uint64_t deadline_ns)
{
    for ( ; ; )
    {
        event_clear(ports[0]);
        /* The count /before/ what the others left behind; pairs with finish_round(). */
        if ( !__atomic_load_n(&job.left, __ATOMIC_ACQUIRE) )
            return;
        if ( deadline_ns && clock_system_ns() > deadline_ns )
            guest_panic("%u vcpus did not start", job.left);
        wait_for_event(0);
    }
}

static void start(unsigned int vcpu)
{
    struct vcpu_hvm_context context = {
        .mode = VCPU_HVM_MODE_64B,
        .cpu_regs.x86_64 = {
            .rip = (uint64_t)guest_secondary_entry,
            .rsp = (uint64_t)guest_stacks + (vcpu + 1) * GUEST_STACK_BYTES,
            .rdi = vcpu,
            .rflags = 2,            /* the bit that is always one */
            .cr0 = CR0_PE_PG,
            .cr3 = (uint64_t)guest_page_tables,
            .cr4 = CR4_PAE,
            .efer = EFER_LME_LMA,
        },
    };
    long rc = hypercall_vcpu(VCPUOP_initialise, vcpu, &context, sizeof(context));

    if ( !rc )
        rc = hypercall_vcpu(VCPUOP_up, vcpu, NULL, 0);
    if ( rc )
        guest_panic("vcpu %u does not start: %ld", vcpu, rc);
}

unsigned int vcpus_open(void)
{
    unsigned int i;

    for ( count = 1; count < GUEST_VCPUS_MAX; count++ )
    {
        long rc = hypercall_vcpu(VCPUOP_is_up, count, NULL, 0);

        if ( rc == -XEN_ENOENT )
            break;
        if ( rc < 0 )
            guest_panic("VCPUOP_is_up %u: %ld", count, rc);
    }

    vcpus_rebind();
    job.left = count - 1;
    for ( i = 1; i < count; i++ )
        start(i);
    wait_for_others(clock_system_ns() + START_MAX_NS);

    return count;
}

void vcpus_run(void (*work)(void *arg, unsigned int n, unsigned int of), void *arg, unsigned int of)
{
    unsigned int i;

    job.work = work;
    job.arg = arg;
    job.of = of;
    job.left = count - 1;
    /* The job /before/ its round; pairs with guest_secondary_main(). */
    __atomic_store_n(&job.round, job.round + 1, __ATOMIC_RELEASE);
    for ( i = 1; i < count; i++ )
        event_send(ports[i]);

    work(arg, 0, of);
    wait_for_others(0);
}

static struct {
    void (*change)(void);
    unsigned int waiting;           /* vCPUs that wait for none of their channels */
    bool done;
} closing;

void vcpus_rebind(void)
{
    unsigned int i;

    for ( i = 0; i < count; i++ )
        ports[i] = event_bind_ipi(i);
}

static void change_channels(void *arg, unsigned int n, unsigned int of)
{
    (void)arg;
    if ( n )
    {
        __atomic_add_fetch(&closing.waiting, 1, __ATOMIC_SEQ_CST);
        while ( !__atomic_load_n(&closing.done, __ATOMIC_ACQUIRE) )
            sched_yield();
        return;
    }
    while ( __atomic_load_n(&closing.waiting, __ATOMIC_SEQ_CST) != of - 1 )
        sched_yield();
    closing.change();
    vcpus_rebind();
    /* The ports /before/ the others use them; pairs with their wait. */
    __atomic_store_n(&closing.done, true, __ATOMIC_RELEASE);
}

void vcpus_change_channels(void (*change)(void))
{
    closing.change = change;
    closing.waiting = 0;
    closing.done = false;
    vcpus_run(change_channels, NULL, count);
}
