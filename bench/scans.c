/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bench/introspection's program on this machine: what a page costs until its verdict is there, by the tier that has it.  Workers
 * are real ones, sandboxed as on a host; there is no Xen, and no guest.  What the figures mean is introspection.py's business.
 *
 *   scans WORKER PLUGINS ROUNDS PAGES TIER=PLUGIN...      av-worker; a directory of plugins; names, and a plugin with options each
 */
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <daemon/log.h>

#include "daemons/av-introspect/verdicts.h"
#include "daemons/av-introspect/workers.h"

/* Far beyond what rules take to be loaded, and a page to be judged. */
#define PATIENCE_MS 120000u

/* A round's pages are others than the one's before, and fit here. */
#define PAGES_MAX   65536u

#define TIERS_MAX   8

/* What a worker with one plugin judges. */
struct tier {
    const char *name;
    struct scanner scanner;
};

static uint8_t *pages;
static unsigned int count;

static void __attribute__((noreturn)) fail(const char *what, const char *why)
{
    fprintf(stderr, "scans: %s: %s\n", what, why);
    exit(1);
}

static uint64_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * UINT64_C(1000000000) + t.tv_nsec;
}

/* As far as a scanner looks, code: this program's own, a word of each page changed. */
static void make_pages(void)
{
    static uint64_t seed = 0x9e3779b97f4a7c15;
    FILE *self = fopen("/proc/self/exe", "re");
    size_t had;

    if ( !self )
        fail("/proc/self/exe", strerror(errno));
    had = fread(pages, 1, (size_t)count * SCAN_PAGE_BYTES, self);
    fclose(self);
    if ( had < SCAN_PAGE_BYTES )
        fail("/proc/self/exe", "it is smaller than a page");
    had -= had % SCAN_PAGE_BYTES;
    for ( unsigned int i = 0; i < count; i++ )
    {
        uint8_t *page = pages + (size_t)i * SCAN_PAGE_BYTES;

        if ( (size_t)i * SCAN_PAGE_BYTES >= had )
            memcpy(page, pages + (size_t)i * SCAN_PAGE_BYTES % had, SCAN_PAGE_BYTES);
        seed ^= seed << 13; seed ^= seed >> 7; seed ^= seed << 17;
        memcpy(page + 1024, &seed, sizeof(seed));
    }
}

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* The median and the 99th of a hundred of a round's pages. */
static void say(const char *tier, unsigned int round, const char *part, uint64_t *ns)
{
    qsort(ns, count, sizeof(*ns), by_size);
    printf("bench: run=scan/%s/%u phase=%s p50=%llu p99=%llu\n", tier, round, part, (unsigned long long)ns[count / 2],
           (unsigned long long)ns[(uint64_t)count * 99 / 100]);
    fflush(stdout);
}

/* ---- in the broker ---- */

static void measure_digest(unsigned int round, uint64_t *ns)
{
    uint8_t digest[SCAN_DIGEST_BYTES];

    for ( unsigned int i = 0; i < count; i++ )
    {
        uint64_t began = now();

        verdicts_digest(pages + (size_t)i * SCAN_PAGE_BYTES, digest);
        ns[i] = now() - began;
    }
    say("digest", round, "all", ns);
}

static void measure_known(unsigned int round, uint64_t *ns)
{
    struct scan_result result = { .outcome = SCAN_DONE, .generation = 1 };
    uint8_t digest[SCAN_DIGEST_BYTES];
    struct verdicts *verdicts;

    if ( verdicts_open(&verdicts, PAGES_MAX) )
        fail("the cache of verdicts", "it cannot be had");
    for ( unsigned int i = 0; i < count; i++ )
    {
        verdicts_digest(pages + (size_t)i * SCAN_PAGE_BYTES, digest);
        verdicts_keep(verdicts, digest, &result);
    }
    for ( unsigned int i = 0; i < count; i++ )
    {
        uint64_t began = now();

        verdicts_digest(pages + (size_t)i * SCAN_PAGE_BYTES, digest);
        if ( !verdicts_find(verdicts, digest, 1, &result) )
            fail("the cache of verdicts", "it forgot a page");
        ns[i] = now() - began;
    }
    verdicts_close(verdicts);
    say("known", round, "all", ns);
}

/* ---- by a worker ---- */

