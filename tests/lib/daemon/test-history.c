/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The history: bounded, goes on across lives, and says what is wrong with a file instead of believing it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/history.h"

#define CAPACITY  16U
#define PERIOD    60U
#define HEADER    512U
#define SAMPLE    128U

static const char *const names[] = { "saved", "free" };
static char directory[] = "/tmp/test-history-XXXXXX", path[64], aside[72], error[HISTORY_ERROR_BYTES];

static struct history *open_it(enum history_start expected)
{
    struct history *h;
    int rc = history_open(&h, path, names, 2, CAPACITY, PERIOD, error);

    if ( rc != (int)expected )
        fail_msg("history_open() says %d, '%s'", rc, error);
    return h;
}

/* Samples number `from` to `to`, one a minute; the values say which. */
static void add(struct history *h, uint64_t from, uint64_t to)
{
    for ( uint64_t i = from; i <= to; i++ )
    {
        struct history_sample s = { .time = 1000000 + i * PERIOD, .values = { 10 * i, 7 } };

        assert_int_equal(history_add(h, &s), 1);
        assert_int_equal(s.sequence, i);
    }
}

/* Bytes of the file become others. */
static void patch(off_t at, const void *bytes, size_t length)
{
    int fd = open(path, O_WRONLY);

    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, length, at), length);
    close(fd);
}

static void check(uint64_t from, uint64_t to, size_t damaged)
{
    struct history_view view;

    if ( history_view_open(&view, path, error) )
        fail_msg("%s", error);
    assert_int_equal(view.count, to - from + 1 - damaged);
    assert_int_equal(view.damaged, damaged);
    for ( size_t i = 0; !damaged && i < view.count; i++ )
    {
        assert_int_equal(view.samples[i].sequence, from + i);
        assert_int_equal(view.samples[i].time, 1000000 + (from + i) * PERIOD);
        assert_int_equal(view.samples[i].values[history_view_find(&view, "saved")], 10 * (from + i));
        assert_int_equal(view.samples[i].values[history_view_find(&view, "free")], 7);
    }
    assert_int_equal(history_view_find(&view, "cost"), -ENOENT);
    history_view_close(&view);
}

static void refused(int rc, const char *words)
{
    struct history_view view;

    error[0] = '\0';
    assert_int_equal(history_view_open(&view, path, error), rc);
    assert_int_equal(view.count, 0);
    if ( !strstr(error, words) )
        fail_msg("'%s' does not say '%s'", error, words);
}

static int clean(void **state)
{
    (void)state;
    rmdir(path);
    unlink(path);
    unlink(aside);
    return 0;
}

static void it_never_grows(void **state)
{
    struct history *h = open_it(HISTORY_NEW);
    struct stat about;

    (void)state;
    check(1, 0, 0);
    add(h, 1, 5);
    check(1, 5, 0);
    add(h, 6, CAPACITY);
    check(1, CAPACITY, 0);
    add(h, CAPACITY + 1, 5 * CAPACITY + 3);
    check(4 * CAPACITY + 4, 5 * CAPACITY + 3, 0);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_size, HEADER + CAPACITY * SAMPLE);
    history_close(h);
}

static void it_takes_one_a_period(void **state)
{
    struct history *h = open_it(HISTORY_NEW);
    struct history_sample s = { .time = 1000 };

    (void)state;
    assert_int_equal(history_add(h, &s), 1);
    for ( s.time = 1001; s.time < 1000 + PERIOD; s.time++ )
        assert_int_equal(history_add(h, &s), 0);
    assert_int_equal(history_add(h, &s), 1);
    /* A clock that was put right must not silence it until it is there again. */
    s.time = 500;
    assert_int_equal(history_add(h, &s), 1);
    s.time = 501;
    assert_int_equal(history_add(h, &s), 0);
    history_close(h);
}

static void the_next_life_goes_on(void **state)
{
    struct history *h = open_it(HISTORY_NEW), *second;
    struct history_sample s = { .time = 1000000 + 20 * PERIOD + 1 };

    (void)state;
    add(h, 1, 20);
    /* While it is kept, nobody else writes into it. */
    assert_int_equal(history_open(&second, path, names, 2, CAPACITY, PERIOD, NULL), -EBUSY);
    assert_null(second);
    history_close(h);
    h = open_it(HISTORY_GOES_ON);
    assert_int_equal(history_add(h, &s), 0);
    add(h, 21, 22);
    check(7, 22, 0);
    history_close(h);
    assert_int_equal(access(aside, F_OK), -1);
}

static void a_torn_sample_costs_itself(void **state)
{
    struct history *h = open_it(HISTORY_NEW);

    (void)state;
    add(h, 1, 10);
    history_close(h);
    patch(HEADER + 3 * SAMPLE + 20, "\xa5", 1);
    check(1, 10, 1);
    /* A sample in another's place, check and all. */
    {
        char copy[SAMPLE];
        int fd = open(path, O_RDONLY);

        assert_int_equal(pread(fd, copy, sizeof(copy), HEADER + 6 * SAMPLE), SAMPLE);
        close(fd);
        patch(HEADER + 7 * SAMPLE, copy, sizeof(copy));
    }
    check(1, 10, 2);
    h = open_it(HISTORY_GOES_ON);
    add(h, 11, 10 + CAPACITY);
    check(11, 10 + CAPACITY, 0);
    history_close(h);
}

