/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Once a second: all figures, from whoever has them, into status.h's struct, and from there to the status file, the
 * history and the metrics.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <daemon/history.h>
#include <daemon/log.h>
#include <daemon/metrics.h>
#include <daemon/metrics-socket.h>

#include "guests.h"
#include "pages.h"
#include "status.h"

#define MILLISECOND_NS 1000000ULL

static void status_path(const struct sharer *s, char *path, size_t size)
{
    snprintf(path, size, "%s/xensharing.json", s->settings->run_directory);
}

/* pages: as Xen counts them.  Of holes, which are most of an address space, the books know no more than of what was not seen yet. */
static void fill_pages(struct sharing_status_pages *out, const uint64_t *kinds, uint64_t pages, uint64_t changed)
{
    out->saved = kinds[PAGE_SHARED] + kinds[PAGE_DOUBTFUL];
    out->shared = kinds[PAGE_MASTER];
    out->sharing = out->saved + out->shared;
    out->unique = kinds[PAGE_UNIQUE] + kinds[PAGE_PENDING];
    out->pages = pages > out->sharing + out->unique ? pages : out->sharing + out->unique;
    out->unsettled = out->pages - out->sharing - out->unique;
    out->doubtful = kinds[PAGE_DOUBTFUL];
    out->volatile_ = changed;
    out->cooling = SHARING_STATUS_NONE;
}

static void add_pages(struct sharing_status_pages *sum, const struct sharing_status_pages *one)
{
    sum->saved += one->saved;
    sum->shared += one->shared;
    sum->sharing += one->sharing;
    sum->unique += one->unique;
    sum->unsettled += one->unsettled;
    sum->doubtful += one->doubtful;
    sum->pages += one->pages;
    sum->volatile_ += one->volatile_;
    sum->cooling = SHARING_STATUS_NONE;
}

static void fill_host(const struct sharer *s, struct sharing_status *out)
{
    out->host.total = s->memory.pages;
    out->host.free = s->memory.pages_free;
    out->host.need = s->estimate.need;
    out->host.overcommit_percent = s->estimate.percent;
    out->host.overcommit_limit = s->settings->overcommit;
    out->host.xen_shared = s->memory.pages_shared;
    out->host.xen_saved = s->memory.pages_saved;
    out->host.merging = s->estimate.merging;
}

static void fill_scan(const struct sharer *s, const struct decide_statistics *d, struct sharing_status *out)
{
    out->scan.pass = s->pass;
    out->scan.scanning = s->scanning;
    out->scan.pass_started = s->started_wall;
    out->scan.pass_milliseconds = s->ended ? s->pass_ns / MILLISECOND_NS : SHARING_STATUS_NONE;
    out->scan.next_pass_milliseconds = pass_next(s);
    out->scan.pass_pages = s->pass_pages;
    out->scan.pass_done = s->pass_done;
    out->scan.scanned = d->visited;
    out->scan.hashed = d->hashed;
    out->scan.zero = d->zero;
    out->scan.filled = d->filled;
    out->scan.mapped = scan_mapped(s->scan);
    out->scan.cpu_permille = s->pace.permille;
    out->scan.cpu_limit_percent = s->settings->cpu_limit;
    out->scan.cpu_milliseconds = pace_used() / MILLISECOND_NS;
    out->scan.threads = s->settings->threads;
    out->scan.index_bytes = d->octets;
    out->scan.index_limit_bytes = s->settings->memory_limit;
}

static size_t fill_refusals(const struct sharer *s, struct sharing_status_count *out)
{
    size_t n = 0;

    for ( unsigned int i = 0; i < SHARER_ERRNOS && s->merges.refused[i].count; i++ )
    {
        const char *name = strerrorname_np(s->merges.refused[i].error);

        out[n++] = (struct sharing_status_count){ name ? name : "?", s->merges.refused[i].count };
    }
    return n;
}

