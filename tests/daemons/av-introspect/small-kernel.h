/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A Linux kernel of a few MiB for tests and fuzzers, with all that is read of one: page tables, code, symbols, types,
 * jump labels, tables of calls and gates, tasks. Its layout is our own; only the forms are Linux'. Included by a
 * program's one file.
 */
#ifndef TESTS_AV_SMALL_KERNEL_H
#define TESTS_AV_SMALL_KERNEL_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/btf.h>

#include "daemons/av-introspect/memory.h"

#define KERNEL_BYTES    (8u << 20)
#define KERNEL_CR3      UINT64_C(0x1000)
#define KERNEL_TEXT     UINT64_C(0xffffffff8e000000)
#define KERNEL_RODATA   (KERNEL_TEXT + 0x200000)
#define KERNEL_DATA     (KERNEL_TEXT + 0x400000)
#define KERNEL_LOW      (KERNEL_TEXT + 0x600000)        /* the first 2 MiB of memory, tables among them */

/* Functions of 256 octets each, which begin with five of nothing. */
#define KERNEL_FUNCTIONS 1024u
#define KERNEL_CALLS     16u

/* Places. */
#define KERNEL_JUMPS    (KERNEL_RODATA + 0x1000)        /* two jump labels: in function 20, and in function 21 */
#define KERNEL_CALL_TABLE (KERNEL_RODATA + 0x2000)
#define KERNEL_CONSTANT (KERNEL_RODATA + 0x3000)
#define KERNEL_KALLSYMS (KERNEL_RODATA + 0x10000)
#define KERNEL_BTF      (KERNEL_RODATA + 0x100000)
#define KERNEL_IDT      KERNEL_DATA
#define KERNEL_PERCPU   (KERNEL_DATA + 0x2000)
#define KERNEL_PINNED   (KERNEL_DATA + 0x3000)
#define KERNEL_PIDS     (KERNEL_DATA + 0x4000)
#define KERNEL_NODE     (KERNEL_DATA + 0x5000)
#define KERNEL_FILES    (KERNEL_DATA + 0x6000)
#define KERNEL_MODULES  (KERNEL_DATA + 0x7000)          /* the list, and behind it its modules */
#define KERNEL_TASKS    (KERNEL_DATA + 0x10000)         /* one each 4 KiB: pid 0, 1, ... */
#define KERNEL_PROCESSES 5u
#define KERNEL_LOADED    3u
#define KERNEL_MODULE_CODE UINT64_C(0xffffffffc0000000) /* of the first; others behind it, a page each */
#define KERNEL_CURRENT  0x500u                          /* the variable that each CPU has */

/* Members, in octets. */
enum {
    IN_TASKS = 16, IN_PID = 40, IN_TGID = 44, IN_COMM = 48, IN_MM = 64, IN_CRED = 72, IN_LINKS = 80,
    IN_UID = 8, IN_PGD = 24, IN_EXE = 32, IN_PATH = 16, IN_MNT = 0, IN_DENTRY = 8, IN_NAME = 32, IN_PARENT = 24,
    IN_QSTR_NAME = 8,
    IN_ROOT = 0, IN_MOUNT_MNT = 32, IN_MOUNT_PARENT = 16, IN_MOUNT_POINT = 24, IN_IDR = 0, IN_IDR_RT = 0,
    IN_HEAD = 8, IN_SHIFT = 0,
    IN_SLOTS = 40, IN_PID_TASKS = 16,
    IN_LIST = 8, IN_MODULE_NAME = 24, IN_LAYOUT = 96, IN_BASE = 0, IN_SIZE = 8,
};

static unsigned char *kernel_memory;

static inline void *kernel_at(uint64_t address)
{
    return kernel_memory + (address >= KERNEL_LOW ? address - KERNEL_LOW : 0x200000 + (address - KERNEL_TEXT));
}

static inline void kernel_put(uint64_t address, uint64_t value)
{
    memcpy(kernel_at(address), &value, sizeof(value));
}

static inline uint64_t kernel_get(uint64_t address)
{
    uint64_t value;

    memcpy(&value, kernel_at(address), sizeof(value));
    return value;
}

/* A frame that cannot be read now; 0: all can. */
static uint64_t kernel_absent __attribute__((unused));

static inline int kernel_read(void *opaque, uint64_t gfn, void *page)
{
    (void)opaque;
    if ( gfn >= KERNEL_BYTES / AV_PAGE_SIZE || (kernel_absent && gfn == kernel_absent) )
        return -ENXIO;
    memcpy(page, kernel_memory + gfn * AV_PAGE_SIZE, AV_PAGE_SIZE);
    return 0;
}

static const struct memory kernel_frames __attribute__((unused)) = { NULL, kernel_read, KERNEL_BYTES / AV_PAGE_SIZE, NULL };

