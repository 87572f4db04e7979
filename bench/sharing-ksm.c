/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One image of memory, merged by the kernel's KSM, at its defaults and as fast as it goes, and by ours.  What a merge
 * of ours costs in a hypervisor is not to be had here; in its place the two pages are compared and the client's
 * memory is given back to the kernel, one page a call: clearing its page table entry, flushing, freeing, and the way
 * in and out.
 *
 * KSM's settings are put back as they were.  It works for all of the machine, so nothing else on it may be mergeable.
 */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <memevent/operations.h>

#include "daemons/xensharing/decide.h"
#include "daemons/xensharing/digest.h"

#include "sharing.h"

#define KSM "/sys/kernel/mm/ksm/"
/* Beyond this it is given up. */
#define PATIENCE 180.0
#define FRACTION 0.9

static bool read_setting(const char *name, uint64_t *value)
{
    char path[128];
    FILE *file;
    bool done;

    snprintf(path, sizeof(path), KSM "%s", name);
    file = fopen(path, "re");
    if ( !file )
        return false;
    done = fscanf(file, "%" SCNu64, value) == 1;
    fclose(file);

    return done;
}

static bool write_setting(const char *name, uint64_t value)
{
    char path[128];
    FILE *file;
    bool done;

    snprintf(path, sizeof(path), KSM "%s", name);
    file = fopen(path, "we");
    if ( !file )
        return false;
    done = fprintf(file, "%" PRIu64, value) > 0;

    return !fclose(file) && done;
}

/* Seconds of CPU that KSM's thread has had; negative: it is not to be seen. */
static double ksmd_cpu(void)
{
    static char path[300];
    unsigned long long ns;
    char name[32] = "";
    FILE *file;

    if ( !path[0] )
    {
        DIR *all = opendir("/proc");
        struct dirent *one;

        while ( all && (one = readdir(all)) )
        {
            snprintf(path, sizeof(path), "/proc/%s/comm", one->d_name);
            file = one->d_name[0] >= '1' && one->d_name[0] <= '9' ? fopen(path, "re") : NULL;
            if ( file && fscanf(file, "%31s", name) == 1 && !strcmp(name, "ksmd") )
                snprintf(path, sizeof(path), "/proc/%s/schedstat", one->d_name);
            else
                path[0] = 0;
            if ( file )
                fclose(file);
            if ( path[0] )
                break;
        }
        if ( all )
            closedir(all);
    }
    file = path[0] ? fopen(path, "re") : NULL;
    if ( !file )
        return -1;
    if ( fscanf(file, "%llu", &ns) != 1 )
        ns = 0;
    fclose(file);

    return ns / 1e9;
}

/* Whether a process has memory that KSM would scan besides ours: a QEMU's guests, as a rule. */
static bool is_mergeable(const char *pid)
{
    char path[300], line[512];
    bool found = false;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%s/smaps", pid);
    file = fopen(path, "re");
    while ( file && !found && fgets(line, sizeof(line), file) )
        found = !strncmp(line, "VmFlags:", 8) && strstr(line, " mg");
    if ( file )
        fclose(file);

    return found;
}

static bool others_are_mergeable(void)
{
    DIR *all = opendir("/proc");
    struct dirent *one;
    bool found = false;

    while ( all && !found && (one = readdir(all)) )
        found = one->d_name[0] >= '1' && one->d_name[0] <= '9' && is_mergeable(one->d_name);
    if ( all )
        closedir(all);

    return found;
}

struct measured {
    double cpu, clock;            /* until so much was merged; of all: CPU a merged page */
    uint64_t merged;
};

/* pages_to_scan at a time, then sleep. */
static bool run_ksm(uint8_t *memory, uint64_t pages, uint64_t mergeable, uint64_t to_scan, uint64_t sleep_ms,
                    struct measured *out)
{
    double began, cpu = ksmd_cpu();
    uint64_t before = 0, sharing = 0;

    /* 2: takes apart what is merged, and stops. */
    if ( !write_setting("run", 2) || !write_setting("pages_to_scan", to_scan) ||
         !write_setting("sleep_millisecs", sleep_ms) || !read_setting("pages_sharing", &before) ||
         madvise(memory, pages * BENCH_PAGE, MADV_MERGEABLE) || !write_setting("run", 1) )
        return false;
    began = bench_clock();
    while ( sharing < before + mergeable * FRACTION && bench_clock() - began < PATIENCE )
    {
        usleep(sleep_ms ? 20000 : 2000);
        if ( !read_setting("pages_sharing", &sharing) )
            return false;
    }
    out->clock = bench_clock() - began;
    out->cpu = ksmd_cpu() - cpu;
    out->merged = sharing - before;
    write_setting("run", 0);

    return sharing >= before + mergeable * FRACTION;
}

static uint8_t *page_of(uint8_t *memory, uint64_t pages, uint16_t domid, uint64_t gfn)
{
    return memory + ((domid - 1) * (pages / 3) + gfn) * BENCH_PAGE;
}

