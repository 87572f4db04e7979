/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * See trap.h. One exception is not an error of ours: on processors that do not report an
 * instruction's length Xen fetches a hypercall or rdtsc from the guest's memory after the exit, and
 * raises #GP when a pager took the page away in between. The instruction is then made again.
 */
#include "trap.h"

#include <stdbool.h>

#include "hypercall.h"
#include "layout.h"

#define TRAP_GP         13
#define IDT_PRESENT_INTERRUPT_GATE 0x8e00

/* By chance it happens once; a thousand times means that it is not what we think. */
#define REFETCHES_MAX   1000

/* As start.S pushes it. */
struct trap_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
    uint64_t vector, error, rip, cs, rflags, rsp, ss;
};

struct gate {
    uint16_t offset_low, selector, flags, offset_middle;
    uint32_t offset_high, reserved;
};

void guest_trap(struct trap_frame *frame);

extern uint8_t guest_trap_stubs[], guest_hypercall_page[], guest_image_start[], guest_image_end[];

static struct gate idt[GUEST_TRAP_VECTORS];
static uint64_t refetches;

extern const struct idt_pointer guest_idt_pointer;
const struct idt_pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed)) guest_idt_pointer = { sizeof(idt) - 1, (uint64_t)idt };

void trap_open(void)
{
    unsigned int i;

    for ( i = 0; i < GUEST_TRAP_VECTORS; i++ )
    {
        uint64_t stub = (uint64_t)guest_trap_stubs + i * GUEST_TRAP_STUB_BYTES;

        idt[i] = (struct gate){
            .offset_low = stub,
            .offset_middle = stub >> 16,
            .offset_high = stub >> 32,
            .selector = GUEST_CS,
            .flags = IDT_PRESENT_INTERRUPT_GATE,
        };
    }
}

uint64_t trap_refetches(void)
{
    return __atomic_load_n(&refetches, __ATOMIC_RELAXED);
}

static bool is_intercepted_instruction(uint64_t rip)
{
    const uint8_t *at = (const uint8_t *)rip;

    if ( rip < (uint64_t)guest_image_start || rip + 3 > (uint64_t)guest_image_end || at[0] != 0x0f )
        return false;

    return at[1] == 0x31 || at[1] == 0xa2 ||                      /* rdtsc, cpuid */
           (at[1] == 0x01 && (at[2] == 0xd9 || at[2] == 0xc1));   /* vmmcall, vmcall */
}

void guest_trap(struct trap_frame *frame)
{
    uint64_t cr2;

    if ( frame->vector == TRAP_GP && !frame->error && is_intercepted_instruction(frame->rip) &&
         __atomic_add_fetch(&refetches, 1, __ATOMIC_RELAXED) < REFETCHES_MAX )
        return;

    asm volatile("mov %%cr2, %0" : "=r" (cr2));
    guest_panic("exception %lu error %lx at %lx on vcpu %u: cr2 %lx rsp %lx rax %lx rdi %lx",
                frame->vector, frame->error, frame->rip, vcpu_self(), cr2, frame->rsp, frame->rax,
                frame->rdi);
}
