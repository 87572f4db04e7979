/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The status file: everything the broker counts, as JSON, for memeventctl and for programs.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <json-c/json.h>

#include <daemon/json.h>
#include <daemon/log.h>

#include "broker-private.h"

#define STATUS_FILE "av-introspect.json"

static const char *state_of(const struct broker *b, const struct guard *g)
{
    if ( b->stopping )
        return "leaving";
    if ( g->failure )
        return "partly protected";
    return g->is_swept ? "protected" : "starting";
}

static struct json_object *describe_pages(const struct guard *g)
{
    struct json_object *object = json_object_new_object();
    struct pages_statistics pages;

    pages_get_statistics(g->pages, &pages);
    json_add_number(object, "restricted", pages.restricted);
    json_add_number(object, "executable", pages.scanned);
    json_add_number(object, "volatile", pages.is_volatile);
    json_add_number(object, "operations", pages.operations);
    json_add_number(object, "sweep_permille", g->is_swept ? 1000 : pages_progress(g->pages));
    return object;
}

static struct json_object *describe_scans(const struct guard *g)
{
    const struct guard_statistics *s = &g->statistics;
    struct json_object *object = json_object_new_object(), *verdicts = json_object_new_object();
    unsigned int waiting = 0, under_way = 0;

    for ( const struct scan *scan = g->scans; scan; scan = scan->next )
    {
        waiting += scan->waiters_count;
        under_way += scan->is_under_way;
    }
    json_add_number(object, "scans", s->scans);
    json_add_number(object, "cached", s->cached);
    for ( unsigned int i = 0; i <= POLICY_UNJUDGED; i++ )
        json_add_number(verdicts, policy_verdict_name(i), s->verdicts[i]);
    json_object_object_add(object, "verdicts", verdicts);
    json_add_number(object, "denied", s->denied);
    json_add_number(object, "late", s->late);
    json_add_number(object, "disturbed", s->disturbed);
    json_add_number(object, "stepped", s->stepped);
    json_add_number(object, "unreadable", s->unreadable);
    json_add_number(object, "became_volatile", s->volatile_pages);
    json_add_number(object, "monitored", s->monitored);
    json_add_number(object, "told", s->told);
    json_add_number(object, "untold", s->untold);
    json_add_number(object, "findings", s->findings);
    json_add_number(object, "findings_left_out", s->findings_left_out);
    json_add_number(object, "vcpus_waiting", waiting);
    json_add_number(object, "under_way", under_way);
    json_add_number(object, "waited_us", s->waited_ns / 1000);
    json_add_number(object, "waited_most_us", s->waited_most_ns / 1000);
    return object;
}

static struct json_object *describe_channel(const struct guard *g)
{
    struct json_object *object = json_object_new_object();
    struct memevent_statistics statistics;
    struct memevent_channel_info info;

    memevent_get_statistics(g->channel, &statistics);
    json_add_text(object, "transport", memevent_get_transport(g->channel));
    json_add_number(object, "events", g->statistics.events);
    json_add_number(object, "fetches", g->statistics.fetches);
    json_add_number(object, "writes", g->statistics.writes);
    json_add_number(object, "others", g->statistics.others);
    json_add_number(object, "redelivered", memevent_get_redelivered(g->channel));
    json_add_number(object, "answered", statistics.answered);
    json_add_number(object, "outstanding", statistics.outstanding);
    if ( !memevent_get_channel_info(g->channel, &info) )
        json_add_number(object, "attachments", info.attachments);
    return object;
}

static struct json_object *describe_worker(const struct broker *b, uint16_t domid)
{
    struct json_object *object = json_object_new_object();
    struct scan_statistics s = { 0 };

    b->scanner->get_statistics(b->scanner->opaque, domid, &s);
    json_add_number(object, "pid", s.pid);
    json_add_number(object, "submitted", s.submitted);
    json_add_number(object, "done", s.done);
    json_add_number(object, "failed", s.failed);
    json_add_number(object, "refused", s.refused);
    json_add_number(object, "deaths", s.deaths);
    json_add_number(object, "in_flight", s.in_flight);
    json_add_flag(object, "backing_off", s.backing_off);
    return object;
}

static struct json_object *describe_gap(const struct gap_length *gap)
{
    struct json_object *object = json_object_new_object();

    json_add_number(object, "milliseconds", gap->milliseconds);
    json_add_text(object, "new_code", gap->was_free ? "ran" : "waited");
    return object;
}

static struct json_object *describe_domain(const struct broker *b, const struct wish *w)
{
    struct json_object *object = json_object_new_object();
    const struct guard *g = b->guards;

    while ( g && g->domid != w->domid )
        g = g->next;
    json_add_number(object, "domid", w->domid);
    json_add_text(object, "name", w->name);
    json_add_text(object, "uuid", w->uuid);
    json_add_text(object, "wanted_by", w->by_xenstore ? "xenstore" : "configuration");
    json_add_text(object, "state", g ? state_of(b, g) : w->refusal ? "refused" : "not protected");
    if ( !g )
    {
        json_add_text(object, "refusal", w->refusal);
        return object;
    }
    if ( g->gap.is_known )
        json_object_object_add(object, "gap", describe_gap(&g->gap));
    json_object_object_add(object, "pages", describe_pages(g));
    json_object_object_add(object, "scanning", describe_scans(g));
    json_object_object_add(object, "channel", describe_channel(g));
    json_object_object_add(object, "worker", describe_worker(b, w->domid));
    return object;
}

static struct json_object *describe_cache(const struct broker *b)
{
    struct json_object *object = json_object_new_object();
    struct verdicts_statistics v;

    verdicts_get_statistics(b->verdicts, &v);
    json_add_number(object, "entries", v.entries);
    json_add_number(object, "limit", v.limit);
    json_add_number(object, "hits", v.hits);
    json_add_number(object, "misses", v.misses);
    json_add_number(object, "kept", v.kept);
    json_add_number(object, "forgotten", v.forgotten);
    return object;
}

static struct json_object *describe(const struct broker *b)
{
    struct json_object *root = json_object_new_object(), *domains = json_object_new_array();

    json_add_number(root, "version", 1);
    json_add_number(root, "pid", getpid());
    json_add_number(root, "started", b->began);
    json_add_flag(root, "stopping", b->stopping);
    json_add_text(root, "findings_file", b->settings->findings);
    json_add_number(root, "findings", findings_count(b->findings));
    json_add_number(root, "deadline_ms", b->settings->deadline);
    json_add_text(root, "unjudged", b->settings->unjudged == UNJUDGED_RUNS ? "runs" : "waits");
    json_add_number(root, "rules_generation", b->generation);
    json_object_object_add(root, "cache", describe_cache(b));
    for ( const struct wish *w = b->wishes; w; w = w->next )
        if ( w->is_wanted )
            json_object_array_add(domains, describe_domain(b, w));
    json_object_object_add(root, "domains", domains);
    return root;
}

void status_write(struct broker *b)
{
    struct json_object *root = describe(b);
    char path[4200];
    int rc;

    snprintf(path, sizeof(path), "%s/" STATUS_FILE, b->settings->run_directory);
    rc = json_write(root, path);
    json_object_put(root);
    if ( rc && !b->publish_failed )
        log_message(LOG_WARNING, LOG_HOST("publish-failed"), "%s cannot be written: %s; see whether there is room", path,
                    strerror(-rc));
    b->publish_failed = rc;
}

void status_remove(struct broker *b)
{
    char path[4200];

    snprintf(path, sizeof(path), "%s/" STATUS_FILE, b->settings->run_directory);
    unlink(path);
}
