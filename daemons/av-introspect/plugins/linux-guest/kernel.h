/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kernel: what is known of the Linux kernel in a domain: where it lies, its symbols, the members of its structures.
 * Learnt step by step, as nobody may be kept waiting for as long as it takes; no profile and no file is needed, all
 * of it is in the guest's memory.
 */
#ifndef AV_LINUX_GUEST_KERNEL_H
#define AV_LINUX_GUEST_KERNEL_H

#include "place.h"
#include "reader.h"
#include "symbols.h"

/* Names that are asked for; a kernel need not have all of them. */
enum kernel_name {
    NAME_ETEXT, NAME_SYSCALLS, NAME_SYSCALLS_32, NAME_IDT, NAME_EARLY_GATES, NAME_SYSCALL_ENTRY,
    NAME_CR4_PINNED,
    NAME_JUMPS, NAME_JUMPS_END, NAME_STATIC_CALLS, NAME_STATIC_CALLS_END,
    NAME_TABLES, NAME_FIRST_TASK, NAME_PIDS, NAME_PERCPU, NAME_CURRENT, NAME_CURRENT_HOT,
    NAME_MODULES,
    KERNEL_NAMES
};

enum kernel_member {
    TASK_TASKS, TASK_PID, TASK_TGID, TASK_COMM, TASK_MM, TASK_CRED, TASK_PID_LINKS,
    CRED_UID, MM_PGD, MM_EXE_FILE, FILE_PATH, PATH_MNT, PATH_DENTRY,
    DENTRY_NAME, DENTRY_PARENT, QSTR_NAME, VFSMOUNT_ROOT, MOUNT_MNT, MOUNT_PARENT, MOUNT_POINT,
    PIDS_IDR, IDR_ROOT, XARRAY_HEAD, NODE_SHIFT, NODE_SLOTS, PID_TASKS,
    MODULE_LIST, MODULE_NAME, MODULE_LAYOUT, LAYOUT_BASE, LAYOUT_SIZE,
    KERNEL_MEMBERS
};

enum kernel_state {
    KERNEL_SOUGHT,                      /* no page tables with a kernel are known */
    KERNEL_READING,                     /* its constants */
    KERNEL_PARSING,                     /* symbols, then types */
    KERNEL_KNOWN,
    KERNEL_UNKNOWN,                     /* it has no symbols that can be read: is no Linux, or one that was built otherwise */
};

struct kernel {
    enum kernel_state state;
    uint64_t cr3;                       /* the kernel's own tables, once it is known; of any process before */
    struct place place;
    uint8_t *rodata;                    /* a copy; the owner may free it once the kernel is known */
    bool *rodata_absent;                /* of each of its pages: it could not be read, and is zeros; the owner may take it */
    size_t rodata_read;
    struct symbols *symbols;
    uint64_t names[KERNEL_NAMES];       /* 0: not there */
    uint32_t members[KERNEL_MEMBERS];   /* UINT32_MAX: not there */
    int has_types;                      /* any members at all */
};

/* Zeros are a kernel of which nothing is known. */
void kernel_forget(struct kernel *kernel);

/* Page tables that the next steps are to be tried with, while the state is SOUGHT. */
void kernel_try(struct kernel *kernel, uint64_t cr3);

/*
 * A piece of the work. 1: there is more; 0: nothing can be done now, or the state is KNOWN or UNKNOWN; -ETIME,
 * -ENOMEM: again later. reader->cr3 is set.
 */
int kernel_step(struct kernel *kernel, struct reader *reader);

/* Address of a member of a structure at `at`; 0 if the member, or the structure, is not there. */
uint64_t kernel_member(const struct kernel *kernel, uint64_t at, enum kernel_member member);

/* Whether an address is in the kernel's own code. */
int kernel_has_code(const struct kernel *kernel, uint64_t address);

#endif /* AV_LINUX_GUEST_KERNEL_H */
