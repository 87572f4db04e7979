/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Grant mappings a second, in user space: the table in overlay/, unmodified, beside what Xen has.
 *     bench/grant [--json] [ROUNDS [MILLISECONDS]]
 * Each round runs each shape with 1, 2, 4 and 8 threads in turn, for so many milliseconds (default 7 and 200).
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <xen/grant-maptrack.h>

#include "grant.h"

#define AT_ONCE     32      /* mappings that a thread has: what a block back-end has of a few requests */
#define MOST_ROUNDS 101U
#define SIZES       4
#define SHAPES      3
#define HOST_MAP    2

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

    (void)thread;
    if ( maptrack_get(&table, domid, ref, &handle) )
        abort();
    maptrack_publish(&table, handle, domid, ref, HOST_MAP);

    return handle;
}

static void ours_unmap(unsigned int thread, uint32_t handle)
{
    struct grant_mapping *mapping = maptrack_lookup(&table, handle);

    (void)thread;
    if ( !mapping || !maptrack_flags(mapping, handle, mapping->domid, mapping->ref) ||
         !maptrack_clear(mapping, HOST_MAP) )
        abort();
    maptrack_put(&table, handle);
}

static void ours_close(void)
{
    maptrack_destroy(&table);
    shim_rcu_quiet();
}

static const struct grant_shape ours = {
    .name = "buckets", .open = ours_open, .map = ours_map, .unmap = ours_unmap, .close = ours_close,
};
static const struct grant_shape *const shapes[SHAPES] = { &grant_one_list, &grant_vcpu_lists, &ours };
static const unsigned int sizes[SIZES] = { 1, 2, 4, GRANT_THREADS };

/* Of one thread, and of all: pairs, processor time in ns, and how often a lock was found taken. */
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

static void *run(void *number)
{
    unsigned int me = (uintptr_t)number;
    uint32_t handles[AT_ONCE], ref = me * 1000;
    struct tally tally = { 0 };

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

    return (struct tally){ sum.pairs / begin * 1e3, sum.cpu / sum.pairs, sum.waits / sum.pairs * 1e3 };
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* All rounds of one figure, sorted: the least, the median, the most. */
struct spread {
    double least, median, most;
};

static struct spread spread_of(const struct tally *rounds, unsigned int count, unsigned int which)
{
    double all[MOST_ROUNDS] = { 0 };

    for ( unsigned int i = 0; i < count; i++ )
        all[i] = which == 0 ? rounds[i].pairs : which == 1 ? rounds[i].cpu : rounds[i].waits;
    qsort(all, count, sizeof(*all), ascending);

    return (struct spread){ all[0], all[count / 2], all[count - 1] };
}

int main(int argc, char **argv)
{
    static struct tally results[SIZES][SHAPES][MOST_ROUNDS];
    bool json = argc > 1 && !strcmp(argv[1], "--json");
    unsigned int rounds = argc > 1 + json ? strtoul(argv[1 + json], NULL, 10) : 7;
    unsigned int milliseconds = argc > 2 + json ? strtoul(argv[2 + json], NULL, 10) : 200;

    if ( !rounds || rounds > MOST_ROUNDS || !milliseconds || milliseconds > 100000 || argc > 3 + json )
    {
        fprintf(stderr, "usage: bench/grant [--json] [ROUNDS [MILLISECONDS]], with 1 to %u rounds\n", MOST_ROUNDS);
        return 2;
    }

    for ( unsigned int round = 0; round < rounds; round++ )
        for ( unsigned int size = 0; size < SIZES; size++ )
            for ( unsigned int i = 0; i < SHAPES; i++ )
                results[size][i][round] = measure(shapes[i], sizes[size], milliseconds);

    if ( json )
        printf("{ \"processors\": %ld, \"rounds\": %u, \"milliseconds\": %u, \"results\": [\n",
               sysconf(_SC_NPROCESSORS_ONLN), rounds, milliseconds);
    else
        printf("%ld processors; median (least to most) of %u rounds\n%7s  %-13s  %-26s  %-22s  %s\n",
               sysconf(_SC_NPROCESSORS_ONLN), rounds, "threads", "", "million pairs a second", "CPU ns a pair",
               "locks found taken a thousand pairs");
    for ( unsigned int size = 0; size < SIZES; size++ )
        for ( unsigned int i = 0; i < SHAPES; i++ )
        {
            struct spread pairs = spread_of(results[size][i], rounds, 0), cpu = spread_of(results[size][i], rounds, 1);
            struct spread waits = spread_of(results[size][i], rounds, 2);

            if ( json )
                printf("  { \"threads\": %u, \"shape\": \"%s\", \"million_pairs_per_second\": [%.3f, %.3f, %.3f],"
                       " \"cpu_ns_per_pair\": [%.1f, %.1f, %.1f],"
                       " \"lock_waits_per_thousand_pairs\": [%.3f, %.3f, %.3f] }%s\n",
                       sizes[size], shapes[i]->name, pairs.least, pairs.median, pairs.most, cpu.least, cpu.median,
                       cpu.most, waits.least, waits.median, waits.most,
                       size == SIZES - 1 && i == SHAPES - 1 ? "" : ",");
            else
                printf("%7u  %-13s  %7.2f (%.2f to %.2f)%*s %6.1f (%.1f to %.1f)   %8.2f\n", sizes[size],
                       shapes[i]->name, pairs.median, pairs.least, pairs.most, 3, "", cpu.median, cpu.least, cpu.most,
                       waits.median);
        }
    if ( json )
        printf("] }\n");

    return 0;
}
