/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The way in: Xen's PVH entry in 32-bit mode for vCPU 0, the 64-bit entry of the other vCPUs, the
 * exception stubs, and the page tables, stacks and hypercall page that all of them use.
 *
 * The map is the identity over the first 4 GiB in 2 MiB pages: six pages of tables in all. What a
 * pager takes away is behind the p2m, so the size of our own pages changes nothing for it, and
 * few table pages mean that few faults are about the tables and not about the work area.
 */
#include <xen/elfnote.h>

#include "layout.h"

#define PTE_TABLE   0x003           /* present, writable */
#define PTE_2M      0x083           /* present, writable, large */
#define CR0_PE_PG   0x80000001
#define CR4_PAE     0x20
#define MSR_EFER    0xc0000080
#define EFER_LME    0x100

    .section .note.Xen, "a", @note
    .balign 4
    .long 4, 4, XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .long start32

    .text
    .code32
    .globl start32
start32:
    cld
    cli
    rdtsc
    mov %eax, guest_entry_tsc
    mov %edx, guest_entry_tsc + 4
    mov %ebx, guest_start_info
    mov $(guest_stacks + GUEST_STACK_BYTES), %esp

    movl $(page_directory_pointers + PTE_TABLE), guest_page_tables
    mov $page_directories, %eax
    or $PTE_TABLE, %eax
    xor %ecx, %ecx
1:  mov %eax, page_directory_pointers(,%ecx,8)
    add $0x1000, %eax
    inc %ecx
    cmp $GUEST_MAP_GIB, %ecx
    jne 1b

    mov $PTE_2M, %eax
    xor %ecx, %ecx
1:  mov %eax, page_directories(,%ecx,8)
    add $0x200000, %eax
    inc %ecx
    cmp $(GUEST_MAP_GIB * 512), %ecx
    jne 1b

    mov $CR4_PAE, %eax
    mov %eax, %cr4
    mov $guest_page_tables, %eax
    mov %eax, %cr3
    mov $MSR_EFER, %ecx
    rdmsr
    or $EFER_LME, %eax
    wrmsr
    mov $CR0_PE_PG, %eax
    mov %eax, %cr0
    lgdt gdt_pointer
    ljmp $GUEST_CS, $start64

    .code64
start64:
    call load_segments
    xor %ebp, %ebp
    call guest_main
    ud2

/* Xen starts the other vCPUs here: long mode, %rsp its own stack, %rdi its number. */
    .globl guest_secondary_entry
guest_secondary_entry:
    cld
    lgdt gdt_pointer
    call load_segments
    xor %ebp, %ebp
    call guest_secondary_main
    ud2

load_segments:
    mov $GUEST_DS, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %fs
    mov %eax, %gs
    mov %eax, %ss
    lidt guest_idt_pointer
    pop %rax
    pushq $GUEST_CS
    push %rax
    lretq

/*
 * One stub a vector, GUEST_TRAP_STUB_BYTES apart. Those for which the processor pushes no error
 * code push a zero, so that struct trap_frame is always the same.
 */
    .balign GUEST_TRAP_STUB_BYTES
    .globl guest_trap_stubs
guest_trap_stubs:
    .set vector, 0
    .rept GUEST_TRAP_VECTORS
    .balign GUEST_TRAP_STUB_BYTES
    .if ((GUEST_TRAP_ERROR_CODES >> vector) & 1) == 0
    pushq $0
    .endif
    pushq $vector
    jmp trap_common
    .set vector, vector + 1
    .endr

trap_common:
    push %rax
    push %rbx
    push %rcx
    push %rdx
    push %rsi
    push %rdi
    push %rbp
    push %r8
    push %r9
    push %r10
    push %r11
    push %r12
    push %r13
    push %r14
    push %r15
    cld
    mov %rsp, %rdi
    call guest_trap
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rbp
    pop %rdi
    pop %rsi
    pop %rdx
    pop %rcx
    pop %rbx
    pop %rax
    add $16, %rsp
    iretq

    .section .rodata
    .balign 8
gdt:
    .quad 0
    .quad 0x00af9a000000ffff        /* GUEST_CS: 64-bit code */
    .quad 0x00cf92000000ffff        /* GUEST_DS */
gdt_end:
gdt_pointer:
    .word gdt_end - gdt - 1
    .quad gdt

    .bss
    .balign 0x1000
    .globl guest_page_tables
guest_page_tables:
    .skip 0x1000
page_directory_pointers:
    .skip 0x1000
page_directories:
    .skip 0x1000 * GUEST_MAP_GIB
    .globl guest_hypercall_page
guest_hypercall_page:
    .skip 0x1000
    .balign GUEST_STACK_BYTES
    .globl guest_stacks
guest_stacks:
    .skip GUEST_STACK_BYTES * GUEST_VCPUS_MAX
    .globl guest_entry_tsc, guest_start_info
guest_entry_tsc:
    .skip 8
guest_start_info:
    .skip 8

    .section .note.GNU-stack, "", @progbits
