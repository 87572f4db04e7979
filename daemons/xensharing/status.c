/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The status file: everything the sharer counts, as JSON, for memeventctl and for programs; and the few figures of it
 * that go into the history.  Metrics are status-metrics.c's.
 */
#include "status.h"

#include <string.h>
#include <unistd.h>

#include <json-c/json.h>

#include <daemon/history.h>
#include <daemon/json.h>

#define COUNT(array)  (sizeof(array) / sizeof((array)[0]))

_Static_assert(SHARING_STATUS_NONE == JSON_UNKNOWN, "what is not known is left out");

static void add_pages(struct json_object *object, const struct sharing_status_pages *p)
{
    json_add_known(object, "pages", p->pages);
    json_add_known(object, "sharing", p->sharing);
    json_add_known(object, "shared", p->shared);
    json_add_known(object, "saved", p->saved);
    json_add_known(object, "unique", p->unique);
    json_add_known(object, "unsettled", p->unsettled);
    json_add_known(object, "volatile", p->volatile_);
    json_add_known(object, "cooling", p->cooling);
    json_add_known(object, "doubtful", p->doubtful);
}

static struct json_object *describe_host(const struct sharing_status *s)
{
    struct json_object *object = json_object_new_object();

    json_add_known(object, "total", s->host.total);
    json_add_known(object, "free", s->host.free);
    json_add_known(object, "need", s->host.need);
    json_add_known(object, "overcommit_percent", s->host.overcommit_percent);
    json_add_known(object, "overcommit_limit", s->host.overcommit_limit);
    json_add_flag(object, "merging", s->host.merging);
    json_add_known(object, "xen_shared", s->host.xen_shared);
    json_add_known(object, "xen_saved", s->host.xen_saved);
    add_pages(object, &s->now);
    return object;
}

static struct json_object *describe_scan(const struct sharing_status *s)
{
    struct json_object *object = json_object_new_object();

    json_add_known(object, "pass", s->scan.pass);
    json_add_flag(object, "scanning", s->scan.scanning);
    json_add_known(object, "pass_started", s->scan.pass_started);
    json_add_known(object, "pass_milliseconds", s->scan.pass_milliseconds);
    json_add_known(object, "next_pass_milliseconds", s->scan.next_pass_milliseconds);
    json_add_known(object, "pass_pages", s->scan.pass_pages);
    json_add_known(object, "pass_done", s->scan.pass_done);
    json_add_known(object, "scanned", s->scan.scanned);
    json_add_known(object, "hashed", s->scan.hashed);
    json_add_known(object, "zero", s->scan.zero);
    json_add_known(object, "filled", s->scan.filled);
    json_add_known(object, "mapped", s->scan.mapped);
    json_add_known(object, "cpu_permille", s->scan.cpu_permille);
    json_add_known(object, "cpu_limit_percent", s->scan.cpu_limit_percent);
    json_add_known(object, "cpu_milliseconds", s->scan.cpu_milliseconds);
    json_add_known(object, "threads", s->scan.threads);
    json_add_known(object, "index_bytes", s->scan.index_bytes);
    json_add_known(object, "index_limit_bytes", s->scan.index_limit_bytes);
    return object;
}

static struct json_object *describe_counts(const struct sharing_status_count *counts, size_t count)
{
    struct json_object *object = json_object_new_object();

    for ( size_t i = 0; i < count; i++ )
        json_add_known(object, counts[i].name, counts[i].count);
    return object;
}

static struct json_object *describe_merge(const struct sharing_status *s)
{
    struct json_object *object = json_object_new_object();

    json_add_known(object, "candidates", s->merge.candidates);
    json_add_known(object, "compared", s->merge.compared);
    json_add_known(object, "merged", s->merge.merged);
    json_add_known(object, "already", s->merge.already);
    json_add_known(object, "different", s->merge.different);
    json_add_known(object, "busy", s->merge.busy);
    json_add_known(object, "stale", s->merge.stale);
    json_add_known(object, "unmerged", s->merge.unmerged);
    json_add_known(object, "batches", s->merge.batches);
    json_object_object_add(object, "refused", describe_counts(s->merge.refused, s->merge.refused_count));
    return object;
}

static struct json_object *describe_invalidates(const struct sharing_status *s)
{
    struct json_object *object = json_object_new_object();

    json_add_text(object, "transport", s->invalidates.transport);
    json_add_known(object, "received", s->invalidates.received);
    json_add_known(object, "lost", s->invalidates.lost);
    json_add_known(object, "unknown", s->invalidates.unknown);
    json_add_known(object, "doubted", s->invalidates.doubted);
    json_add_known(object, "re_examined", s->invalidates.re_examined);
    json_object_object_add(object, "reasons", describe_counts(s->invalidates.reasons, s->invalidates.reasons_count));
    return object;
}

static struct json_object *describe_group(const struct sharing_status_group *g)
{
    struct json_object *object = json_object_new_object();

    json_add_text(object, "name", g->name);
    json_add_text(object, "origin", g->origin);
    json_add_flag(object, "within", g->within);
    json_add_known(object, "domains", g->domains);
    add_pages(object, &g->now);
    json_add_known(object, "merged", g->merged);
    json_add_known(object, "unshared", g->unshared);
    return object;
}

static struct json_object *describe_domain(const struct sharing_status_domain *d)
{
    struct json_object *object = json_object_new_object();

    json_add_known(object, "domid", d->domid);
    json_add_text(object, "name", d->name);
    json_add_text(object, "uuid", d->uuid);
    json_add_text(object, "group", d->group);
    json_add_text(object, "group_origin", d->group_origin);
    json_add_flag(object, "within", d->within);
    json_add_text(object, "state", d->refusal ? "refused" : d->state);
    json_add_text(object, "refusal", d->refusal);
    add_pages(object, &d->now);
    json_add_known(object, "scanned", d->scanned);
    json_add_known(object, "merged", d->merged);
    json_add_known(object, "unshared", d->unshared);
    return object;
}

static struct json_object *describe_hypervisor(struct hypervisor *hv)
{
    struct json_object *object = json_object_new_object();
    struct hypervisor_counts counts;

    hv->ops->get_counts(hv, &counts);
    json_add_text(object, "backend", hv->ops->name);
    json_add_known(object, "hypercalls", counts.hypercalls);
    json_add_known(object, "operations", counts.operations);
    json_add_known(object, "system_calls", counts.system_calls);
    return object;
}

int status_write(const struct sharing_status *s, const char *path)
{
    struct json_object *root = json_object_new_object();
    struct json_object *groups = json_object_new_array(), *domains = json_object_new_array();
    int rc;

    json_add_known(root, "version", 1);
    json_add_known(root, "pid", getpid());
    json_add_known(root, "started", s->started);
    json_add_flag(root, "stopping", s->stopping);
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

    rc = json_write(root, path);
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
