/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A small kernel whose lists, tables and names were written over: cyclic, crossed, leading out of it. Walks end,
 * lists are in order, texts end.
 *
 * An input: pieces of 12 octets, a place in the kernel's data (4; taken modulo what there is) and what is written
 * there (8). A value whose first octet is 1 is made a pointer into the data.
 */
#include <errno.h>
#include <string.h>

#define FUZZ_TARGET "tasks"
#include "fuzz.h"

#include "linux-guest/tasks.h"

#include "tests/daemons/av-introspect/plugin-host.h"
#include "tests/daemons/av-introspect/small-kernel.h"

#define PIECE      12u
/* Where all that is read lies. */
#define DATA_BYTES 0x18000u

static struct kernel kernel;

static void learn(struct reader *reader)
{
    kernel_build(NULL);
    plugin_host.reads_left = UINT64_MAX;
    REQUIRE(!view_open(&plugin_host.view, &kernel_frames));
    kernel_try(&kernel, KERNEL_CR3);
    while ( kernel_step(&kernel, reader) == 1 )
        ;
    REQUIRE(kernel.state == KERNEL_KNOWN && kernel.has_types);
}

static void look_at_list(const uint64_t *list, uint32_t count, int rc)
{
    REQUIRE(rc == 0 || rc == -E2BIG || rc == -EFAULT || rc == -ENXIO || rc == -ENOENT);
    REQUIRE(count <= TASKS_MAX);
    for ( uint32_t i = 1; !rc && i < count; i++ )
        REQUIRE(list[i] > list[i - 1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint64_t list[TASKS_MAX];
    static unsigned char as_it_was[DATA_BYTES];
    struct reader reader = { .host = &host_table };
    struct av_process process = { .size = sizeof(process) };
    struct task task;
    uint32_t count;
    int rc;

    if ( !kernel_memory )
    {
        learn(&reader);
        memcpy(as_it_was, kernel_at(KERNEL_DATA), DATA_BYTES);
    }
    memcpy(kernel_at(KERNEL_DATA), as_it_was, DATA_BYTES);
    for ( ; size >= PIECE; data += PIECE, size -= PIECE )
    {
        uint32_t place;
        uint64_t value;

        memcpy(&place, data, sizeof(place));
        memcpy(&value, data + sizeof(place), sizeof(value));
        if ( (value & 0xff) == 1 )
            value = KERNEL_DATA + (value >> 8) % DATA_BYTES;
        kernel_put(KERNEL_DATA + place % (DATA_BYTES - sizeof(value)), value);
    }

    view_begin(plugin_host.view, UINT64_MAX);
    reader.cr3 = kernel.cr3;
    rc = tasks_list(&kernel, &reader, list, &count);
    look_at_list(list, count, rc);
    rc = tasks_numbered(&kernel, &reader, list, &count);
    look_at_list(list, count, rc);
    for ( uint32_t i = 0; !rc && i < count && i < 4; i++ )
        if ( !task_read(&kernel, &reader, list[i], &task) )
            REQUIRE(strlen(task.name) <= TASKS_COMM_BYTES);
    for ( unsigned int i = 0; i < 2; i++ )
    {
        rc = task_on_vcpu(&kernel, &reader, 0, i ? KERNEL_CR3 * 18 : 0, &task);
        if ( rc )
            continue;
        memset(&process, 0, sizeof(process));
        task_describe(&kernel, &reader, &task, &process);
        REQUIRE(strlen(process.path) < sizeof(process.path) && (!process.path[0] || process.path[0] == '/'));
    }
    return 0;
}
