/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The order in which a loop looks, sleeps and stops.  Nothing here waits for a
 * clock to be right: where time matters a test would hang, and alarm() ends it.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/loop.h"

/* A hang, on the slowest machine under a sanitizer. */
#define HANG_SECONDS   60

static struct loop *loop;
static unsigned int calls, hooks;
static int last_fd;

static int begin(void **state)
{
    (void)state;
    calls = hooks = 0;
    last_fd = -1;
    alarm(HANG_SECONDS);

    return loop_open(&loop);
}

static int end(void **state)
{
    (void)state;
    alarm(0);
    loop_close(loop);

    return 0;
}

static void count_and_stop(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    (void)arg;
    calls++;
    last_fd = fd;
    loop_stop(loop);
}

static void count_to_three(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
    if ( ++calls == 3 )
        loop_stop(loop);
}

static bool stop_from_hook(void *arg)
{
    (void)arg;
    hooks++;
    loop_stop(loop);

    return false;
}

static void signals_call_back(void **state)
{
    static const int signals[] = { SIGTERM, SIGINT, SIGHUP };
    size_t i;

    (void)state;
    for ( i = 0; i < 3; i++ )
        assert_int_equal(loop_on_signal(loop, signals[i], count_and_stop,
                                        NULL), 0);
    for ( i = 0; i < 3; i++ )
    {
        assert_int_equal(raise(signals[i]), 0);
        assert_int_equal(loop_run(loop), 0);
        assert_int_equal(calls, i + 1);
        assert_int_equal(last_fd, signals[i]);
    }

    assert_int_equal(loop_on_signal(loop, SIGTERM, count_and_stop, NULL),
                     -EEXIST);
    assert_int_equal(loop_on_signal(loop, 0, count_and_stop, NULL), -EINVAL);
}

static void signals_are_bounded(void **state)
{
    unsigned int i;

    (void)state;
    for ( i = 0; i < LOOP_SIGNALS_MAX; i++ )
        assert_int_equal(loop_on_signal(loop, SIGRTMIN + i, count_and_stop,
                                        NULL), 0);
    assert_int_equal(loop_on_signal(loop, SIGTERM, count_and_stop, NULL),
                     -ENOSPC);
}

static void descriptors_call_back_while_readable(void **state)
{
    struct event *event;
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(loop_watch(loop, ends[0], count_to_three, NULL, &event),
                     0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    assert_int_equal(loop_run(loop), 0);
    assert_int_equal(calls, 3);
    event_free(event);
    close(ends[0]);
    close(ends[1]);

    assert_int_equal(loop_watch(loop, -1, count_to_three, NULL, &event),
                     -EINVAL);
    assert_null(event);
}

static void timers_go_on(void **state)
{
    struct event *event;

    (void)state;
    assert_int_equal(loop_every(loop, 1, count_to_three, NULL, &event), 0);
    assert_int_equal(loop_run(loop), 0);
    assert_int_equal(calls, 3);
    event_free(event);
    assert_int_equal(loop_every(loop, 0, count_to_three, NULL, &event),
                     -EINVAL);
}

/* Stops once the hook said five times that it was busy: by then a sleeping
 * loop would have hung, as nothing is ever readable. */
static bool busy_five_times(void *arg)
{
    (void)arg;
    if ( ++hooks == 6 )
        loop_stop(loop);

    return true;
}

static void a_busy_hook_keeps_it_awake(void **state)
{
    struct event *event;
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(loop_watch(loop, ends[0], count_and_stop, NULL, &event),
                     0);
    loop_before_sleep(loop, busy_five_times, NULL);
    assert_int_equal(loop_run(loop), 0);
    assert_int_equal(hooks, 6);
    assert_int_equal(calls, 0);

    /* Descriptors are looked at all the same. */
    hooks = 10;
    assert_int_equal(write(ends[1], "x", 1), 1);
    assert_int_equal(loop_run(loop), 0);
    assert_int_equal(calls, 1);
    assert_int_equal(hooks, 11);

    event_free(event);
    close(ends[0]);
    close(ends[1]);
}

static bool idle_hook(void *arg)
{
    (void)arg;
    hooks++;

    return false;
}

static void an_idle_hook_is_asked_before_each_sleep(void **state)
{
    struct event *event;

    (void)state;
    loop_before_sleep(loop, idle_hook, NULL);
    assert_int_equal(loop_every(loop, 1, count_to_three, NULL, &event), 0);
    assert_int_equal(loop_run(loop), 0);
    assert_int_equal(hooks, 3);
    event_free(event);
}

static void stops_come_from_anywhere(void **state)
{
    struct event *event;

    (void)state;
    assert_int_equal(loop_on_signal(loop, SIGTERM, count_and_stop, NULL), 0);

    /* Before the run. */
    loop_stop(loop);
    assert_int_equal(loop_run(loop), 0);

    /* From the hook, which does not let it sleep on. */
    loop_before_sleep(loop, stop_from_hook, NULL);
    assert_int_equal(loop_run(loop), 0);
    assert_int_equal(hooks, 1);
    loop_before_sleep(loop, NULL, NULL);

    /* One stop ends one run only. */
    assert_int_equal(loop_every(loop, 1, count_to_three, NULL, &event), 0);
    assert_int_equal(loop_run(loop), 0);
    assert_int_equal(calls, 3);
    event_free(event);
}

static void a_loop_that_could_never_wake_says_so(void **state)
{
    (void)state;
    assert_int_equal(loop_run(loop), -ENOENT);
}

static void a_reader_that_goes_away_ends_nothing(void **state)
{
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    assert_int_equal(write(ends[1], "x", 1), -1);
    assert_int_equal(errno, EPIPE);
    close(ends[1]);
}

static void closing_nothing_is_fine(void **state)
{
    (void)state;
    loop_close(NULL);
}

#define LOOP_TEST(f)   cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOOP_TEST(signals_call_back),
        LOOP_TEST(signals_are_bounded),
        LOOP_TEST(descriptors_call_back_while_readable),
        LOOP_TEST(timers_go_on),
        LOOP_TEST(a_busy_hook_keeps_it_awake),
        LOOP_TEST(an_idle_hook_is_asked_before_each_sleep),
        LOOP_TEST(stops_come_from_anywhere),
        LOOP_TEST(a_loop_that_could_never_wake_says_so),
        LOOP_TEST(a_reader_that_goes_away_ends_nothing),
        cmocka_unit_test(closing_nothing_is_fine),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
