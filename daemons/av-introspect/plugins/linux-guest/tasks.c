/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Walks. A pointer is followed only if it is the kernel's (reader.c), and nothing that was read says how long a walk
 * may be.
 */
#include "tasks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A table of numbers is a tree of nodes with 64 places; a pointer to a node has this in its low bits. */
#define NODE_SLOTS_COUNT 64u
#define NODE_BITS        6u
#define NODE_TAG         2u
#define TAG_MASK         3u
#define NODE_LEAST       4096u

/* Of pid_links and of pid.tasks, the kinds of a number: the second is that of processes. */
#define KIND_PROCESS     1u
#define LINK_BYTES       16u
#define HEAD_BYTES       8u

#define CR3_ADDRESS      UINT64_C(0x000ffffffffff000)
#define PTI_BIT          (UINT64_C(1) << 12)

/* vCPUs of a Linux guest: the kernel's NR_CPUS at most. */
#define VCPUS_MAX        8192u

static int read_pointer(const struct reader *reader, uint64_t address, uint64_t *out)
{
    *out = 0;
    return address ? reader_read_u64(reader, address, out) : -ENOENT;
}

static int read_member(const struct kernel *kernel, const struct reader *reader, uint64_t at, enum kernel_member member,
                       uint64_t *out)
{
    return read_pointer(reader, kernel_member(kernel, at, member), out);
}

int task_read(const struct kernel *kernel, const struct reader *reader, uint64_t address, struct task *out)
{
    uint64_t pid = kernel_member(kernel, address, TASK_PID), tgid = kernel_member(kernel, address, TASK_TGID),
             comm = kernel_member(kernel, address, TASK_COMM);
    int rc;

    memset(out, 0, sizeof(*out));
    out->address = address;
    if ( !pid || !tgid || !comm )
        return -ENOENT;
    rc = reader_read_u32(reader, pid, &out->pid);
    if ( !rc )
        rc = reader_read_u32(reader, tgid, &out->tgid);
    if ( !rc )
        rc = reader_read(reader, comm, out->name, TASKS_COMM_BYTES);
    return rc;
}

/* ---- lists ---- */

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static void sort(uint64_t *list, uint32_t *count)
{
    uint32_t kept = 0;

    qsort(list, *count, sizeof(*list), compare);
    for ( uint32_t i = 0; i < *count; i++ )
        if ( !kept || list[kept - 1] != list[i] )
            list[kept++] = list[i];
    *count = kept;
}

int tasks_list(const struct kernel *kernel, const struct reader *reader, uint64_t out[TASKS_MAX], uint32_t *count)
{
    uint64_t head = kernel_member(kernel, kernel->names[NAME_FIRST_TASK], TASK_TASKS), at;
    int rc = read_pointer(reader, head, &at);

    *count = 0;
    while ( !rc && at != head )
    {
        if ( *count == TASKS_MAX )
            return -E2BIG;
        out[(*count)++] = at - kernel->members[TASK_TASKS];
        rc = read_pointer(reader, at, &at);
    }
    if ( !rc )
        sort(out, count);
    return rc;
}

struct numbers {
    const struct kernel *kernel;
    const struct reader *reader;
    uint64_t *out;
    uint32_t count, looked;
};

/* A number may be a process', a thread's, a group's; or nobody's, soon. */
static int take_number(struct numbers *n, uint64_t pid)
{
    uint64_t heads = kernel_member(n->kernel, pid, PID_TASKS), first;
    int rc = heads ? read_pointer(n->reader, heads + KIND_PROCESS * HEAD_BYTES, &first) : -ENOENT;

    if ( rc || !first )
        return rc == -ETIME ? rc : 0;
    if ( n->count == TASKS_MAX )
        return -E2BIG;
    n->out[n->count++] = first - n->kernel->members[TASK_PID_LINKS] - KIND_PROCESS * LINK_BYTES;
    return 0;
}

