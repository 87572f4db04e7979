/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a daemon refuses at its start, in which words and with which status; its lock; and what it listens to.  Words go to
 * the terminal, which is a file here.
 */
#include "config.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/log.h"
#include "daemon/service.h"

#define NAME "test-service"

static char directory[] = "/tmp/test-service-XXXXXX";
static FILE *words;
static int terminal = -1;

static int begin(void **state)
{
    (void)state;
    words = tmpfile();
    if ( !words || !mkdtemp(directory) )
        return -1;
    terminal = dup(STDERR_FILENO);
    return 0;
}

static int end(void **state)
{
    (void)state;
    close(terminal);
    fclose(words);
    return rmdir(directory);
}

/* Between the two, what is logged is words'. */
static void listen_to_words(void)
{
    fflush(stderr);
    assert_int_equal(ftruncate(fileno(words), 0), 0);
    assert_int_equal(lseek(fileno(words), 0, SEEK_SET), 0);
    assert_true(dup2(fileno(words), STDERR_FILENO) >= 0);
    log_open(NAME, true);
}

static const char *heard(void)
{
    static char text[1024];
    ssize_t length;

    log_close();
    fflush(stderr);
    assert_true(dup2(terminal, STDERR_FILENO) >= 0);
    length = pread(fileno(words), text, sizeof(text) - 1, 0);
    assert_true(length >= 0);
    text[length] = 0;
    return text;
}

static void assert_says(const char *said, const char *part)
{
    if ( !strstr(said, part) )
        fail_msg("\"%s\" is not in \"%s\"", part, said);
}