static void what_is_no_history_is_said_and_set_aside(void **state)
{
    static const struct {
        off_t at;
        const char *bytes;
        size_t length;
        const char *words;
    } cases[] = {
        { 0, "{\"a\":1}\n", 8, "it is no history" },
        { 7, "9", 1, "another version" },
        { 8, "\xff", 1, "checksum is wrong" },
        { 16, "\0", 1, "checksum is wrong" },
        { 30, "x", 1, "checksum is wrong" },
        { 500, "x", 1, "checksum is wrong" },
    };

    (void)state;
    for ( size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++ )
    {
        struct history *h = open_it(HISTORY_NEW);

        add(h, 1, 3);
        history_close(h);
        patch(cases[i].at, cases[i].bytes, cases[i].length);
        refused(-EBADMSG, cases[i].words);
        h = open_it(HISTORY_SET_ASIDE);
        assert_non_null(strstr(error, cases[i].words));
        assert_int_equal(access(aside, F_OK), 0);
        add(h, 1, 2);
        check(1, 2, 0);
        history_close(h);
        clean(state);
    }
}

static void sizes_and_kinds_that_cannot_be(void **state)
{
    struct history *h = open_it(HISTORY_NEW);
    struct history_view view;

    (void)state;
    add(h, 1, 3);
    history_close(h);
    assert_int_equal(truncate(path, HEADER + CAPACITY * SAMPLE - 1), 0);
    refused(-EBADMSG, "its size is wrong");
    assert_int_equal(truncate(path, HEADER + (CAPACITY + 1) * SAMPLE), 0);
    refused(-EBADMSG, "its size is wrong");
    assert_int_equal(truncate(path, HEADER - 1), 0);
    refused(-EBADMSG, "cut off");
    assert_int_equal(truncate(path, 0), 0);
    refused(-EBADMSG, "cut off");
    history_close(open_it(HISTORY_NEW));
    assert_int_equal(truncate(path, (off_t)1 << 40), 0);
    refused(-EBADMSG, "larger than any history");
    unlink(path);
    refused(-ENOENT, "No such file");
    assert_int_equal(mkfifo(path, 0600), 0);
    refused(-EBADMSG, "it is not a file");
    unlink(path);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_true(history_view_open(&view, path, error) < 0);
    assert_int_equal(history_open(&h, path, names, 2, CAPACITY, PERIOD, NULL), -ELOOP);
}

static void all_samples_damaged_is_an_error(void **state)
{
    struct history *h = open_it(HISTORY_NEW);

    (void)state;
    add(h, 1, 2);
    history_close(h);
    patch(HEADER + 20, "\xa5", 1);
    patch(HEADER + SAMPLE + 20, "\xa5", 1);
    refused(-EBADMSG, "all its samples are damaged");
    history_close(open_it(HISTORY_SET_ASIDE));
}

static void other_figures_begin_anew(void **state)
{
    static const char *const other[] = { "saved", "spent" }, *const bad[] = { "Saved" },
                      *const longer[] = { "a_name_that_takes_more_than_its_thirty_two_bytes" };
    struct history *h = open_it(HISTORY_NEW);

    (void)state;
    add(h, 1, 3);
    history_close(h);
    assert_int_equal(history_open(&h, path, other, 2, CAPACITY, PERIOD, error), HISTORY_SET_ASIDE);
    assert_non_null(strstr(error, "of another version"));
    history_close(h);
    assert_int_equal(history_open(&h, path, other, 2, CAPACITY, 2 * PERIOD, error), HISTORY_SET_ASIDE);
    history_close(h);
    assert_int_equal(history_open(&h, path, bad, 1, CAPACITY, PERIOD, NULL), -EINVAL);
    assert_int_equal(history_open(&h, path, longer, 1, CAPACITY, PERIOD, NULL), -EINVAL);
    assert_int_equal(history_open(&h, path, other, 0, CAPACITY, PERIOD, NULL), -EINVAL);
    assert_int_equal(history_open(&h, path, other, 2, HISTORY_CAPACITY_MAX + 1, PERIOD, NULL), -EINVAL);
    assert_int_equal(history_open(&h, path, other, 2, CAPACITY, 0, NULL), -EINVAL);
    assert_null(h);
}

static int make_directory(void **state)
{
    (void)state;
    if ( !mkdtemp(directory) )
        return -1;
    snprintf(path, sizeof(path), "%s/history", directory);
    snprintf(aside, sizeof(aside), "%s.old", path);
    return 0;
}

static int remove_directory(void **state)
{
    (void)state;
    return rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(it_never_grows, clean),
        cmocka_unit_test_teardown(it_takes_one_a_period, clean),
        cmocka_unit_test_teardown(the_next_life_goes_on, clean),
        cmocka_unit_test_teardown(a_torn_sample_costs_itself, clean),
        cmocka_unit_test_teardown(what_is_no_history_is_said_and_set_aside, clean),
        cmocka_unit_test_teardown(sizes_and_kinds_that_cannot_be, clean),
        cmocka_unit_test_teardown(all_samples_damaged_is_an_error, clean),
        cmocka_unit_test_teardown(other_figures_begin_anew, clean),
    };

    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
