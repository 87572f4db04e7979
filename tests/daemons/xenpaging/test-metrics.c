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
    if ( exposition_read(&seen, path) )
        fail_msg("%s: %s", path, seen.error);
}

static double value(const char *family, const char *labels)
{
    const double *found = exposition_value(&seen, family, labels);

    if ( !found )
        fail_msg("no %s{%s}", family, labels);
    return found ? *found : 0;
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
    assert_false(exposition_has(&seen, "xenpaging_domain_target_bytes"));
    assert_false(exposition_has(&seen, "xenpaging_domain_working_set_bytes"));
    assert_false(exposition_has(&seen, "xenpaging_domain_fault_median_seconds"));
    assert_int_equal(value("xenpaging_domain_out_bytes", labels), 0);

    assert_true(bench_reach(b.host->pages - OUT_PAGES, 100000));
    for ( unsigned int i = 0; i < 200000 && !(b.d->service.count && exposition_has(&seen, "xenpaging_domain_working_set_bytes")); i++ )
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
    if ( exposition_is_documented(&seen, "xenpaging_") )
        fail_msg("%s", seen.error);

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
