/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bench/merging's program in dom0: makes equal pages of two guests one, in several ways by turns, and says what each took, as
 * Xen's performance counters and the clock have it.  What the figures mean is merging.py's business.
 *
 *   merges FIRST SECOND PAGES ROUNDS     domains; how many pairs of pages at the most; rounds
 *
 * The domains are paused meanwhile.  The first merge of all is not counted: it splits large pages, and finds out which
 * pages somebody holds.  After each way all is unshared again.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <xenctrl.h>
#include <xenforeignmemory.h>

#include <hypervisor/hypervisor.h>
#include <memevent/operations.h>

#define LOOK_AT_ONCE 256        /* frames, while pairs are looked for */
#define IDLE_SECONDS 5          /* dom0's other processes wake up several times a second: enough of that for a rate */

struct frames {                 /* of a pair: the same number in both domains */
    uint64_t *gfns;
    unsigned int count;
};

static struct hypervisor *ours, *stock;
static xc_interface *xch;
static xenforeignmemory_handle *memory;
static uint16_t source, client;
static unsigned int maps, mapped;       /* mappings, and pages in them, of the way that is measured */

static void __attribute__((noreturn)) fail(const char *what, int rc)
{
    printf("FAILED: %s: %s\n", what, strerror(rc < 0 ? -rc : rc));
    exit(1);
}

/* ---- Xen's counters ---- */

/* Of hypercalls by number; those that are not named go with time and with interrupts, not with merges. */
static const char *const hypercalls[64] = {
    [__HYPERVISOR_mmu_update] = "mmu_update",
    [__HYPERVISOR_memory_op] = "memory_op",
    [__HYPERVISOR_multicall] = "multicall",
    [__HYPERVISOR_update_va_mapping] = "update_va_mapping",
    [__HYPERVISOR_mmuext_op] = "mmuext_op",
    [__HYPERVISOR_domctl] = "domctl",
    [__HYPERVISOR_arch_7] = "memevent_op",
};

struct counters {
    uint64_t hypercalls[64], in_multicalls;
};

static DECLARE_HYPERCALL_BUFFER(xc_perfc_desc_t, descriptions);
static DECLARE_HYPERCALL_BUFFER(xc_perfc_val_t, values);
static int described;

static void open_counters(void)
{
    int count;

    if ( xc_perfc_query_number(xch, &described, &count) || !described )
        fail("this hypervisor does not count", errno);
    descriptions = xc_hypercall_buffer_alloc(xch, descriptions, described * sizeof(*descriptions));
    values = xc_hypercall_buffer_alloc(xch, values, count * sizeof(*values));
    if ( !descriptions || !values )
        fail("memory that Xen reaches", ENOMEM);
}

static void read_counters(struct counters *counters)
{
    const xc_perfc_val_t *value = values;

    memset(counters, 0, sizeof(*counters));
    if ( xc_perfc_query(xch, HYPERCALL_BUFFER(descriptions), HYPERCALL_BUFFER(values)) )
        fail("Xen's counters", errno);
    for ( int i = 0; i < described; value += descriptions[i++].nr_vals )
    {
        bool is_array = !strcmp(descriptions[i].name, "hypercalls");

        if ( !is_array && strcmp(descriptions[i].name, "calls from multicall") )
            continue;
        /* A counter has a value a CPU; an array of them is summed up already. */
        for ( unsigned int n = 0; n < descriptions[i].nr_vals; n++ )
            if ( !is_array )
                counters->in_multicalls += value[n];
            else if ( n < 64 )
                counters->hypercalls[n] = value[n];
    }
}

/* ---- the ways ---- */

/* A careful user of libxenctrl: nominate, nominate, map, map, compare, share.  Returns whether they are one now. */
static bool merge_by_steps(uint64_t gfn)
{
    xen_pfn_t frame = gfn;
    uint64_t handles[2];
    void *pages[2];
    bool equal;
    int error;

    if ( xc_memshr_nominate_gfn(xch, source, gfn, &handles[0]) || xc_memshr_nominate_gfn(xch, client, gfn, &handles[1]) )
        return false;
    pages[0] = xenforeignmemory_map(memory, source, PROT_READ, 1, &frame, &error);
    pages[1] = xenforeignmemory_map(memory, client, PROT_READ, 1, &frame, &error);
    maps += 2;
    mapped += 2;
    equal = pages[0] && pages[1] && !memcmp(pages[0], pages[1], XC_PAGE_SIZE);
    for ( unsigned int i = 0; i < 2; i++ )
        if ( pages[i] )
            xenforeignmemory_unmap(memory, pages[i], 1);

    return equal && !xc_memshr_share_gfns(xch, source, gfn, handles[0], client, gfn, handles[1]);
}

