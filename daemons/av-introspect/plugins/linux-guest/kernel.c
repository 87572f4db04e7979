/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The steps, and the two lists of what is asked for.
 */
#include "kernel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "types.h"

/* Page tables of a process without the kernel's code (page table isolation) lie this far behind those with it. */
#define PTI_BIT      (UINT64_C(1) << 12)
#define CR3_ADDRESS  UINT64_C(0x000ffffffffff000)

static const char *const names[KERNEL_NAMES] = {
    [NAME_ETEXT] = "_etext",
    [NAME_SYSCALLS] = "sys_call_table",
    [NAME_SYSCALLS_32] = "ia32_sys_call_table",
    [NAME_IDT] = "idt_table",
    [NAME_EARLY_GATES] = "early_idt_handler_array",
    [NAME_SYSCALL_ENTRY] = "entry_SYSCALL_64",
    [NAME_CR4_PINNED] = "cr4_pinned_bits",
    [NAME_JUMPS] = "__start___jump_table",
    [NAME_JUMPS_END] = "__stop___jump_table",
    [NAME_STATIC_CALLS] = "__start_static_call_sites",
    [NAME_STATIC_CALLS_END] = "__stop_static_call_sites",
    [NAME_TABLES] = "init_top_pgt",
    [NAME_FIRST_TASK] = "init_task",
    [NAME_PIDS] = "init_pid_ns",
    [NAME_PERCPU] = "__per_cpu_offset",
    [NAME_CURRENT] = "current_task",
    [NAME_CURRENT_HOT] = "pcpu_hot",
    [NAME_MODULES] = "modules",
};

static const struct types_wanted members[KERNEL_MEMBERS] = {
    [TASK_TASKS] = { "task_struct", "tasks" },
    [TASK_PID] = { "task_struct", "pid" },
    [TASK_TGID] = { "task_struct", "tgid" },
    [TASK_COMM] = { "task_struct", "comm" },
    [TASK_MM] = { "task_struct", "mm" },
    [TASK_CRED] = { "task_struct", "real_cred" },
    [TASK_PID_LINKS] = { "task_struct", "pid_links" },
    [CRED_UID] = { "cred", "uid" },
    [MM_PGD] = { "mm_struct", "pgd" },
    [MM_EXE_FILE] = { "mm_struct", "exe_file" },
    [FILE_PATH] = { "file", "f_path" },
    [PATH_MNT] = { "path", "mnt" },
    [PATH_DENTRY] = { "path", "dentry" },
    [DENTRY_NAME] = { "dentry", "d_name" },
    [DENTRY_PARENT] = { "dentry", "d_parent" },
    [QSTR_NAME] = { "qstr", "name" },
    [VFSMOUNT_ROOT] = { "vfsmount", "mnt_root" },
    [MOUNT_MNT] = { "mount", "mnt" },
    [MOUNT_PARENT] = { "mount", "mnt_parent" },
    [MOUNT_POINT] = { "mount", "mnt_mountpoint" },
    [PIDS_IDR] = { "pid_namespace", "idr" },
    [IDR_ROOT] = { "idr", "idr_rt" },
    [XARRAY_HEAD] = { "xarray", "xa_head" },
    [NODE_SHIFT] = { "xa_node", "shift" },
    [NODE_SLOTS] = { "xa_node", "slots" },
    [PID_TASKS] = { "pid", "tasks" },
    [MODULE_LIST] = { "module", "list" },
    [MODULE_NAME] = { "module", "name" },
    [MODULE_LAYOUT] = { "module", "core_layout" },
    [LAYOUT_BASE] = { "module_layout", "base" },
    [LAYOUT_SIZE] = { "module_layout", "size" },
};

void kernel_forget(struct kernel *kernel)
{
    symbols_free(kernel->symbols);
    free(kernel->rodata);
    free(kernel->rodata_absent);
    memset(kernel, 0, sizeof(*kernel));
}

void kernel_try(struct kernel *kernel, uint64_t cr3)
{
    if ( kernel->state == KERNEL_SOUGHT )
        kernel->cr3 = cr3 & CR3_ADDRESS;
}

