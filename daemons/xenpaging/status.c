/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The status file: everything the pager counts, as JSON, for memeventctl and for programs.
 * Written anew once a second and put in place whole.
 */
#include <stdio.h>
#include <unistd.h>

#include <json-c/json.h>

#include <daemon/json.h>

#include "paged.h"

static struct json_object *describe_counts(const struct store_counts *counts)
{
    struct json_object *object = json_object_new_object();

    json_add_number(object, "pages", counts->pages);
    json_add_number(object, "same_filled", counts->same_filled);
    json_add_number(object, "lz4", counts->lz4);
    json_add_number(object, "uncompressed", counts->raw);
    json_add_number(object, "in_file", counts->in_file);
    json_add_number(object, "memory_bytes", counts->pool_bytes);
    return object;
}

static struct json_object *describe_choice(const struct paged *d)
{
    struct json_object *object = json_object_new_object();
    struct json_object *ages = json_object_new_array();
    struct choose_statistics s;

    choose_get_statistics(d->choose, d->pager->now, &s);
    json_add_number(object, "nominated", s.nominated);
    json_add_number(object, "refused", s.refused);
    json_add_number(object, "second_chances", s.touched);
    json_add_number(object, "working_set_pages", s.working_set_pages);
    json_add_number(object, "working_set_samples", s.samples);
    for ( unsigned int i = 0; i < CHOOSE_AGES; i++ )
    {
        struct json_object *age = json_object_new_object();

        if ( i < CHOOSE_AGES - 1 )
            json_add_number(age, "untouched_less_than_seconds", choose_age_seconds[i]);
        json_add_number(age, "pages", s.cold_pages[i]);
        json_object_array_add(ages, age);
    }
    json_object_object_add(object, "cold_ages", ages);
    return object;
}

/* What the hypervisor itself counted, over all pagers that this domain had. */
static struct json_object *describe_counters(const struct memevent_channel_info *info)
{
    struct json_object *object = json_object_new_object();

    json_add_number(object, "pagers", info->attachments);
    json_add_number(object, "requests", info->produced);
    json_add_number(object, "answers", info->answered);
    json_add_number(object, "outstanding", info->outstanding);
    json_add_number(object, "outstanding_most", info->outstanding_max);
    json_add_number(object, "coalesced", info->coalesced);
    json_add_number(object, "redelivered", info->redelivered);
    json_add_number(object, "refused", info->unknown + info->repeated + info->malformed + info->overruns);
    json_add_number(object, "notifications", info->notifications);
    json_add_number(object, "kicks", info->kicks);
    return object;
}

static struct json_object *describe_channel(const struct paged *d)
{
    struct json_object *object = json_object_new_object();
    struct memevent_channel_info info;
    struct memevent_statistics s;

    memevent_get_statistics(d->channel, &s);
    json_add_text(object, "transport", memevent_get_transport(d->channel));
    json_add_number(object, "received", s.received);
    json_add_number(object, "answered", s.answered);
    json_add_number(object, "refused", s.refused);
    json_add_number(object, "malformed", s.malformed);
    json_add_number(object, "notifications", s.notifications);
    json_add_number(object, "wakeups", s.wakeups);
    json_add_number(object, "again", s.again);
    json_add_number(object, "outstanding", s.outstanding);
    if ( !memevent_get_channel_info(d->channel, &info) )
        json_object_object_add(object, "hypervisor", describe_counters(&info));
    return object;
}

static struct json_object *describe_service(const struct paged *d)
{
    struct json_object *object = json_object_new_object();

    json_add_number(object, "count", d->service.count);
    json_add_number(object, "p50_nanoseconds", latency_quantile(&d->service, 500));
    json_add_number(object, "p99_nanoseconds", latency_quantile(&d->service, 990));
    json_add_number(object, "longest_nanoseconds", d->service.longest);
    return object;
}

static struct json_object *describe_domain(const struct paged *d)
{
    static const char *const phases[] = { "paging", "bringing everything in", "gone" };
    struct json_object *object = json_object_new_object();
    struct json_object *prefetch = json_object_new_object();
    struct store_counts counts;

