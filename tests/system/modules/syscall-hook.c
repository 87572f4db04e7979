// SPDX-License-Identifier: GPL-2.0-only
/*
 * What rootkits do to a system call: an entry of the table leads into this module, or the function itself begins with a
 * jump to it. Whoever gets here is answered -EXDEV. Kernels since 6.9, and Debian's 6.1, call their functions by name, so
 * that an entry of the table is seen by tracing only.
 *
 *   insmod syscall-hook.ko table=0x... call=N      addresses are in /proc/kallsyms
 *   insmod syscall-hook.ko function=0x...
 *   rmmod syscall_hook                             all is as it was
 */
#include <linux/irqflags.h>
#include <linux/module.h>

static unsigned long table;
module_param(table, ulong, 0);
static unsigned int call;
module_param(call, uint, 0);
static unsigned long function;
module_param(function, ulong, 0);

/* jmp, and how far behind it. */
#define JUMP        0xe9
#define JUMP_BYTES  5u
/* What functions begin with where indirect jumps are checked. */
#define ENDBR64     0xfa1e0ff3u

static unsigned char former[sizeof(unsigned long)];
static void *place;
static size_t length;

static asmlinkage long hooked(const struct pt_regs *registers)
{
    return -EXDEV;
}

/* Code and table are read-only, but for who may write to the register that says so. The guest has one CPU. */
static void write_octets(const void *octets)
{
    unsigned long flags, cr0;

    local_irq_save(flags);
    asm volatile ( "mov %%cr0, %0" : "=r" (cr0) );
    asm volatile ( "mov %0, %%cr0" : : "r" (cr0 & ~X86_CR0_WP) : "memory" );
    memcpy(place, octets, length);
    asm volatile ( "mov %0, %%cr0" : : "r" (cr0) : "memory" );
    local_irq_restore(flags);
}

static void hook_table(void)
{
    unsigned long to = (unsigned long)hooked;

    place = (unsigned long *)table + call;
    length = sizeof(to);
    memcpy(former, place, length);
    write_octets(&to);
}

/* At its begin are octets that do nothing, for who traces it. */
static void hook_function(void)
{
    unsigned char jump[JUMP_BYTES] = { JUMP };
    int distance;

    place = (unsigned char *)function + (*(unsigned int *)function == ENDBR64 ? sizeof(unsigned int) : 0);
    length = sizeof(jump);
    distance = (unsigned char *)hooked - ((unsigned char *)place + length);
    memcpy(jump + 1, &distance, sizeof(distance));
    memcpy(former, place, length);
    write_octets(jump);
}

static int __init begin(void)
{
    if ( !table == !function )
        return -EINVAL;
    if ( table )
        hook_table();
    else
        hook_function();
    return 0;
}

static void __exit end(void)
{
    write_octets(former);
}

module_init(begin);
module_exit(end);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("hooks a system call, to be found");
