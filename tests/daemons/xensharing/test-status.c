/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the sharer publishes: each figure is under its own name, in the status file, in the metrics and in the history;
 * what is not known is left out; and man/ lists exactly the names that there are.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>
#include <unistd.h>

#include <json-c/json.h>

#include <daemon/history.h>
#include <daemon/metrics.h>

#include "daemons/xensharing/status.h"
#include "tests/lib/daemon/exposition.h"

#define COUNT(array)  (sizeof(array) / sizeof((array)[0]))

static char path[] = "/tmp/test-status-XXXXXX/xensharing.json";

/* Every number of a structure gets a value that no other has. */
static uint64_t next_value = 1001;

static void number_pages(struct sharing_status_pages *p)
{
    uint64_t *words = (uint64_t *)p;

    for ( size_t i = 0; i < sizeof(*p) / sizeof(*words); i++ )
        words[i] = next_value++;
}

static const struct sharing_status_count refused[] = { { "EBUSY", 31 }, { "ENOMEM", 32 } };
static const struct sharing_status_count reasons[] = { { "unshared", 41 }, { "dying", 42 } };
static struct sharing_status_group groups[2];
static struct sharing_status_domain domains[3];
static struct sharing_status status;

static void get_counts(const struct hypervisor *hv, struct hypervisor_counts *out)
{
    (void)hv;
    *out = (struct hypervisor_counts){ .hypercalls = 51, .operations = 52, .system_calls = 53 };
}

static const struct hypervisor_ops operations = { .name = "none \"at all\"", .get_counts = get_counts };
static struct hypervisor hypervisor = { .ops = &operations };

static int fill(void **state)
{
    (void)state;
    next_value = 1001;
    groups[0] = (struct sharing_status_group){ .name = "web", .origin = "configuration", .within = true, .domains = 2,
                                               .merged = 61, .unshared = 62 };
    groups[1] = (struct sharing_status_group){ .name = "evil\"}\n\x1b[2J", .origin = "xenstore", .merged = 63,
                                               .unshared = 64 };
    domains[0] = (struct sharing_status_domain){
        .domid = 3, .name = "web1", .uuid = "00000000-0000-0000-0000-000000000003", .group = "web", .within = true,
        .group_origin = "configuration", .state = "scanning", .scanned = 71, .merged = 72, .unshared = 73,
    };
    domains[1] = (struct sharing_status_domain){
        .domid = 4, .name = "web2\xff\n", .uuid = "00000000-0000-0000-0000-000000000004", .group = "web",
        .group_origin = "xenstore", .refusal = "it has a device assigned", .scanned = 74, .merged = 75, .unshared = 76,
    };
    domains[2] = (struct sharing_status_domain){ .domid = 5, .name = "alone" };
    status = (struct sharing_status){
        .stopping = true, .hypervisor = &hypervisor, .started = 1700000000,
        .host = { .total = 1, .free = 2, .need = 3, .overcommit_percent = 4, .overcommit_limit = 5, .xen_shared = 6,
                  .xen_saved = 7, .merging = true },
        .scan = { .pass = 8, .scanning = true, .pass_started = 9, .pass_milliseconds = 10, .next_pass_milliseconds = 11,
                  .pass_pages = 12, .pass_done = 13, .scanned = 14, .hashed = 15, .zero = 81, .filled = 82, .mapped = 16, .cpu_permille = 17,
                  .cpu_limit_percent = 18, .cpu_milliseconds = 19, .threads = 20, .index_bytes = 21,
                  .index_limit_bytes = 22 },
        .merge = { .candidates = 23, .compared = 24, .merged = 25, .already = 26, .different = 27, .busy = 28,
                   .stale = 29, .unmerged = 30, .batches = 33, .refused = refused, .refused_count = COUNT(refused) },
        .invalidates = { .transport = "memevent channel", .received = 34, .lost = 35, .unknown = 36, .doubted = 37,
                         .re_examined = 38, .reasons = reasons, .reasons_count = COUNT(reasons) },
        .groups = groups, .groups_count = COUNT(groups), .domains = domains, .domains_count = COUNT(domains),
    };
    number_pages(&status.now);
    number_pages(&groups[0].now);
    number_pages(&groups[1].now);
    number_pages(&domains[0].now);
    return 0;
}

static struct json_object *written(void)
{
    struct json_object *root;

    assert_int_equal(status_write(&status, path), 0);
    root = json_object_from_file(path);
    assert_non_null(root);
    return root;
}

/* "groups.1.name" */
static struct json_object *at(struct json_object *root, const char *where)
{
    char copy[128], *rest = NULL;

