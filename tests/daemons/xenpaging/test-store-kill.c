/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A store whose process dies: killed at random instants under a storm, many times in a row, and looked at between any
 * two instructions of a process that is single-stepped.  What it had put is there for the next one, byte for byte.
 *
 * What the child does it writes down beside the store, in memory that outlives it as well: a page that it was at
 * work on may be there or not, and every other must be as the notes say.
 */
#include "test-store.h"

#include <inttypes.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>

#include <xxhash.h>

#include "daemons/xenpaging/store-index.h"

#define DOMAINS 3U
#define GFNS    2500U

struct note {
    uint64_t seed;                /* of its bytes; 0: not stored */
};

struct notes {
    struct note page[DOMAINS][GFNS];
    /* At work on this page, which becomes seed; or on none (domain DOMAINS). */
    uint32_t domain;
    uint32_t gfn;
    uint64_t seed;
    uint64_t random, rounds;
    uint64_t store_reads, store_writes;
};

static struct notes *notes;
static uint64_t now_seed;

static void *shared(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    assert_ptr_not_equal(memory, MAP_FAILED);
    return memory;
}

static uint64_t seed_of_the_day(void)
{
    const char *given = getenv("SEED");
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return given ? strtoull(given, NULL, 0) : (uint64_t)t.tv_sec * 1000000007 + t.tv_nsec;
}

static int setup(void **state)
{
    (void)state;
    notes = shared(sizeof(*notes));
    notes->domain = DOMAINS;
    now_seed = seed_of_the_day();
    notes->random = now_seed;
    printf("SEED=%" PRIu64 "\n", now_seed);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    munmap(notes, sizeof(*notes));
    return 0;
}

static const uint8_t *uuid_of(unsigned int domain)
{
    static uint8_t uuid[STORE_IDENTITY_SIZE];

    memset(uuid, 0x40 + domain, sizeof(uuid));
    return uuid;
}

static uint16_t domid_of(unsigned int domain)
{
    return 1 + domain * 1000;
}

/* A page is about to be changed; then, it has been. */
static void begin(unsigned int domain, uint32_t gfn, uint64_t seed)
{
    notes->gfn = gfn;
    notes->seed = seed;
    __atomic_store_n(&notes->domain, domain, __ATOMIC_RELEASE);
}

static void end(void)
{
    notes->page[notes->domain][notes->gfn].seed = notes->seed;
    __atomic_store_n(&notes->domain, DOMAINS, __ATOMIC_RELEASE);
}

/* Everything that the notes speak of, and nothing else. */
static void verify(struct store *s, struct store_domain *const *domain)
{
    struct store_statistics statistics;
    uint64_t count, total = 0;

    store_get_statistics(s, &statistics);
    assert_int_equal(statistics.damaged, 0);
    for ( unsigned int d = 0; d < DOMAINS; d++ )
    {
        count = 0;
        for ( uint32_t gfn = 0; gfn < GFNS; gfn++ )
        {
            struct note *note = &notes->page[d][gfn];
            bool has = store_has(domain[d], gfn);

            if ( notes->domain == d && notes->gfn == gfn )
            {
                /* Either way; if it was to go and is there, it is still what it was. */
                if ( has && notes->seed )
                    note->seed = notes->seed;
                if ( !has )
                    note->seed = 0;
            }
            if ( has != (note->seed != 0) )
                fail_msg("domain %u, page %u: %s", d, gfn, has ? "nobody put it" : "it is lost");
            count += has;
        }
        assert_int_equal(store_count(domain[d]), count);
        total += count;
    }
    notes->domain = DOMAINS;
    assert_int_equal(statistics.now.pages, total);
    assert_int_equal(statistics.now.same_filled + statistics.now.lz4 + statistics.now.raw + statistics.now.in_file, total);
}

static void verify_bytes(struct store *s, struct store_domain *const *domain)
{
    for ( unsigned int d = 0; d < DOMAINS; d++ )
        for ( uint32_t gfn = 0; gfn < GFNS; gfn++ )
            if ( notes->page[d][gfn].seed )
                test_expect(s, domain[d], gfn, TEST_ANY, notes->page[d][gfn].seed);
}

/* One thing that a pager might do. */
static void act(struct store *s, struct store_domain *const *domain, unsigned int fill)
{
    unsigned char page[STORE_PAGE_SIZE];
    unsigned int d = test_random(&notes->random) % DOMAINS;
    uint32_t gfn = test_random(&notes->random) % GFNS;
    struct note *note = &notes->page[d][gfn];

    if ( !note->seed && test_random(&notes->random) % 100 < fill )
    {
        uint64_t seed = test_random(&notes->random) | 1;

        if ( !store_reserve(s, 1) )
            return;
        test_page(page, TEST_ANY, seed);
        begin(d, gfn, seed);
        assert_int_equal(store_put(domain[d], gfn, page), 0);
        end();
    }
    else if ( note->seed && test_random(&notes->random) % 100 >= fill )
    {
        begin(d, gfn, 0);
        assert_int_equal(store_forget(domain[d], gfn), 0);
        end();
    }
    else if ( note->seed && test_random(&notes->random) % 8 == 0 )
        test_expect(s, domain[d], gfn, TEST_ANY, note->seed);
    if ( test_random(&notes->random) % 16 == 0 )
        store_reap(s, test_done, NULL);
}

