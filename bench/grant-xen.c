/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What Xen 4.17 has for grant mappings, for bench/grant: its own C, with a list of free mappings for each vCPU; and the
 * same with one vCPU's list for all threads.  maptrack-lists.c is cut out of Xen's grant_table.c, where bench/grant
 * compiles this; here is what stands around it there, and what map_grant_ref() and unmap_common() do with it.
 * Stealing from other vCPUs begins at the limit, which is not reached.
 */
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>

#include <xen/lib.h>
#include <xen/mm.h>
#include <xen/nospec.h>
#include <xen/spinlock.h>
#include <xen/xmalloc.h>
#include <asm/atomic.h>
#include <asm/system.h>

#include "grant.h"

#define likely(condition)   __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)

/* What a line of Xen's own reads without read_atomic(), and others may write. */
#define ACCESS_ONCE(word)   (*(volatile typeof(word) *)&(word))

#define HOST_MAP   2
#define DEVICE_MAP 1

typedef uint16_t domid_t;
typedef uint32_t grant_ref_t, grant_handle_t;

struct grant_mapping;

/* As much of these as the code looks at. */
struct grant_table {
    spinlock_t maptrack_lock;
    unsigned int max_maptrack_frames;
    unsigned int maptrack_limit;
    struct grant_mapping **maptrack;
};

struct vcpu {
    struct domain *domain;
    unsigned int vcpu_id;
    spinlock_t maptrack_freelist_lock;
    unsigned int maptrack_head;
    unsigned int maptrack_tail;
} __attribute__((aligned(PAGE_SIZE)));      /* in Xen each is a page's own */

struct domain {
    unsigned int max_vcpus;
    struct vcpu **vcpu;
};

static __thread struct vcpu *current;

static unsigned int get_random(void)
{
    return random();
}

#include "maptrack-lists.c"

static struct grant_mapping *frames[GRANT_FRAMES];
static struct grant_table table;
static struct vcpu vcpus[GRANT_THREADS];
static struct vcpu *vcpu_pointers[GRANT_THREADS];
static struct domain domain = { .max_vcpus = GRANT_THREADS, .vcpu = vcpu_pointers };

static void xen_open(void)
{
    spin_lock_init(&table.maptrack_lock);
    table.max_maptrack_frames = GRANT_FRAMES;
    table.maptrack_limit = 0;
    table.maptrack = frames;
    for ( unsigned int i = 0; i < GRANT_THREADS; i++ )
    {
        struct vcpu *v = &vcpus[i];

        vcpu_pointers[i] = v;
        v->domain = &domain;
        v->vcpu_id = i;
        spin_lock_init(&v->maptrack_freelist_lock);
        v->maptrack_head = MAPTRACK_TAIL;
        v->maptrack_tail = MAPTRACK_TAIL;
    }
}

static void xen_close(void)
{
    for ( unsigned int i = 0; i < nr_maptrack_frames(&table); i++ )
        free_xenheap_page(frames[i]);
}

static uint32_t map_by(struct vcpu *vcpu, uint16_t domid, uint32_t ref)
{
    struct grant_mapping *mapping;
    grant_handle_t handle;

    current = vcpu;
    handle = get_maptrack_handle(&table);
    if ( handle == INVALID_MAPTRACK_HANDLE )
        abort();

    mapping = &maptrack_entry(&table, handle);
    mapping->domid = domid;
    mapping->ref = ref;
    smp_wmb();
    write_atomic(&mapping->flags, HOST_MAP);

    return handle;
}

static void xen_unmap(unsigned int thread, uint32_t handle)
{
    struct grant_mapping *mapping;
    grant_ref_t ref;
    uint16_t flags;
    domid_t domid;

    (void)thread;
    if ( handle >= ACCESS_ONCE(table.maptrack_limit) )
        abort();
    smp_rmb();
    mapping = &maptrack_entry(&table, handle);
    if ( !read_atomic(&mapping->flags) )
        abort();
    domid = ACCESS_ONCE(mapping->domid);
    ref = ACCESS_ONCE(mapping->ref);

    /* Once more with the active entry's lock, which is not here. */
    flags = read_atomic(&mapping->flags);
    smp_rmb();
    if ( !flags || ACCESS_ONCE(mapping->domid) != domid || ACCESS_ONCE(mapping->ref) != ref )
        abort();
    mapping->flags &= ~HOST_MAP;
    if ( mapping->flags & (HOST_MAP | DEVICE_MAP) )
        abort();
    mapping->flags = 0;
    put_maptrack_handle(&table, handle);
}

static uint32_t one_list_map(unsigned int thread, uint16_t domid, uint32_t ref)
{
    (void)thread;

    return map_by(&vcpus[0], domid, ref);
}

static uint32_t vcpu_lists_map(unsigned int thread, uint16_t domid, uint32_t ref)
{
    return map_by(&vcpus[thread], domid, ref);
}

const struct grant_shape grant_one_list = {
    .name = "one list", .open = xen_open, .map = one_list_map, .unmap = xen_unmap, .close = xen_close,
};
const struct grant_shape grant_vcpu_lists = {
    .name = "a list a vCPU", .open = xen_open, .map = vcpu_lists_map, .unmap = xen_unmap, .close = xen_close,
};
