/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where a pager's state is kept while no pager runs: in a directory that has to be safe, and with a service manager,
 * whom the test plays.  What was put before a kill is there after it; after an end in order nothing is.
 */
#include "test-store.h"

#include <signal.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include <linux/magic.h>

#include "daemons/xenpaging/state.h"
#include "service-manager.h"

#define DOMID 5U
/* More than the smallest pool holds. */
#define GFNS  700U

static char spill[64], directory[64];
static struct settings settings = { .domid = DOMID, .memory_limit = MIB, .spill_limit = 16 * MIB, .spill_directory = spill };

struct open_state {
    struct state state;
    struct store *store;
    struct store_stage *stage;
};

static int open_in(struct open_state *o, const char *path)
{
    struct inherited left;
    const char *what;
    int rc;

    memset(o, 0, sizeof(*o));
    assert_int_equal(inherited_collect(&left), 0);
    rc = state_open(&o->state, &settings, &left, path, &o->store, &o->stage, &what);
    inherited_close(&left);
    return rc;
}

static void close_all(struct open_state *o)
{
    store_close(o->store);
    store_stage_close(o->stage);
    state_close(&o->state);
}

static void put_all(struct open_state *o)
{
    struct store_domain *d;

    assert_int_equal(store_domain_open(o->store, DOMID, test_uuid, &d), 0);
    for ( uint64_t gfn = 0; gfn < GFNS; gfn++ )
        test_put(o->store, d, gfn, TEST_ANY, gfn);
}

static void expect_all(struct open_state *o)
{
    struct store_domain *d;

    assert_true(o->state.is_resumed);
    assert_int_equal(store_domain_open(o->store, DOMID, test_uuid, &d), 1);
    assert_int_equal(store_count(d), GFNS);
    for ( uint64_t gfn = 0; gfn < GFNS; gfn++ )
        test_expect(o->store, d, gfn, TEST_ANY, gfn);
}

static void expect_nothing(struct open_state *o)
{
    uint8_t uuid[STORE_IDENTITY_SIZE];
    uint16_t domid = 0;

    assert_false(o->state.is_resumed);
    assert_false(store_domain_left(o->store, &domid, uuid));
}

