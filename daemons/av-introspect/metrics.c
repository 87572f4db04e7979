/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The broker's figures as metrics, for those who set `metrics` or `metrics-socket`.  man/xen-memevent-metrics.7 lists the
 * families, and a test compares the two.  The status file, which has more, is status.c's.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <daemon/log.h>
#include <daemon/metrics.h>
#include <daemon/metrics-socket.h>

#include "broker-private.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum {
    CACHE_ENTRIES, CACHE_LIMIT, CACHE_HITS, CACHE_MISSES,
    PROTECTED, GAP, RESTRICTED, EXECUTABLE, VOLATILE, EVENTS, SCANS, CACHED, VERDICTS, DENIED, LATE, UNREADABLE, MONITORED,
    UNTOLD, FINDINGS, LEFT_OUT, WAITING, WAITED, WAITED_MOST, WORKER_DEATHS, WORKER_FAILURES, WORKER_BACKING_OFF,
    TICKS, TICK_CROSSINGS, TICK_FRAMES, TICK_SECONDS, TICK_LONGEST,
};

static const struct metrics_family families[] = {
    [CACHE_ENTRIES] = { "av_cache_entries", METRICS_GAUGE, "Different pages whose verdict is known" },
    [CACHE_LIMIT] = { "av_cache_limit_entries", METRICS_GAUGE, "Of how many it is kept" },
    [CACHE_HITS] = { "av_cache_hits_total", METRICS_COUNTER, "Pages whose verdict was known" },
    [CACHE_MISSES] = { "av_cache_misses_total", METRICS_COUNTER, "Pages that had to be scanned" },

    [PROTECTED] = { "av_domain_protected", METRICS_GAUGE,
                    "1: nothing of the domain's memory is executed unjudged; 0: it was refused, or is not covered yet" },
    [GAP] = { "av_domain_gap_seconds", METRICS_GAUGE,
              "For how long nobody guarded the domain before this daemon did, since a former one ended" },
    [RESTRICTED] = { "av_domain_restricted_pages", METRICS_GAUGE, "Pages of the domain that are watched" },
    [EXECUTABLE] = { "av_domain_executable_pages", METRICS_GAUGE, "Pages of the domain that were judged and may be executed" },
    [VOLATILE] = { "av_domain_volatile_pages", METRICS_GAUGE,
                   "Pages of the domain that are written and executed in turn too often to be stopped each time" },
    [EVENTS] = { "av_domain_events_total", METRICS_COUNTER, "Events taken from the hypervisor, by what the guest did" },
    [SCANS] = { "av_domain_scans_total", METRICS_COUNTER, "Pages of the domain given to plugins" },
    [CACHED] = { "av_domain_cached_total", METRICS_COUNTER, "Pages of the domain whose verdict was known" },
    [VERDICTS] = { "av_domain_verdicts_total", METRICS_COUNTER, "Verdicts on the domain's pages, by verdict" },
    [DENIED] = { "av_domain_denied_total", METRICS_COUNTER, "Executions that were denied" },
    [LATE] = { "av_domain_late_total", METRICS_COUNTER, "Scans that took longer than a vCPU waits" },
    [UNREADABLE] = { "av_domain_unreadable_total", METRICS_COUNTER, "Pages that could not be looked at" },
    [MONITORED] = { "av_domain_monitored_total", METRICS_COUNTER, "Events that are about no page" },
    [UNTOLD] = { "av_domain_untold_total", METRICS_COUNTER, "Events that plugins were to be told of, and there was no room" },
    [FINDINGS] = { "av_domain_findings_total", METRICS_COUNTER, "Findings in the domain" },
    [LEFT_OUT] = { "av_domain_findings_left_out_total", METRICS_COUNTER, "Findings that were too many to be written" },
    [WAITING] = { "av_domain_waiting_vcpus", METRICS_GAUGE, "Virtual CPUs that wait for a verdict" },
    [WAITED] = { "av_domain_wait_seconds_total", METRICS_COUNTER, "How long its virtual CPUs waited, in all" },
    [WAITED_MOST] = { "av_domain_wait_longest_seconds", METRICS_GAUGE, "The longest that one of them waited" },
    [WORKER_DEATHS] = { "av_domain_worker_deaths_total", METRICS_COUNTER,
                        "Worker processes of the domain that ended, or were killed because they hung or grew" },
    [WORKER_FAILURES] = { "av_domain_worker_failures_total", METRICS_COUNTER, "Scans that came to no verdict" },
    [WORKER_BACKING_OFF] = { "av_domain_worker_backing_off", METRICS_GAUGE,
                             "1: the domain's next worker process is started after a while" },
    [TICKS] = { "av_domain_ticks_total", METRICS_COUNTER, "Looks of plugins that look for themselves" },
    [TICK_CROSSINGS] = { "av_domain_tick_crossings_total", METRICS_COUNTER, "How often they asked for frames of the domain then" },
    [TICK_FRAMES] = { "av_domain_tick_frames_total", METRICS_COUNTER, "Frames of the domain that they were given then" },
    [TICK_SECONDS] = { "av_domain_tick_seconds_total", METRICS_COUNTER, "How long these looks took, in all" },
    [TICK_LONGEST] = { "av_domain_tick_longest_seconds", METRICS_GAUGE, "The longest that one of them took" },
};

static int open_families(struct broker *b)
{
    int rc = metrics_open(&b->metrics, settings_program.name);

    for ( size_t i = 0; i < COUNT(families) && rc >= 0; i++ )
        rc = metrics_declare(b->metrics, &families[i]);
    if ( rc < 0 )
    {
        metrics_close(b->metrics);
        b->metrics = NULL;
        return rc;
    }
    return 0;
}