static inline void kernel_map(void)
{
    uint64_t *top = (void *)(kernel_memory + KERNEL_CR3), *next = (void *)(kernel_memory + 0x2000),
             *last = (void *)(kernel_memory + 0x3000);
    unsigned int first = (KERNEL_TEXT - UINT64_C(0xffffffff80000000)) >> 21;

    top[511] = 0x2003;
    next[510] = 0x3003;
    last[first] = 0x200081;                                     /* read and execute */
    last[first + 1] = 0x400081 | UINT64_C(1) << 63;             /* read */
    last[first + 2] = 0x600083 | UINT64_C(1) << 63;             /* read and write */
    last[first + 3] = 0x000083 | UINT64_C(1) << 63;
}

static inline uint64_t kernel_function(unsigned int index)
{
    return KERNEL_TEXT + 0x1000 + index * 256u;
}

static inline uint64_t kernel_task(unsigned int pid)
{
    return KERNEL_TASKS + pid * 4096u;
}

/* ---- symbols: each character is a token of its own ---- */

struct kernel_symbols {
    unsigned char *to;
    uint32_t markers[64], count, base;
    unsigned char *names;
};

static inline void kernel_add_symbol(struct kernel_symbols *s, int32_t offset, const char *name)
{
    int32_t *offsets = kernel_at(KERNEL_KALLSYMS);
    size_t length = strlen(name);

    if ( s->count % 256 == 0 )
        s->markers[s->count / 256] = s->to - s->names;
    offsets[s->count++] = offset;
    *s->to++ = length;
    memcpy(s->to, name, length);
    s->to += length;
}

static inline unsigned char *kernel_align(unsigned char *at)
{
    while ( (at - kernel_memory) % 8 )
        *at++ = 0;
    return at;
}

/* The number of symbols has to be known beforehand: it says where the offsets end. */
static inline void kernel_put_symbols(uint32_t total, unsigned char **end)
{
    unsigned char *head = kernel_align((unsigned char *)kernel_at(KERNEL_KALLSYMS) + total * 4);
    struct kernel_symbols s = { .names = head + 16, .to = head + 16 };
    const struct { uint64_t at; const char *name; } others[] = {
        { KERNEL_TEXT + 0x1ff000, "T_etext" },
        { KERNEL_JUMPS, "D__start___jump_table" }, { KERNEL_JUMPS + 32, "D__stop___jump_table" },
        { KERNEL_CALL_TABLE, "Dsys_call_table" }, { KERNEL_CALL_TABLE + KERNEL_CALLS * 8, "Dafter_calls" },
        { KERNEL_CONSTANT, "ra_constant" },
        { KERNEL_IDT, "Bidt_table" }, { KERNEL_PERCPU, "D__per_cpu_offset" }, { KERNEL_PINNED, "dcr4_pinned_bits" },
        { KERNEL_MODULES, "dmodules" }, { KERNEL_PIDS, "Dinit_pid_ns" }, { KERNEL_TASKS, "Dinit_task" }, { KERNEL_LOW + KERNEL_CR3, "Dinit_top_pgt" },
    };
    uint64_t base = KERNEL_TEXT;
    uint16_t index[256];
    unsigned char *strings;

    kernel_add_symbol(&s, KERNEL_CURRENT, "Acurrent_task");
    kernel_add_symbol(&s, -1, "T_text");
    kernel_add_symbol(&s, -1 - 0x100, "Tentry_SYSCALL_64");
    for ( unsigned int i = 0; i < KERNEL_FUNCTIONS; i++ )
    {
        char name[32];

        snprintf(name, sizeof(name), "Tfunction_%u", i);
        kernel_add_symbol(&s, -1 - (int32_t)(kernel_function(i) - KERNEL_TEXT), name);
    }
    for ( unsigned int i = 0; i < sizeof(others) / sizeof(others[0]); i++ )
        kernel_add_symbol(&s, -1 - (int32_t)(others[i].at - KERNEL_TEXT), others[i].name);
    if ( s.count != total )
        abort();
    memcpy(head, &base, sizeof(base));
    memcpy(head + 8, &s.count, sizeof(s.count));

    s.to = kernel_align(s.to);
    memcpy(s.to, s.markers, (s.count + 255) / 256 * 4);
    strings = s.to = kernel_align(s.to + (s.count + 255) / 256 * 4);
    for ( unsigned int i = 0; i < 256; i++ )
    {
        index[i] = s.to - strings;
        if ( i > ' ' && i < 127 )
            *s.to++ = i;
        *s.to++ = 0;
    }
    s.to = kernel_align(s.to);
    memcpy(s.to, index, sizeof(index));
    *end = s.to + sizeof(index);
}

#define KERNEL_SYMBOLS (3u + KERNEL_FUNCTIONS + 13u)

/* ---- types ---- */

struct kernel_member_of {
    const char *name;
    unsigned int offset;
};

