/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The shapes that the table of grant mappings had before, for bench/grant: one free list of the domain; and
 * Xen 4.17's, a list for each vCPU to whose tail a mapping goes back that was taken from its head. Both get new
 * frames under a lock of the domain. Lookup is an index, without a lock, as in Xen. Stealing from
 * other vCPUs begins at the limit, which is not reached here.
 */
#include <stdbool.h>
#include <stdlib.h>

#include <xen/mm.h>
#include <xen/spinlock.h>
#include <xen/xmalloc.h>
#include <asm/atomic.h>
#include <asm/system.h>

#include "grant.h"

#define IN_A_FRAME  256
#define NOTHING     (~0u)
#define HOST_MAP    2

struct old_mapping {
    uint32_t ref;           /* while it is free: the next one */
    uint16_t flags;
    uint16_t domid;
    uint32_t vcpu;
    uint32_t pad;
};

struct old_list {
    spinlock_t lock;
    uint32_t head, tail;
} __attribute__((aligned(64)));

static struct old_mapping *frames[GRANT_FRAMES];
static spinlock_t growth;
static uint32_t limit;              /* mappings in frames */
static struct old_list lists[GRANT_THREADS];

static struct old_mapping *at(uint32_t handle)
{
    return &frames[handle / IN_A_FRAME][handle % IN_A_FRAME];
}

static void old_open(void)
{
    spin_lock_init(&growth);
    limit = 0;
    for ( unsigned int i = 0; i < GRANT_THREADS; i++ )
    {
        spin_lock_init(&lists[i].lock);
        lists[i].head = lists[i].tail = NOTHING;
    }
}

static void old_close(void)
{
    for ( unsigned int i = 0; i < limit / IN_A_FRAME; i++ )
        free_xenheap_page(frames[i]);
}

/* One mapping always stays in the list, so that there is a tail to add to. */
static uint32_t list_pop(struct old_list *list)
{
    uint32_t handle = NOTHING;

    spin_lock(&list->lock);
    if ( list->head != NOTHING && at(list->head)->ref != NOTHING )
    {
        handle = list->head;
        list->head = at(handle)->ref;
    }
    spin_unlock(&list->lock);

    return handle;
}

static uint32_t list_grow(struct old_list *list, uint32_t vcpu)
{
    struct old_mapping *new = alloc_xenheap_page();
    uint32_t first;

    if ( !new )
        abort();
    clear_page(new);
    spin_lock(&growth);
    first = limit;
    if ( first / IN_A_FRAME == GRANT_FRAMES )
        abort();
    for ( uint32_t i = 0; i < IN_A_FRAME; i++ )
    {
        new[i].ref = first + i + 1;
        new[i].vcpu = vcpu;
    }
    frames[first / IN_A_FRAME] = new;
    write_atomic(&limit, first + IN_A_FRAME);
    spin_unlock(&growth);

    spin_lock(&list->lock);
    if ( list->tail == NOTHING )
        list->tail = first + IN_A_FRAME - 1;
    new[IN_A_FRAME - 1].ref = list->head;
    list->head = first + 1;
    spin_unlock(&list->lock);

    return first;
}

static uint32_t list_map(uint32_t number, uint16_t domid, uint32_t ref)
{
    uint32_t handle = list_pop(&lists[number]);
    struct old_mapping *mapping;

    if ( handle == NOTHING )
        handle = list_grow(&lists[number], number);
    mapping = at(handle);
    mapping->domid = domid;
    mapping->ref = ref;
    smp_wmb();
    write_atomic(&mapping->flags, HOST_MAP);

    return handle;
}

static void old_unmap(unsigned int thread, uint32_t handle)
{
    struct old_mapping *mapping = at(handle);
    struct old_list *list;

    (void)thread;
    if ( handle >= read_atomic(&limit) || !read_atomic(&mapping->flags) )
        abort();
    smp_rmb();
    write_atomic(&mapping->flags, 0);
    list = &lists[mapping->vcpu];
    mapping->ref = NOTHING;
    spin_lock(&list->lock);
    at(list->tail)->ref = handle;
    list->tail = handle;
    spin_unlock(&list->lock);
}

static uint32_t one_list_map(unsigned int thread, uint16_t domid, uint32_t ref)
{
    (void)thread;

    return list_map(0, domid, ref);
}

static uint32_t vcpu_lists_map(unsigned int thread, uint16_t domid, uint32_t ref)
{
    return list_map(thread, domid, ref);
}

const struct grant_shape grant_one_list = {
    .name = "one list", .open = old_open, .map = one_list_map, .unmap = old_unmap, .close = old_close,
};
const struct grant_shape grant_vcpu_lists = {
    .name = "a list a vCPU", .open = old_open, .map = vcpu_lists_map, .unmap = old_unmap, .close = old_close,
};