/* What the samples of one domain have in common. */
struct labels {
    struct metrics *metrics;
    char domid[12];
    const char *name;
};

static void add(const struct labels *l, int family, double value)
{
    metrics_add(l->metrics, family, value, "domid", l->domid, "domain", l->name, NULL);
}

static void add_kind(const struct labels *l, int family, double value, const char *label, const char *kind)
{
    metrics_add(l->metrics, family, value, "domid", l->domid, "domain", l->name, label, kind, NULL);
}

static void fill_worker(const struct broker *b, const struct labels *l, uint16_t domid)
{
    struct scan_statistics s = { 0 };

    b->scanner->get_statistics(b->scanner->opaque, domid, &s);
    add(l, WORKER_DEATHS, s.deaths);
    add(l, WORKER_FAILURES, s.failed);
    add(l, WORKER_BACKING_OFF, s.backing_off);
    add(l, TICKS, s.ticks);
    add(l, TICK_CROSSINGS, s.tick_crossings);
    add(l, TICK_FRAMES, s.tick_frames);
    add(l, TICK_SECONDS, s.tick_ns / (double)SECOND_NS);
    add(l, TICK_LONGEST, s.tick_most_ns / (double)SECOND_NS);
}

static void fill_guard(const struct labels *l, const struct guard *g)
{
    const struct guard_statistics *s = &g->statistics;
    struct pages_statistics pages;
    unsigned int waiting = 0;

    if ( g->gap.is_known )
        add_kind(l, GAP, g->gap.milliseconds / 1000.0, "new_code", g->gap.was_free ? "ran" : "waited");
    pages_get_statistics(g->pages, &pages);
    for ( const struct scan *scan = g->scans; scan; scan = scan->next )
        waiting += scan->waiters_count;
    add(l, RESTRICTED, pages.restricted);
    add(l, EXECUTABLE, pages.scanned);
    add(l, VOLATILE, pages.is_volatile);
    add_kind(l, EVENTS, s->fetches, "kind", "execute");
    add_kind(l, EVENTS, s->writes, "kind", "write");
    add_kind(l, EVENTS, s->others, "kind", "other");
    add(l, SCANS, s->scans);
    add(l, CACHED, s->cached);
    for ( unsigned int i = 0; i <= POLICY_UNJUDGED; i++ )
        add_kind(l, VERDICTS, s->verdicts[i], "verdict", policy_verdict_name(i));
    add(l, DENIED, s->denied);
    add(l, LATE, s->late);
    add(l, UNREADABLE, s->unreadable);
    add(l, MONITORED, s->monitored);
    add(l, UNTOLD, s->untold);
    add(l, FINDINGS, s->findings);
    add(l, LEFT_OUT, s->findings_left_out);
    add(l, WAITING, waiting);
    add(l, WAITED, s->waited_ns / (double)SECOND_NS);
    add(l, WAITED_MOST, s->waited_most_ns / (double)SECOND_NS);
}

static void fill_domain(const struct broker *b, const struct wish *w)
{
    struct labels labels = { .metrics = b->metrics, .name = w->name };
    const struct guard *g = b->guards;

    while ( g && g->domid != w->domid )
        g = g->next;
    snprintf(labels.domid, sizeof(labels.domid), "%" PRIu16, w->domid);
    add(&labels, PROTECTED, g && g->is_swept && !g->failure);
    if ( !g )
        return;
    fill_guard(&labels, g);
    fill_worker(b, &labels, w->domid);
}

static void fill(struct broker *b)
{
    struct hypervisor_counts counts;
    struct verdicts_statistics v;

    verdicts_get_statistics(b->verdicts, &v);
    b->hv->ops->get_counts(b->hv, &counts);
    metrics_begin(b->metrics);
    metrics_add(b->metrics, CACHE_ENTRIES, v.entries, NULL);
    metrics_add(b->metrics, CACHE_LIMIT, v.limit, NULL);
    metrics_add(b->metrics, CACHE_HITS, v.hits, NULL);
    metrics_add(b->metrics, CACHE_MISSES, v.misses, NULL);
    for ( const struct wish *w = b->wishes; w; w = w->next )
        if ( w->is_wanted )
            fill_domain(b, w);
    metrics_add_daemon(b->metrics, &(const struct metrics_daemon){
        .started = b->began, .hypercalls = counts.hypercalls, .operations = counts.operations,
        .system_calls = counts.system_calls,
    });
}

void broker_metrics_write(struct broker *b)
{
    const char *what = "the metrics";
    int rc = 0;

    if ( !b->settings->metrics && !b->settings->metrics_socket )
        return;
    if ( !b->metrics )
        rc = open_families(b);
    if ( !rc )
    {
        fill(b);
        rc = metrics_publish(b->metrics, b->settings->metrics, b->settings->metrics_socket, &b->metrics_socket, b->loop,
                             &what);
    }
    if ( rc && rc != b->metrics_error )
        log_message(LOG_WARNING, LOG_HOST("metrics-failed"), "%s cannot be written: %s; it is tried again", what,
                    strerror(-rc));
    b->metrics_error = rc;
}

void broker_metrics_close(struct broker *b)
{
    if ( b->metrics && b->settings->metrics && b->exit_status == 0 )
        unlink(b->settings->metrics);
    metrics_socket_close(b->metrics_socket);
    metrics_close(b->metrics);
}
