/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tasks: a Linux guest's processes, as its kernel lists them: the list of all, and the table of process numbers; who
 * runs on a vCPU, and from which file. Lists may be cyclic, crossed and without an end: each walk has a limit, and
 * what it reads changes while it reads.
 */
#ifndef AV_LINUX_GUEST_TASKS_H
#define AV_LINUX_GUEST_TASKS_H

#include "kernel.h"

/* Processes that are looked at: each costs the broker some frames, and a worker may have 65536 in a call. */
#define TASKS_MAX        8192u

/* Names between a file and its root, mounts that are crossed included. */
#define TASKS_PATH_DEPTH 64u

/* Of the kernel's short name, as it stands there. */
#define TASKS_COMM_BYTES 16u

struct task {
    uint64_t address;                   /* of its task_struct */
    uint32_t pid, tgid;
    char     name[TASKS_COMM_BYTES + 1];
};

/* 0 or what reads say; -ENOENT: the kernel's types lack something. */
int task_read(const struct kernel *kernel, const struct reader *reader, uint64_t address, struct task *out);

/*
 * Addresses of the task_structs of processes (threads' leaders, not threads), in ascending order and each once. The
 * first process of all, pid 0, is in neither. 0; -E2BIG: there are more than TASKS_MAX, or the list has no end;
 * -EFAULT: it leads nowhere; -ENOENT, -ETIME.
 */
int tasks_list(const struct kernel *kernel, const struct reader *reader, uint64_t out[TASKS_MAX], uint32_t *count);
int tasks_numbered(const struct kernel *kernel, const struct reader *reader, uint64_t out[TASKS_MAX], uint32_t *count);

/* The task that runs on a vCPU; the one with these page tables, if that is another one's (cr3 0: that is not known).
 * 0, -ENOENT, -ETIME. */
int task_on_vcpu(const struct kernel *kernel, const struct reader *reader, uint32_t vcpu, uint64_t cr3, struct task *out);

/* pid is that of the process. What cannot be read is left empty. */
void task_describe(const struct kernel *kernel, const struct reader *reader, const struct task *task, struct av_process *out);

#endif /* AV_LINUX_GUEST_TASKS_H */
