/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The pager's metrics: a collector can read them, they say what the pager counts, and the manual lists them all.
 */
#include "paged-bench.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/lib/daemon/exposition.h"

#define OUT_PAGES  100U
#define DAEMON     "daemon=\"xenpaging-7\""

static struct exposition seen;
static char path[4200];

static void read_file(void)
{
    static char text[1 << 18];
    FILE *file = fopen(path, "r");
    size_t length;

    assert_non_null(file);
    length = fread(text, 1, sizeof(text), file);
    fclose(file);
    exposition_free(&seen);
    if ( exposition_parse(&seen, text, length) )
        fail_msg("%s in\n%.*s", seen.error, (int)length, text);
}

static double value(const char *family, const char *labels)
{
    const double *found = exposition_value(&seen, family, labels);

    if ( !found )
        fail_msg("no %s{%s}", family, labels);
    return found ? *found : 0;
}

static bool is_seen(const char *family)
{
    for ( size_t i = 0; i < seen.count; i++ )
        if ( !strcmp(seen.samples[i].family, family) )
            return true;
    return false;
}

/* In both directions. */
static void compare_with_manual(void)
{
    static char listed[128][128];
    const char *top = getenv("srcdir");
    char file[4096], line[512];
    size_t count = 0;
    FILE *f;

    snprintf(file, sizeof(file), "%s/man/xen-memevent-metrics.7", top ? top : ".");
    f = fopen(file, "r");
    assert_non_null(f);
    while ( count < 128 && fgets(line, sizeof(line), f) )
        if ( sscanf(line, ".It Li %127s", listed[count]) == 1 )
            count++;
    fclose(f);
    for ( size_t i = 0; i < seen.count; i++ )
    {
        bool found = false;

        for ( size_t l = 0; l < count && !found; l++ )
            found = !strcmp(listed[l], seen.samples[i].family);
        if ( !found )
            fail_msg("xen-memevent-metrics(7) lacks %s", seen.samples[i].family);
    }
    for ( size_t l = 0; l < count; l++ )
        if ( (!strncmp(listed[l], "xenpaging_", 10) || !strncmp(listed[l], "xen_memevent_", 13)) && !is_seen(listed[l]) )
            fail_msg("xen-memevent-metrics(7) lists %s, which is not written", listed[l]);
}

static void what_is_counted_is_said(void **state)
{
    char labels[128], listens[64];

    (void)state;
    snprintf(path, sizeof(path), "%s/test-metrics-%d.prom", getenv("TMPDIR") ? getenv("TMPDIR") : ".", getpid());
    bench_open(2000, 8 * MIB, 0);
    snprintf(b.pager.status_name, sizeof(b.pager.status_name), "xenpaging-7");
    snprintf(b.d->name, sizeof(b.d->name), "a \"guest\"\n");
    snprintf(labels, sizeof(labels), DAEMON ",domid=\"%u\",domain=\"a \\\"guest\\\"\\\\x0a\"", FAKE_DOMID);

    /* Nobody asked for them. */
    pager_metrics_write(&b.pager);
    assert_null(b.pager.metrics);

    b.settings.metrics = path;
    b.d->target = TARGET_NONE;
    pager_metrics_write(&b.pager);
    read_file();
    assert_false(is_seen("xenpaging_domain_target_bytes"));
    assert_false(is_seen("xenpaging_domain_working_set_bytes"));
    assert_false(is_seen("xenpaging_domain_fault_median_seconds"));
    assert_int_equal(value("xenpaging_domain_out_bytes", labels), 0);

    assert_true(bench_reach(b.host->pages - OUT_PAGES, 100000));
    for ( unsigned int i = 0; i < 200000 && !(b.d->service.count && is_seen("xenpaging_domain_working_set_bytes")); i++ )
    {
        fake_step(b.host, i % FAKE_VCPUS);
        bench_round(10);
        if ( i % 1000 )
            continue;
        pager_metrics_write(&b.pager);
        read_file();
    }
    pager_metrics_write(&b.pager);
    read_file();
    assert_int_equal(value("xenpaging_domain_target_bytes", labels), b.d->target * 4096);
    assert_int_equal(value("xenpaging_domain_resident_bytes", labels), b.d->info.pages * 4096);
    assert_int_equal(value("xenpaging_domain_out_bytes", labels), store_count(b.d->store) * 4096);
    assert_int_equal(value("xenpaging_domain_paged_out_total", labels), b.d->statistics.paged_out);
    assert_int_equal(value("xenpaging_domain_paged_in_total", labels), b.d->statistics.paged_in);
    assert_int_equal(value("xenpaging_domain_faults_total", labels), b.d->statistics.faults);
    assert_true(b.d->statistics.faults > 0 && b.d->statistics.paged_out >= OUT_PAGES);
    assert_int_equal(value("xenpaging_store_pages", DAEMON ",kind=\"same_filled\"") +
                     value("xenpaging_store_pages", DAEMON ",kind=\"lz4\"") +
                     value("xenpaging_store_pages", DAEMON ",kind=\"uncompressed\"") +
                     value("xenpaging_store_pages", DAEMON ",kind=\"file\""), store_count(b.d->store));
    assert_true(value("xen_memevent_daemon_start_time_seconds", DAEMON) > 1e9);
    compare_with_manual();

    /* What cannot be written is no reason to stop, and can be later. */
    b.settings.metrics = (char *)(uintptr_t)"/nonexistent/xenpaging.prom";
    pager_metrics_write(&b.pager);
    assert_int_equal(b.pager.metrics_error, -ENOENT);
    b.settings.metrics = path;
    pager_metrics_write(&b.pager);
    assert_int_equal(b.pager.metrics_error, 0);

    /* With a socket alone, that as well; it goes with the loop whatever is out. */
    b.settings.metrics = NULL;
    b.settings.metrics_socket = (char *)(uintptr_t)"/nonexistent/metrics";
    pager_metrics_write(&b.pager);
    assert_int_equal(b.pager.metrics_error, -ENOENT);
    snprintf(listens, sizeof(listens), "/tmp/test-metrics-%d", getpid());
    b.settings.metrics_socket = listens;
    pager_metrics_write(&b.pager);
    assert_int_equal(b.pager.metrics_error, 0);
    assert_int_equal(access(listens, F_OK), 0);
    pager_metrics_close(&b.pager, false);
    assert_int_equal(access(listens, F_OK), -1);
    b.settings.metrics_socket = NULL;
    b.settings.metrics = path;
    pager_metrics_write(&b.pager);

    /* After a death that left pages out the last figures stay; after an end in order they go. */
    pager_metrics_close(&b.pager, false);
    assert_int_equal(access(path, F_OK), 0);
    pager_metrics_write(&b.pager);
    pager_metrics_close(&b.pager, true);
    assert_int_equal(access(path, F_OK), -1);
    exposition_free(&seen);
    bench_leave();
    bench_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_counted_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