    snprintf(copy, sizeof(copy), "%s", where);
    for ( char *name = strtok_r(copy, ".", &rest); name && root; name = strtok_r(NULL, ".", &rest) )
    {
        if ( json_object_is_type(root, json_type_array) )
            root = json_object_array_get_idx(root, strtoul(name, NULL, 10));
        else if ( !json_object_object_get_ex(root, name, &root) )
            root = NULL;
    }
    return root;
}

static void every_figure_has_its_name(void **state)
{
    static const char *const pages[] = { "pages", "sharing", "shared", "saved", "unique", "unsettled",
                                         "volatile", "cooling", "doubtful" };
    static const struct { const char *where; uint64_t value; } numbers[] = {
        { "version", 1 }, { "started", 1700000000 },
        { "hypervisor.hypercalls", 51 }, { "hypervisor.operations", 52 }, { "hypervisor.system_calls", 53 },
        { "host.total", 1 }, { "host.free", 2 }, { "host.need", 3 }, { "host.overcommit_percent", 4 },
        { "host.overcommit_limit", 5 }, { "host.xen_shared", 6 }, { "host.xen_saved", 7 },
        { "scan.pass", 8 }, { "scan.pass_started", 9 }, { "scan.pass_milliseconds", 10 },
        { "scan.next_pass_milliseconds", 11 }, { "scan.pass_pages", 12 }, { "scan.pass_done", 13 },
        { "scan.scanned", 14 }, { "scan.hashed", 15 }, { "scan.zero", 81 }, { "scan.filled", 82 }, { "scan.mapped", 16 }, { "scan.cpu_permille", 17 },
        { "scan.cpu_limit_percent", 18 }, { "scan.cpu_milliseconds", 19 }, { "scan.threads", 20 },
        { "scan.index_bytes", 21 }, { "scan.index_limit_bytes", 22 },
        { "merge.candidates", 23 }, { "merge.compared", 24 }, { "merge.merged", 25 }, { "merge.already", 26 },
        { "merge.different", 27 }, { "merge.busy", 28 }, { "merge.stale", 29 }, { "merge.unmerged", 30 },
        { "merge.batches", 33 }, { "merge.refused.EBUSY", 31 }, { "merge.refused.ENOMEM", 32 },
        { "invalidates.received", 34 }, { "invalidates.lost", 35 }, { "invalidates.unknown", 36 },
        { "invalidates.doubted", 37 }, { "invalidates.re_examined", 38 }, { "invalidates.reasons.unshared", 41 },
        { "invalidates.reasons.dying", 42 },
        { "groups.0.domains", 2 }, { "groups.0.merged", 61 }, { "groups.0.unshared", 62 }, { "groups.1.merged", 63 },
        { "domains.0.domid", 3 }, { "domains.0.scanned", 71 }, { "domains.0.merged", 72 }, { "domains.0.unshared", 73 },
        { "domains.1.domid", 4 },
    };
    static const struct { const char *where, *text; } texts[] = {
        { "hypervisor.backend", "none \"at all\"" }, { "invalidates.transport", "memevent channel" },
        { "groups.0.name", "web" }, { "groups.0.origin", "configuration" }, { "groups.1.name", "evil\"}\n\x1b[2J" },
        { "domains.0.name", "web1" }, { "domains.0.uuid", "00000000-0000-0000-0000-000000000003" },
        { "domains.0.group", "web" }, { "domains.0.group_origin", "configuration" }, { "domains.0.state", "scanning" },
        { "domains.1.refusal", "it has a device assigned" },
        { "domains.1.state", "refused" },
    };
    static const struct { const char *where; bool flag; } flags[] = {
        { "stopping", true }, { "host.merging", true }, { "scan.scanning", true }, { "groups.0.within", true },
        { "groups.1.within", false }, { "domains.0.within", true }, { "domains.1.within", false },
    };
    static const char *const with_pages[] = { "host", "groups.0", "groups.1", "domains.0" };
    struct json_object *root = written();
    uint64_t value = 1001;
    char where[64];

    (void)state;
    assert_int_equal(json_object_get_uint64(at(root, "pid")), getpid());
    for ( size_t i = 0; i < COUNT(numbers); i++ )
        if ( json_object_get_uint64(at(root, numbers[i].where)) != numbers[i].value )
            fail_msg("%s is %s", numbers[i].where, json_object_to_json_string(at(root, numbers[i].where)));
    for ( size_t w = 0; w < COUNT(with_pages); w++ )
        for ( size_t i = 0; i < COUNT(pages); i++, value++ )
        {
            snprintf(where, sizeof(where), "%s.%s", with_pages[w], pages[i]);
            if ( json_object_get_uint64(at(root, where)) != value )
                fail_msg("%s is %s", where, json_object_to_json_string(at(root, where)));
        }
    for ( size_t i = 0; i < COUNT(texts); i++ )
        assert_string_equal(json_object_get_string(at(root, texts[i].where)), texts[i].text);
    for ( size_t i = 0; i < COUNT(flags); i++ )
        assert_true(at(root, flags[i].where) && json_object_get_boolean(at(root, flags[i].where)) == flags[i].flag);
    assert_int_equal(json_object_array_length(at(root, "domains")), 3);
    assert_int_equal(json_object_array_length(at(root, "groups")), 2);
    json_object_put(root);
}

