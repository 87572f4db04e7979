/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The page store by itself: pages put and got a second, by kind, and system calls a page to and from the file.
 *     bench/store [DIRECTORY [MIB]]
 * DIRECTORY holds the spill file (default: the current one), MIB is how much each kind puts (default 256).
 */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemons/xenpaging/store.h"

/* Distinct pages in turn, so that the caches see what a pager's would: more than fits in them. */
#define TEMPLATES 4096U
/* Reads kept in flight, as a pager with several vCPUs and prefetch would. */
#define IN_FLIGHT 64U
/* Pages reserved at a time. */
#define BATCH 64U

static unsigned char *templates, *buffers;
static unsigned int idle[IN_FLIGHT], idle_count;

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void require(int truth, const char *what)
{
    if ( truth )
        return;
    fprintf(stderr, "bench/store: %s\n", what);
    exit(1);
}

/* random_words of a page's 512 words are random, the rest a pattern. */
static void make(unsigned int random_words)
{
    uint64_t *words = (uint64_t *)templates, x = 88172645463325252u;

    for ( unsigned int page = 0; page < TEMPLATES; page++ )
        for ( unsigned int i = 0; i < STORE_PAGE_SIZE / 8; i++, words++ )
        {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            *words = i % 512 < random_words ? x : random_words ? i / 16 : page;
        }
}

static void put_all(struct store *s, struct store_domain *d, uint64_t n)
{
    unsigned int got;

    for ( uint64_t gfn = 0; gfn < n; )
    {
        got = store_reserve(s, BATCH);
        require(got, "the store is full");
        for ( ; got && gfn < n; got--, gfn++ )
            require(!store_put(d, gfn, templates + gfn % TEMPLATES * STORE_PAGE_SIZE), "put failed");
        store_unreserve(s, got);
    }
}

static void done(void *arg, void *cookie, int result)
{
    (void)arg;
    require(!result, "a page came back wrong");
    idle[idle_count++] = (uintptr_t)cookie;
}

static void wait_one(struct store *s)
{
    struct pollfd fd = { .fd = store_fd(s), .events = POLLIN };

    require(poll(&fd, 1, 10000) == 1, "nothing came within ten seconds");
    store_reap(s, done, NULL);
}

static void get_all(struct store *s, struct store_domain *d, uint64_t n, unsigned int depth)
{
    int rc;

    for ( idle_count = 0; idle_count < depth; idle_count++ )
        idle[idle_count] = idle_count;
    for ( uint64_t i = 0; i < n; i++ )
    {
        unsigned int buffer;

        while ( !idle_count )
            wait_one(s);
        buffer = idle[idle_count - 1];
        /* 7919 is prime to the counts used: every page once, in no order that a disk would like. */
        rc = store_get(d, i * 7919 % n, buffers + (size_t)buffer * STORE_PAGE_SIZE, (void *)(uintptr_t)buffer);
        require(rc >= 0, "get failed");
        idle_count -= rc;
    }
    while ( idle_count < depth )
        wait_one(s);
}

static void run(const char *name, unsigned int random_words, uint64_t n, uint64_t ram, const char *directory, unsigned int depth)
{
    const struct store_options options = {
        .ram_bytes = ram, .spill_directory = directory, .spill_bytes = directory ? n * STORE_PAGE_SIZE : 0,
    };
    const uint8_t identity[STORE_IDENTITY_SIZE] = { 1 };
    struct store_statistics put, got;
    struct store_domain *d;
    struct store *s;
    double t0, t1, t2, t3;

    make(random_words);
    require(!store_open(&s, &options), "cannot open the store");
    require(!store_domain_open(s, 1, identity, &d), "cannot open a domain");
    t0 = now();
    put_all(s, d, n);
    t1 = now();
    store_get_statistics(s, &put);
    get_all(s, d, n, depth);
    t2 = now();
    store_get_statistics(s, &got);
    for ( uint64_t gfn = 0; gfn < n; gfn++ )
        store_forget(d, gfn);
    t3 = now();
    printf("%-22s %8.0f %8.0f %8.0f   %5.2f %5.2f   %6.1f %7.1f  %s\n", name, n / (t1 - t0), n / (t2 - t1), n / (t3 - t2),
           put.writes ? (double)put.submits / put.writes : 0,
           got.reads ? (double)(got.submits - put.submits) / got.reads : 0,
           put.ram_allocated / 1048576.0, put.now.in_file * 4 / 1024.0,
           !put.has_file ? "" : put.uring ? put.direct ? "io_uring O_DIRECT" : "io_uring" : "blocking");
    store_close(s);
}

int main(int argc, char *argv[])
{
    const char *directory = argc > 1 ? argv[1] : ".";
    uint64_t n = (argc > 2 ? strtoull(argv[2], NULL, 0) : 256) * 256, ram = n * STORE_PAGE_SIZE * 5 / 4 + (8 << 20);

    templates = aligned_alloc(STORE_PAGE_SIZE, TEMPLATES * STORE_PAGE_SIZE);
    buffers = aligned_alloc(STORE_PAGE_SIZE, IN_FLIGHT * STORE_PAGE_SIZE);
    require(templates && buffers && n, "no memory, or nothing to do");
    printf("%" PRIu64 " pages of each kind            pages a second   system calls/page      MiB in\n", n);
    printf("%-22s %8s %8s %8s   %5s %5s   %6s %7s\n", "", "put", "get", "forget", "out", "in", "memory", "file");
    run("same-filled", 0, n, ram, NULL, 1);
    run("lz4, 4:1", 112, n, ram, NULL, 1);
    run("lz4, 2:1", 240, n, ram, NULL, 1);
    run("incompressible", 512, n, ram, NULL, 1);
    run("2:1, mostly in file", 240, n, 16 << 20, directory, IN_FLIGHT);
    run("random, mostly in file", 512, n, 16 << 20, directory, IN_FLIGHT);
    run("same, one at a time", 512, n / 8, 4 << 20, directory, 1);
    free(buffers);
    free(templates);
    return 0;
}
