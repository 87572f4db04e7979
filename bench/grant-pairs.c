/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * grant-pairs ROUNDS MILLISECONDS: grant mappings a second, in user space: the table in overlay/, unmodified, beside
 * what Xen has.  Each round runs each shape with 1, 2, 4 and 8 threads in turn, for so many milliseconds; a line of
 * figures for each. Built and read by bench/grant.
 */
#define _GNU_SOURCE     /* for processors */
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <xen/grant-maptrack.h>

#include "grant.h"

#define AT_ONCE  32     /* mappings that a thread has: what a block back-end has of a few requests */
#define HOST_MAP 2

static struct maptrack table;

static void ours_open(void)
{
    memset(&table, 0, sizeof(table));
    if ( maptrack_init(&table, GRANT_FRAMES, 1) )
        abort();
}

static uint32_t ours_map(unsigned int thread, uint16_t domid, uint32_t ref)
{
    uint32_t handle;

    if ( maptrack_get(&table, thread, domid, ref, &handle) )
        abort();
    maptrack_publish(&table, handle, domid, ref, HOST_MAP);

    return handle;
}

static void ours_unmap(unsigned int thread, uint32_t handle)
{
    struct grant_mapping *mapping;

    (void)thread;
    rcu_read_lock(&table);
    mapping = maptrack_lookup(&table, handle);
    if ( !mapping || !maptrack_flags(mapping, handle, read_atomic(&mapping->domid), read_atomic(&mapping->ref)) ||
         !maptrack_clear(mapping, HOST_MAP) )
        abort();
    maptrack_put(&table, handle);
    rcu_read_unlock(&table);
}

static void ours_close(void)
{
    maptrack_destroy(&table);
    shim_rcu_quiet();
}

static const struct grant_shape ours = {
    .name = "buckets", .open = ours_open, .map = ours_map, .unmap = ours_unmap, .close = ours_close,
};
static const struct grant_shape *const shapes[] = { &grant_one_list, &grant_vcpu_lists, &ours };
static const unsigned int sizes[] = { 1, 2, 4, GRANT_THREADS };

/* Of one thread: pairs, processor time in ns, locks found taken. Of all: million pairs a second, the rest a pair. */
struct tally {
    double pairs, cpu, waits;
};

static const struct grant_shape *shape;
static pthread_barrier_t barrier;
static bool stop;
static struct tally tallies[GRANT_THREADS];

static double now(clockid_t clock)
{
    struct timespec time;

    clock_gettime(clock, &time);

    return time.tv_sec * 1e9 + time.tv_nsec;
}

/* The threads by turns on the processors: two that are put on one would never meet. */
static void stay(unsigned int me)
{
    cpu_set_t mine, all;

    if ( sched_getaffinity(0, sizeof(all), &all) )
        abort();
    CPU_ZERO(&mine);
    me %= CPU_COUNT(&all);
    for ( unsigned int i = 0; i < CPU_SETSIZE; i++ )
        if ( CPU_ISSET(i, &all) && me-- == 0 )
            CPU_SET(i, &mine);
    if ( sched_setaffinity(0, sizeof(mine), &mine) )
        abort();
}

static void *run(void *number)
{
    unsigned int me = (uintptr_t)number;
    uint32_t handles[AT_ONCE], ref = me * 1000;
    struct tally tally = { 0 };

    stay(me);
    shim_lock_waits = 0;
    pthread_barrier_wait(&barrier);
    tally.cpu = -now(CLOCK_THREAD_CPUTIME_ID);
    while ( !__atomic_load_n(&stop, __ATOMIC_RELAXED) )
    {
        /* As a back-end sees them: some guests, each with references of its own, one after another. */
        for ( unsigned int i = 0; i < AT_ONCE; i++ )
            handles[i] = shape->map(me, 1 + (ref + i) % 5, (ref + i) % 512);
        for ( unsigned int i = 0; i < AT_ONCE; i++ )
            shape->unmap(me, handles[i]);
        ref += AT_ONCE;
        tally.pairs += AT_ONCE;
    }
    tally.cpu += now(CLOCK_THREAD_CPUTIME_ID);
    tally.waits = shim_lock_waits;
    tallies[me] = tally;

    return NULL;
}

static struct tally measure(const struct grant_shape *which, unsigned int threads, unsigned int milliseconds)
{
    pthread_t thread[GRANT_THREADS];
    struct tally sum = { 0 };
    double begin;

    shape = which;
    shape->open();
    __atomic_store_n(&stop, false, __ATOMIC_RELAXED);
    pthread_barrier_init(&barrier, NULL, threads + 1);
    for ( uintptr_t i = 0; i < threads; i++ )
        if ( pthread_create(&thread[i], NULL, run, (void *)i) )
            abort();
    pthread_barrier_wait(&barrier);
    begin = now(CLOCK_MONOTONIC);
    usleep(milliseconds * 1000);
    __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
    for ( unsigned int i = 0; i < threads; i++ )
    {
        pthread_join(thread[i], NULL);
        sum.pairs += tallies[i].pairs;
        sum.cpu += tallies[i].cpu;
        sum.waits += tallies[i].waits;
    }
    begin = now(CLOCK_MONOTONIC) - begin;
    pthread_barrier_destroy(&barrier);
    shape->close();

    return (struct tally){ sum.pairs / begin * 1e3, sum.cpu / sum.pairs, sum.waits / sum.pairs };
}

int main(int argc, char **argv)
{
    unsigned int rounds = argc == 3 ? strtoul(argv[1], NULL, 10) : 0;
    unsigned int milliseconds = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;

    if ( !rounds || !milliseconds )
    {
        fprintf(stderr, "usage: grant-pairs ROUNDS MILLISECONDS\n");
        return 2;
    }

    for ( unsigned int round = 0; round < rounds; round++ )
        for ( unsigned int size = 0; size < sizeof(sizes) / sizeof(*sizes); size++ )
            for ( unsigned int i = 0; i < sizeof(shapes) / sizeof(*shapes); i++ )
            {
                struct tally tally = measure(shapes[i], sizes[size], milliseconds);

                printf("%u\t%s\t%.4f\t%.2f\t%.3f\n", sizes[size], shapes[i]->name, tally.pairs, tally.cpu,
                       tally.waits);
            }

    return 0;
}
