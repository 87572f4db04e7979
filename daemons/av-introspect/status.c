/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The status file: everything the broker counts, as JSON, for memeventctl and for programs.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <json-c/json.h>

#include <daemon/log.h>
#include <daemon/whole-file.h>

#include "broker-private.h"

#define STATUS_FILE "av-introspect.json"

static void add_number(struct json_object *object, const char *name, uint64_t value)
{
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
    add_number(object, "restricted", pages.restricted);
    add_number(object, "executable", pages.scanned);
    add_number(object, "volatile", pages.is_volatile);
    add_number(object, "operations", pages.operations);
    add_number(object, "sweep_permille", g->is_swept ? 1000 : pages_progress(g->pages));
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
    add_number(object, "scans", s->scans);
    add_number(object, "cached", s->cached);
    for ( unsigned int i = 0; i <= POLICY_UNJUDGED; i++ )
        add_number(verdicts, policy_verdict_name(i), s->verdicts[i]);
    json_object_object_add(object, "verdicts", verdicts);
    add_number(object, "denied", s->denied);
    add_number(object, "late", s->late);
    add_number(object, "disturbed", s->disturbed);
    add_number(object, "stepped", s->stepped);
    add_number(object, "unreadable", s->unreadable);
    add_number(object, "became_volatile", s->volatile_pages);
    add_number(object, "findings", s->findings);
    add_number(object, "findings_left_out", s->findings_left_out);
    add_number(object, "vcpus_waiting", waiting);
    add_number(object, "under_way", under_way);
    add_number(object, "waited_us", s->waited_ns / 1000);
    add_number(object, "waited_most_us", s->waited_most_ns / 1000);
    return object;
}

static struct json_object *describe_channel(const struct guard *g)
{
    struct json_object *object = json_object_new_object();
    struct memevent_statistics statistics;
    struct memevent_channel_info info;

    memevent_get_statistics(g->channel, &statistics);
    add_text(object, "transport", memevent_get_transport(g->channel));
    add_number(object, "events", g->statistics.events);
    add_number(object, "fetches", g->statistics.fetches);
    add_number(object, "writes", g->statistics.writes);
    add_number(object, "others", g->statistics.others);
    add_number(object, "redelivered", memevent_get_redelivered(g->channel));
    add_number(object, "answered", statistics.answered);
    add_number(object, "outstanding", statistics.outstanding);
    if ( !memevent_get_channel_info(g->channel, &info) )
        add_number(object, "attachments", info.attachments);
    return object;
}

static struct json_object *describe_worker(const struct broker *b, uint16_t domid)
{
    struct json_object *object = json_object_new_object();
    struct scan_statistics s = { 0 };

    b->scanner->get_statistics(b->scanner->opaque, domid, &s);
    add_number(object, "pid", s.pid);
    add_number(object, "submitted", s.submitted);
    add_number(object, "done", s.done);
    add_number(object, "failed", s.failed);
    add_number(object, "refused", s.refused);
    add_number(object, "deaths", s.deaths);
    add_number(object, "in_flight", s.in_flight);
    add_flag(object, "backing_off", s.backing_off);
    return object;
}

static struct json_object *describe_domain(const struct broker *b, const struct wish *w)
{
    struct json_object *object = json_object_new_object();
    const struct guard *g = b->guards;

    while ( g && g->domid != w->domid )
        g = g->next;
    add_number(object, "domid", w->domid);
    add_text(object, "name", w->name);
    add_text(object, "uuid", w->uuid);
    add_text(object, "wanted_by", w->by_xenstore ? "xenstore" : "configuration");
    add_text(object, "state", g ? state_of(b, g) : w->refusal ? "refused" : "not protected");
    if ( !g )
    {
        add_text(object, "refusal", w->refusal);
        return object;
    }
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
    add_number(object, "entries", v.entries);
    add_number(object, "limit", v.limit);
    add_number(object, "hits", v.hits);
    add_number(object, "misses", v.misses);
    add_number(object, "kept", v.kept);
    add_number(object, "forgotten", v.forgotten);
    return object;
}

static struct json_object *describe(const struct broker *b)
{
    struct json_object *root = json_object_new_object(), *domains = json_object_new_array();

    add_number(root, "version", 1);
    add_number(root, "pid", getpid());
    add_number(root, "started", b->began);
    add_flag(root, "stopping", b->stopping);
    add_text(root, "findings_file", b->settings->findings);
    add_number(root, "findings", findings_count(b->findings));
    add_number(root, "deadline_ms", b->settings->deadline);
    add_text(root, "unjudged", b->settings->unjudged == UNJUDGED_RUNS ? "runs" : "waits");
    add_number(root, "rules_generation", b->generation);
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
    const char *text;
    char path[4200];
    size_t length;
    int rc = -ENOMEM;

    snprintf(path, sizeof(path), "%s/" STATUS_FILE, b->settings->run_directory);
    text = json_object_to_json_string_length(root, JSON_C_TO_STRING_PRETTY, &length);
    if ( text )
        rc = whole_file_write(path, text, length);
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
