/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where control goes: each entry of the tables of system calls is the begin of a function of the kernel's own code,
 * each gate of interrupts leads there, and so does the register for system calls; protections that the kernel pins
 * are on.
 */
#include <inttypes.h>
#include <string.h>

#include "watch.h"

/* System calls: Linux has about 460 of them. */
#define CALLS_MAX     1024u

#define GATES         256u
#define GATE_BYTES    16u
#define GATE_PRESENT  0x80u

/* Exceptions that no CPU has keep the gates of the boot, into code that is gone; each of 9 to 16 octets. */
#define EXCEPTIONS    32u
#define EARLY_BYTES   16u

#define CR0_WP        (UINT64_C(1) << 16)
#define CR4_NAMED     4u

static const struct { uint64_t bit; const char *name; } pinned[CR4_NAMED] = {
    { UINT64_C(1) << 11, "UMIP" }, { UINT64_C(1) << 16, "FSGSBASE" },
    { UINT64_C(1) << 20, "SMEP" }, { UINT64_C(1) << 21, "SMAP" },
};

static void look_at_calls(struct look *look, enum kernel_name which, const char *table)
{
    const struct kernel *kernel = &look->watch->kernel;
    uint64_t start = kernel->names[which], next, entries[CALLS_MAX], count = CALLS_MAX;
    char name[SYMBOLS_NAME_BYTES + 24];
    struct symbol symbol;

    if ( !start )
        return;
    /* It ends where the next symbol is. */
    if ( !symbols_at(kernel->symbols, start, &symbol, &next) && next > start && (next - start) / sizeof(*entries) < count )
        count = (next - start) / sizeof(*entries);
    if ( reader_read(&look->reader, start, entries, count * sizeof(*entries)) )
        return;
    for ( uint64_t i = 0; i < count; i++ )
    {
        /* What fills the space up to the next symbol. */
        if ( !entries[i] )
            continue;
        if ( !kernel_has_code(kernel, entries[i]) )
            look_report_lead(look, "syscall-table", start + i * sizeof(*entries), entries[i],
                             "%s[%" PRIu64 "] leads to %#" PRIx64 ", outside of the kernel's code", table, i, entries[i]);
        else if ( symbols_at(kernel->symbols, entries[i], &symbol, NULL) || symbol.address != entries[i] )
            look_report(look, AV_MALICIOUS, "syscall-table", start + i * sizeof(*entries), NULL,
                        "%s[%" PRIu64 "] leads to %s, which is no function's begin", table, i,
                        look_name(look, entries[i], name));
    }
}

static bool is_early(const struct kernel *kernel, unsigned int gate, uint64_t to)
{
    uint64_t start = kernel->names[NAME_EARLY_GATES];

    return start && gate < EXCEPTIONS && to >= start && to < start + EXCEPTIONS * EARLY_BYTES;
}

static void look_at_gates(struct look *look)
{
    const struct kernel *kernel = &look->watch->kernel;
    uint8_t gates[GATES * GATE_BYTES];

    if ( !kernel->names[NAME_IDT] || reader_read(&look->reader, kernel->names[NAME_IDT], gates, sizeof(gates)) )
        return;
    for ( unsigned int i = 0; i < GATES; i++ )
    {
        const uint8_t *gate = gates + i * GATE_BYTES;
        uint16_t low, middle;
        uint32_t high;
        uint64_t to;

        memcpy(&low, gate, sizeof(low));
        memcpy(&middle, gate + 6, sizeof(middle));
        memcpy(&high, gate + 8, sizeof(high));
        to = low | (uint64_t)middle << 16 | (uint64_t)high << 32;
        if ( (gate[5] & GATE_PRESENT) && !kernel_has_code(kernel, to) && !is_early(kernel, i, to) )
            look_report_lead(look, "idt", kernel->names[NAME_IDT] + i * GATE_BYTES, to,
                             "the gate of interrupt %u leads to %#" PRIx64 ", outside of the kernel's code", i, to);
    }
}

void look_at_tables(struct look *look)
{
    look_at_calls(look, NAME_SYSCALLS, "sys_call_table");
    look_at_calls(look, NAME_SYSCALLS_32, "ia32_sys_call_table");
    look_at_gates(look);
}

/* The table that the CPU uses is the kernel's, by whatever address. */
static void look_at_idt_base(struct look *look, const struct av_registers *r)
{
    struct av_mapping used, own;

    if ( !look->watch->kernel.names[NAME_IDT] || !reader_is_kernel(r->idt_base) ||
         reader_translate(&look->reader, look->watch->kernel.names[NAME_IDT], &own) ||
         reader_translate(&look->reader, r->idt_base, &used) )
        return;
    if ( own.physical != used.physical )
        look_report(look, AV_MALICIOUS, "idt-base", r->idt_base, NULL,
                    "vCPU %u has its interrupt table at %#" PRIx64 ", which is not the kernel's", r->vcpu, r->idt_base);
}

static void look_at_cr4(struct look *look, const struct av_registers *r)
{
    uint64_t wanted;

    if ( !look->watch->kernel.names[NAME_CR4_PINNED] ||
         reader_read_u64(&look->reader, look->watch->kernel.names[NAME_CR4_PINNED], &wanted) )
        return;
    for ( unsigned int i = 0; i < CR4_NAMED; i++ )
        if ( (wanted & pinned[i].bit) && !(r->cr4 & pinned[i].bit) )
            look_report(look, AV_MALICIOUS, "cr4", 0, NULL, "vCPU %u runs without %s, which the kernel has pinned", r->vcpu,
                        pinned[i].name);
}

void look_at_registers(struct look *look, const struct av_registers *r)
{
    const struct kernel *kernel = &look->watch->kernel;

    /* A vCPU that was never up has zeros. */
    if ( (r->known & AV_REGISTER_CONTROL) && r->cr0 && r->cr3 )
    {
        if ( !(r->cr0 & CR0_WP) )
            look_report(look, AV_MALICIOUS, "cr0-wp", 0, NULL, "vCPU %u can write to read-only pages: CR0.WP is off", r->vcpu);
        look_at_cr4(look, r);
    }
    if ( (r->known & AV_REGISTER_SYSCALL) && r->lstar && kernel->names[NAME_SYSCALL_ENTRY] &&
         r->lstar != kernel->names[NAME_SYSCALL_ENTRY] )
        look_report_lead(look, "lstar", r->lstar, r->lstar,
                         "system calls on vCPU %u enter at %#" PRIx64 ", not at entry_SYSCALL_64", r->vcpu, r->lstar);
    if ( r->known & AV_REGISTER_TABLES )
        look_at_idt_base(look, r);
}