static inline void kernel_add_type(struct btf *btf, int word, const char *name, const struct kernel_member_of *members)
{
    btf__add_struct(btf, name, 256);
    for ( ; members->name; members++ )
        btf__add_field(btf, members->name, word, members->offset * 8, 0);
}

static inline size_t kernel_put_types(void)
{
    static const struct { const char *type; struct kernel_member_of members[8]; } types[] = {
        { "task_struct", { { "tasks", IN_TASKS }, { "pid", IN_PID }, { "tgid", IN_TGID }, { "comm", IN_COMM }, { "mm", IN_MM },
                           { "real_cred", IN_CRED }, { "pid_links", IN_LINKS } } },
        { "cred", { { "uid", IN_UID } } },
        { "file", { { "f_path", IN_PATH } } },
        { "path", { { "mnt", IN_MNT }, { "dentry", IN_DENTRY } } },
        { "dentry", { { "d_name", IN_NAME }, { "d_parent", IN_PARENT } } },
        { "qstr", { { "name", IN_QSTR_NAME } } },
        { "vfsmount", { { "mnt_root", IN_ROOT } } },
        { "mount", { { "mnt", IN_MOUNT_MNT }, { "mnt_parent", IN_MOUNT_PARENT }, { "mnt_mountpoint", IN_MOUNT_POINT } } },
        { "pid_namespace", { { "idr", IN_IDR } } },
        { "idr", { { "idr_rt", IN_IDR_RT } } },
        { "xarray", { { "xa_head", IN_HEAD } } },
        { "xa_node", { { "shift", IN_SHIFT }, { "slots", IN_SLOTS } } },
        { "pid", { { "tasks", IN_PID_TASKS } } },
        { "module", { { "list", IN_LIST }, { "name", IN_MODULE_NAME }, { "core_layout", IN_LAYOUT } } },
        { "module_layout", { { "base", IN_BASE }, { "size", IN_SIZE } } },
    };
    struct btf *btf = btf__new_empty();
    int word = btf__add_int(btf, "long", 8, 0), inner;
    const void *bytes;
    __u32 size;

    for ( unsigned int i = 0; i < sizeof(types) / sizeof(types[0]); i++ )
        kernel_add_type(btf, word, types[i].type, types[i].members);
    /* In a structure without a name, as the kernel's are when it is built to shuffle them. */
    inner = btf__add_struct(btf, NULL, 64);
    btf__add_field(btf, "pgd", word, (IN_PGD - 8) * 8, 0);
    btf__add_field(btf, "exe_file", word, (IN_EXE - 8) * 8, 0);
    btf__add_struct(btf, "mm_struct", 256);
    btf__add_field(btf, NULL, inner, 8 * 8, 0);
    bytes = btf__raw_data(btf, &size);
    memcpy(kernel_at(KERNEL_BTF), bytes, size);
    btf__free(btf);
    return size;
}

/* ---- what runs ---- */

/* /bin/tool on a mount at /mnt, for all. */
static inline uint64_t kernel_put_file(void)
{
    uint64_t file = KERNEL_FILES, tool = file + 0x100, bin = file + 0x200, inner_root = file + 0x300, point = file + 0x400,
             root = file + 0x500, inner = file + 0x600, outer = file + 0x700, names = file + 0x800;
    const struct { uint64_t dentry, parent; const char *name; } entries[] = {
        { tool, bin, "tool" }, { bin, inner_root, "bin" }, { inner_root, inner_root, "/" }, { point, root, "mnt" },
        { root, root, "/" },
    };

    for ( unsigned int i = 0; i < sizeof(entries) / sizeof(entries[0]); i++ )
    {
        kernel_put(entries[i].dentry + IN_PARENT, entries[i].parent);
        kernel_put(entries[i].dentry + IN_NAME + IN_QSTR_NAME, names + i * 16);
        strcpy(kernel_at(names + i * 16), entries[i].name);
    }
    kernel_put(file + IN_PATH + IN_MNT, inner + IN_MOUNT_MNT);
    kernel_put(file + IN_PATH + IN_DENTRY, tool);
    kernel_put(inner + IN_MOUNT_MNT + IN_ROOT, inner_root);
    kernel_put(inner + IN_MOUNT_PARENT, outer);
    kernel_put(inner + IN_MOUNT_POINT, point);
    kernel_put(outer + IN_MOUNT_MNT + IN_ROOT, root);
    kernel_put(outer + IN_MOUNT_PARENT, outer);
    kernel_put(outer + IN_MOUNT_POINT, root);
    return file;
}

/* Processes 1 to KERNEL_PROCESSES - 1, in list and table, each with an address space of its own number of frames
 * behind CR3. */