/* One page at a time, as one vCPU brings them. */
static struct scan_result judge(const struct scanner *scanner, unsigned int i)
{
    static uint64_t last;
    const uint64_t id = ++last;
    const struct scan_request request = {
        /* Whether it would decide or be told afterwards: it is asked. */
        .id = id, .domid = 1, .urgency = SCAN_NOTIFY, .gfn = i, .budget_ms = PATIENCE_MS,
        .page = pages + (size_t)i * SCAN_PAGE_BYTES,
    };
    struct scan_result result;
    int rc;

    /* Its worker is being started. */
    while ( (rc = scanner->submit(scanner->opaque, &request)) == -EAGAIN )
        scanner->tick(scanner->opaque);
    if ( rc )
        fail("a page", strerror(-rc));
    while ( !scanner->take(scanner->opaque, &result) )
    {
        struct pollfd pollfd = { scanner->fd(scanner->opaque), POLLIN, 0 };

        if ( !poll(&pollfd, 1, 1000) )
            scanner->tick(scanner->opaque);
    }
    if ( result.outcome != SCAN_DONE || result.id != request.id )
        fail("a page was not judged", result.text);
    return result;
}

static void measure_worker(const struct tier *tier, unsigned int round, uint64_t *ns, uint64_t *hop)
{
    uint64_t *plugins = calloc(count, sizeof(*plugins));

    if ( !plugins )
        fail("memory", strerror(ENOMEM));
    for ( unsigned int i = 0; i < count; i++ )
    {
        uint64_t began = now();

        plugins[i] = judge(&tier->scanner, i).nanoseconds;
        ns[i] = now() - began;
        hop[i] = ns[i] > plugins[i] ? ns[i] - plugins[i] : 0;
    }
    say(tier->name, round, "all", ns);
    say(tier->name, round, "plugin", plugins);
    say(tier->name, round, "hop", hop);
    free(plugins);
}

/* what: TIER=PLUGIN, which is taken apart. */
static void open_tier(struct tier *tier, char **argv, char *what)
{
    char *plugin = strchr(what, '='), line[4096];
    struct plugins_words words = { "" };
    const struct workers_options options = {
        .program = argv[1], .directory = argv[2], .plugins = line, .user = "nobody", .memory = WORKERS_MEMORY,
        .hang_ms = WORKERS_HANG_MS, .processes = 1,
    };

    if ( !plugin )
        fail(what, "it is no TIER=PLUGIN");
    *plugin++ = 0;
    tier->name = what;
    if ( snprintf(line, sizeof(line), "%s\n", plugin) >= (int)sizeof(line) )
        fail(what, strerror(ENAMETOOLONG));
    if ( workers_open(&tier->scanner, &options, &words) || workers_wait(&tier->scanner, PATIENCE_MS, &words) )
        fail(what, words.text);
    if ( tier->scanner.add_domain(tier->scanner.opaque, 1) )
        fail(what, "no worker");
    judge(&tier->scanner, 0);     /* it is there from here on */
}

int main(int argc, char **argv)
{
    unsigned int rounds = argc > 3 ? atoi(argv[3]) : 0;
    struct tier tiers[TIERS_MAX];
    unsigned int tiers_count = argc > 5 ? argc - 5 : 0;
    uint64_t *ns, *hop;

    count = argc > 4 ? atoi(argv[4]) : 0;
    if ( argc < 5 || tiers_count > TIERS_MAX || !rounds || !count || count > PAGES_MAX )
    {
        fprintf(stderr, "Usage: scans WORKER PLUGINS ROUNDS PAGES TIER=PLUGIN...\n");
        return 64;
    }
    log_open("scans", true);
    log_set_level(LOG_WARNING);
    pages = calloc(count, SCAN_PAGE_BYTES);
    ns = calloc(count, sizeof(*ns));
    hop = calloc(count, sizeof(*hop));
    if ( !pages || !ns || !hop )
        fail("memory", strerror(ENOMEM));
    for ( unsigned int i = 0; i < tiers_count; i++ )
        open_tier(&tiers[i], argv, argv[5 + i]);
    for ( unsigned int round = 1; round <= rounds; round++ )
    {
        make_pages();
        measure_digest(round, ns);
        measure_known(round, ns);
        for ( unsigned int i = 0; i < tiers_count; i++ )
            measure_worker(&tiers[i], round, ns, hop);
    }
    for ( unsigned int i = 0; i < tiers_count; i++ )
        tiers[i].scanner.close(tiers[i].scanner.opaque);
    free(pages);
    free(ns);
    free(hop);
    return 0;
}
