/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One domain whose pager is killed, many times in a row, and gone on with each time: at random instants, and when each
 * of its operations on the hypervisor has just ended.  The guest reads what it wrote, nobody is left waiting, nothing
 * stays paused, and in the end everything comes in.
 *
 * The host and its guest live in shared memory; each pager is a child process.
 */
#include "paged-bench.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGES 3000U

static const char *directory(void)
{
    return getenv("TMPDIR") ? getenv("TMPDIR") : ".";
}

/* What outlives the pagers, besides the host. */
static struct {
    struct store_options options;
    struct store_state files;
    int stage;
} left;

/* What each pager is to do. */
static struct {
    uint64_t seed;
    unsigned int operations;      /* killed after so many; 0: not */
    bool is_last;                 /* brings everything in, and ends */
    unsigned int drops, maps;     /* one in so many steps; 0: none */
} life;

static bool chance(unsigned int one_in)
{
    return one_in && !random_below(&b.random, one_in);
}

/* The other CPUs of the host. */
static void storm(struct fake_host *h)
{
    uint64_t gfn = random_below(&b.random, FAKE_FRAMES);

    if ( chance(4) )
        fake_step(h, random_below(&b.random, FAKE_VCPUS));
    if ( chance(life.drops) )
        fake_drop(h, gfn, chance(4));
    if ( chance(life.drops / 2) )
        fake_populate(h, gfn);
    if ( chance(life.maps) && fake_map(h, gfn) )
        fake_unmap(h, gfn);
}

static void on_kill(int number)
{
    (void)number;
    fake_kill();
}

static void resume_bench(void)
{
    uint64_t seed = life.seed;
    struct fake_host *host = b.host;

    memset(&b, 0, sizeof(b));
    b.host = host;
    b.random = seed;
    if ( store_adopt(&b.pager.store, &left.options, &left.files) || store_stage_open(&b.pager.stage, left.stage) )
        abort();
    bench_begin(directory());
}

static void act(void)
{
    static const uint64_t targets[] = { 300, 1000, 1500, 2500, TARGET_NONE };

    if ( chance(100) )
        b.d->target = targets[random_below(&b.random, sizeof(targets) / sizeof(targets[0]))];
    if ( chance(50) && !paged_pause(b.d) )
        paged_unpause(b.d);
    bench_round(random_below(&b.random, 40));
    fake_enter();
    for ( unsigned int i = 0; i < 4; i++ )
        storm(b.host);
    fake_leave();
}

static void live(void)
{
    signal(SIGUSR1, on_kill);
    b.host->buffers = 0;
    b.host->meanwhile = storm;
    b.host->places_lack = life.is_last ? 0 : 10;
    if ( life.is_last )
        b.host->meanwhile = NULL;
    fake_kill_after(life.operations);
    resume_bench();
    assert_int_equal(b.host->pauses, 0);
    assert_int_equal(store_domain_note(b.d->store), 0);
    bench_verify();
    if ( life.is_last )
    {
        struct store_statistics statistics;

        store_get_statistics(b.pager.store, &statistics);
        assert_int_equal(statistics.damaged + statistics.checksum_errors, 0);
        bench_leave();
        return;
    }
    b.d->target = 1000;
    for ( ;; )
        act();
}

static int run(int64_t kill_after_us)
{
    struct timespec t = { .tv_nsec = kill_after_us * 1000 };
    int status;
    pid_t pid;

    fflush(stdout);
    pid = fork();
    assert_true(pid >= 0);
    if ( !pid )
    {
        /* An assertion ends the child, instead of having it go on with the tests. */
        setenv("CMOCKA_TEST_ABORT", "1", 1);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        signal(SIGUSR1, SIG_DFL);
        live();
        _exit(0);
    }
    if ( kill_after_us )
    {
        nanosleep(&t, NULL);
        kill(pid, SIGUSR1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void open_all(uint64_t ram, uint64_t spill)
{
    struct store_state files;
    struct store_stage *stage;
    struct store *store;

    left.options = (struct store_options){
        .ram_bytes = ram, .spill_directory = spill ? directory() : NULL, .spill_bytes = spill,
    };
    memset(&b, 0, sizeof(b));
    life.seed = random_seed();
    b.host = fake_host_open(PAGES, random_next(&life.seed), true);
    assert_int_equal(store_open(&store, &left.options), 0);
    assert_int_equal(store_stage_open(&stage, -1), 0);
    store_get_state(store, &files);
    left.files = (struct store_state){ dup(files.index), dup(files.pool), files.file < 0 ? -1 : dup(files.file) };
    left.stage = dup(store_stage_fd(stage));
    store_close(store);
    store_stage_close(stage);
}

static void close_all(void)
{
    b.host->buffers = 0;
    b.host->attached = false;
    fake_host_close(b.host);
    close(left.files.index);
    close(left.files.pool);
    if ( left.files.file >= 0 )
        close(left.files.file);
    close(left.stage);
}

static void expect_killed(int status, unsigned int round)
{
    /* A child that ends before it is ready for the signal dies of that. */
    if ( !WIFSIGNALED(status) || (WTERMSIG(status) != SIGKILL && WTERMSIG(status) != SIGUSR1) )
        fail_msg("round %u: it ended by itself, status %#x", round, status);
}

static void expect_end(unsigned int round)
{
    int status;

    life.is_last = true;
    life.operations = 0;
    status = run(0);
    if ( status )
        fail_msg("round %u: bringing everything in: status %#x", round, status);
    life.is_last = false;
}

static void say(unsigned int rounds)
{
    printf("%u killed; %u faults, %u loads, %u drops, %u reads, %u writes\n", rounds, (unsigned int)b.host->faults,
           (unsigned int)b.host->loads, (unsigned int)b.host->drops, (unsigned int)b.host->reads,
           (unsigned int)b.host->writes);
    /* It was a storm, and a pager did something in its life. */
    assert_true(b.host->faults > 100 && b.host->loads > 100 && b.host->writes > 100);
}

/* ---- tests ---- */

static void at_random(uint64_t ram, uint64_t spill, unsigned int rounds)
{
    open_all(ram, spill);
    life.operations = 0;
    for ( unsigned int round = 0; round < rounds; round++ )
    {
        random_next(&life.seed);
        expect_killed(run(2000 + random_below(&life.seed, 30000)), round);
        if ( round % 25 == 24 )
            expect_end(round);
    }
    expect_end(rounds);
    say(rounds);
    close_all();
}

static void test_at_random(void **unused)
{
    (void)unused;
    life.drops = life.maps = 0;
    at_random(8 * MIB, 0, 150);
}

static void test_at_random_with_a_file(void **unused)
{
    (void)unused;
    life.drops = 60;
    life.maps = 60;
    at_random(2 * MIB, 64 * MIB, 200);
}

/* After the first of a pager's operations, after its second, and so on: what it was told it has not written down yet. */
static void test_after_each_operation(void **unused)
{
    (void)unused;
    open_all(2 * MIB, 64 * MIB);
    life.drops = 60;
    life.maps = 0;
    for ( unsigned int operations = 1; operations < 160; operations++ )
    {
        random_next(&life.seed);
        life.operations = operations;
        expect_killed(run(0), operations);
        if ( operations % 40 == 39 )
            expect_end(operations);
    }
    expect_end(160);
    say(160);
    close_all();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_at_random),
        cmocka_unit_test(test_at_random_with_a_file),
        cmocka_unit_test(test_after_each_operation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
