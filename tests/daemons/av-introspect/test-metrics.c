/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The broker's metrics: a collector can read them, they say what the broker counts, and the manual lists them all.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker-bench.h"

#include <daemon/log.h>
#include <hypervisor/emulated/emulated.h>
#include <hypervisor/hypervisor.h>

#include "marker-scanner.h"
#include "tests/lib/daemon/exposition.h"

#define CODE    "these are instructions"
#define DAEMON  "daemon=\"av-introspect\""
#define GUARDED DAEMON ",domid=\"1\",domain=\"guarded\""

static struct exposition seen;

/* A sample, once the file says so much; it is written once a second. */
static bool says(const char *family, const char *labels, double value)
{
    const double *found;

    if ( exposition_read(&seen, t.settings.metrics) )
        return false;
    found = exposition_value(&seen, family, labels);
    return found && *found == value;
}

static void what_is_counted_is_said(void **state)
{
    char file[96], socket[96], got[128];

    (void)state;
    snprintf(file, sizeof(file), "%s/av.prom", t.directory);
    snprintf(socket, sizeof(socket), "%s/av.metrics", t.directory);
    t.settings.metrics = file;
    t.settings.metrics_socket = socket;
    start();
    put(DOMID, 0, 5, CODE);
    runs(DOMID, 5, CODE);
    put(DOMID, 0, 6, CODE);
    runs(DOMID, 6, CODE);
    put(DOMID, 0, 7, MARKER_MALICIOUS);
    assert_int_equal(execute(DOMID, 0, 7, got), -EPERM);

    wait_for(says("av_domain_denied_total", GUARDED, 1));
    wait_for(says("av_domain_protected", GUARDED, 1));
    wait_for(says("av_domain_executable_pages", GUARDED, 2));
    wait_for(says("av_domain_scans_total", GUARDED, 2));
    wait_for(says("av_domain_cached_total", GUARDED, 1));
    wait_for(says("av_cache_hits_total", DAEMON, 1));
    wait_for(says("av_domain_verdicts_total", GUARDED ",verdict=\"malicious\"", 1));
    wait_for(says("av_domain_findings_total", GUARDED, 1));
    assert_true(*exposition_value(&seen, "av_domain_events_total", GUARDED ",kind=\"execute\"") >= 3);
    assert_true(*exposition_value(&seen, "av_domain_wait_longest_seconds", GUARDED) > 0);
    assert_true(*exposition_value(&seen, "av_domain_wait_seconds_total", GUARDED) >=
                *exposition_value(&seen, "av_domain_wait_longest_seconds", GUARDED));

    /* A domain that one looks for and that is not guarded is seen as well. */
    assert_int_equal(access(socket, F_OK), 0);
    assert_int_equal(emulated_create_domain(t.hv, OTHER, 1, FRAMES), 0);
    assert_int_equal(t.hv->ops->write_key(t.hv, "/local/domain/2/name", "a \"guarded\"\n"), 0);
    assert_int_equal(t.hv->ops->write_key(t.hv, "/local/domain/2/memory/av-protect", "yes"), 0);
    wait_for(says("av_domain_protected", DAEMON ",domid=\"2\",domain=\"a \\\"guarded\\\"\\\\x0a\"", 1));

    /* As nobody guarded it meanwhile, what was new was executed. */
    assert_null(exposition_value(&seen, "av_domain_gap_seconds", GUARDED ",new_code=\"ran\""));
    stop();
    pause_ms(20);
    start();
    wait_for(!exposition_read(&seen, file) && exposition_value(&seen, "av_domain_gap_seconds", GUARDED ",new_code=\"ran\""));
    assert_true(*exposition_value(&seen, "av_domain_gap_seconds", GUARDED ",new_code=\"ran\"") >= 0.02);
    if ( exposition_is_documented(&seen, "av_") )
        fail_msg("%s", seen.error);

    /* After an end in order there is nothing left of them. */
    stop();
    assert_int_equal(access(file, F_OK), -1);
    assert_int_equal(access(socket, F_OK), -1);
    exposition_free(&seen);
}

static void what_cannot_be_written_can_be_later(void **state)
{
    char file[96], directory[80];

    (void)state;
    snprintf(directory, sizeof(directory), "%s/later", t.directory);
    snprintf(file, sizeof(file), "%s/av.prom", directory);
    t.settings.metrics = file;
    start();
    put(DOMID, 0, 5, CODE);
    runs(DOMID, 5, CODE);
    wait_for(status_of(DOMID, "pages", "executable") == 1);
    assert_int_equal(mkdir(directory, 0755), 0);
    wait_for(says("av_domain_executable_pages", GUARDED, 1));
    assert_int_equal(access(file, F_OK), 0);
    exposition_free(&seen);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_counted_is_said, setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_written_can_be_later, setup, teardown),
    };

    log_open("test-metrics", true);
    log_set_level(LOG_ERR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