/* Each level has a smaller shift, so that what leads back to itself ends. */
static int take_node(struct numbers *n, uint64_t node, unsigned int above)
{
    uint64_t slots[NODE_SLOTS_COUNT], shift_at = kernel_member(n->kernel, node, NODE_SHIFT),
             slots_at = kernel_member(n->kernel, node, NODE_SLOTS);
    uint8_t shift;
    int rc;

    if ( !shift_at || !slots_at )
        return -ENOENT;
    rc = reader_read(n->reader, shift_at, &shift, sizeof(shift));
    if ( !rc )
        rc = reader_read(n->reader, slots_at, slots, sizeof(slots));
    if ( rc || shift >= above || shift % NODE_BITS )
        return rc ? rc : -EFAULT;

    for ( unsigned int i = 0; i < NODE_SLOTS_COUNT; i++ )
    {
        if ( !slots[i] )
            continue;
        /* Threads have numbers as well. */
        if ( ++n->looked > 4 * TASKS_MAX )
            return -E2BIG;
        if ( (slots[i] & TAG_MASK) == NODE_TAG && slots[i] > NODE_LEAST )
            rc = shift ? take_node(n, slots[i] - NODE_TAG, shift) : -EFAULT;
        else if ( !(slots[i] & TAG_MASK) && !shift )
            rc = take_number(n, slots[i]);
        if ( rc )
            return rc;
    }
    return 0;
}

int tasks_numbered(const struct kernel *kernel, const struct reader *reader, uint64_t out[TASKS_MAX], uint32_t *count)
{
    struct numbers n = { .kernel = kernel, .reader = reader, .out = out };
    uint64_t root = kernel_member(kernel, kernel->names[NAME_PIDS], PIDS_IDR), entry;
    int rc;

    *count = 0;
    if ( kernel->members[TASK_PID_LINKS] == UINT32_MAX )
        return -ENOENT;
    root = kernel_member(kernel, kernel_member(kernel, root, IDR_ROOT), XARRAY_HEAD);
    rc = read_pointer(reader, root, &entry);
    if ( !rc && (entry & TAG_MASK) == NODE_TAG && entry > NODE_LEAST )
        rc = take_node(&n, entry - NODE_TAG, 64);
    *count = n.count;
    if ( !rc )
        sort(out, count);
    return rc;
}

/* ---- who it is ---- */

/* Whether these page tables are the task's. */
static int has_tables(const struct kernel *kernel, const struct reader *reader, uint64_t task, uint64_t cr3)
{
    struct av_mapping mapping;
    uint64_t mm, pgd;
    int rc = read_member(kernel, reader, task, TASK_MM, &mm);

    if ( rc || !mm )
        return rc == -ETIME ? rc : 0;
    rc = read_member(kernel, reader, mm, MM_PGD, &pgd);
    if ( !rc )
        rc = reader_is_kernel(pgd) ? reader_translate(reader, pgd, &mapping) : -EFAULT;
    if ( rc )
        return rc == -ETIME ? rc : 0;
    cr3 &= CR3_ADDRESS;
    return mapping.physical == cr3 || mapping.physical == (cr3 & ~PTI_BIT);
}

static int task_running(const struct kernel *kernel, const struct reader *reader, uint32_t vcpu, uint64_t *task)
{
    uint64_t percpu, variable = kernel->names[NAME_CURRENT] ? kernel->names[NAME_CURRENT] : kernel->names[NAME_CURRENT_HOT];
    int rc;

    if ( !kernel->names[NAME_PERCPU] || !variable || vcpu >= VCPUS_MAX )
        return -ENOENT;
    rc = reader_read_u64(reader, kernel->names[NAME_PERCPU] + vcpu * sizeof(percpu), &percpu);
    if ( !rc )
        rc = reader_read_u64(reader, percpu + variable, task);
    if ( !rc && !reader_is_kernel(*task) )
        rc = -ENOENT;
    return rc;
}