static size_t fill_reasons(const struct sharer *s, struct sharing_status_count *out)
{
    static const char *const names[SHARER_REASONS] = {
        [0] = "other", [MEMEVENT_UNSHARED] = "unshared", [MEMEVENT_DESTROYED] = "destroyed",
        [MEMEVENT_REPLACED] = "replaced", [MEMEVENT_UNDONE] = "undone", [MEMEVENT_DYING] = "dying",
    };

    for ( unsigned int i = 0; i < SHARER_REASONS; i++ )
        out[i] = (struct sharing_status_count){ names[i], s->invalidates.reasons[i] };
    return SHARER_REASONS;
}

static void fill_merge(const struct sharer *s, const struct decide_statistics *d, struct sharing_status *out)
{
    out->merge.candidates = d->candidates;
    out->merge.merged = d->merged;
    out->merge.already = d->already;
    out->merge.different = d->different;
    out->merge.busy = d->busy;
    out->merge.stale = d->stale;
    /* Xen compares what it could nominate and did not find to be one page before. */
    out->merge.compared = d->merged + d->different + d->stale;
    out->merge.unmerged = s->unmerged;
    out->merge.batches = s->merges.batches;

    out->invalidates.transport = s->channel ? memevent_get_transport(s->channel) : NULL;
    out->invalidates.received = s->invalidates.received;
    out->invalidates.lost = s->invalidates.lost;
    out->invalidates.unknown = s->invalidates.received - d->invalidated;
    out->invalidates.doubted = out->now.doubtful + d->doubted;
    out->invalidates.re_examined = d->doubted;
}

static const char *phase_of(const struct guest *g)
{
    if ( g->phase == GUEST_LEAVING )
        return g->short_of_memory ? "leaving, and waits for memory" : "leaving";
    if ( g->info.is_suspended )
        return "suspended";
    return g->info.is_paused ? "paused" : "scanning";
}

static void fill_domain(const struct guest *g, struct sharing_status_domain *out)
{
    const struct sharer *s = g->sharer;
    struct decide_domain d = { 0 };
    uint16_t group = g->phase == GUEST_ALONE ? g->group : g->in_group;

    (void)decide_get_domain(s->decide, g->domid, &d);
    *out = (struct sharing_status_domain){
        .domid = g->domid, .name = g->name, .uuid = g->uuid, .within = g->within,
        .scanned = g->scanned, .merged = d.merged, .unshared = d.unshared,
    };
    fill_pages(&out->now, d.kinds, g->phase == GUEST_MEMBER ? g->info.pages + g->info.pages_shared : 0,
               d.pass_volatile);
    if ( group == GROUPS_NONE )
        return;
    out->group = groups_name(s->groups, group);
    out->group_origin = g->by_xenstore ? "xenstore" : "configuration";
    out->refusal = g->phase == GUEST_ALONE ? g->refusal : NULL;
    out->state = out->refusal ? NULL : phase_of(g);
}

static void fill_groups(const struct sharer *s, const struct sharing_status_domain *domains, size_t count,
                        struct sharing_status_group *groups)
{
    for ( uint16_t i = 0; i < groups_count(s->groups); i++ )
    {
        groups[i] = (struct sharing_status_group){
            .name = groups_name(s->groups, i), .within = s->settings->within || groups_is_within(s->groups, i),
            .origin = groups_is_configured(s->groups, i) ? "configuration" : "xenstore",
        };
        add_pages(&groups[i].now, &groups[i].now);
        for ( size_t n = 0; n < count; n++ )
        {
            if ( domains[n].group != groups[i].name || domains[n].refusal )
                continue;
            groups[i].domains++;
            groups[i].merged += domains[n].merged;
            groups[i].unshared += domains[n].unshared;
            add_pages(&groups[i].now, &domains[n].now);
        }
    }
}