/* A process that does it, and is killed. */
static void killed(void (*what)(void))
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if ( !pid )
    {
        setenv("CMOCKA_TEST_ABORT", "1", 1);
        what();
        kill(getpid(), SIGKILL);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static const char *path_of(const char *name)
{
    static char path[128];

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    return path;
}

/* ---- the directory ---- */

static int setup(void **state)
{
    struct statfs fs;

    (void)state;
    if ( statfs("/dev/shm", &fs) || fs.f_type != TMPFS_MAGIC )
    {
        puts("there is no tmpfs at /dev/shm");
        exit(77);
    }
    snprintf(directory, sizeof(directory), "/dev/shm/test-state-XXXXXX");
    snprintf(spill, sizeof(spill), "%s", "/dev/shm/test-spill-XXXXXX");
    return !mkdtemp(directory) || !mkdtemp(spill);
}

static int teardown(void **state)
{
    static const char *const names[] = { "index", "pool", "stage", "spill" };
    char path[128];

    (void)state;
    for ( unsigned int i = 0; i < 4; i++ )
        unlink(path_of(names[i]));
    snprintf(path, sizeof(path), "%s/xenpaging-%u.spill", spill, DOMID);
    unlink(path);
    return rmdir(directory) || rmdir(spill);
}

static void put_in_directory(void)
{
    struct open_state o;

    if ( open_in(&o, directory) )
        abort();
    put_all(&o);
}

static void test_killed(void **unused)
{
    struct open_state o, second;

    (void)unused;
    killed(put_in_directory);
    for ( unsigned int life = 0; life < 3; life++ )
    {
        assert_int_equal(open_in(&o, directory), 0);
        expect_all(&o);
        assert_int_equal(open_in(&second, directory), -EWOULDBLOCK);
        close_all(&second);
        close_all(&o);
    }
    assert_int_equal(open_in(&o, directory), 0);
    state_remove(&o.state);
    close_all(&o);
    assert_int_equal(access(path_of("index"), F_OK), -1);
    assert_int_equal(access(path_of("pool"), F_OK), -1);
    assert_int_equal(open_in(&o, directory), 0);
    expect_nothing(&o);
    close_all(&o);
}

/* Other limits than before, and no file wanted where there is one. */
static void test_other_settings(void **unused)
{
    struct open_state o;

    (void)unused;
    killed(put_in_directory);
    settings.memory_limit = 4 * MIB;
    assert_int_equal(open_in(&o, directory), 0);
    expect_all(&o);
    close_all(&o);
    /* Of a file that is not wanted any more, or wanted elsewhere, everything is there all the same. */
    settings.spill_limit = 0;
    assert_int_equal(open_in(&o, directory), 0);
    expect_all(&o);
    close_all(&o);
    settings.spill_limit = 16 * MIB;
    settings.spill_directory = directory;
    assert_int_equal(open_in(&o, directory), 0);
    expect_all(&o);
    close_all(&o);
    settings.spill_directory = spill;
    settings.memory_limit = MIB;
}

static void test_unsafe_directories(void **unused)
{
    const char *elsewhere = test_directory();
    struct open_state o;
    struct statfs fs;

    (void)unused;
    assert_int_equal(chmod(directory, 0750), 0);
    assert_int_equal(open_in(&o, directory), -EPERM);
    close_all(&o);
    assert_int_equal(chmod(directory, 0700), 0);

    assert_int_equal(symlink("/dev/shm/nowhere", path_of("index")), 0);
    assert_int_equal(open_in(&o, directory), -ELOOP);
    close_all(&o);
    unlink(path_of("index"));

    assert_int_equal(mkfifo(path_of("pool"), 0600), 0);
    assert_int_equal(open_in(&o, directory), -EPERM);
    close_all(&o);
    unlink(path_of("pool"));

    close(open(path_of("stage"), O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
    assert_int_equal(chmod(path_of("stage"), 0644), 0);
    assert_int_equal(open_in(&o, directory), -EPERM);
    close_all(&o);
    unlink(path_of("stage"));

    if ( !statfs(elsewhere, &fs) && fs.f_type != TMPFS_MAGIC )
    {
        char path[300];

        snprintf(path, sizeof(path), "%s/test-state-elsewhere", elsewhere);
        assert_int_equal(open_in(&o, path), -EMEDIUMTYPE);
        close_all(&o);
        rmdir(path);
    }
}

static void overwrite(const char *name, off_t at, const char *text)
{
    int fd = open(path_of(name), O_WRONLY | O_CLOEXEC);

    assert_true(fd >= 0 && pwrite(fd, text, strlen(text), at) == (ssize_t)strlen(text));
    close(fd);
}

/* What is damaged is said, and the pager begins anew, or without that part. */
static void test_damaged(void **unused)
{
    struct open_state o;

    (void)unused;
    killed(put_in_directory);
    overwrite("stage", 4, "damaged");
    assert_int_equal(open_in(&o, directory), 0);
    expect_all(&o);
    close_all(&o);
    overwrite("index", 60, "damaged");
    assert_int_equal(open_in(&o, directory), 0);
    expect_nothing(&o);
    close_all(&o);
    /* The pool of another. */
    killed(put_in_directory);
    unlink(path_of("pool"));
    assert_int_equal(open_in(&o, directory), 0);
    expect_nothing(&o);
    close_all(&o);
}

/* ---- the service manager ---- */

static void put_with_manager(void)
{
    struct open_state o;

    if ( open_in(&o, NULL) )
        abort();
    expect_nothing(&o);
    assert_true(o.state.is_kept);
    put_all(&o);
}

static void resume_with_manager(void)
{
    struct open_state o;

    manager_hands_over();
    if ( open_in(&o, NULL) )
        abort();
    expect_all(&o);
}

static void end_with_manager(void)
{
    struct open_state o;

    manager_hands_over();
    if ( open_in(&o, NULL) )
        abort();
    state_remove(&o.state);
}

static void resume_without_pool(void)
{
    struct open_state o;

    manager_hands_over();
    if ( open_in(&o, NULL) )
        abort();
    expect_nothing(&o);
}

/* A state-directory that was set since is not where the pages are. */
static void resume_with_directory(void)
{
    struct open_state o;

    manager_hands_over();
    if ( open_in(&o, directory) )
        abort();
    expect_all(&o);
}

static void test_service_manager(void **unused)
{
    (void)unused;
    manager_start(path_of("notify"));
    killed(put_with_manager);
    manager_listen();
    assert_int_equal(manager.count, 4);
    for ( unsigned int life = 0; life < 3; life++ )
    {
        killed(resume_with_manager);
        manager_listen();
        /* Nothing is handed over twice. */
        assert_int_equal(manager.count, 4);
    }
    killed(resume_with_directory);
    manager_listen();
    assert_int_equal(manager.count, 4);
    killed(end_with_manager);
    manager_listen();
    assert_int_equal(manager.count, 0);

    /* A part went missing: it begins anew, and leaves that with the manager in place of the old. */
    killed(put_with_manager);
    manager_listen();
    manager_forget("paging-pool");
    assert_int_equal(manager.count, 3);
    killed(resume_without_pool);
    manager_listen();
    assert_int_equal(manager.count, 4);

    manager_end();
}

static void test_no_manager(void **unused)
{
    struct open_state o;

    (void)unused;
    assert_int_equal(open_in(&o, NULL), 0);
    assert_false(o.state.is_kept);
    state_remove(&o.state);
    close_all(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_killed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_settings, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unsafe_directories, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged, setup, teardown),
        cmocka_unit_test_setup_teardown(test_service_manager, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_manager, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