int task_on_vcpu(const struct kernel *kernel, const struct reader *reader, uint32_t vcpu, uint64_t cr3, struct task *out)
{
    static uint64_t list[TASKS_MAX];
    uint64_t task = 0;
    uint32_t count;
    int rc = task_running(kernel, reader, vcpu, &task);

    if ( rc == -ETIME )
        return rc;
    if ( !rc && cr3 )
        rc = has_tables(kernel, reader, task, cr3) > 0 ? 0 : -ENOENT;
    if ( rc && cr3 && !tasks_list(kernel, reader, list, &count) )
        for ( uint32_t i = 0; rc && i < count; i++ )
        {
            int has = has_tables(kernel, reader, list[i], cr3);

            if ( has < 0 )
                return has;
            task = list[i];
            rc = has ? 0 : -ENOENT;
        }
    return rc ? rc : task_read(kernel, reader, task, out);
}

/* Puts "/name" before what is there; -E2BIG: it does not fit. */
static int put_name(const struct kernel *kernel, const struct reader *reader, uint64_t dentry, char *path, size_t *start)
{
    uint64_t name;
    char text[AV_TEXT_BYTES];
    size_t length;
    int rc = read_pointer(reader, kernel_member(kernel, kernel_member(kernel, dentry, DENTRY_NAME), QSTR_NAME), &name);

    if ( rc )
        return rc;
    /* A name near the end of a page that nothing follows is read up to there. */
    memset(text, 0, sizeof(text));
    rc = reader_read(reader, name, text, sizeof(text) - 1);
    if ( rc && !text[0] )
        return rc;
    length = strlen(text);
    if ( length + 1 > *start )
        return -E2BIG;
    *start -= length + 1;
    path[*start] = '/';
    memcpy(path + *start + 1, text, length);
    return 0;
}

/* From the file up to the root, through the places where what it is on is mounted. */
static void read_path(const struct kernel *kernel, const struct reader *reader, uint64_t file, char out[AV_TEXT_BYTES])
{
    uint64_t at = kernel_member(kernel, file, FILE_PATH), dentry, mnt, root, parent, mount;
    char path[AV_TEXT_BYTES];
    size_t start = sizeof(path) - 1;
    bool whole = false;
    int rc = read_member(kernel, reader, at, PATH_DENTRY, &dentry);

    path[start] = 0;
    if ( !rc )
        rc = read_member(kernel, reader, at, PATH_MNT, &mnt);
    for ( unsigned int i = 0; !rc && !whole && i < TASKS_PATH_DEPTH; i++ )
    {
        rc = read_member(kernel, reader, mnt, VFSMOUNT_ROOT, &root);
        if ( !rc )
            rc = read_member(kernel, reader, dentry, DENTRY_PARENT, &parent);
        if ( rc )
            break;
        if ( dentry != root && dentry != parent )
        {
            rc = put_name(kernel, reader, dentry, path, &start);
            dentry = parent;
            continue;
        }
        mount = kernel->members[MOUNT_MNT] == UINT32_MAX ? 0 : mnt - kernel->members[MOUNT_MNT];
        rc = read_member(kernel, reader, mount, MOUNT_PARENT, &parent);
        if ( rc )
            break;
        whole = parent == mount;
        rc = read_member(kernel, reader, mount, MOUNT_POINT, &dentry);
        mnt = kernel_member(kernel, parent, MOUNT_MNT);
    }
    /* A part of a path would name another file. */
    if ( !rc && whole )
        memcpy(out, path + start, sizeof(path) - start);
}

void task_describe(const struct kernel *kernel, const struct reader *reader, const struct task *task, struct av_process *out)
{
    uint64_t cred, mm, file;

    out->pid = task->tgid;
    memcpy(out->name, task->name, sizeof(task->name));
    if ( !read_member(kernel, reader, task->address, TASK_CRED, &cred) && kernel_member(kernel, cred, CRED_UID) )
        reader_read_u32(reader, kernel_member(kernel, cred, CRED_UID), &out->uid);
    if ( !read_member(kernel, reader, task->address, TASK_MM, &mm) && mm &&
         !read_member(kernel, reader, mm, MM_EXE_FILE, &file) && file )
        read_path(kernel, reader, file, out->path);
}