static void what_is_not_known_is_left_out(void **state)
{
    struct json_object *root;

    (void)state;
    status.scan.pass_milliseconds = status.scan.next_pass_milliseconds = status.scan.index_limit_bytes =
        domains[0].now.unique = SHARING_STATUS_NONE;
    status.invalidates.transport = NULL;
    status.hypervisor = NULL;
    root = written();
    assert_null(at(root, "scan.pass_milliseconds"));
    assert_null(at(root, "scan.next_pass_milliseconds"));
    assert_null(at(root, "scan.index_limit_bytes"));
    assert_null(at(root, "invalidates.transport"));
    assert_null(at(root, "hypervisor"));
    assert_null(at(root, "domains.0.unique"));
    assert_non_null(at(root, "domains.0.unsettled"));
    assert_null(at(root, "domains.0.refusal"));
    assert_null(at(root, "domains.2.group"));
    assert_null(at(root, "domains.2.uuid"));
    json_object_put(root);
}

static struct exposition seen;

static void fill_metrics(void)
{
    struct metrics *m;
    size_t length;
    char *text;

    assert_int_equal(status_metrics_open(&m, "xensharing"), 0);
    assert_int_equal(status_metrics_fill(m, &status), 0);
    text = metrics_text(m, &length);
    assert_non_null(text);
    if ( exposition_parse(&seen, text, length) )
        fail_msg("%s in\n%s", seen.error, text);
    free(text);
    metrics_close(m);
}

#define DAEMON  "daemon=\"xensharing\""
#define WEB1    DAEMON ",domid=\"3\",domain=\"web1\",group=\"web\""

static void metrics_say_the_same(void **state)
{
    const struct { const char *family, *labels; double value; } cases[] = {
        { "xensharing_host_bytes", DAEMON, 4096 },
        { "xensharing_host_free_bytes", DAEMON, 8192 },
        { "xensharing_need_bytes", DAEMON, 12288 },
        { "xensharing_overcommit_ratio", DAEMON, 0.04 },
        { "xensharing_merging", DAEMON, 1 },
        { "xensharing_scanning", DAEMON, 1 },
        { "xensharing_saved_bytes", DAEMON, 4096.0 * status.now.saved },
        { "xensharing_volatile_pages", DAEMON, status.now.volatile_ },
        { "xensharing_pass_duration_seconds", DAEMON, 0.01 },
        { "xensharing_cpu_ratio", DAEMON, 0.017 },
        { "xensharing_cpu_limit_ratio", DAEMON, 0.18 },
        { "xensharing_pages_hashed_total", DAEMON, 15 },
        { "xensharing_pages_merged_total", DAEMON, 25 },
        { "xensharing_merges_refused_total", DAEMON ",error=\"ENOMEM\"", 32 },
        { "xensharing_invalidates_received_total", DAEMON, 34 },
        { "xensharing_invalidates_total", DAEMON ",reason=\"dying\"", 42 },
        { "xensharing_invalidate_channel", DAEMON, 1 },
        { "xensharing_group_domains", DAEMON ",group=\"web\"", 2 },
        { "xensharing_group_pages_unshared_total", DAEMON ",group=\"evil\\\"}\\\\x0a\\\\x1b[2J\"", 64 },
        { "xensharing_group_saved_bytes", DAEMON ",group=\"web\"", 4096.0 * groups[0].now.saved },
        { "xensharing_domain_sharing_pages", WEB1, domains[0].now.sharing },
        { "xensharing_domain_pages_merged_total", WEB1, 72 },
        { "xensharing_domain_member", WEB1, 1 },
        { "xensharing_domain_member", DAEMON ",domid=\"4\",domain=\"web2\\\\xff\\\\x0a\",group=\"web\"", 0 },
        { "xen_memevent_hypercalls_total", DAEMON, 51 },
        { "xen_memevent_system_calls_total", DAEMON, 53 },
        { "xen_memevent_daemon_start_time_seconds", DAEMON, 1700000000 },
    };

    (void)state;
    fill_metrics();
    for ( size_t i = 0; i < COUNT(cases); i++ )
    {
        const double *found = exposition_value(&seen, cases[i].family, cases[i].labels);
        double off = found ? *found - cases[i].value : 1;

        if ( off > 1e-9 || off < -1e-9 )
            fail_msg("%s{%s} is %f, not %f", cases[i].family, cases[i].labels, found ? *found : -1, cases[i].value);
    }
    exposition_free(&seen);

    status.scan.pass_milliseconds = SHARING_STATUS_NONE;
    status.invalidates.transport = NULL;
    fill_metrics();
    assert_null(exposition_value(&seen, "xensharing_pass_duration_seconds", DAEMON));
    assert_int_equal(*exposition_value(&seen, "xensharing_invalidate_channel", DAEMON), 0);
    exposition_free(&seen);
}