static unsigned int by_steps(const struct frames *frames, unsigned int batch)
{
    unsigned int merged = 0;

    (void)batch;
    for ( unsigned int i = 0; i < frames->count; i++ )
        merged += merge_by_steps(frames->gfns[i]);

    return merged;
}

static void fill_in(struct hypervisor_operation *operation, uint64_t gfn)
{
    *operation = (struct hypervisor_operation){ .call = SHARING_MERGE, .domid = source, .gfn = gfn };
    operation->sharing.client_domid = client;
    operation->sharing.client_gfn = gfn;
}

static unsigned int in_batches(struct hypervisor *hv, const struct frames *frames, unsigned int batch, bool *which)
{
    struct hypervisor_operation operations[HYPERVISOR_BATCH_MAX];
    unsigned int merged = 0;

    for ( unsigned int first = 0, n; first < frames->count; first += n )
    {
        int rc;

        n = frames->count - first < batch ? frames->count - first : batch;
        for ( unsigned int i = 0; i < n; i++ )
            fill_in(&operations[i], frames->gfns[first + i]);
        rc = hv->ops->submit(hv, operations, n);
        if ( rc )
            fail("merging", rc);
        for ( unsigned int i = 0; i < n; i++ )
        {
            bool is_one = !operations[i].status && operations[i].sharing.outcome == MEMEVENT_MERGED;

            merged += is_one;
            if ( which )
                which[first + i] = is_one;
        }
    }

    return merged;
}

static unsigned int by_stretches(const struct frames *frames, unsigned int batch)
{
    unsigned int batches = (frames->count + batch - 1) / batch;

    maps += 2 * batches;
    mapped += 2 * frames->count;

    return in_batches(stock, frames, batch, NULL);
}

static unsigned int by_merge(const struct frames *frames, unsigned int batch)
{
    return in_batches(ours, frames, batch, NULL);
}

/* What dom0 does by itself is counted too. */
static unsigned int idle(const struct frames *frames, unsigned int batch)
{
    struct timespec t = { .tv_sec = IDLE_SECONDS };

    (void)frames;
    (void)batch;
    nanosleep(&t, NULL);

    return 0;
}

static const struct way {
    const char *name;
    unsigned int (*run)(const struct frames *frames, unsigned int batch);
    unsigned int batch;
} ways[] = {
    { "idle", idle, 1 },
    { "steps", by_steps, 1 },
    { "stretches64", by_stretches, 64 },
    { "merge1", by_merge, 1 },
    { "merge64", by_merge, 64 },
    { "merge512", by_merge, 512 },
};
#define WAYS (sizeof(ways) / sizeof(ways[0]))
_Static_assert(HYPERVISOR_BATCH_MAX >= 512, "a batch of a way is one submit()");

/* ---- pairs ---- */

static void unshare_all(const struct frames *frames)
{
    struct hypervisor_operation operations[HYPERVISOR_BATCH_MAX];
    struct memory_info info;
    int rc = 0;

    for ( unsigned int side = 0; side < 2; side++ )
        for ( unsigned int first = 0, n; first < frames->count; first += n )
        {
            n = frames->count - first < HYPERVISOR_BATCH_MAX ? frames->count - first : HYPERVISOR_BATCH_MAX;
            for ( unsigned int i = 0; i < n; i++ )
                operations[i] = (struct hypervisor_operation){
                    .call = SHARING_UNSHARE,
                    .domid = side ? client : source,
                    .gfn = frames->gfns[first + i],
                };
            rc = ours->ops->submit(ours, operations, n);
            if ( rc )
                fail("unsharing", rc);
        }
    rc = ours->ops->get_memory(ours, &info);
    if ( rc || info.pages_shared )
        fail("something is shared still", rc ? rc : EBUSY);
}

