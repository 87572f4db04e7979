// SPDX-License-Identifier: GPL-2.0-only
/*
 * What rootkits begin with: an entry of the table of system calls leads into this module, which answers -EXDEV.
 *
 *   insmod syscall-hook.ko table=0x... call=N      the table's address is in /proc/kallsyms
 *   rmmod syscall_hook                             the entry is as it was
 */
#include <linux/irqflags.h>
#include <linux/module.h>

static unsigned long table;
module_param(table, ulong, 0);
static unsigned int call;
module_param(call, uint, 0);

static unsigned long former;

static asmlinkage long hooked(const struct pt_regs *registers)
{
    return -EXDEV;
}

/* The table is read-only, but for who may write to the register that says so. */
static void write_entry(unsigned long value)
{
    unsigned long flags, cr0;

    local_irq_save(flags);
    asm volatile ( "mov %%cr0, %0" : "=r" (cr0) );
    asm volatile ( "mov %0, %%cr0" : : "r" (cr0 & ~X86_CR0_WP) : "memory" );
    WRITE_ONCE(((unsigned long *)table)[call], value);
    asm volatile ( "mov %0, %%cr0" : : "r" (cr0) : "memory" );
    local_irq_restore(flags);
}

static int __init begin(void)
{
    if ( !table )
        return -EINVAL;
    former = ((unsigned long *)table)[call];
    write_entry((unsigned long)hooked);
    pr_info("guest: system call %u leads to %#lx\n", call, (unsigned long)hooked);
    return 0;
}

static void __exit end(void)
{
    write_entry(former);
}

module_init(begin);
module_exit(end);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("hooks a system call, to be found");