static void test_a_second_one_is_refused(void **state)
{
    char run[sizeof(directory) + 8], lock[sizeof(run) + 32];
    int first, second;
    struct stat st;

    (void)state;
    snprintf(run, sizeof(run), "%s/run", directory);
    snprintf(lock, sizeof(lock), "%s/" NAME ".lock", run);
    assert_int_equal(service_take_lock(NAME, run, false, &first), EX_OK);
    assert_int_equal(stat(lock, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);

    listen_to_words();
    assert_int_equal(service_take_lock(NAME, run, false, &second), EX_UNAVAILABLE);
    assert_says(heard(), "another " NAME " serves this host: stop it first ('systemctl stop " NAME "')");
    close(second);
    assert_int_equal(service_take_lock(NAME, run, true, &second), EX_OK);
    close(second);

    /* The lock is the first one's still, and ends with it. */
    listen_to_words();
    assert_int_equal(service_take_lock(NAME, run, false, &second), EX_UNAVAILABLE);
    (void)heard();
    close(second);
    close(first);
    assert_int_equal(service_take_lock(NAME, run, false, &second), EX_OK);
    close(second);
    assert_int_equal(unlink(lock), 0);
    assert_int_equal(rmdir(run), 0);
}

static void test_no_place_for_a_lock(void **state)
{
    char missing[sizeof(directory) + 16], lock[sizeof(directory) + 32], long_name[5000];
    int fd = 5;

    (void)state;
    snprintf(missing, sizeof(missing), "%s/none/run", directory);
    listen_to_words();
    assert_int_equal(service_take_lock(NAME, missing, false, &fd), EX_CANTCREAT);
    assert_says(heard(), "none/run: No such file or directory; run as root, or set run-directory");
    assert_int_equal(fd, -1);

    /* Somebody else's link is not followed. */
    snprintf(lock, sizeof(lock), "%s/" NAME ".lock", directory);
    assert_int_equal(symlink("/dev/null", lock), 0);
    listen_to_words();
    assert_int_equal(service_take_lock(NAME, directory, true, &fd), EX_CANTCREAT);
    assert_says(heard(), strerror(ELOOP));
    assert_int_equal(unlink(lock), 0);

    memset(long_name, 'a', sizeof(long_name) - 1);
    long_name[0] = '/';
    long_name[sizeof(long_name) - 1] = 0;
    listen_to_words();
    assert_int_equal(service_take_lock(NAME, long_name, false, &fd), EX_CANTCREAT);
    (void)heard();
    assert_int_equal(fd, -1);
}

static void test_hosts_are_refused_in_words(void **state)
{
    (void)state;
    listen_to_words();
    assert_int_equal(service_refuse_host(NULL, "emulated/" NAME, -ENOENT), EX_UNAVAILABLE);
    assert_says(heard(), "no connection to Xen: No such file or directory; run as root in dom0");
    listen_to_words();
    assert_int_equal(service_refuse_host("moon", "emulated/" NAME, -EINVAL), EX_USAGE);
    assert_says(heard(), "moon: Invalid argument; see --help");
    listen_to_words();
    assert_int_equal(service_refuse_host("emulated:", "emulated/" NAME, -EOPNOTSUPP), EX_USAGE);
    assert_says(heard(), "only emulated/" NAME " has that host");
    listen_to_words();
    assert_int_equal(service_refuse_host("emulated:", NULL, -EOPNOTSUPP), EX_USAGE);
    assert_says(heard(), "see --help");
    listen_to_words();
    assert_int_equal(service_refuse_answer(-EACCES), EX_UNAVAILABLE);
    assert_says(heard(), "Xen does not answer: Permission denied; see 'xl dmesg'");
    listen_to_words();
    assert_int_equal(service_refuse_place("emulated:run=x"), EX_USAGE);
    assert_says(heard(), "--host=emulated:run=x: run= is a directory's absolute path");
}

static void test_statuses_of_options(void **state)
{
    static const struct { enum options_outcome outcome; int status; } each[] = {
        { OPTIONS_RUN, EX_OK }, { OPTIONS_ANSWERED, EX_OK }, { OPTIONS_WRONG_USAGE, EX_USAGE },
        { OPTIONS_WRONG_FILE, EX_CONFIG }, { OPTIONS_FAILED, EX_OSERR },
    };

    (void)state;
    for ( size_t i = 0; i < sizeof(each) / sizeof(each[0]); i++ )
    {
        listen_to_words();
        assert_int_equal(service_options(each[i].outcome, NULL), each[i].status);
        /* Said when, and only when, something is wrong. */
        assert_int_equal(*heard() != 0, each[i].status != EX_OK);
    }
}

struct ears {
    struct loop *loop;
    unsigned int stops, hangups;
};

static void on_stop(evutil_socket_t number, short what, void *arg)
{
    struct ears *ears = arg;

    (void)number;
    (void)what;
    ears->stops++;
    loop_stop(ears->loop);
}

static void on_hangup(evutil_socket_t number, short what, void *arg)
{
    struct ears *ears = arg;

    (void)number;
    (void)what;
    ears->hangups++;
    loop_stop(ears->loop);
}

static void test_signals(void **state)
{
    static const int signals[] = { SIGTERM, SIGINT, SIGQUIT, SIGHUP };
    struct ears ears = { 0 };
    struct event *watchdog;

    (void)state;
    assert_int_equal(loop_open(&ears.loop), 0);
    assert_int_equal(service_listen(ears.loop, on_stop, on_hangup, &ears, &watchdog), 0);
    assert_null(watchdog);
    for ( size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++ )
    {
        assert_int_equal(raise(signals[i]), 0);
        assert_int_equal(loop_run(ears.loop), 0);
    }
    assert_int_equal(ears.stops, 3);
    assert_int_equal(ears.hangups, 1);
    loop_close(ears.loop);
}

static void test_the_watchdog_is_asked_for(void **state)
{
    struct ears ears = { 0 };
    struct event *watchdog;
    char pid[16];

    (void)state;
    snprintf(pid, sizeof(pid), "%d", getpid());
    setenv("WATCHDOG_PID", pid, 1);
    setenv("WATCHDOG_USEC", "2000000", 1);
    assert_int_equal(loop_open(&ears.loop), 0);
    assert_int_equal(service_listen(ears.loop, on_stop, on_hangup, &ears, &watchdog), 0);
    assert_non_null(watchdog);
    assert_true(event_pending(watchdog, EV_TIMEOUT, NULL));
    event_free(watchdog);
    loop_close(ears.loop);
    unsetenv("WATCHDOG_PID");
    unsetenv("WATCHDOG_USEC");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_second_one_is_refused),
        cmocka_unit_test(test_no_place_for_a_lock),
        cmocka_unit_test(test_hosts_are_refused_in_words),
        cmocka_unit_test(test_statuses_of_options),
        cmocka_unit_test(test_signals),
        cmocka_unit_test(test_the_watchdog_is_asked_for),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
