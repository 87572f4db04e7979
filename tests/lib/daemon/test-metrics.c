/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * That a collector can read what is written, whatever a domain is called, and that it never reads half of it.
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
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon/metrics.h"
#include "exposition.h"

static const struct metrics_family saved = { "some_saved_bytes", METRICS_GAUGE, "Memory that is free" };
static const struct metrics_family merged = { "some_merged_total", METRICS_COUNTER, "Pages merged" };

static struct exposition seen;
static char directory[] = "/tmp/test-metrics-XXXXXX";

static struct metrics *open_some(void)
{
    struct metrics *m;

    assert_int_equal(metrics_open(&m, "some"), 0);
    assert_int_equal(metrics_declare(m, &saved), 0);
    assert_int_equal(metrics_declare(m, &merged), 1);
    metrics_begin(m);
    return m;
}

static void parse(struct metrics *m)
{
    size_t length;
    char *text = metrics_text(m, &length);

    assert_non_null(text);
    assert_int_equal(strlen(text), length);
    if ( exposition_parse(&seen, text, length) )
        fail_msg("%s in\n%s", seen.error, text);
    free(text);
}

static void expect(const char *family, const char *labels, double value)
{
    const double *found = exposition_value(&seen, family, labels);

    if ( !found )
        fail_msg("no %s{%s}", family, labels);
    else if ( isnan(value) ? !isnan(*found) : *found != value )
        fail_msg("%s{%s} is %.17g, not %.17g", family, labels, *found, value);
}

static void samples_of_a_family_come_in_one_piece(void **state)
{
    struct metrics *m = open_some();

    (void)state;
    for ( int domid = 1; domid <= 300; domid++ )
    {
        char number[12];

        snprintf(number, sizeof(number), "%d", domid);
        assert_int_equal(metrics_add(m, 0, domid * 4096.0, "domid", number, NULL), 0);
        assert_int_equal(metrics_add(m, 1, domid + 0.5, "domid", number, NULL), 0);
    }
    metrics_add(m, 0, 7, NULL);
    parse(m);
    assert_int_equal(seen.count, 601);
    expect("some_saved_bytes", "daemon=\"some\"", 7);
    expect("some_saved_bytes", "daemon=\"some\",domid=\"300\"", 300 * 4096.0);
    expect("some_merged_total", "daemon=\"some\",domid=\"42\"", 42.5);
    exposition_free(&seen);

    /* What is not there any more is not said any more, and a family without samples is left out. */
    metrics_begin(m);
    metrics_add(m, 1, 1, NULL);
    parse(m);
    assert_int_equal(seen.count, 1);
    exposition_free(&seen);
    metrics_close(m);
}

static void values_are_exact_in_every_locale(void **state)
{
    static const struct { double value; const char *text; } cases[] = {
        { 0, " 0\n" }, { 9007199254740991.0, " 9007199254740991\n" }, { -1, " -1\n" }, { 0.25, " 0.25\n" },
        { INFINITY, " +Inf\n" }, { -INFINITY, " -Inf\n" }, { NAN, " NaN\n" }, { 1e300, " 1e+300\n" },
    };
    const char *locale = setlocale(LC_NUMERIC, "de_DE.UTF-8");

    (void)state;
    for ( size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++ )
    {
        struct metrics *m = open_some();
        char *text;

        metrics_add(m, 0, cases[i].value, NULL);
        text = metrics_text(m, NULL);
        if ( !strstr(text, cases[i].text) )
            fail_msg("%g comes out as %s", cases[i].value, text);
        free(text);
        metrics_close(m);
    }
    if ( locale )
        setlocale(LC_NUMERIC, "C");
}

