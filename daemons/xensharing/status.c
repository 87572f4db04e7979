/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The status file: everything the sharer counts, as JSON, for memeventctl and for programs; and the few figures of it
 * that go into the history.  Metrics are status-metrics.c's.
 */
#include "status.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <json-c/json.h>

#include <daemon/history.h>
#include <daemon/whole-file.h>

#define COUNT(array)  (sizeof(array) / sizeof((array)[0]))

static void add_number(struct json_object *object, const char *name, uint64_t value)
{
    if ( value != SHARING_STATUS_NONE )
        json_object_object_add(object, name, json_object_new_uint64(value));
}

static void add_text(struct json_object *object, const char *name, const char *text)
{
    if ( text )
        json_object_object_add(object, name, json_object_new_string(text));
}

static void add_flag(struct json_object *object, const char *name, bool value)
{
    json_object_object_add(object, name, json_object_new_boolean(value));
}

static void add_pages(struct json_object *object, const struct sharing_status_pages *p)
{
    add_number(object, "pages", p->pages);
    add_number(object, "sharing", p->sharing);
    add_number(object, "shared", p->shared);
    add_number(object, "saved", p->saved);
    add_number(object, "unique", p->unique);
    add_number(object, "unsettled", p->unsettled);
    add_number(object, "volatile", p->volatile_);
    add_number(object, "cooling", p->cooling);
    add_number(object, "doubtful", p->doubtful);
}

static struct json_object *describe_host(const struct sharing_status *s)
{
    struct json_object *object = json_object_new_object();

    add_number(object, "total", s->host.total);
    add_number(object, "free", s->host.free);
    add_number(object, "need", s->host.need);
    add_number(object, "overcommit_percent", s->host.overcommit_percent);
    add_number(object, "overcommit_limit", s->host.overcommit_limit);
    add_flag(object, "merging", s->host.merging);
    add_number(object, "xen_shared", s->host.xen_shared);
    add_number(object, "xen_saved", s->host.xen_saved);
    add_pages(object, &s->now);
    return object;
}

static struct json_object *describe_scan(const struct sharing_status *s)
{
    struct json_object *object = json_object_new_object();

    add_number(object, "pass", s->scan.pass);
    add_flag(object, "scanning", s->scan.scanning);
    add_number(object, "pass_started", s->scan.pass_started);
    add_number(object, "pass_milliseconds", s->scan.pass_milliseconds);
    add_number(object, "next_pass_milliseconds", s->scan.next_pass_milliseconds);
    add_number(object, "pass_pages", s->scan.pass_pages);
    add_number(object, "pass_done", s->scan.pass_done);
    add_number(object, "scanned", s->scan.scanned);
    add_number(object, "hashed", s->scan.hashed);
    add_number(object, "zero", s->scan.zero);
    add_number(object, "filled", s->scan.filled);
    add_number(object, "mapped", s->scan.mapped);
    add_number(object, "cpu_permille", s->scan.cpu_permille);
    add_number(object, "cpu_limit_percent", s->scan.cpu_limit_percent);
    add_number(object, "cpu_milliseconds", s->scan.cpu_milliseconds);
    add_number(object, "threads", s->scan.threads);
    add_number(object, "index_bytes", s->scan.index_bytes);
    add_number(object, "index_limit_bytes", s->scan.index_limit_bytes);
    return object;
}

static struct json_object *describe_counts(const struct sharing_status_count *counts, size_t count)
{
    struct json_object *object = json_object_new_object();

    for ( size_t i = 0; i < count; i++ )
        add_number(object, counts[i].name, counts[i].count);
    return object;
}

static struct json_object *describe_merge(const struct sharing_status *s)
{
    struct json_object *object = json_object_new_object();

    add_number(object, "candidates", s->merge.candidates);
    add_number(object, "compared", s->merge.compared);
    add_number(object, "merged", s->merge.merged);
    add_number(object, "already", s->merge.already);
    add_number(object, "different", s->merge.different);
    add_number(object, "busy", s->merge.busy);
    add_number(object, "stale", s->merge.stale);
    add_number(object, "unmerged", s->merge.unmerged);
    add_number(object, "batches", s->merge.batches);
    json_object_object_add(object, "refused", describe_counts(s->merge.refused, s->merge.refused_count));
    return object;
}

static struct json_object *describe_invalidates(const struct sharing_status *s)
{
    struct json_object *object = json_object_new_object();

