/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an earlier pager left, in the few states that a random kill hardly ever leaves: a page that is both on the stage and
 * stored, a page that is stored and not out, a drop that is older than what is stored.  The guest's own read is the judge.
 *
 * Each pager is a child process; what the hypervisor has, the store and the stage outlive it.
 */
#include "paged-bench.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGES 64U
#define GFN   17U                 /* the frame that all is about */
#define OTHER 18U
#define THIRD 19U
#define VCPU  3U

static struct {
    struct store_options options;
    struct store_state files;
    int stage;
} left;

static int setup(void **unused)
{
    struct store_state files;
    struct store_stage *stage;
    struct store *store;
    uint64_t seed = random_seed();

    (void)unused;
    left.options = (struct store_options){ .ram_bytes = 8 * MIB };
    memset(&b, 0, sizeof(b));
    b.host = fake_host_open(PAGES, random_next(&seed), true);
    if ( store_open(&store, &left.options) || store_stage_open(&stage, -1) )
        return -1;
    store_get_state(store, &files);
    left.files = (struct store_state){ dup(files.index), dup(files.pool), -1 };
    left.stage = dup(store_stage_fd(stage));
    store_close(store);
    store_stage_close(stage);
    return 0;
}

static int teardown(void **unused)
{
    (void)unused;
    b.host->buffers = 0;
    b.host->attached = false;
    fake_host_close(b.host);
    close(left.files.index);
    close(left.files.pool);
    close(left.stage);
    return 0;
}

/* A pager that goes on with what there is, does this, and is killed. */
static void live(void (*what)(void))
{
    struct fake_host *host = b.host;
    int status;
    pid_t pid;

    fflush(stdout);
    pid = fork();
    assert_true(pid >= 0);
    if ( !pid )
    {
        setenv("CMOCKA_TEST_ABORT", "1", 1);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        memset(&b, 0, sizeof(b));
        b.host = host;
        host->buffers = 0;
        if ( store_adopt(&b.pager.store, &left.options, &left.files) || store_stage_open(&b.pager.stage, left.stage) )
            abort();
        bench_begin(".");
        what();
        fake_kill();
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* By the hypervisor, to the stage's first page; the pager's own records are not touched. */
static void evict(uint64_t gfn)
{
    struct hypervisor *hv = &b.host->hv;
    struct hypervisor_operation nominate = { .call = PAGING_NOMINATE, .domid = FAKE_DOMID, .status = -EIO, .gfn = gfn };
    struct hypervisor_operation out = {
        .call = PAGING_EVICT, .domid = FAKE_DOMID, .status = -EIO, .gfn = gfn, .data = store_stage_pages(b.pager.stage),
    };

    store_stage_begin(b.pager.stage, FAKE_DOMID, &gfn, 1);
    assert_int_equal(hv->ops->submit(hv, &nominate, 1) ?: nominate.status, 0);
    assert_int_equal(hv->ops->submit(hv, &out, 1) ?: out.status, 0);
    assert_int_equal(b.host->frame[gfn].type, FAKE_PAGED);
}

static void put(uint64_t gfn)
{
    assert_true(store_reserve(b.pager.store, 1));
    assert_int_equal(store_put(b.d->store, gfn, store_stage_pages(b.pager.stage)), 0);
    store_stage_end(b.pager.stage);
}

static void page_out(void)
{
    evict(GFN);
    put(GFN);
}

/* The guest gives the frame up and gets another page there, with other bytes. */
static void renew(void)
{
    uint64_t before = b.host->frame[GFN].content;

    fake_enter();
    assert_true(fake_drop(b.host, GFN, false));
    assert_true(fake_populate(b.host, GFN));
    fake_leave();
    assert_int_not_equal(b.host->frame[GFN].content, before);
}

static void read_and_leave(void)
{
    bench_verify();
    fake_enter();
    fake_access(b.host, VCPU, GFN, false);
    fake_leave();
    assert_true(bench_settle(100));
    bench_leave();
}

/* What is on the channel, and nothing else. */
static void serve(void)
{
    while ( memevent_peek(b.d->channel) )
        pagein_serve(b.d);
}

/* ---- a page that is both on the stage and stored ---- */

static void leave_on_stage(void)
{
    page_out();
    renew();
    evict(GFN);
}

static void test_stage_goes_before_store(void **unused)
{
    (void)unused;
    live(leave_on_stage);
    live(read_and_leave);
}

/* ---- a page that is stored and not out ---- */

static void load(uint64_t gfn)
{
    static char bytes[HYPERVISOR_PAGE_SIZE] __attribute__((aligned(HYPERVISOR_PAGE_SIZE)));
    struct hypervisor_operation in = {
        .call = PAGING_LOAD, .domid = FAKE_DOMID, .status = -EIO, .gfn = gfn, .data = bytes,
    };
    struct hypervisor *hv = &b.host->hv;

    fake_fill(bytes, b.host->frame[gfn].content);
    assert_int_equal(hv->ops->submit(hv, &in, 1) ?: in.status, 0);
}

/* One that has come in, one that the guest has given up since, of which nobody is told, and one that is out. */
static void load_and_die(void)
{
    static const uint64_t gfns[] = { GFN, OTHER, THIRD };

    for ( unsigned int i = 0; i < 3; i++ )
    {
        evict(gfns[i]);
        put(gfns[i]);
    }
    load(GFN);
    load(OTHER);
    fake_enter();
    assert_true(fake_drop(b.host, OTHER, false));
    fake_leave();
}

static void expect_forgotten(void)
{
    assert_int_equal(store_count(b.d->store), 1);
    assert_true(store_has(b.d->store, THIRD));
    assert_int_equal(pages_count(b.d->pages, PAGE_OUT), 1);
    read_and_leave();
}

static void test_what_is_in_is_forgotten(void **unused)
{
    (void)unused;
    live(load_and_die);
    live(expect_forgotten);
}

/* ---- a drop that is older than what is stored ---- */

static void act_on_drop_and_die(void)
{
    struct memevent_event event;

    page_out();
    renew();
    assert_int_equal(memevent_next(b.d->channel, &event), 1);
    assert_int_equal(event.kind, MEMEVENT_PAGING_DROP);
    assert_int_equal(event.gfn, GFN);
    store_forget(b.d->store, GFN);
    page_out();
}

/* The drop comes again, and is answered. */
static void take_old_drop(void)
{
    struct memevent_statistics statistics;

    serve();
    memevent_get_statistics(b.d->channel, &statistics);
    assert_int_equal(statistics.received, 1);
    assert_int_equal(statistics.outstanding, 0);
    assert_true(store_has(b.d->store, GFN));
    read_and_leave();
}

static void test_old_drop(void **unused)
{
    (void)unused;
    live(act_on_drop_and_die);
    live(take_old_drop);
}

/* One that is not old is acted on, also if it is the first thing that comes. */
static void take_new_drop(void)
{
    assert_true(store_has(b.d->store, GFN));
    fake_enter();
    assert_true(fake_drop(b.host, GFN, false));
    fake_leave();
    serve();
    assert_false(store_has(b.d->store, GFN));
    bench_leave();
}

static void test_new_drop(void **unused)
{
    (void)unused;
    live(page_out);
    live(take_new_drop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_stage_goes_before_store, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_in_is_forgotten, setup, teardown),
        cmocka_unit_test_setup_teardown(test_old_drop, setup, teardown),
        cmocka_unit_test_setup_teardown(test_new_drop, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
