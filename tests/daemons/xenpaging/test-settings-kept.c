/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A pager that comes after one that died, with settings that a person spoiled meanwhile: it goes on with those of the dead
 * one, and never ends with a status after which the service manager would close what it keeps.  The test plays the manager.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <sysexits.h>

#include "daemons/xenpaging/settings-kept.h"
#include "service-manager.h"

static char directory[64];

static const char *path_of(const char *name)
{
    static char path[2][128];
    static unsigned int which;

    which = !which;
    snprintf(path[which], sizeof(path[which]), "%s/%s", directory, name);
    return path[which];
}

static int setup(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "%s", "/tmp/test-settings-XXXXXX");
    if ( !mkdtemp(directory) )
        return -1;
    manager_start(path_of("notify"));
    return 0;
}

static int teardown(void **state)
{
    static const char *const names[] = { "run/xenpaging.lock", "new/xenpaging.lock", "wrong.conf", "other.conf", "file" };

    (void)state;
    manager_end();
    for ( unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++ )
        unlink(path_of(names[i]));
    rmdir(path_of("run"));
    rmdir(path_of("new"));
    return rmdir(directory);
}

/* In a process of its own, as the environment is taken once. */
static void in_next_process(void (*what)(void))
{
    pid_t pid = fork();
    int status;

    assert_true(pid >= 0);
    if ( !pid )
    {
        setenv("CMOCKA_TEST_ABORT", "1", 1);
        manager_hands_over();
        what();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && !WEXITSTATUS(status));
}

static char spill_directory[] = "/spill here", run_directory[128];
static const struct settings odd = {
    .verbose = true,
    .memory_limit = 17u << 20,
    .spill_directory = spill_directory,
    .spill_limit = (UINT64_C(1) << 41) + 4096,
    .prefetch_limit = 3,
    .poll_limit = 0,
    .run_directory = run_directory,
};

static struct settings recalled;
static struct options *options;

static void recall(bool expect_kept)
{
    struct inherited left;
    bool are_kept = !expect_kept;

    assert_int_equal(inherited_collect(&left), 0);
    assert_int_equal(settings_recall(&left, &options, &recalled, &are_kept), 0);
    assert_int_equal(are_kept, expect_kept);
    inherited_close(&left);
}

static void recall_odd(void)
{
    recall(true);
    assert_true(recalled.verbose && !recalled.foreground && !recalled.domid);
    assert_int_equal(recalled.memory_limit, odd.memory_limit);
    assert_string_equal(recalled.spill_directory, odd.spill_directory);
    assert_int_equal(recalled.spill_limit, odd.spill_limit);
    assert_int_equal(recalled.prefetch_limit, odd.prefetch_limit);
    assert_int_equal(recalled.poll_limit, odd.poll_limit);
    assert_string_equal(recalled.run_directory, odd.run_directory);
    assert_null(recalled.state_directory);
    options_close(options);
}

static void recall_defaults(void)
{
    recall(false);
    assert_false(recalled.verbose);
    assert_int_equal(recalled.memory_limit, 256u << 20);
    assert_string_equal(recalled.run_directory, "/run/xen-memevent");
    options_close(options);
}

static void hand_over(const char *name, const char *text)
{
    int fd = memfd_create("test", MFD_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    manager_forget(name);
    assert_true(manager.count < STORED_MAX);
    manager.fd[manager.count] = fd;
    snprintf(manager.name[manager.count++], sizeof(manager.name[0]), "%s", name);
}

static void test_kept(void **unused)
{
    (void)unused;
    snprintf(run_directory, sizeof(run_directory), "%s", path_of("run"));
    for ( unsigned int times = 0; times < 3; times++ )
    {
        assert_int_equal(settings_keep(&odd), 0);
        manager_listen();
        /* Never two of one name. */
        assert_int_equal(manager.count, 1);
        in_next_process(recall_odd);
    }
    settings_forget();
    manager_listen();
    assert_int_equal(manager.count, 0);
    in_next_process(recall_defaults);
    hand_over("paging-settings", "memory-limit = 32M\nmemory-limi");
    in_next_process(recall_defaults);
    hand_over("paging-settings", "");
    in_next_process(recall_defaults);
}

/* The pager's own exit status, with what is kept handed to it. */
static int status_with(const char *option)
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if ( !pid )
    {
        manager_hands_over();
        execl("daemons/xenpaging/xenpaging", "xenpaging", option, (char *)NULL);
        _exit(125);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void write_file(const char *name, const char *key, const char *value)
{
    FILE *out = fopen(path_of(name), "w");

    assert_non_null(out);
    fprintf(out, "%s = %s\n", key, value);
    assert_int_equal(fclose(out), 0);
}

/* Without Xen the pager comes no further than its lock: where that is tells which settings it used. */
static bool has_started_in(const char *name)
{
    char path[32];
    bool there;

    snprintf(path, sizeof(path), "%s/xenpaging.lock", name);
    there = !access(path_of(path), F_OK);
    unlink(path_of(path));
    return there;
}

static void test_statuses(void **unused)
{
    char wrong[128], other[128], text[256];

    (void)unused;
    if ( !access("/dev/xen/privcmd", F_OK) )
    {
        puts("this is a Xen host: no pager is started by a test here");
        return;
    }
    snprintf(wrong, sizeof(wrong), "--config=%s", path_of("wrong.conf"));
    snprintf(other, sizeof(other), "--config=%s", path_of("other.conf"));
    write_file("wrong.conf", "memory-limit", "much");

    /* Nothing is kept: a person has to put it right, and the unit is to fail. */
    assert_int_equal(status_with(wrong), EX_CONFIG);
    assert_int_equal(status_with("--no-such-option"), EX_USAGE);
    write_file("other.conf", "run-directory", path_of("new"));
    assert_int_equal(status_with(other), EX_UNAVAILABLE);
    assert_true(has_started_in("new"));

    /* Pages are kept. */
    snprintf(text, sizeof(text), "run-directory = %s\n", path_of("run"));
    hand_over("paging-index", "");
    hand_over("paging-settings", text);
    assert_int_equal(status_with(wrong), EX_TEMPFAIL);
    assert_true(has_started_in("run"));
    assert_int_equal(status_with("--no-such-option"), EX_TEMPFAIL);
    assert_true(has_started_in("run"));
    /* What is sound is taken. */
    assert_int_equal(status_with(other), EX_TEMPFAIL);
    assert_true(has_started_in("new") && !has_started_in("run"));
    /* Well written, and of no use. */
    write_file("file", "a", "file");
    write_file("other.conf", "run-directory", path_of("file/below"));
    assert_int_equal(status_with(other), EX_TEMPFAIL);
    assert_true(has_started_in("run"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(test_statuses, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