    add_text(object, "transport", s->invalidates.transport);
    add_number(object, "received", s->invalidates.received);
    add_number(object, "lost", s->invalidates.lost);
    add_number(object, "unknown", s->invalidates.unknown);
    add_number(object, "doubted", s->invalidates.doubted);
    add_number(object, "re_examined", s->invalidates.re_examined);
    json_object_object_add(object, "reasons", describe_counts(s->invalidates.reasons, s->invalidates.reasons_count));
    return object;
}

static struct json_object *describe_group(const struct sharing_status_group *g)
{
    struct json_object *object = json_object_new_object();

    add_text(object, "name", g->name);
    add_text(object, "origin", g->origin);
    add_flag(object, "within", g->within);
    add_number(object, "domains", g->domains);
    add_pages(object, &g->now);
    add_number(object, "merged", g->merged);
    add_number(object, "unshared", g->unshared);
    return object;
}

static struct json_object *describe_domain(const struct sharing_status_domain *d)
{
    struct json_object *object = json_object_new_object();

    add_number(object, "domid", d->domid);
    add_text(object, "name", d->name);
    add_text(object, "uuid", d->uuid);
    add_text(object, "group", d->group);
    add_text(object, "group_origin", d->group_origin);
    add_flag(object, "within", d->within);
    add_text(object, "state", d->refusal ? "refused" : d->state);
    add_text(object, "refusal", d->refusal);
    add_pages(object, &d->now);
    add_number(object, "scanned", d->scanned);
    add_number(object, "merged", d->merged);
    add_number(object, "unshared", d->unshared);
    return object;
}

static struct json_object *describe_hypervisor(struct hypervisor *hv)
{
    struct json_object *object = json_object_new_object();
    struct hypervisor_counts counts;

    hv->ops->get_counts(hv, &counts);
    add_text(object, "backend", hv->ops->name);
    add_number(object, "hypercalls", counts.hypercalls);
    add_number(object, "operations", counts.operations);
    add_number(object, "system_calls", counts.system_calls);
    return object;
}

int status_write(const struct sharing_status *s, const char *path)
{
    struct json_object *root = json_object_new_object();
    struct json_object *groups = json_object_new_array(), *domains = json_object_new_array();
    const char *text;
    size_t length;
    int rc = -ENOMEM;

    add_number(root, "version", 1);
    add_number(root, "pid", getpid());
    add_number(root, "started", s->started);
    add_flag(root, "stopping", s->stopping);
    if ( s->hypervisor )
        json_object_object_add(root, "hypervisor", describe_hypervisor(s->hypervisor));
    json_object_object_add(root, "host", describe_host(s));
    json_object_object_add(root, "scan", describe_scan(s));
    json_object_object_add(root, "merge", describe_merge(s));
    json_object_object_add(root, "invalidates", describe_invalidates(s));
    for ( size_t i = 0; i < s->groups_count; i++ )
        json_object_array_add(groups, describe_group(&s->groups[i]));
    json_object_object_add(root, "groups", groups);
    for ( size_t i = 0; i < s->domains_count; i++ )
        json_object_array_add(domains, describe_domain(&s->domains[i]));
    json_object_object_add(root, "domains", domains);

    text = json_object_to_json_string_length(root, JSON_C_TO_STRING_PRETTY, &length);
    if ( text )
        rc = whole_file_write(path, text, length);
    json_object_put(root);
    return rc;
}

void status_remove(const char *path)
{
    unlink(path);
}

const char *const status_history_figures[] = {
    "saved", "sharing", "shared", "unique", "volatile", "pages", "free", "total", "need", "merged", "unshared",
    "cpu_milliseconds", "lost",
};
const size_t status_history_count = COUNT(status_history_figures);
_Static_assert(COUNT(status_history_figures) <= HISTORY_FIGURES, "more figures than a sample holds");

void status_sample(const struct sharing_status *s, struct history_sample *sample)
{
    uint64_t unshared = 0;

    for ( size_t i = 0; i < s->groups_count; i++ )
        unshared += s->groups[i].unshared;
    memcpy(sample->values, (uint64_t[]){
        s->now.saved, s->now.sharing, s->now.shared, s->now.unique, s->now.volatile_, s->now.pages, s->host.free,
        s->host.total, s->host.need, s->merge.merged, unshared, s->scan.cpu_milliseconds, s->invalidates.lost,
    }, status_history_count * sizeof(uint64_t));
}
