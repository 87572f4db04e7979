/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Everything at once, at random: vCPUs that read and write, balloons, mappings of dom0's, targets that swing, calls
 * that fail, a host without memory.  No byte may be lost and nobody may be left waiting, and in the end all is in.
 */
#include "paged-bench.h"

#define ROUNDS 6000U

/* What a storm does, in one of so many steps; 0: never. */
struct weather {
    unsigned int guest;           /* an access */
    unsigned int drop, populate, foreign_drop;
    unsigned int map;
    unsigned int target;
    unsigned int leave;
};

static struct weather weather;
static bool is_storming;
static uint64_t drops, lost_drops; /* in the last one */

static bool chance(unsigned int one_in)
{
    return one_in && !random_below(&b.random, one_in);
}

static void unmap_one(uint64_t from)
{
    for ( uint64_t i = 0; i < FAKE_FRAMES; i++ )
    {
        uint64_t gfn = (from + i) % FAKE_FRAMES;

        if ( b.host->frame[gfn].mappings )
        {
            fake_unmap(b.host, gfn);
            return;
        }
    }
}

/* The other CPUs of the host, between any two steps of the pager's. */
static void storm(struct fake_host *h)
{
    uint64_t gfn = random_below(&b.random, FAKE_FRAMES);

    if ( !is_storming )
        return;
    if ( chance(weather.guest) )
        fake_step(h, random_below(&b.random, FAKE_VCPUS));
    if ( chance(weather.drop) )
        fake_drop(h, gfn, false);
    if ( chance(weather.foreign_drop) )
        fake_drop(h, gfn, true);
    if ( chance(weather.populate) )
        fake_populate(h, gfn);
    if ( chance(weather.map) )
    {
        if ( random_below(&b.random, 2) )
            fake_map(h, gfn);
        else
            unmap_one(gfn);
    }
}

static void calm(void)
{
    is_storming = false;
    b.host->nominate_fails = b.host->evict_fails = b.host->load_lacks_memory = b.host->submit_fails = 0;
    b.host->memory_limit = 0;
    for ( uint64_t gfn = 0; gfn < FAKE_FRAMES; gfn++ )
        while ( b.host->frame[gfn].mappings )
            fake_unmap(b.host, gfn);
}

/* With much luck a domain that comes and goes at random is away nearly all the time. */
static bool was_a_storm(void)
{
    return b.host->faults > 100 && b.d->statistics.paged_out > 500 && b.host->writes > 100;
}

/* So many rounds, or until it was a storm, with an end: what no longer works at all must not take for ever. */
static void run(struct weather w, unsigned int rounds)
{
    weather = w;
    is_storming = true;
    b.host->meanwhile = storm;
    b.d->target = 1500;
    for ( unsigned int round = 0; round < rounds || (!was_a_storm() && round < 50 * rounds); round++ )
    {
        bench_round(random_below(&b.random, 8));
        for ( unsigned int i = 0; i < 4; i++ )
            storm(b.host);
        if ( chance(weather.target) )
            b.d->target = chance(4) ? TARGET_NONE : 200 + random_below(&b.random, 3500);
        if ( chance(weather.leave) )
            b.d->phase = b.d->phase == PAGED_LEAVING ? PAGED_RUNNING : PAGED_LEAVING;
        if ( round % 64 == 0 )
            bench_verify();
    }
    assert_false(b.d->failed);
    assert_false(b.d->broken);
    printf("%u faults, %u touched, %u drops, %u of them lost, %u evicted, %u short of memory, %u reads, %u writes\n",
           (unsigned int)b.host->faults, (unsigned int)b.host->touches, (unsigned int)b.host->drops,
           (unsigned int)b.host->lost_drops, (unsigned int)b.d->statistics.paged_out,
           (unsigned int)b.d->statistics.no_memory, (unsigned int)b.host->reads, (unsigned int)b.host->writes);
    assert_true(was_a_storm());
    calm();
    bench_leave();
    drops = b.host->drops;
    lost_drops = b.host->lost_drops;
    bench_close();
}

static void test_accesses(void **unused)
{
    (void)unused;
    bench_open(3000, 2 * MIB, 64 * MIB);
    run((struct weather){ .guest = 4, .target = 200 }, ROUNDS);
}

static void test_balloons(void **unused)
{
    (void)unused;
    bench_open(3000, 2 * MIB, 64 * MIB);
    b.host->places_lack = 10;
    run((struct weather){ .guest = 8, .drop = 8, .populate = 4, .foreign_drop = 20, .target = 400 }, ROUNDS);
    /* Else the case that was meant did not happen. */
    assert_true(drops && (lost_drops || !bench_has_channels));
}

static void test_mappings(void **unused)
{
    (void)unused;
    bench_open(3000, 2 * MIB, 64 * MIB);
    run((struct weather){ .guest = 8, .map = 5, .target = 400 }, ROUNDS);
}

static void test_failing_calls(void **unused)
{
    (void)unused;
    bench_open(3000, 2 * MIB, 64 * MIB);
    b.host->nominate_fails = 5;
    b.host->evict_fails = 3;
    run((struct weather){ .guest = 4, .drop = 100, .populate = 50, .target = 200 }, ROUNDS);
}

static void test_host_without_memory(void **unused)
{
    (void)unused;
    bench_open(3000, 2 * MIB, 64 * MIB);
    b.host->load_lacks_memory = 3;
    run((struct weather){ .guest = 4, .drop = 50, .populate = 25, .target = 200 }, ROUNDS);
}

static void test_all_at_once(void **unused)
{
    (void)unused;
    bench_open(3000, 2 * MIB, 64 * MIB);
    b.host->nominate_fails = 20;
    b.host->evict_fails = 20;
    b.host->load_lacks_memory = 20;
    run((struct weather){
        .guest = 4, .drop = 30, .populate = 15, .foreign_drop = 100, .map = 60, .target = 300, .leave = 500,
    }, 2 * ROUNDS);
}

/* Memory only: what is not in the file comes at once, another order of things. */
static void test_without_file(void **unused)
{
    (void)unused;
    bench_open(3000, 8 * MIB, 0);
    run((struct weather){ .guest = 4, .drop = 30, .populate = 15, .target = 200, .leave = 1000 }, ROUNDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accesses),
        cmocka_unit_test(test_balloons),
        cmocka_unit_test(test_mappings),
        cmocka_unit_test(test_failing_calls),
        cmocka_unit_test(test_host_without_memory),
        cmocka_unit_test(test_all_at_once),
        cmocka_unit_test(test_without_file),
    };
    int failed;

    puts("on upstream's ring");
    failed = cmocka_run_group_tests(tests, bench_on_stock, NULL);
    puts("on a channel");
    return failed + cmocka_run_group_tests(tests, bench_on_channels, NULL);
}