/* As many passes as it takes, one after the other. */
static void run_ours(uint8_t *memory, uint64_t pages, uint64_t mergeable, struct measured *out)
{
    double began = bench_clock(), cpu = bench_cpu();
    struct decide_pair pairs[512];
    uint64_t gfns[512], digests[512];
    struct digest *digest;
    struct decide *d;

    bench_require(!digest_open(&digest) && !decide_open(&d, DECIDE_INVALIDATES_ON), "no memory");
    for ( uint16_t domid = 1; domid <= 3; domid++ )
        bench_require(!decide_join(d, domid, 1, true, pages / 3), "join");
    out->merged = 0;
    while ( out->merged < mergeable * FRACTION )
    {
        for ( uint16_t domid = 1; domid <= 3; domid++ )
            for ( uint64_t first = 0; first < pages / 3 && out->merged < mergeable * FRACTION; first += 512 )
            {
                uint8_t *guest = page_of(memory, pages, domid, 0);
                unsigned int count = decide_visit(d, domid, first, 512, gfns), got;

                if ( !count )
                    continue;
                if ( count == gfns[count - 1] - gfns[0] + 1 )
                    digest_pages(digest, guest + gfns[0] * BENCH_PAGE, count, NULL, digests);
                else
                    for ( unsigned int i = 0; i < count; i++ )
                        digests[i] = digest_page(digest, guest + gfns[i] * BENCH_PAGE);
                for ( unsigned int i = 0; i < count; i++ )
                    decide_scanned(d, domid, gfns[i], digests[i]);
                got = decide_take(d, pairs, 512);
                for ( unsigned int i = 0; i < got; i++ )
                {
                    uint8_t *source = page_of(memory, pages, pairs[i].source_domid, pairs[i].source_gfn);
                    uint8_t *client = page_of(memory, pages, pairs[i].client_domid, pairs[i].client_gfn);

                    bench_require(!memcmp(source, client, BENCH_PAGE), "a pair is not equal");
                    madvise(client, BENCH_PAGE, MADV_DONTNEED);
                    out->merged++;
                    decide_merged(d, &pairs[i], 0, MEMEVENT_MERGED);
                }
            }
        decide_pass_ended(d);
    }
    out->clock = bench_clock() - began;
    out->cpu = bench_cpu() - cpu;
    decide_close(d);
    digest_close(digest);
}

const char *bench_against_ksm(uint64_t pages, unsigned int rounds)
{
    uint64_t run, to_scan, sleep_ms, mergeable;
    const char *why = NULL;

    if ( !read_setting("run", &run) || !read_setting("pages_to_scan", &to_scan) ||
         !read_setting("sleep_millisecs", &sleep_ms) )
        return "this kernel has no KSM";
    if ( !write_setting("run", run) )
        return "it takes root to let KSM run";
    if ( run == 1 )
        return "KSM runs on this machine already";
    if ( ksmd_cpu() < 0 )
        return "KSM's thread is not to be seen from here";
    if ( others_are_mergeable() )
        return "other processes have memory that KSM would scan as well: virtual machines of QEMU, as a rule";

    for ( unsigned int round = 0; round < rounds && !why; round++ )
    {
        struct measured ours, defaults, fast;
        uint8_t *memory = bench_memory(pages);

        mergeable = bench_guests(memory, pages);
        if ( !run_ksm(memory, pages, mergeable, 100, 20, &defaults) )
            why = "KSM did not merge 90 % within its time";
        bench_free(memory, pages);

        memory = bench_memory(pages);
        mergeable = bench_guests(memory, pages);
        if ( !why && !run_ksm(memory, pages, mergeable, pages, 0, &fast) )
            why = "KSM did not merge 90 % within its time";
        bench_free(memory, pages);

        memory = bench_memory(pages);
        mergeable = bench_guests(memory, pages);
        run_ours(memory, pages, mergeable, &ours);
        bench_free(memory, pages);
        if ( why )
            break;

        bench_result("KSM: pages merged a CPU-second", "", NULL, fast.merged / fast.cpu);
        bench_result("ours: pages merged a CPU-second", "", NULL, ours.merged / ours.cpu);
        bench_result("ours against KSM: pages merged a CPU-second", "times more", "2",
                     ours.merged / ours.cpu / (fast.merged / fast.cpu));
        bench_result("KSM at its defaults: 90 % after", "s", NULL, defaults.clock);
        bench_result("KSM without sleep: 90 % after", "s", NULL, fast.clock);
        bench_result("ours, one thread: 90 % after", "s", NULL, ours.clock);
        bench_result("ours against KSM at its defaults: time to 90 %", "times sooner", "10",
                     defaults.clock / ours.clock);
        bench_result("ours against KSM at equal CPU: time to 90 %", "times sooner", "2", fast.cpu / ours.cpu);
    }
    write_setting("run", 2);
    write_setting("run", run);
    write_setting("pages_to_scan", to_scan);
    write_setting("sleep_millisecs", sleep_ms);

    return why;
}