static inline void kernel_put_tasks(void)
{
    uint64_t file = kernel_put_file();

    for ( unsigned int i = 0; i < KERNEL_PROCESSES; i++ )
    {
        uint64_t task = kernel_task(i), mm = task + 0x400, cred = task + 0x600, pid = task + 0x700;

        kernel_put(task + IN_TASKS, kernel_task((i + 1) % KERNEL_PROCESSES) + IN_TASKS);
        kernel_put(task + IN_PID, i | (uint64_t)i << 32);
        snprintf(kernel_at(task + IN_COMM), 16, "process-%u", i);
        if ( !i )
            continue;
        kernel_put(task + IN_MM, mm);
        kernel_put(mm + IN_PGD, KERNEL_LOW + KERNEL_CR3 * (i == 3 ? 1 : 16 + i));
        kernel_put(mm + IN_EXE, file);
        kernel_put(task + IN_CRED, cred);
        kernel_put(cred + IN_UID, 1000 + i);
        kernel_put(pid + IN_PID_TASKS + 8, task + IN_LINKS + 16);
        kernel_put(KERNEL_NODE + IN_SLOTS + i * 8, pid);
    }
    kernel_put(KERNEL_PIDS + IN_HEAD, KERNEL_NODE + 2);
    kernel_put(KERNEL_PERCPU, KERNEL_DATA + 0x8000);
    kernel_put(KERNEL_DATA + 0x8000 + KERNEL_CURRENT, kernel_task(3));
}

/* Number `index`, of KERNEL_LOADED. */
static inline uint64_t kernel_module(unsigned int index)
{
    return KERNEL_MODULES + 0x100 + index * 0x100;
}

static inline void kernel_put_modules(void)
{
    uint64_t last = KERNEL_MODULES;

    for ( unsigned int i = 0; i < KERNEL_LOADED; i++ )
    {
        kernel_put(last, kernel_module(i) + IN_LIST);
        last = kernel_module(i) + IN_LIST;
        snprintf(kernel_at(kernel_module(i) + IN_MODULE_NAME), 16, "module_%u", i);
        kernel_put(kernel_module(i) + IN_LAYOUT + IN_BASE, KERNEL_MODULE_CODE + i * 0x1000);
        kernel_put(kernel_module(i) + IN_LAYOUT + IN_SIZE, 0x800);
    }
    kernel_put(last, KERNEL_MODULES);
}

static inline void kernel_put_gate(unsigned int gate, uint64_t to)
{
    kernel_put(KERNEL_IDT + gate * 16, (to & 0xffff) | UINT64_C(0x8e00) << 32 | (to >> 16 & 0xffff) << 48);
    kernel_put(KERNEL_IDT + gate * 16 + 8, to >> 32);
}

/* A jump label in a function, which jumps to the function's 64th octet or does nothing. */
static inline void kernel_put_jump(unsigned int index, unsigned int function, bool taken)
{
    uint64_t entry = KERNEL_JUMPS + index * 16, code = kernel_function(function) + 32, target = code + 32;
    int32_t distances[2] = { (int32_t)(code - entry), (int32_t)(target - entry - 4) }, jump = 64 - 32 - 5;
    unsigned char *at = kernel_at(code);

    memcpy(kernel_at(entry), distances, sizeof(distances));
    memcpy(at, taken ? "\xe9" : "\x0f\x1f\x44\x00\x00", taken ? 1 : 5);
    if ( taken )
        memcpy(at + 1, &jump, sizeof(jump));
}

/* Anew, as it is when it has just booted. Octets of types, and where symbols end, are for fuzzers' corpora. */
static inline size_t kernel_build(unsigned char **symbols_end)
{
    unsigned char *end;

    if ( !kernel_memory )
        kernel_memory = malloc(KERNEL_BYTES);
    if ( !kernel_memory )
        abort();
    memset(kernel_memory, 0, KERNEL_BYTES);
    kernel_map();
    memset(kernel_at(KERNEL_TEXT), 0x90, 0x200000);
    for ( unsigned int i = 0; i < KERNEL_FUNCTIONS; i++ )
        memcpy(kernel_at(kernel_function(i)), "\x0f\x1f\x44\x00\x00", 5);
    for ( unsigned int i = 0; i < KERNEL_CALLS; i++ )
        kernel_put(KERNEL_CALL_TABLE + i * 8, kernel_function(i));
    for ( unsigned int i = 0; i < 256; i++ )
        kernel_put_gate(i, kernel_function(100 + i));
    kernel_put(KERNEL_PINNED, 1u << 20 | 1u << 21);
    kernel_put_jump(0, 20, false);
    kernel_put_jump(1, 21, true);
    kernel_put_tasks();
    kernel_put_modules();
    kernel_put_symbols(KERNEL_SYMBOLS, &end);
    if ( symbols_end )
        *symbols_end = end;
    return kernel_put_types();
}

#endif /* TESTS_AV_SMALL_KERNEL_H */