/* Who goes by the manual finds what he reads there, and nothing that he does not. */
static bool documented(const char *page, const char *name)
{
    const char *top = getenv("srcdir");
    char file[4096], line[512], wanted[256];
    bool found = false;
    FILE *f;

    snprintf(file, sizeof(file), "%s/man/%s", top ? top : ".", page);
    f = fopen(file, "r");
    if ( !f )
        fail_msg("there is no %s", file);
    snprintf(wanted, sizeof(wanted), ".It Li %s", name);
    while ( !found && fgets(line, sizeof(line), f) )
    {
        line[strcspn(line, "\n")] = '\0';
        found = !strncmp(line, wanted, strlen(wanted)) && (!line[strlen(wanted)] || line[strlen(wanted)] == ' ');
    }
    fclose(f);
    return found;
}

static void the_manual_lists_the_families(void **state)
{
    (void)state;
    fill_metrics();
    if ( exposition_is_documented(&seen, "xensharing_") )
        fail_msg("%s", seen.error);
    exposition_free(&seen);
}

static void look_for_keys(struct json_object *object, const char *where)
{
    json_object_object_foreach(object, key, value)
    {
        char name[128];

        snprintf(name, sizeof(name), "%s%s%s", where, *where ? "." : "", key);
        /* Refusals and reasons have names of their own. */
        if ( json_object_is_type(value, json_type_object) && strcmp(key, "refused") && strcmp(key, "reasons") )
            look_for_keys(value, name);
        else if ( json_object_is_type(value, json_type_array) )
            look_for_keys(json_object_array_get_idx(value, 0), name);
        else if ( !documented("xen-memevent-status.5", name) &&
                  !documented("xen-memevent-status.5", strrchr(name, '.') ? strrchr(name, '.') : name) )
            fail_msg("xen-memevent-status(5) lacks %s", name);
    }
}

static void the_manual_lists_the_fields(void **state)
{
    struct json_object *root;

    (void)state;
    domains[0].refusal = "as an example";
    root = written();
    look_for_keys(root, "");
    json_object_put(root);
}

static void the_history_gets_its_figures(void **state)
{
    struct history_sample sample = { 0 };
    const struct { const char *name; uint64_t value; } cases[] = {
        { "saved", status.now.saved }, { "sharing", status.now.sharing }, { "shared", status.now.shared },
        { "unique", status.now.unique }, { "volatile", status.now.volatile_ }, { "pages", status.now.pages },
        { "free", 2 }, { "total", 1 }, { "need", 3 }, { "merged", 25 }, { "unshared", 62 + 64 },
        { "cpu_milliseconds", 19 }, { "lost", 35 },
    };

    (void)state;
    status_sample(&status, &sample);
    assert_int_equal(status_history_count, COUNT(cases));
    for ( size_t i = 0; i < COUNT(cases); i++ )
    {
        assert_string_equal(status_history_figures[i], cases[i].name);
        assert_int_equal(sample.values[i], cases[i].value);
    }
}

static int make_directory(void **state)
{
    char *end = strrchr(path, '/');

    (void)state;
    *end = '\0';
    if ( !mkdtemp(path) )
        return -1;
    *end = '/';
    return 0;
}

static int remove_directory(void **state)
{
    (void)state;
    status_remove(path);
    *strrchr(path, '/') = '\0';
    return rmdir(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_figure_has_its_name, fill),
        cmocka_unit_test_setup(what_is_not_known_is_left_out, fill),
        cmocka_unit_test_setup(metrics_say_the_same, fill),
        cmocka_unit_test_setup(the_manual_lists_the_families, fill),
        cmocka_unit_test_setup(the_manual_lists_the_fields, fill),
        cmocka_unit_test_setup(the_history_gets_its_figures, fill),
    };

    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
