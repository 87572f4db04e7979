/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * grant-calls THREADS BATCHES own|others: dom0 maps grants of its own and unmaps them again, by hypercalls of 32
 * operations, from so many threads, each on a vCPU and with grants of its own.  Each unmaps its own mappings, or those
 * of the next thread.  They are mapped as for a device, which needs no address.  Prints `pairs=N ns=N`, the time from
 * the first thread's first call to the last one's last.  Run in dom0 by bench/grant --xen.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <xencall.h>
#include <xenctrl.h>
#include <xengnttab.h>
#include <xen/grant_table.h>

#define OURSELVES 0             /* dom0's number */
#define AT_ONCE   32U           /* mappings that a thread has: what a block back-end has of a few requests */
#define MOST      8U            /* threads */

/* What a thread has mapped, until it is unmapped.  Written by who maps while not full, read by who unmaps while full. */
struct batch {
    bool full;
    gnttab_unmap_grant_ref_t ops[AT_ONCE];
} __attribute__((aligned(64)));

struct mapper {
    pthread_t thread;
    unsigned int number;
    uint32_t refs[AT_ONCE];
    gnttab_map_grant_ref_t *map;        /* memory that Xen can be given, AT_ONCE of each */
    gnttab_unmap_grant_ref_t *unmap;
    struct batch *to, *from;
};

static xencall_handle *calls;
static unsigned long batches;
static struct batch mapped[MOST];
static pthread_barrier_t barrier;

static void __attribute__((noreturn)) fail(const char *what, long which)
{
    fprintf(stderr, "FAILED: grant-calls: %s (%ld): %s\n", what, which, strerror(errno));
    exit(1);
}

static void stay(unsigned int vcpu)
{
    cpu_set_t mine;

    CPU_ZERO(&mine);
    CPU_SET(vcpu, &mine);
    if ( sched_setaffinity(0, sizeof(mine), &mine) )
        fail("a vCPU for each thread", vcpu);
}

static void wait_for(const struct batch *batch, bool full)
{
    /* What the other side has read or written /before/ what it says; pairs with set(). */
    while ( __atomic_load_n(&batch->full, __ATOMIC_ACQUIRE) != full )
        sched_yield();
}

static void set(struct batch *batch, bool full)
{
    __atomic_store_n(&batch->full, full, __ATOMIC_RELEASE);
}

static void map_batch(struct mapper *mapper)
{
    gnttab_map_grant_ref_t *map = mapper->map;

    for ( unsigned int i = 0; i < AT_ONCE; i++ )
        map[i] = (gnttab_map_grant_ref_t){
            .flags = GNTMAP_device_map | GNTMAP_readonly, .ref = mapper->refs[i], .dom = OURSELVES,
        };
    if ( xencall3(calls, __HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, (uintptr_t)map, AT_ONCE) )
        fail("the map hypercall", mapper->number);
    wait_for(mapper->to, false);
    for ( unsigned int i = 0; i < AT_ONCE; i++ )
    {
        if ( map[i].status != GNTST_okay )
            fail("mapping", map[i].status);
        mapper->to->ops[i] = (gnttab_unmap_grant_ref_t){ .dev_bus_addr = map[i].dev_bus_addr, .handle = map[i].handle };
    }
    set(mapper->to, true);
}

static void unmap_batch(struct mapper *mapper)
{
    wait_for(mapper->from, true);
    memcpy(mapper->unmap, mapper->from->ops, sizeof(mapper->from->ops));
    set(mapper->from, false);
    if ( xencall3(calls, __HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref, (uintptr_t)mapper->unmap, AT_ONCE) )
        fail("the unmap hypercall", mapper->number);
    for ( unsigned int i = 0; i < AT_ONCE; i++ )
        if ( mapper->unmap[i].status != GNTST_okay )
            fail("unmapping", mapper->unmap[i].status);
}

static void *run(void *arg)
{
    struct mapper *mapper = arg;

    stay(mapper->number);
    /* Once before it counts, so that there is memory for the mappings. */
    map_batch(mapper);
    unmap_batch(mapper);
    pthread_barrier_wait(&barrier);
    for ( unsigned long i = 0; i < batches; i++ )
    {
        map_batch(mapper);
        unmap_batch(mapper);
    }
    pthread_barrier_wait(&barrier);

    return NULL;
}

static void prepare(struct mapper *mapper, unsigned int number, unsigned int other, xengntshr_handle *sharer)
{
    mapper->number = number;
    mapper->to = &mapped[number];
    mapper->from = &mapped[other];
    mapper->map = xencall_alloc_buffer(calls, AT_ONCE * sizeof(*mapper->map));
    mapper->unmap = xencall_alloc_buffer(calls, AT_ONCE * sizeof(*mapper->unmap));
    if ( !mapper->map || !mapper->unmap )
        fail("memory for Xen", number);
    /* The pages stay shared until the program ends. */
    if ( !xengntshr_share_pages(sharer, OURSELVES, AT_ONCE, mapper->refs, 1) )
        fail("sharing pages", number);
}

static uint64_t now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);

    return time.tv_sec * 1000000000ull + time.tv_nsec;
}

int main(int argc, char **argv)
{
    unsigned long threads = argc == 4 ? strtoul(argv[1], NULL, 10) : 0;
    bool others = argc == 4 && !strcmp(argv[3], "others");
    struct mapper mappers[MOST];
    xengntshr_handle *sharer;
    uint64_t begin;

    batches = argc == 4 ? strtoul(argv[2], NULL, 10) : 0;
    if ( !threads || threads > MOST || !batches || (!others && strcmp(argv[3], "own")) )
    {
        fprintf(stderr, "usage: grant-calls THREADS BATCHES own|others, at most %u threads\n", MOST);
        return 2;
    }
    calls = xencall_open(NULL, 0);
    sharer = xengntshr_open(NULL, 0);
    if ( !calls || !sharer )
        fail("opening Xen's devices", 0);
    pthread_barrier_init(&barrier, NULL, threads + 1);
    for ( unsigned int i = 0; i < threads; i++ )
        prepare(&mappers[i], i, others ? (i + 1) % threads : i, sharer);
    for ( unsigned int i = 0; i < threads; i++ )
        if ( pthread_create(&mappers[i].thread, NULL, run, &mappers[i]) )
            fail("a thread", i);
    pthread_barrier_wait(&barrier);
    begin = now();
    pthread_barrier_wait(&barrier);
    begin = now() - begin;
    for ( unsigned int i = 0; i < threads; i++ )
        pthread_join(mappers[i].thread, NULL);
    printf("pairs=%lu ns=%llu\n", threads * batches * AT_ONCE, (unsigned long long)begin);

    return 0;
}