static void open_domains(struct store *s, struct store_domain **domain)
{
    for ( unsigned int d = 0; d < DOMAINS; d++ )
        assert_true(store_domain_open(s, domid_of(d), uuid_of(d), &domain[d]) >= 0);
}

/* An assertion ends the child, instead of having it go on with the tests. */
static void child(void (*run)(void *arg), void *arg)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setenv("CMOCKA_TEST_ABORT", "1", 1);
    run(arg);
    _exit(0);
}

struct life {
    struct store_state state;
    struct store_options options;
    unsigned int fill;
    bool only_verify;
};

static void live(void *arg)
{
    const struct life *life = arg;
    struct store_domain *domain[DOMAINS];
    struct store *s;

    if ( store_adopt(&s, &life->options, &life->state) )
        abort();
    open_domains(s, domain);
    verify(s, domain);
    if ( life->only_verify )
    {
        verify_bytes(s, domain);
        return;
    }
    for ( ;; )
        act(s, domain, life->fill);
}

/* A store to begin with, whose descriptors this process keeps. */
static struct life life_of(uint64_t ram, uint64_t spill)
{
    struct life life = {
        .options = { .ram_bytes = ram, .spill_directory = spill ? test_directory() : NULL, .spill_bytes = spill },
    };
    struct store_domain *domain[DOMAINS];
    struct store_state state;
    struct store *s;

    assert_int_equal(store_open(&s, &life.options), 0);
    open_domains(s, domain);
    /* The index grows with the first. */
    assert_int_equal(store_reserve(s, 1), 1);
    store_get_state(s, &state);
    life.state = (struct store_state){ dup(state.index), dup(state.pool), state.file < 0 ? -1 : dup(state.file) };
    store_close(s);
    return life;
}

static void end_of(const struct life *life)
{
    close(life->state.index);
    close(life->state.pool);
    if ( life->state.file >= 0 )
        close(life->state.file);
}

