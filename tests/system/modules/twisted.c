// SPDX-License-Identifier: GPL-2.0-only
/*
 * A kernel's own structures, made so that who follows them from outside goes round in circles, ends nowhere, or misses what
 * is there. One of them a load; rmmod puts things back.
 *
 *   kind=hidden pid=N     the process is taken out of the list of processes, and runs on
 *   kind=cycle pid=N      that list leads from the process to itself. None of its neighbours may end meanwhile
 *   kind=path path=DIR    the directory's parent lies in the directory
 *   kind=tables pid=N mark=TEXT   the process' page tables hold themselves, and beside that frames that are nowhere: it can
 *                         execute its first table at 0x32190c864000, where the text stands in it, and pages around it
 */
#include <linux/dcache.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/namei.h>
#include <linux/pid.h>
#include <linux/rculist.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>

static char *kind = "";
module_param(kind, charp, 0);
static int pid;
module_param(pid, int, 0);
static char *path = "";
module_param(path, charp, 0);
static char *mark = "";
module_param(mark, charp, 0);

/* Entry of each of four levels: in the user's half, far from where Linux maps anything. */
#define SLOT 100u
/* The text, as entries that lead anywhere; code-writer begins at entry 200. */
#define MARK_SLOT 150u
#define MARK_SLOTS 8u
/* Present, writable, for users; and accessed and dirty, as no CPU is to set them while it walks. */
#define RIGHTS 0x67ul

static struct task_struct *task;
static struct list_head *after;
static struct path place;
static struct dentry *parent, *grandparent;

static int take_task(void)
{
    struct pid *number = find_get_pid(pid);

    task = get_pid_task(number, PIDTYPE_PID);
    put_pid(number);
    return task ? 0 : -ESRCH;
}

/* Nobody else goes through the list while this is done: the guest is at rest, and the test says what it does. */
static int hide(void)
{
    int rc = take_task();

    if ( rc )
        return rc;
    after = task->tasks.prev;
    list_del_rcu(&task->tasks);
    return 0;
}

static int make_cycle(void)
{
    int rc = take_task();

    if ( rc )
        return rc;
    after = task->tasks.next;
    WRITE_ONCE(task->tasks.next, &task->tasks);
    return 0;
}

static int twist_path(void)
{
    int rc = kern_path(path, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &place);

    if ( rc )
        return rc;
    parent = place.dentry->d_parent;
    grandparent = parent->d_parent;
    WRITE_ONCE(parent->d_parent, place.dentry);
    return 0;
}

/*
 * The first table, at its own place in four levels. The pages around that one are the tables of its other entries: frames
 * beyond all memory, with bits that must be zero, large pages in the middle of nothing, and more of itself.
 */
static int twist_tables(void)
{
    unsigned long self, *table;
    struct mm_struct *mm;
    int rc = take_task();

    if ( rc )
        return rc;
    mm = get_task_mm(task);
    if ( !mm )
        return -ESRCH;
    table = (unsigned long *)mm->pgd;
    self = __pa(mm->pgd);
    table[SLOT] = self | RIGHTS;
    table[SLOT - 1] = 0x000ffffffffff000ul | RIGHTS;
    table[SLOT - 2] = self | RIGHTS | _PAGE_PSE;
    table[SLOT - 3] = 0x7ff0000000000ul | RIGHTS;
    table[SLOT + 1] = self | RIGHTS;
    table[SLOT + 2] = 0x0000008000000000ul | RIGHTS | _PAGE_PSE;
    table[SLOT + 3] = ~0ul;
    strncpy((char *)(table + MARK_SLOT), mark, MARK_SLOTS * sizeof(*table));
    mmput(mm);
    return 0;
}

static void untwist_tables(void)
{
    struct mm_struct *mm = get_task_mm(task);

    if ( !mm )
        return;
    memset((unsigned long *)mm->pgd + SLOT - 3, 0, 7 * sizeof(unsigned long));
    memset((unsigned long *)mm->pgd + MARK_SLOT, 0, MARK_SLOTS * sizeof(unsigned long));
    mmput(mm);
}

static int __init begin(void)
{
    int rc = !strcmp(kind, "hidden") ? hide() : !strcmp(kind, "cycle") ? make_cycle() :
             !strcmp(kind, "path") ? twist_path() : !strcmp(kind, "tables") ? twist_tables() : -EINVAL;

    if ( rc && task )
        put_task_struct(task);
    return rc;
}

static void __exit end(void)
{
    if ( !strcmp(kind, "hidden") )
        list_add_rcu(&task->tasks, after);
    else if ( !strcmp(kind, "cycle") )
        WRITE_ONCE(task->tasks.next, after);
    else if ( !strcmp(kind, "path") )
    {
        WRITE_ONCE(parent->d_parent, grandparent);
        path_put(&place);
    }
    else
        untwist_tables();
    if ( task )
        put_task_struct(task);
}

module_init(begin);
module_exit(end);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("structures for who looks from outside");
