/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hidden processes: one that has a number and is not in the list, which tools and the kernel go through; or is in the
 * list and has no number, by which /proc is made. Who is neither is not found.
 */
#include <errno.h>
#include <string.h>

#include "watch.h"

/* Whether it has now been seen so often in a row that it is no coincidence. */
static bool is_certain(struct watch *w, uint64_t task)
{
    struct watch_doubt *place = NULL;

    if ( w->is_image )
        return true;
    for ( unsigned int i = 0; i < WATCH_DOUBTFUL_MAX; i++ )
    {
        struct watch_doubt *doubt = &w->doubts[i];

        if ( doubt->task == task && doubt->seen + 1 == w->looks )
        {
            doubt->seen = w->looks;
            return ++doubt->looks >= WATCH_DOUBTS;
        }
        /* One that was not seen at the last look is free. */
        if ( !place && (!doubt->task || doubt->seen + 1 < w->looks) )
            place = doubt;
    }
    if ( place )
        *place = (struct watch_doubt){ .task = task, .looks = 1, .seen = w->looks };
    return false;
}

static void take_missing(struct look *look, uint64_t address, const char *words)
{
    struct av_process process = { .size = sizeof(process) };
    struct watch *w = look->watch;
    struct task task;

    if ( !is_certain(w, address) || task_read(&w->kernel, &look->reader, address, &task) || !task.pid )
        return;
    task_describe(&w->kernel, &look->reader, &task, &process);
    look_report(look, AV_MALICIOUS, "hidden-process", address, &process, "process %u (%s) %s", task.pid, task.name, words);
}

/* Of two ascending lists, what is in a and not in b. */
static void compare(struct look *look, const uint64_t *a, uint32_t a_count, const uint64_t *b, uint32_t b_count,
                    const char *words)
{
    for ( uint32_t i = 0, j = 0; i < a_count; i++ )
    {
        while ( j < b_count && b[j] < a[i] )
            j++;
        if ( j == b_count || b[j] != a[i] )
            take_missing(look, a[i], words);
    }
}

void look_at_processes(struct look *look)
{
    static uint64_t listed[TASKS_MAX], numbered[TASKS_MAX];
    struct watch *w = look->watch;
    uint32_t listed_count, numbered_count;
    int rc = tasks_list(&w->kernel, &look->reader, listed, &listed_count);

    if ( !rc )
        rc = tasks_numbered(&w->kernel, &look->reader, numbered, &numbered_count);
    if ( rc == -E2BIG )
        look_report(look, AV_UNKNOWN, "processes", 0, NULL,
                    "there are more than %u processes, or their list has no end; hidden ones are not looked for", TASKS_MAX);
    if ( rc )
        return;
    w->looks++;
    compare(look, numbered, numbered_count, listed, listed_count, "has a number and is not in the list of processes");
    compare(look, listed, listed_count, numbered, numbered_count, "is in the list of processes and has no number");
}