static int seek(struct kernel *kernel, struct reader *reader)
{
    int rc;

    if ( !kernel->cr3 )
        return 0;
    reader->cr3 = kernel->cr3;
    rc = place_find(reader, &kernel->place);
    if ( rc && rc != -ETIME && kernel->cr3 & PTI_BIT )
    {
        reader->cr3 = kernel->cr3 & ~PTI_BIT;
        rc = place_find(reader, &kernel->place);
    }
    if ( rc == -ETIME )
        return rc;
    if ( rc )
    {
        /* Still booting, or page tables of something else: those of the next event may do. */
        kernel->cr3 = 0;
        return 0;
    }
    kernel->rodata = calloc(1, kernel->place.rodata_end - kernel->place.rodata);
    kernel->rodata_absent = calloc((kernel->place.rodata_end - kernel->place.rodata) / AV_PAGE_SIZE + 1, sizeof(bool));
    if ( !kernel->rodata || !kernel->rodata_absent )
    {
        free(kernel->rodata);
        free(kernel->rodata_absent);
        kernel->rodata = NULL;
        kernel->rodata_absent = NULL;
        return -ENOMEM;
    }
    kernel->cr3 = reader->cr3;
    kernel->rodata_read = 0;
    kernel->state = KERNEL_READING;
    return 1;
}

static int read_constants(struct kernel *kernel, const struct reader *reader)
{
    size_t total = kernel->place.rodata_end - kernel->place.rodata, left = total - kernel->rodata_read;
    size_t part = left < READER_STEP ? left : READER_STEP;

    int rc = reader_read_pages(reader, kernel->place.rodata + kernel->rodata_read, kernel->rodata + kernel->rodata_read, part,
                               kernel->rodata_absent + kernel->rodata_read / AV_PAGE_SIZE);

    if ( rc )
        return rc;
    kernel->rodata_read += part;
    if ( kernel->rodata_read == total )
        kernel->state = KERNEL_PARSING;
    return 1;
}

static int parse(struct kernel *kernel, struct reader *reader)
{
    size_t total = kernel->place.rodata_end - kernel->place.rodata, found;
    struct av_mapping mapping;
    int rc;

    if ( !kernel->symbols )
    {
        rc = symbols_read(&kernel->symbols, kernel->rodata, total, kernel->place.text);
        if ( rc == -ENOMEM )
            return rc;
        if ( rc )
        {
            kernel->state = KERNEL_UNKNOWN;
            return 0;
        }
        symbols_find(kernel->symbols, names, kernel->names, KERNEL_NAMES);
        return 1;
    }
    rc = types_read(kernel->rodata, total, members, kernel->members, KERNEL_MEMBERS, &found);
    if ( rc == -ENOMEM )
        return rc;
    kernel->has_types = !rc;
    /* From now on by tables that do not go with a process. */
    if ( !reader_translate(reader, kernel->names[NAME_TABLES], &mapping) && mapping.physical )
        kernel->cr3 = mapping.physical & CR3_ADDRESS;
    kernel->state = KERNEL_KNOWN;
    return 0;
}

int kernel_step(struct kernel *kernel, struct reader *reader)
{
    reader->cr3 = kernel->cr3;
    switch ( kernel->state )
    {
    case KERNEL_SOUGHT:
        return seek(kernel, reader);
    case KERNEL_READING:
        return read_constants(kernel, reader);
    case KERNEL_PARSING:
        return parse(kernel, reader);
    default:
        return 0;
    }
}

uint64_t kernel_member(const struct kernel *kernel, uint64_t at, enum kernel_member member)
{
    return at && kernel->has_types && kernel->members[member] != UINT32_MAX ? at + kernel->members[member] : 0;
}

int kernel_has_code(const struct kernel *kernel, uint64_t address)
{
    uint64_t end = kernel->place.text_end;

    if ( kernel->names[NAME_ETEXT] > kernel->place.text && kernel->names[NAME_ETEXT] < end )
        end = kernel->names[NAME_ETEXT];
    return address >= kernel->place.text && address < end;
}