static void a_domains_name_is_no_more_than_a_name(void **state)
{
    static const struct { const char *name, *label; } cases[] = {
        { "web1", "web1" },
        { "", "" },
        { "a\"} 1\nevil{b=\"", "a\\\"} 1\\\\x0aevil{b=\\\"" },
        { "back\\slash", "back\\\\slash" },
        { "\x1b[2J\xe2\x80\xae", "\\\\x1b[2J\\\\xe2\\\\x80\\\\xae" },
        { "\xff\xc3", "\\\\xff\\\\xc3" },
        { "\xc3\xa4", "\xc3\xa4" },
    };
    char longest[4000], labels[1200];
    struct metrics *m;

    (void)state;
    for ( size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++ )
    {
        m = open_some();
        assert_int_equal(metrics_add(m, 0, 1, "domain", cases[i].name, "group", "g", NULL), 0);
        parse(m);
        assert_int_equal(seen.count, 1);
        snprintf(labels, sizeof(labels), "daemon=\"some\",domain=\"%s\",group=\"g\"", cases[i].label);
        expect("some_saved_bytes", labels, 1);
        exposition_free(&seen);
        metrics_close(m);
    }
    memset(longest, '\n', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    m = open_some();
    assert_int_equal(metrics_add(m, 0, 1, "domain", longest, NULL), 0);
    parse(m);
    assert_true(strlen(seen.samples[0].labels) < 2 * METRICS_LABEL_BYTES + 64);
    exposition_free(&seen);
    metrics_close(m);
}

static void families_that_contradict_themselves_are_refused(void **state)
{
    static const struct { struct metrics_family family; int rc; } cases[] = {
        { { "some_merged", METRICS_COUNTER, "x" }, -EINVAL },
        { { "some_saved_total", METRICS_GAUGE, "x" }, -EINVAL },
        { { "other_bytes", METRICS_GAUGE, "x" }, -EINVAL },
        { { "something_bytes", METRICS_GAUGE, "x" }, -EINVAL },
        { { "some_Bytes", METRICS_GAUGE, "x" }, -EINVAL },
        { { "some bytes", METRICS_GAUGE, "x" }, -EINVAL },
        { { "some_bytes", METRICS_GAUGE, "" }, -EINVAL },
        { { "some_bytes", METRICS_GAUGE, "two\nlines" }, -EINVAL },
        { { "some_saved_bytes", METRICS_GAUGE, "x" }, -EEXIST },
        { { "some_bytes", METRICS_GAUGE, "x" }, 2 },
    };
    struct metrics *m = open_some();

    (void)state;
    for ( size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++ )
        assert_int_equal(metrics_declare(m, &cases[i].family), cases[i].rc);
    metrics_close(m);

    /* One of several: its families are the daemon's. */
    assert_int_equal(metrics_open(&m, "some-3"), 0);
    assert_int_equal(metrics_declare(m, &saved), 0);
    metrics_begin(m);
    metrics_add(m, 0, 1, NULL);
    parse(m);
    expect("some_saved_bytes", "daemon=\"some-3\"", 1);
    exposition_free(&seen);
    metrics_close(m);
}

static void what_all_daemons_say(void **state)
{
    const struct metrics_daemon about = { .started = 1700000000, .hypercalls = 5, .operations = 600, .system_calls = 7 };
    struct metrics *m = open_some();
    const double *cpu, *memory;

    (void)state;
    assert_int_equal(metrics_add_daemon(m, &about), 0);
    parse(m);
    expect("xen_memevent_daemon_start_time_seconds", "daemon=\"some\"", 1700000000);
    expect("xen_memevent_hypercalls_total", "daemon=\"some\"", 5);
    expect("xen_memevent_hypercall_operations_total", "daemon=\"some\"", 600);
    expect("xen_memevent_system_calls_total", "daemon=\"some\"", 7);
    cpu = exposition_value(&seen, "xen_memevent_daemon_cpu_seconds_total", "daemon=\"some\"");
    memory = exposition_value(&seen, "xen_memevent_daemon_resident_bytes", "daemon=\"some\"");
    assert_non_null(cpu);
    assert_non_null(memory);
    assert_true(*cpu >= 0 && *cpu <= (double)clock() / CLOCKS_PER_SEC + 1);
    assert_true(*memory >= 65536);
    exposition_free(&seen);
    metrics_close(m);
}

/* An error is not forgotten, and leaves what is in place. */
static void a_file_is_replaced_whole_or_not_at_all(void **state)
{
    char path[64], made[72], text[4096] = "";
    struct metrics *m = open_some();
    struct stat about;
    FILE *file;

    (void)state;
    snprintf(path, sizeof(path), "%s/some.prom", directory);
    snprintf(made, sizeof(made), "%s.new", path);
    metrics_add(m, 0, 1, NULL);
    umask(022);
    assert_int_equal(metrics_write(m, path), 0);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 07777, 0644);
    assert_int_equal(access(made, F_OK), -1);

    metrics_begin(m);
    metrics_add(m, 0, 2, NULL);
    assert_int_equal(metrics_add(m, 0, 3, "Domain", "x", NULL), -EINVAL);
    assert_int_equal(metrics_add(m, 0, 3, "daemon", "x", NULL), -EINVAL);
    assert_int_equal(metrics_add(m, 2, 3, NULL), -EINVAL);
    assert_int_equal(metrics_add(m, -1, 3, NULL), -EINVAL);
    assert_int_equal(metrics_write(m, path), -EINVAL);
    assert_null(metrics_text(m, NULL));
    file = fopen(path, "r");
    assert_non_null(file);
    assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
    fclose(file);
    assert_non_null(strstr(text, "some_saved_bytes{daemon=\"some\"} 1\n"));

    /* What somebody put in the way is not written through, and does not stop us. */
    metrics_begin(m);
    metrics_add(m, 0, 4, NULL);
    assert_int_equal(symlink("/nonexistent/elsewhere", made), 0);
    assert_int_equal(metrics_write(m, path), 0);
    assert_int_equal(mkfifo(made, 0600), 0);
    assert_int_equal(metrics_write(m, path), 0);
    assert_int_equal(access(made, F_OK), -1);
    assert_int_equal(mkdir(made, 0700), 0);
    assert_true(metrics_write(m, path) < 0);
    assert_int_equal(rmdir(made), 0);
    assert_int_equal(unlink(path), 0);
    assert_true(metrics_write(m, "/nonexistent/some.prom") == -ENOENT);
    metrics_close(m);
}

static int make_directory(void **state)
{
    (void)state;
    return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
    (void)state;
    return rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_of_a_family_come_in_one_piece),
        cmocka_unit_test(values_are_exact_in_every_locale),
        cmocka_unit_test(a_domains_name_is_no_more_than_a_name),
        cmocka_unit_test(families_that_contradict_themselves_are_refused),
        cmocka_unit_test(what_all_daemons_say),
        cmocka_unit_test(a_file_is_replaced_whole_or_not_at_all),
    };

    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