    store_domain_get_counts(d->store, &counts);
    json_add_number(object, "domid", d->domid);
    json_add_text(object, "name", d->name);
    json_add_text(object, "state", d->failed ? "failed: paused" : phases[d->phase]);
    if ( d->target != TARGET_NONE )
        json_add_number(object, "target_pages", d->target);
    json_add_number(object, "resident_pages", d->info.pages);
    json_add_number(object, "out_pages", counts.pages);
    json_add_number(object, "nominated_pages", pages_count(d->pages, PAGE_NOMINATED));
    json_add_number(object, "faults", d->statistics.faults);
    json_add_number(object, "paged_in", d->statistics.paged_in);
    json_add_number(object, "paged_out", d->statistics.paged_out);
    json_add_number(object, "dropped", d->statistics.dropped);
    json_add_number(object, "waited_for_host_memory", d->statistics.no_memory);
    json_add_number(prefetch, "pages", d->statistics.prefetched);
    json_add_number(prefetch, "windows", d->streams.statistics.windows);
    json_add_number(prefetch, "windows_used", d->streams.statistics.windows_used);
    json_object_object_add(object, "prefetch", prefetch);
    json_object_object_add(object, "fault_service", describe_service(d));
    json_object_object_add(object, "choice", describe_choice(d));
    json_object_object_add(object, "channel", describe_channel(d));
    json_object_object_add(object, "store", describe_counts(&counts));
    return object;
}

static struct json_object *describe_store(const struct store *store)
{
    struct store_statistics s;
    struct json_object *object;

    store_get_statistics(store, &s);
    object = describe_counts(&s.now);
    json_add_number(object, "memory_limit_bytes", s.ram_limit);
    json_add_number(object, "memory_allocated_bytes", s.ram_allocated);
    json_add_number(object, "index_bytes", s.index_bytes);
    json_add_number(object, "file_limit_bytes", s.file_limit);
    json_add_number(object, "file_allocated_bytes", s.file_allocated);
    json_add_number(object, "file_retired_bytes", s.file_retired_bytes);
    json_add_number(object, "file_reads", s.reads);
    json_add_number(object, "file_writes", s.writes);
    json_add_number(object, "read_errors", s.read_errors);
    json_add_number(object, "write_errors", s.write_errors);
    json_add_number(object, "checksum_errors", s.checksum_errors);
    json_add_number(object, "damaged", s.damaged);
    json_add_number(object, "full", s.full);
    json_add_flag(object, "has_file", s.has_file);
    json_add_flag(object, "direct_io", s.direct);
    json_add_flag(object, "io_uring", s.uring);
    json_add_flag(object, "file_full", s.file_full);
    json_add_flag(object, "file_retired", s.file_retired);
    return object;
}

static struct json_object *describe_hypervisor(struct hypervisor *hv)
{
    struct json_object *object = json_object_new_object();
    struct hypervisor_counts counts;

    hv->ops->get_counts(hv, &counts);
    json_add_text(object, "backend", hv->ops->name);
    json_add_number(object, "hypercalls", counts.hypercalls);
    json_add_number(object, "operations", counts.operations);
    json_add_number(object, "system_calls", counts.system_calls);
    return object;
}

static struct json_object *describe_oom(const struct pager *p)
{
    struct json_object *object = json_object_new_object();
    struct oom_statistics s;

    oom_get_statistics(p, &s);
    json_add_number(object, "domains", s.domains);
    json_add_number(object, "waiting", s.waiting);
    json_add_number(object, "events", s.events);
    json_add_number(object, "answered_with_memory", s.answered_with);
    json_add_number(object, "answered_without", s.answered_without);
    json_add_flag(object, "unresolved", s.unresolved);
    return object;
}

static void status_path(const struct pager *p, char *path, size_t size)
{
    snprintf(path, size, "%s/%s.json", p->settings->run_directory, p->status_name);
}

int status_write(struct pager *p)
{
    struct json_object *root = json_object_new_object();
    struct json_object *domains = json_object_new_array();
    char path[4200];
    int rc;

    json_add_number(root, "version", 1);
    json_add_number(root, "pid", getpid());
    json_add_flag(root, "stopping", p->stopping);
    json_add_flag(root, "host_memory_short", p->memory_short);
    json_add_flag(root, "store_full", p->store_full);
    json_object_object_add(root, "hypervisor", describe_hypervisor(p->hv));
    json_object_object_add(root, "store", describe_store(p->store));
    json_object_object_add(root, "oom", describe_oom(p));
    for ( const struct paged *d = p->first; d; d = d->next )
        json_object_array_add(domains, describe_domain(d));
    json_object_object_add(root, "domains", domains);

    status_path(p, path, sizeof(path));
    rc = json_write(root, path);
    json_object_put(root);
    return rc;
}

void status_remove(struct pager *p)
{
    char path[4200];

    status_path(p, path, sizeof(path));
    unlink(path);
}
