/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the sharer does without a hypervisor: digests against the speed at which memory can be read, the index against
 * a tree ordered by contents, octets a page, and all of it against the kernel's KSM on the same memory.
 *     bench/sharing [--json] [--no-ksm] [MIB [ROUNDS]]
 * MIB: memory of each part, more than the caches hold (default 256).
 */
#include <inttypes.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "daemons/xensharing/decide.h"
#include "daemons/xensharing/digest.h"
#include "daemons/xensharing/index.h"

#include "sharing.h"

#define ROUNDS      7U
#define ROUNDS_MAX  101U
#define RESULTS_MAX 32U
/* KSM at its defaults looks at 5,000 pages a second: as many as it sees twice in half a minute. */
#define KSM_PAGES   49152U

static struct result {
    const char *name, *unit, *aim;
    double values[ROUNDS_MAX];
    unsigned int count;
} results[RESULTS_MAX];
static unsigned int results_count;

void bench_require(bool truth, const char *what)
{
    if ( truth )
        return;
    fprintf(stderr, "bench/sharing: %s\n", what);
    exit(1);
}

static double seconds(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

double bench_cpu(void)
{
    return seconds(CLOCK_THREAD_CPUTIME_ID);
}

double bench_clock(void)
{
    return seconds(CLOCK_MONOTONIC);
}

uint64_t bench_random(void)
{
    static uint64_t x = UINT64_C(88172645463325252);

    x ^= x << 13;
    x ^= x >> 7;
    return x ^= x << 17;
}

uint8_t *bench_memory(uint64_t pages)
{
    void *memory = mmap(NULL, pages * BENCH_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    bench_require(memory != MAP_FAILED, "no memory");
    madvise(memory, pages * BENCH_PAGE, MADV_NOHUGEPAGE);
    return memory;
}

void bench_free(uint8_t *memory, uint64_t pages)
{
    munmap(memory, pages * BENCH_PAGE);
}

static void fill_page(uint8_t *page)
{
    uint64_t *words = (uint64_t *)page;

    for ( unsigned int i = 0; i < BENCH_PAGE / 8; i++ )
        words[i] = bench_random();
}

uint64_t bench_guests(uint8_t *memory, uint64_t pages)
{
    uint64_t each = pages / 3, saved = 0, zeros = 0;

    for ( uint64_t i = 0; i < each * 3; i++ )
    {
        uint8_t *page = memory + i * BENCH_PAGE;

        if ( i % each % 10 < 5 && i >= each )
        {
            memcpy(page, memory + i % each * BENCH_PAGE, BENCH_PAGE);
            saved++;
        }
        else if ( i % each % 10 == 5 )
        {
            memset(page, 0, BENCH_PAGE);
            saved += zeros++ > 0;
        }
        else
            fill_page(page);
    }

    return saved;
}

/* ---- results ---- */

void bench_result(const char *name, const char *unit, const char *aim, double value)
{
    struct result *r = results;

    while ( r < results + results_count && strcmp(r->name, name) )
        r++;
    if ( r == results + results_count )
    {
        bench_require(results_count++ < RESULTS_MAX, "too many figures");
        *r = (struct result){ .name = name, .unit = unit, .aim = aim };
    }
    if ( r->count < ROUNDS_MAX )
        r->values[r->count++] = value;
}

static int compare_doubles(const void *a, const void *b)
{
    const double *one = a, *other = b;

    return *one < *other ? -1 : *one > *other;
}

static void print_results(bool json, const char *skipped)
{
    if ( json )
        printf("{\n");
    else
        printf("%-58s %10s %10s %10s  %-16s %s\n", "", "median", "least", "most", "", "aim");
    for ( struct result *r = results; r < results + results_count; r++ )
    {
        qsort(r->values, r->count, sizeof(r->values[0]), compare_doubles);
        if ( json )
            printf("  \"%s\": {\"median\": %g, \"least\": %g, \"most\": %g, \"unit\": \"%s\"},\n", r->name,
                   r->values[r->count / 2], r->values[0], r->values[r->count - 1], r->unit);
        else
            printf("%-58s %10.4g %10.4g %10.4g  %-16s %s\n", r->name, r->values[r->count / 2], r->values[0],
                   r->values[r->count - 1], r->unit, r->aim ? r->aim : "");
    }
    if ( json )
        printf("  \"ksm_skipped\": %s%s%s\n}\n", skipped ? "\"" : "", skipped ? skipped : "false",
               skipped ? "\"" : "");
    else if ( skipped )
        printf("\nSKIPPED: the comparison with KSM: %s\n", skipped);
}

/* ---- digests ---- */

typedef uint64_t wide __attribute__((vector_size(32)));

/* As fast as one core can read: eight sums of the widest that is common. */
__attribute__((target_clones("avx2", "default")))
static uint64_t read_all(const uint8_t *memory, uint64_t octets)
{
    wide sums[8] = { 0 };
    const wide *at = (const wide *)memory, *end = (const wide *)(memory + octets);

    for ( ; at < end; at += 8 )
        for ( unsigned int i = 0; i < 8; i++ )
            sums[i] += at[i];
    for ( unsigned int i = 1; i < 8; i++ )
        sums[0] += sums[i];

    return sums[0][0] + sums[0][1] + sums[0][2] + sums[0][3];
}

static void bench_digests(uint8_t *memory, uint64_t pages, const struct digest *digest)
{
    uint64_t *digests = calloc(pages, sizeof(*digests));
    static volatile uint64_t sink;
    double read, hash, began;

    bench_require(digests, "no memory");
    began = bench_cpu();
    sink = read_all(memory, pages * BENCH_PAGE);
    read = pages * BENCH_PAGE / (bench_cpu() - began) / 1e9;
    began = bench_cpu();
    for ( uint64_t i = 0; i < pages; i += 512 )
        digest_pages(digest, memory + i * BENCH_PAGE, pages - i < 512 ? pages - i : 512, NULL, digests + i);
    hash = pages * BENCH_PAGE / (bench_cpu() - began) / 1e9;
    bench_result("memory read by one core", "GB/s", NULL, read);
    bench_result("digests", "GB/s", NULL, hash);
    bench_result("digests, share of the read speed", "%", "70", hash / read * 100);
    (void)sink;
    free(digests);
}

/* ---- the index and the tree ---- */

static uint64_t *keys;

static uint64_t key_of(const void *opaque, uint32_t page)
{
    (void)opaque;
    return keys[page];
}

/* Finds each page's equal, or enters it: digest, index, and the comparison that a merge makes.  How many it found. */
static uint64_t by_index(const uint8_t *memory, uint64_t pages, const struct digest *digest)
{
    uint64_t found = 0;
    struct index x;

    bench_require(!index_open(&x, key_of, NULL) && !index_set_limit(&x, pages), "no index");
    for ( uint64_t i = 0; i < pages; i++ )
    {
        struct index_cursor cursor;
        uint32_t other;

        if ( i % 512 == 0 )
            digest_pages(digest, memory + i * BENCH_PAGE, pages - i < 512 ? pages - i : 512, NULL, keys + i);
        index_begin(&x, &cursor, keys[i]);
        other = index_next(&x, &cursor);
        if ( other == INDEX_NONE )
            index_insert(&x, keys[i], i);
        else
            found += !memcmp(memory + i * BENCH_PAGE, memory + (uint64_t)other * BENCH_PAGE, BENCH_PAGE);
    }
    index_close(&x);

    return found;
}

static int compare_pages(const void *a, const void *b)
{
    return memcmp(a, b, BENCH_PAGE);
}

static void keep(void *page)
{
    (void)page;
}

/*
 * The C library's red-black tree.  Whether a page has changed it cannot tell: the kernel's KSM, which has such trees,
 * takes a checksum of each page as well, so the digests are made here, too.
 */
static uint64_t by_tree(const uint8_t *memory, uint64_t pages, const struct digest *digest)
{
    void *root = NULL;
    uint64_t found = 0;

    for ( uint64_t i = 0; i < pages; i++ )
    {
        const void *page = memory + i * BENCH_PAGE;
        void *const *node;

        if ( i % 512 == 0 )
            digest_pages(digest, page, pages - i < 512 ? pages - i : 512, NULL, keys + i);
        node = tsearch(page, &root, compare_pages);
        bench_require(node, "no memory");
        found += *node != page;
    }
    tdestroy(root, keep);

    return found;
}

static void bench_index(uint8_t *memory, uint64_t pages, const struct digest *digest, const char *name,
                        const char *ratio, const char *aim)
{
    double began = bench_cpu(), index, tree;
    uint64_t found = by_index(memory, pages, digest);

    index = bench_cpu() - began;
    began = bench_cpu();
    bench_require(by_tree(memory, pages, digest) == found, "the tree and the index do not find the same");
    tree = bench_cpu() - began;
    bench_result(name, "ns a page", NULL, index / pages * 1e9);
    bench_result(ratio, "times faster", aim, tree / index);
}

/* Pages that differ in their last 64 octets only. */
static void make_same_prefix(uint8_t *memory, uint64_t pages)
{
    for ( uint64_t i = 1; i < pages; i++ )
        memcpy(memory + i * BENCH_PAGE, memory, BENCH_PAGE - 64);
}

static void bench_octets(void)
{
    const uint64_t frames = 1 << 20;
    struct decide_statistics before, now;
    struct decide *d;
    uint64_t gfns[512];
    double began, took;

    bench_require(!decide_open(&d, DECIDE_INVALIDATES_ON), "decide");
    decide_get_statistics(d, &before);
    bench_require(!decide_join(d, 1, 1, true, frames), "join");
    for ( unsigned int pass = 0; pass < 2; pass++ )
        for ( uint64_t first = 0; first < frames; first += 512 )
            for ( unsigned int i = decide_visit(d, 1, first, 512, gfns); i--; )
                decide_scanned(d, 1, gfns[i], (gfns[i] + 1) * UINT64_C(0x9e3779b97f4a7c15) & ~(uint64_t)DIGEST_FILLED);
    decide_get_statistics(d, &now);
    bench_result("our memory, all pages in the index", "octets a page", "16",
                 (double)(now.octets - before.octets) / frames);
    began = bench_cpu();
    for ( uint64_t first = 0; first < frames; first += 512 )
        for ( unsigned int i = decide_visit(d, 1, first, 512, gfns); i--; )
            decide_scanned(d, 1, gfns[i], (gfns[i] + 1) * UINT64_C(0x9e3779b97f4a7c15) & ~(uint64_t)DIGEST_FILLED);
    took = bench_cpu() - began;
    bench_result("a quiet pass, without digests", "ns a page", NULL, took / frames * 1e9);
    decide_close(d);
}

int main(int argc, char *argv[])
{
    uint64_t mib = 256, pages;
    unsigned int rounds = ROUNDS, at = 1;
    bool json = false, ksm = true;
    const char *skipped = "not asked for";
    struct digest *digest;
    uint8_t *memory;

    for ( ; at < (unsigned int)argc && argv[at][0] == '-'; at++ )
    {
        json |= !strcmp(argv[at], "--json");
        ksm &= strcmp(argv[at], "--no-ksm") != 0;
        bench_require(!strcmp(argv[at], "--json") || !strcmp(argv[at], "--no-ksm"),
                      "[--json] [--no-ksm] [MIB [ROUNDS]]");
    }
    if ( at < (unsigned int)argc )
        mib = strtoull(argv[at++], NULL, 0);
    if ( at < (unsigned int)argc )
        rounds = strtoul(argv[at], NULL, 0);
    bench_require(mib >= 1 && mib < 1 << 20 && rounds && rounds <= ROUNDS_MAX, "MIB and ROUNDS do not make sense");

    pages = mib * 256;
    keys = malloc(pages * sizeof(*keys));
    bench_require(keys && !digest_open(&digest), "no memory");
    memory = bench_memory(pages);
    for ( unsigned int round = 0; round < rounds; round++ )
    {
        bench_guests(memory, pages);
        /* Of pages each of which is different but for its copies in the other guests. */
        bench_digests(memory, pages, digest);
        bench_index(memory, pages, digest, "index, with digest and comparison", "index against the tree", "2");
        make_same_prefix(memory, pages);
        bench_index(memory, pages, digest, "index, same first 4,032 octets",
                    "index against the tree, same first 4,032 octets", "8");
        bench_octets();
    }
    bench_free(memory, pages);
    free(keys);
    digest_close(digest);
    if ( ksm )
        skipped = bench_against_ksm(KSM_PAGES, rounds < 3 ? rounds : 3);
    print_results(json, skipped);

    return 0;
}