static int run_child(const struct life *life, int64_t kill_after_us)
{
    struct timespec t = { .tv_sec = kill_after_us / 1000000, .tv_nsec = kill_after_us % 1000000 * 1000 };
    int status;
    pid_t pid;

    fflush(stdout);
    pid = fork();
    assert_true(pid >= 0);
    if ( !pid )
        child(live, (void *)(uintptr_t)life);
    if ( kill_after_us >= 0 )
    {
        nanosleep(&t, NULL);
        kill(pid, SIGKILL);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void storm(uint64_t ram, uint64_t spill, unsigned int rounds)
{
    struct life life = life_of(ram, spill);
    uint64_t random = now_seed ^ 0x5707;

    for ( unsigned int round = 0; round < rounds; round++ )
    {
        int status;

        life.fill = 10 + test_random(&random) % 85;
        life.only_verify = false;
        /* Long enough to get going, seldom long enough for much. */
        status = run_child(&life, 1000 + test_random(&random) % (round % 10 ? 15000 : 60000));
        if ( !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL )
            fail_msg("round %u: it ended by itself, status %#x", round, status);
        if ( round % 10 )
            continue;
        life.only_verify = true;
        status = run_child(&life, -1);
        if ( status )
            fail_msg("round %u: status %#x", round, status);
    }
    end_of(&life);
}

static void test_killed_in_memory(void **state)
{
    (void)state;
    storm(8 * MIB, 0, 100);
}

static void test_killed_with_a_file(void **state)
{
    (void)state;
    storm(2 * MIB, 64 * MIB, 200);
}

/* The pool is nearly full, so cells move all the time. */
static void test_killed_while_squeezing(void **state)
{
    (void)state;
    storm(4 * MIB, 0, 100);
}

/* ---- between any two instructions ---- */

static int copy_of(int fd, const char *name)
{
    struct stat sb;
    int copy = memfd_create(name, MFD_CLOEXEC);
    void *from, *to;

    assert_true(copy >= 0 && !fstat(fd, &sb) && !ftruncate(copy, sb.st_size));
    if ( !sb.st_size )
        return copy;
    from = mmap(NULL, sb.st_size, PROT_READ, MAP_SHARED, fd, 0);
    to = mmap(NULL, sb.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, copy, 0);
    assert_true(from != MAP_FAILED && to != MAP_FAILED);
    /* Not a page of the holes. */
    for ( off_t at = 0; (at = lseek(fd, at, SEEK_DATA)) >= 0; )
    {
        off_t hole = lseek(fd, at, SEEK_HOLE);

        memcpy((char *)to + at, (char *)from + at, hole - at);
        at = hole;
    }
    munmap(from, sb.st_size);
    munmap(to, sb.st_size);
    return copy;
}

/* The copy of the pool has an inode of its own, which the copied header is told. */
static void introduce(int index, int pool)
{
    struct store_index_header *header = mmap(NULL, sizeof(*header), PROT_READ | PROT_WRITE, MAP_SHARED, index, 0);
    struct stat sb;

    assert_true(header != MAP_FAILED && !fstat(pool, &sb));
    header->pool_inode = sb.st_ino;
    header->check = XXH3_64bits_withSecret(header, offsetof(struct store_index_header, check), header->secret.bytes,
                                           sizeof(header->secret.bytes));
    munmap(header, sizeof(*header));
}

static void adopt_copy(const struct life *life, bool bytes)
{
    struct notes *true_notes = notes;
    struct store_domain *domain[DOMAINS];
    struct store_state state = {
        copy_of(life->state.index, "index"), copy_of(life->state.pool, "pool"), life->state.file,
    };
    struct store *s;
    int rc;

    notes = malloc(sizeof(*notes));
    memcpy(notes, true_notes, sizeof(*notes));
    introduce(state.index, state.pool);
    rc = store_adopt(&s, &life->options, &state);
    assert_int_equal(rc, 0);
    open_domains(s, domain);
    verify(s, domain);
    if ( bytes )
        verify_bytes(s, domain);
    store_close(s);
    close(state.index);
    close(state.pool);
    free(notes);
    notes = true_notes;
}

/* The child stops here; what takes most of its instructions, and writes nothing that is shared, is not stepped through. */
static bool is_stepped;

static void aside(void)
{
    if ( is_stepped )
        raise(SIGSTOP);
}

uint64_t __real_store_page_sum(const struct store_secret *secret, uint16_t domid, uint64_t gfn, const void *page);
uint64_t __wrap_store_page_sum(const struct store_secret *secret, uint16_t domid, uint64_t gfn, const void *page);
unsigned int __real_store_page_compress(void *scratch, const void *page, void *out);
unsigned int __wrap_store_page_compress(void *scratch, const void *page, void *out);

uint64_t __wrap_store_page_sum(const struct store_secret *secret, uint16_t domid, uint64_t gfn, const void *page)
{
    uint64_t sum;

    aside();
    sum = __real_store_page_sum(secret, domid, gfn, page);
    aside();
    return sum;
}

unsigned int __wrap_store_page_compress(void *scratch, const void *page, void *out)
{
    unsigned int length;

    aside();
    length = __real_store_page_compress(scratch, page, out);
    aside();
    return length;
}

/* Seeds from 1 on: two same-filled pages, two that compress, two that do not, and what chance adds. */
#define SCRIPT_PAGES 8U

/* Octets of index that the tests below can use. */
#define SCRIPT_INDEX (STORE_INDEX_RECORDS + 2048U * sizeof(struct store_record))

static void put_known(struct store_domain *const *domain, unsigned int d, uint32_t gfn, uint64_t seed)
{
    static unsigned char page[STORE_PAGE_SIZE];

    test_page(page, TEST_ANY, seed);
    begin(d, gfn, seed);
    if ( store_put(domain[d], gfn, page) )
        abort();
    end();
}

static void forget_known(struct store_domain *const *domain, unsigned int d, uint32_t gfn)
{
    begin(d, gfn, 0);
    if ( store_forget(domain[d], gfn) )
        abort();
    end();
}

/* Fills the pool with pages of one size and forgets three of four, so that no segment is free, though there is room. */
static void make_holes(struct store *s, struct store_domain *const *domain)
{
    uint64_t seed = 1, copy;
    uint32_t gfn;

    do
        copy = ++seed;
    while ( test_random(&copy) % TEST_ANY != TEST_LZ4 || 2 + test_random(&copy) % 455 > 100 );
    for ( gfn = 100; gfn < GFNS && store_reserve(s, 1); gfn++ )
        put_known(domain, 2, gfn, seed);
    while ( gfn-- > 100 )
        if ( gfn % 4 )
            forget_known(domain, 2, gfn);
}

/* A fixed sequence: all are put and forgotten in one domain, then every other in a second; at last a squeeze. */
static void live_stepped(void *arg)
{
    static unsigned char page[SCRIPT_PAGES][STORE_PAGE_SIZE];
    const struct life *life = arg;
    struct store_domain *domain[DOMAINS];
    uint64_t seed = 1, copy;
    struct store *s;

    if ( store_adopt(&s, &life->options, &life->state) )
        abort();
    open_domains(s, domain);
    for ( unsigned int i = 0; i < SCRIPT_PAGES; i++ )
        test_page(page[i], TEST_ANY, i + 1);
    if ( ptrace(PTRACE_TRACEME, 0, NULL, NULL) )
        _exit(77);
    raise(SIGSTOP);
    is_stepped = true;
    for ( unsigned int turn = 0; turn < 2; turn++ )
    {
        for ( unsigned int i = 0; i < SCRIPT_PAGES; i++ )
        {
            store_reserve(s, 1);
            begin(turn, i, i + 1);
            if ( store_put(domain[turn], i, page[i]) )
                abort();
            end();
        }
        for ( unsigned int i = turn; i < SCRIPT_PAGES; i += 1 + turn )
            forget_known(domain, turn, i);
    }
    /* A whole page now needs a segment, for which others are squeezed. */
    aside();
    is_stepped = false;
    make_holes(s, domain);
    is_stepped = true;
    aside();
    do
        copy = ++seed;
    while ( test_random(&copy) % TEST_ANY != TEST_RANDOM );
    if ( !store_reserve(s, 1) )
        abort();
    put_known(domain, 2, 0, seed);
}

/* Instructions between two looks at most: a prime, so that it meets other ones in each like operation. */
#define STEP_LOOKS 211U

/* Whether the last instruction changed a record: there is a look after each that did. */
static bool is_changed(const unsigned char *index)
{
    static unsigned char before[SCRIPT_INDEX - STORE_INDEX_RECORDS];

    if ( !memcmp(before, index + STORE_INDEX_RECORDS, sizeof(before)) )
        return false;
    memcpy(before, index + STORE_INDEX_RECORDS, sizeof(before));
    return true;
}

static bool is_stop(int status, int number)
{
    return WIFSTOPPED(status) && WSTOPSIG(status) == number;
}

static void test_step_by_step(void **state)
{
    struct life life = life_of(MIB, 0);
    uint64_t steps = 0;
    unsigned int looks = 0;
    unsigned char *index;
    bool changed;
    bool is_aside = false;
    int status;
    pid_t pid;

    (void)state;
    fflush(stdout);
    pid = fork();
    assert_true(pid >= 0);
    if ( !pid )
        child(live_stepped, &life);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if ( WIFEXITED(status) && WEXITSTATUS(status) == 77 )
    {
        end_of(&life);
        skip();
    }
    index = mmap(NULL, SCRIPT_INDEX, PROT_READ, MAP_SHARED, life.state.index, 0);
    assert_true(index != MAP_FAILED);
    while ( WIFSTOPPED(status) )
    {
        if ( steps && is_stop(status, SIGSTOP) )
            is_aside = !is_aside;
        else if ( (changed = is_changed(index)) || steps % STEP_LOOKS == 0 )
        {
            adopt_copy(&life, changed);
            looks++;
        }
        steps++;
        assert_int_equal(ptrace(is_aside ? PTRACE_CONT : PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
    }
    assert_int_equal(status, 0);
    printf("%" PRIu64 " instructions, looked at after %u of them\n", steps, looks);
    assert_true(looks > 100);
    munmap(index, SCRIPT_INDEX);
    end_of(&life);
}

/* At random instants instead, and there after each of some instructions. */
#define BURSTS       24U
#define BURST_LOOKS  24U

static void live_traced(void *arg)
{
    if ( ptrace(PTRACE_TRACEME, 0, NULL, NULL) )
        _exit(77);
    live(arg);
}

static void test_bursts_of_instructions(void **state)
{
    struct life life = life_of(4 * MIB, 0);
    uint64_t random = now_seed ^ 0x57e9;
    int status;
    pid_t pid;

    (void)state;
    life.fill = 60;
    fflush(stdout);
    pid = fork();
    assert_true(pid >= 0);
    if ( !pid )
        child(live_traced, &life);
    for ( unsigned int burst = 0; burst < BURSTS; burst++ )
    {
        struct timespec t = { .tv_nsec = 2000000 + test_random(&random) % 20000000 };

        nanosleep(&t, NULL);
        kill(pid, SIGSTOP);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if ( WIFEXITED(status) && WEXITSTATUS(status) == 77 )
        {
            end_of(&life);
            skip();
        }
        for ( unsigned int look = 0; look < BURST_LOOKS; look++ )
        {
            assert_true(WIFSTOPPED(status));
            adopt_copy(&life, look == 0);
            assert_int_equal(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
            assert_int_equal(waitpid(pid, &status, 0), pid);
        }
        assert_int_equal(ptrace(PTRACE_CONT, pid, NULL, NULL), 0);
    }
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    end_of(&life);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_killed_in_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_killed_with_a_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_killed_while_squeezing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_step_by_step, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bursts_of_instructions, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