/* The tables live as long as the call. */
static void publish(struct sharer *s, const struct sharing_status *status)
{
    char path[4200];
    struct history_sample sample = { .time = time(NULL) };
    int rc;

    status_path(s, path, sizeof(path));
    rc = status_write(status, path);
    if ( !rc && s->history )
    {
        status_sample(status, &sample);
        rc = history_add(s->history, &sample);
        rc = rc > 0 ? 0 : rc;
    }
    if ( s->metrics )
    {
        const char *what;
        int published;

        (void)status_metrics_fill(s->metrics, status);
        published = metrics_publish(s->metrics, s->settings->metrics, s->settings->metrics_socket, &s->metrics_socket,
                                    s->loop, &what);
        rc = rc ? rc : published;
    }
    if ( rc && !s->publish_failed )
        log_message(LOG_WARNING, LOG_HOST("publish-failed"),
                    "the status file, the history or the metrics cannot be written: %s; see whether there is room", strerror(-rc));
    s->publish_failed = rc;
}

void report(struct sharer *s)
{
    struct sharing_status_count refusals[SHARER_ERRNOS], reasons[SHARER_REASONS];
    struct sharing_status status = { .stopping = s->stopping, .hypervisor = s->hv, .started = s->began };
    struct sharing_status_domain *domains;
    struct sharing_status_group *groups = calloc(groups_count(s->groups) + 1U, sizeof(*groups));
    struct decide_statistics d;
    size_t count = 0;

    for ( const struct guest *g = s->guests; g; g = g->next )
        count++;
    domains = calloc(count + 1, sizeof(*domains));
    if ( domains && groups )
    {
        decide_get_statistics(s->decide, &d);
        count = 0;
        for ( const struct guest *g = s->guests; g; g = g->next )
            fill_domain(g, &domains[count++]);
        fill_groups(s, domains, count, groups);
        for ( size_t i = 0; i < groups_count(s->groups); i++ )
            add_pages(&status.now, &groups[i].now);
        status.now.volatile_ = d.pass_volatile;
        status.now.cooling = d.pass_cooling;
        fill_host(s, &status);
        fill_scan(s, &d, &status);
        fill_merge(s, &d, &status);
        status.merge.refused = refusals;
        status.merge.refused_count = fill_refusals(s, refusals);
        status.invalidates.reasons = reasons;
        status.invalidates.reasons_count = fill_reasons(s, reasons);
        status.groups = groups;
        status.groups_count = groups_count(s->groups);
        status.domains = domains;
        status.domains_count = count;
        publish(s, &status);
    }
    free(domains);
    free(groups);
}

/* Directories of ours are made; what was named otherwise has to be there. */
void report_open(struct sharer *s)
{
    char error[HISTORY_ERROR_BYTES] = "", directory[4200];
    char *slash;
    int rc;

    snprintf(directory, sizeof(directory), "%s", s->settings->history);
    slash = strrchr(directory, '/');
    if ( slash && slash != directory )
    {
        *slash = '\0';
        (void)mkdir(directory, 0755);
    }
    rc = history_open(&s->history, s->settings->history, status_history_figures, status_history_count, HISTORY_WEEK,
                      HISTORY_MINUTE, error);
    if ( rc < 0 || rc == HISTORY_SET_ASIDE )
        log_message(LOG_WARNING, LOG_HOST("history"), "%s: %s%s", s->settings->history,
                    error[0] ? error : strerror(rc < 0 ? -rc : 0), rc < 0 ? "; there is no history" : "");
    if ( rc < 0 )
        s->history = NULL;
    if ( (s->settings->metrics || s->settings->metrics_socket) && status_metrics_open(&s->metrics, "xensharing") )
        s->metrics = NULL;
}

void report_close(struct sharer *s)
{
    char path[4200];

    history_close(s->history);
    metrics_close(s->metrics);
    s->history = NULL;
    s->metrics = NULL;
    /* Nobody keeps it up to date any more. */
    if ( s->loop && s->exit_status == 0 )
    {
        status_path(s, path, sizeof(path));
        status_remove(path);
        if ( s->settings->metrics )
            status_remove(s->settings->metrics);
    }
}
