/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The sharer's figures as metrics: one table, from which families and samples come.  man/xen-memevent-metrics.7 lists
 * the families, and a test compares the two.
 */
#include "status.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include <daemon/metrics.h>

#define COUNT(array)  (sizeof(array) / sizeof((array)[0]))
#define PAGE_BYTES    4096.0

enum scope { HOST, GROUP, DOMAIN };

struct figure {
    struct metrics_family family;
    enum scope scope;
    size_t offset;                /* of a uint64_t in the scope's structure */
    double unit;                  /* what one of it is worth */
};

#define FIGURE(type, name_, help_, scope_, structure, field, unit_)  \
    { { "xensharing_" name_, METRICS_ ## type, help_ }, scope_, offsetof(struct structure, field), unit_ },
#define OF_HOST(type, name, field, unit, help)    FIGURE(type, name, help, HOST, sharing_status, field, unit)
#define OF_GROUP(type, name, field, unit, help)   FIGURE(type, name, help, GROUP, sharing_status_group, field, unit)
#define OF_DOMAIN(type, name, field, unit, help)  FIGURE(type, name, help, DOMAIN, sharing_status_domain, field, unit)

static const struct figure figures[] = {
    OF_HOST(GAUGE, "host_bytes", host.total, PAGE_BYTES, "Memory of the host")
    OF_HOST(GAUGE, "host_free_bytes", host.free, PAGE_BYTES, "Memory of the host that nobody has")
    OF_HOST(GAUGE, "need_bytes", host.need, PAGE_BYTES, "Memory wanted if everything shared were written now")
    OF_HOST(GAUGE, "overcommit_ratio", host.overcommit_percent, 0.01, "Used memory and need, as a share of the host's")
    OF_HOST(GAUGE, "overcommit_limit_ratio", host.overcommit_limit, 0.01, "Overcommit at which merging stops")
    OF_HOST(GAUGE, "xen_saved_bytes", host.xen_saved, PAGE_BYTES, "Memory saved as the hypervisor counts it")
    OF_HOST(GAUGE, "saved_bytes", now.saved, PAGE_BYTES, "Memory that is free because of sharing")
    OF_HOST(GAUGE, "sharing_pages", now.sharing, 1, "Pages of guests that stand on a shared page")
    OF_HOST(GAUGE, "shared_pages", now.shared, 1, "Shared pages that they stand on")
    OF_HOST(GAUGE, "pages", now.pages, 1, "Pages of member domains")
    OF_HOST(GAUGE, "unique_pages", now.unique, 1, "Pages that do not change and are like no other")
    OF_HOST(GAUGE, "unsettled_pages", now.unsettled, 1, "Pages that are new, keep changing or are left alone")
    OF_HOST(GAUGE, "volatile_pages", now.volatile_, 1, "Pages that changed in the last pass")
    OF_HOST(GAUGE, "cooling_pages", now.cooling, 1, "Pages left alone because they were written soon after a merge")
    OF_HOST(GAUGE, "doubtful_pages", now.doubtful, 1, "Pages to be asked about because invalidates were lost")
    OF_HOST(GAUGE, "pass", scan.pass, 1, "Number of the pass over all memory that goes on or ended last")
    OF_HOST(GAUGE, "pass_duration_seconds", scan.pass_milliseconds, 0.001, "How long the last whole pass took")
    OF_HOST(COUNTER, "pages_scanned_total", scan.scanned, 1, "Pages looked at")
    OF_HOST(COUNTER, "pages_hashed_total", scan.hashed, 1, "Pages whose bytes were hashed")
    OF_HOST(COUNTER, "pages_zero_total", scan.zero, 1, "Pages of zeros among those hashed")
    OF_HOST(COUNTER, "pages_filled_total", scan.filled, 1, "Pages of another repeated word among those hashed")
    OF_HOST(COUNTER, "mappings_total", scan.mapped, 1, "Calls that mapped pages")
    OF_HOST(GAUGE, "cpu_ratio", scan.cpu_permille, 0.001, "Share of one CPU used lately")
    OF_HOST(GAUGE, "cpu_limit_ratio", scan.cpu_limit_percent, 0.01, "Share of one CPU that may be used")
    OF_HOST(GAUGE, "threads", scan.threads, 1, "Threads that scan")
    OF_HOST(GAUGE, "index_bytes", scan.index_bytes, 1, "Memory for what is known of pages")
    OF_HOST(COUNTER, "candidates_total", merge.candidates, 1, "Pairs of pages that the hypervisor was asked to merge")
    OF_HOST(COUNTER, "pages_compared_total", merge.compared, 1, "Pairs whose bytes were compared")
    OF_HOST(COUNTER, "pages_merged_total", merge.merged, 1, "Pages that began to share")
    OF_HOST(COUNTER, "merges_already_total", merge.already, 1, "Pairs that shared already")
    OF_HOST(COUNTER, "merges_different_total", merge.different, 1, "Pairs that were different after all")
    OF_HOST(COUNTER, "merges_busy_total", merge.busy, 1, "Pairs of which somebody held a page")
    OF_HOST(COUNTER, "merges_stale_total", merge.stale, 1, "Pairs of which a page went away in the meantime")
    OF_HOST(COUNTER, "pages_unmerged_total", merge.unmerged, 1, "Pages given back by the sharer itself")
    OF_HOST(COUNTER, "merge_batches_total", merge.batches, 1, "Calls that carried pairs")
    OF_HOST(COUNTER, "invalidates_received_total", invalidates.received, 1, "Invalidate records taken")
    OF_HOST(COUNTER, "invalidates_lost_total", invalidates.lost, 1, "Invalidate records that found no room")
    OF_HOST(COUNTER, "invalidates_unknown_total", invalidates.unknown, 1, "Records of pages not known as shared")
    OF_HOST(COUNTER, "pages_doubted_total", invalidates.doubted, 1, "Pages that became doubtful by lost records")
    OF_HOST(COUNTER, "pages_reexamined_total", invalidates.re_examined, 1, "Doubtful pages asked about since")

    OF_GROUP(GAUGE, "group_domains", domains, 1, "Domains in the group")
    OF_GROUP(GAUGE, "group_pages", now.pages, 1, "Pages of the group's domains")
    OF_GROUP(GAUGE, "group_saved_bytes", now.saved, PAGE_BYTES, "Memory that is free because of sharing in the group")
    OF_GROUP(GAUGE, "group_sharing_pages", now.sharing, 1, "Pages of the group that stand on a shared page")
    OF_GROUP(GAUGE, "group_shared_pages", now.shared, 1, "Shared pages of the group")
    OF_GROUP(COUNTER, "group_pages_merged_total", merged, 1, "Pages of the group that began to share")
    OF_GROUP(COUNTER, "group_pages_unshared_total", unshared, 1, "Pages of the group that stopped to share")

    OF_DOMAIN(GAUGE, "domain_pages", now.pages, 1, "Pages of the domain")
    OF_DOMAIN(GAUGE, "domain_saved_bytes", now.saved, PAGE_BYTES, "The domain's part of the memory that is free")
    OF_DOMAIN(GAUGE, "domain_sharing_pages", now.sharing, 1, "Pages of the domain that stand on a shared page")
    OF_DOMAIN(GAUGE, "domain_unique_pages", now.unique, 1, "Pages of the domain that are like no other")
    OF_DOMAIN(GAUGE, "domain_unsettled_pages", now.unsettled, 1, "Pages of the domain that are new or keep changing")
    OF_DOMAIN(COUNTER, "domain_pages_scanned_total", scanned, 1, "Pages of the domain looked at")
    OF_DOMAIN(COUNTER, "domain_pages_merged_total", merged, 1, "Pages of the domain that began to share")
    OF_DOMAIN(COUNTER, "domain_pages_unshared_total", unshared, 1, "Pages of the domain that stopped to share")
};

/* Those that are no uint64_t; their numbers come after the table's. */
enum { MERGING = COUNT(figures), SCANNING, REFUSED, REASONS, CHANNEL, MEMBER };

static const struct metrics_family others[] = {
    { "xensharing_merging", METRICS_GAUGE, "1: merging; 0: stopped by the overcommit limit" },
    { "xensharing_scanning", METRICS_GAUGE, "1: a pass goes on; 0: it waits for the next" },
    { "xensharing_merges_refused_total", METRICS_COUNTER, "Pairs that the hypervisor refused, by error" },
    { "xensharing_invalidates_total", METRICS_COUNTER, "Invalidate records taken, by reason" },
    { "xensharing_invalidate_channel", METRICS_GAUGE, "1: the hypervisor tells of pages that stop to share" },
    { "xensharing_domain_member", METRICS_GAUGE, "1: the domain takes part; 0: it has a group and was refused" },
};

int status_metrics_open(struct metrics **out, const char *daemon)
{
    int rc = metrics_open(out, daemon);

    for ( size_t i = 0; i < COUNT(figures) + COUNT(others) && rc >= 0; i++ )
        rc = metrics_declare(*out, i < COUNT(figures) ? &figures[i].family : &others[i - COUNT(figures)]);
    if ( rc < 0 )
    {
        metrics_close(*out);
        *out = NULL;
    }
    return rc < 0 ? rc : 0;
}

static double value_of(const struct figure *f, const void *structure)
{
    uint64_t value = *(const uint64_t *)((const char *)structure + f->offset);

    return value == SHARING_STATUS_NONE ? -1 : value * f->unit;
}

static void fill_group(struct metrics *m, const struct sharing_status_group *g)
{
    for ( size_t i = 0; i < COUNT(figures); i++ )
        if ( figures[i].scope == GROUP && value_of(&figures[i], g) >= 0 )
            metrics_add(m, i, value_of(&figures[i], g), "group", g->name, NULL);
}

static void fill_domain(struct metrics *m, const struct sharing_status_domain *d)
{
    const char *name = d->name ? d->name : "";
    char domid[12];

    snprintf(domid, sizeof(domid), "%" PRIu32, d->domid);
    for ( size_t i = 0; i < COUNT(figures); i++ )
        if ( figures[i].scope == DOMAIN && value_of(&figures[i], d) >= 0 )
            metrics_add(m, i, value_of(&figures[i], d), "domid", domid, "domain", name, "group",
                        d->group ? d->group : "", NULL);
    if ( d->group )
        metrics_add(m, MEMBER, !d->refusal, "domid", domid, "domain", name, "group", d->group, NULL);
}

int status_metrics_fill(struct metrics *m, const struct sharing_status *s)
{
    struct hypervisor_counts counts = { 0 };

    if ( s->hypervisor )
        s->hypervisor->ops->get_counts(s->hypervisor, &counts);
    metrics_begin(m);
    for ( size_t i = 0; i < COUNT(figures); i++ )
        if ( figures[i].scope == HOST && value_of(&figures[i], s) >= 0 )
            metrics_add(m, i, value_of(&figures[i], s), NULL);
    metrics_add(m, MERGING, s->host.merging, NULL);
    metrics_add(m, SCANNING, s->scan.scanning, NULL);
    metrics_add(m, CHANNEL, s->invalidates.transport != NULL, NULL);
    for ( size_t i = 0; i < s->merge.refused_count; i++ )
        metrics_add(m, REFUSED, s->merge.refused[i].count, "error", s->merge.refused[i].name, NULL);
    for ( size_t i = 0; i < s->invalidates.reasons_count; i++ )
        metrics_add(m, REASONS, s->invalidates.reasons[i].count, "reason", s->invalidates.reasons[i].name, NULL);
    for ( size_t i = 0; i < s->groups_count; i++ )
        fill_group(m, &s->groups[i]);
    for ( size_t i = 0; i < s->domains_count; i++ )
        fill_domain(m, &s->domains[i]);
    return metrics_add_daemon(m, &(const struct metrics_daemon){
        .started = s->started, .hypercalls = counts.hypercalls, .operations = counts.operations,
        .system_calls = counts.system_calls,
    });
}