/* Enters frames from first on that both domains have, with the same bytes in them, until there are most. */
static void look(struct frames *frames, uint64_t first, unsigned int most)
{
    uint8_t states[2][LOOK_AT_ONCE];
    uint64_t gfns[LOOK_AT_ONCE];
    int errors[2][LOOK_AT_ONCE];
    const char *pages[2];
    unsigned int n = 0;

    if ( ours->ops->query_frames(ours, source, first, LOOK_AT_ONCE, states[0]) ||
         ours->ops->query_frames(ours, client, first, LOOK_AT_ONCE, states[1]) )
        return;
    for ( unsigned int i = 0; i < LOOK_AT_ONCE; i++ )
        if ( states[0][i] == FRAME_RAM && states[1][i] == FRAME_RAM )
            gfns[n++] = first + i;
    if ( !n )
        return;
    if ( ours->ops->map_frames(ours, source, gfns, n, errors[0], (const void **)&pages[0]) ||
         ours->ops->map_frames(ours, client, gfns, n, errors[1], (const void **)&pages[1]) )
        fail("mapping", EFAULT);
    for ( unsigned int i = 0; i < n && frames->count < most; i++ )
        if ( !errors[0][i] && !errors[1][i] &&
             !memcmp(pages[0] + (size_t)i * XC_PAGE_SIZE, pages[1] + (size_t)i * XC_PAGE_SIZE, XC_PAGE_SIZE) )
            frames->gfns[frames->count++] = gfns[i];
    ours->ops->unmap_frames(ours, pages[0], n);
    ours->ops->unmap_frames(ours, pages[1], n);
}

static void find_pairs(struct frames *frames, unsigned int most)
{
    bool *merged = calloc(most, sizeof(*merged));
    unsigned int kept = 0;
    uint64_t limit;

    frames->gfns = calloc(most, sizeof(*frames->gfns));
    if ( !frames->gfns || !merged )
        fail("memory", ENOMEM);
    if ( ours->ops->get_frame_limit(ours, source, &limit) )
        fail("the domains' frames", ESRCH);
    for ( uint64_t first = 0; first < limit && frames->count < most; first += LOOK_AT_ONCE )
        look(frames, first, most);
    in_batches(ours, frames, HYPERVISOR_BATCH_MAX, merged);
    unshare_all(frames);
    for ( unsigned int i = 0; i < frames->count; i++ )
        if ( merged[i] )
            frames->gfns[kept++] = frames->gfns[i];
    frames->count = kept;
    free(merged);
}

/* ---- measuring ---- */

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void measure(const struct way *way, const struct frames *frames, unsigned int round)
{
    struct counters before, after;
    struct memory_info info;
    unsigned int merged;
    uint64_t ns;

    maps = mapped = 0;
    read_counters(&before);
    ns = now_ns();
    merged = way->run(frames, way->batch);
    ns = now_ns() - ns;
    read_counters(&after);

    if ( ours->ops->get_memory(ours, &info) || info.pages_saved != merged )
        fail("Xen says that another number was merged", EILSEQ);
    for ( unsigned int i = 0; i < 64; i++ )
        if ( hypercalls[i] && after.hypercalls[i] != before.hypercalls[i] )
            printf("bench: run=merge/%s/%u phase=merge call=%s count=%llu\n", way->name, round, hypercalls[i],
                   (unsigned long long)(after.hypercalls[i] - before.hypercalls[i]));
    printf("bench: run=merge/%s/%u phase=merge call=in_multicalls count=%llu\n", way->name, round,
           (unsigned long long)(after.in_multicalls - before.in_multicalls));
    printf("bench: run=merge/%s/%u phase=merge pairs=%u merged=%u maps=%u mapped=%u ns=%llu\n", way->name, round,
           frames->count, merged, maps, mapped, (unsigned long long)ns);
    fflush(stdout);
    unshare_all(frames);
}

int main(int argc, char **argv)
{
    struct frames frames = { 0 };
    unsigned int rounds;

    if ( argc != 5 )
    {
        fprintf(stderr, "usage: merges FIRST SECOND PAGES ROUNDS\n");
        return 2;
    }
    source = strtoul(argv[1], NULL, 10);
    client = strtoul(argv[2], NULL, 10);
    rounds = strtoul(argv[4], NULL, 10);
    xch = xc_interface_open(NULL, NULL, 0);
    memory = xenforeignmemory_open(NULL, 0);
    if ( !xch || !memory || hypervisor_open_xen(&ours) || hypervisor_open_stock(&stock) )
        fail("opening Xen", errno);
    if ( ours->ops->enable_sharing(ours, source, NULL) || ours->ops->enable_sharing(ours, client, NULL) ||
         ours->ops->pause_domain(ours, source) || ours->ops->pause_domain(ours, client) )
        fail("the domains", EINVAL);
    open_counters();
    find_pairs(&frames, strtoul(argv[3], NULL, 10));
    /* By turns, and each round begins with another: what disturbs one disturbs all. */
    for ( unsigned int round = 0; round < rounds; round++ )
        for ( unsigned int i = 0; i < WAYS; i++ )
            measure(&ways[(round + i) % WAYS], &frames, round + 1);
    if ( ours->ops->unpause_domain(ours, source) || ours->ops->unpause_domain(ours, client) )
        fail("the domains", EINVAL);

    return 0;
}
