/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Asking all plugins, and making one judgement of what they say. What they can do meanwhile is in host-calls.c.
 */
#include "judge.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host-calls.h"

#define WINDOW_BYTES (AV_WINDOW_MAX + AV_PAGE_SIZE + AV_WINDOW_MAX)

/* Whoever calls keeps the time, and got here a little sooner than the last time: nanoseconds in a millisecond of the interval. */
#define TICK_EARLY   125000u

/* One plugin's view of the domain. */
struct attached {
    void *state;
    bool is;
    uint64_t ticked;                    /* when, view_now() */
};

struct judge {
    struct plugins *plugins;
    struct view *view;
    struct memory memory;
    struct judge_place place;
    struct attached attached[PLUGINS_MAX];
    struct av_call call;
    unsigned char *window;
};

int judge_open(struct judge **out, struct plugins *plugins, const struct memory *memory, const struct judge_place *place)
{
    struct judge *judge = calloc(1, sizeof(*judge));
    int rc = -ENOMEM;

    *out = NULL;
    if ( !judge )
        return -ENOMEM;
    judge->plugins = plugins;
    judge->memory = *memory;
    judge->place = *place;
    judge->window = malloc(WINDOW_BYTES);
    if ( judge->window )
        rc = view_open(&judge->view, &judge->memory);
    if ( rc )
    {
        judge_close(judge);
        return rc;
    }
    judge->call.view = judge->view;
    judge->call.place = &judge->place;
    *out = judge;
    return 0;
}

void judge_close(struct judge *judge)
{
    if ( !judge )
        return;
    for ( unsigned int i = 0; i < plugins_count(judge->plugins); i++ )
    {
        struct plugin *plugin = plugins_at(judge->plugins, i);

        if ( judge->attached[i].is && plugin->is.detach )
            plugin->is.detach(plugin->instance, judge->attached[i].state);
    }
    view_close(judge->view);
    free(judge->window);
    free(judge);
}

/* ---- a call ---- */

static void begin(struct judge *judge, const struct av_event *event, uint64_t deadline, struct judgement *out)
{
    struct av_registers registers = { 0 };

    memset(out, 0, offsetof(struct judgement, findings));
    judge->call.event = event;
    judge->call.deadline = deadline;
    judge->call.out = out;
    view_begin(judge->view, deadline);
    if ( judge->place.registers && !judge->place.registers(judge->place.opaque, event ? event->vcpu : 0, &registers) )
        view_set_paging(judge->view, host_calls_paging(&registers));
}

static void enter(struct judge *judge, struct plugin *plugin)
{
    judge->call.plugin = plugin;
    if ( judge->place.asked )
        judge->place.asked(judge->place.opaque, plugin->index);
}

static void leave(struct judge *judge)
{
    judge->call.plugin = NULL;
    if ( judge->place.asked )
        judge->place.asked(judge->place.opaque, PLUGINS_MAX);
}

/*
 * What a verdict function returned; before leave(), as a line is that of whoever is asked. kind: of the event, 0 for
 * a tick, about which nobody decides.
 */
static void take(struct judge *judge, struct plugin *plugin, uint32_t kind, int said)
{
    struct judgement *out = judge->call.out;

    if ( said < 0 )
    {
        out->failed |= 1u << plugin->index;
        plugin->host.log(&plugin->host, AV_LOG_WARNING, "could not judge: %s", said > -4096 ? strerror(-said) : "?");
    }
    else if ( said > AV_MALICIOUS )
    {
        out->defects |= 1u << plugin->index;
        plugin->host.log(&plugin->host, AV_LOG_ERROR, "says %d, which is no verdict", said);
    }
    if ( said < 0 || said > AV_MALICIOUS )
    {
        said = AV_UNKNOWN;
        if ( plugin->is.decide & kind )
            out->unjudged |= 1u << plugin->index;
    }
    if ( out->verdict < (uint32_t)said )
        out->verdict = said;
}

/* Whose it was, for what has been found; the first plugin that knows is taken. */
static void attribute(struct judge *judge)
{
    struct judgement *out = judge->call.out;
    struct av_process process;
    bool known = false, wanted = false;
    uint32_t more = out->more;

    for ( uint32_t i = 0; i < out->count; i++ )
        wanted |= !out->findings[i].has_process && out->findings[i].verdict > AV_UNKNOWN;
    if ( !wanted || !judge->call.event || judge->call.event->flags & AV_FLAG_IMAGE )
        return;

    for ( unsigned int i = 0; !known && i < plugins_count(judge->plugins); i++ )
    {
        struct plugin *plugin = plugins_at(judge->plugins, i);

        if ( !plugin->is.attribute || !judge->attached[i].is )
            continue;
        memset(&process, 0, sizeof(process));
        process.size = sizeof(process);
        enter(judge, plugin);
        known = !plugin->is.attribute(plugin->instance, judge->attached[i].state, &judge->call, judge->call.event, &process);
        leave(judge);
        process.name[sizeof(process.name) - 1] = 0;
        process.path[sizeof(process.path) - 1] = 0;
    }
    out->more = more;
    for ( uint32_t i = 0; known && i < out->count; i++ )
    {
        struct judge_finding *finding = &out->findings[i];

        if ( finding->has_process )
            continue;
        finding->has_process = 1;
        finding->process.pid = process.pid;
        finding->process.uid = process.uid;
        host_calls_copy_text(finding->process.name, sizeof(finding->process.name), process.name);
        host_calls_copy_text(finding->process.path, sizeof(finding->process.path), process.path);
    }
}

static bool wants(const struct plugin *plugin, uint32_t kind, enum judge_who who)
{
    bool decides = plugin->is.decide & kind, is_told = plugin->is.notify & kind;

    return who == JUDGE_AFTER ? is_told && !decides : decides || (who == JUDGE_ALL && is_told);
}

void judge_attach(struct judge *judge, const struct av_domain *domain, uint64_t deadline, struct judgement *out)
{
    begin(judge, NULL, deadline, out);
    for ( unsigned int i = 0; i < plugins_count(judge->plugins); i++ )
    {
        struct plugin *plugin = plugins_at(judge->plugins, i);
        int rc = 0;

        if ( judge->attached[i].is )
            continue;
        enter(judge, plugin);
        if ( plugin->is.attach )
            rc = plugin->is.attach(plugin->instance, &judge->call, domain, &judge->attached[i].state);
        judge->attached[i].is = !rc;
        if ( rc )
        {
            out->failed |= 1u << i;
            plugin->host.log(&plugin->host, AV_LOG_ERROR, "cannot look into domain %u: %s", domain->domid,
                             rc > -4096 && rc < 0 ? strerror(-rc) : "?");
        }
        leave(judge);
    }
}

/* ---- scans ---- */

/*
 * The pages around the event's in its address space, nearest first until one is not mapped. Returns how many octets
 * are before the page in the window, and sets *after.
 */
static uint32_t gather(struct judge *judge, const struct av_event *event, const void *page, enum judge_who who,
                       uint32_t *after)
{
    unsigned char *middle = judge->window + AV_WINDOW_MAX;
    uint64_t start = event->gva & ~((uint64_t)AV_PAGE_SIZE - 1);
    uint32_t before = 0, want_before = 0, want_after = 0;

    memcpy(middle, page, AV_PAGE_SIZE);
    *after = 0;
    if ( !(event->flags & AV_FLAG_GVA) || !(event->flags & AV_FLAG_REGISTERS) )
        return 0;
    for ( unsigned int i = 0; i < plugins_count(judge->plugins); i++ )
    {
        const struct plugin *plugin = plugins_at(judge->plugins, i);

        if ( !wants(plugin, AV_EVENT_SCAN, who) || !judge->attached[i].is )
            continue;
        want_before = plugin->is.window_before > want_before ? plugin->is.window_before : want_before;
        want_after = plugin->is.window_after > want_after ? plugin->is.window_after : want_after;
    }
    judge->call.out->more |= want_before || want_after;

    while ( before < want_before && start >= before + AV_PAGE_SIZE &&
            !view_read_virtual(judge->view, event->cr3, start - before - AV_PAGE_SIZE, middle - before - AV_PAGE_SIZE,
                               AV_PAGE_SIZE, NULL) )
        before += AV_PAGE_SIZE;
    while ( *after < want_after && start + AV_PAGE_SIZE + *after > start &&
            !view_read_virtual(judge->view, event->cr3, start + AV_PAGE_SIZE + *after, middle + AV_PAGE_SIZE + *after,
                               AV_PAGE_SIZE, NULL) )
        *after += AV_PAGE_SIZE;
    return before < want_before ? before : want_before;
}

static void ask_scan(struct judge *judge, struct plugin *plugin, const struct av_scan *scan)
{
    int said;

    enter(judge, plugin);
    said = plugin->is.scan(plugin->instance, judge->attached[plugin->index].state, &judge->call, scan);
    take(judge, plugin, AV_EVENT_SCAN, said);
    leave(judge);
}

void judge_page(struct judge *judge, const struct av_event *event, const void *page, enum judge_who who,
                uint64_t deadline, struct judgement *out)
{
    const unsigned char *middle = judge->window + AV_WINDOW_MAX;
    bool is_virtual = event->flags & AV_FLAG_GVA;
    uint32_t before, after;

    begin(judge, event, deadline, out);
    if ( event->gfn != AV_NO_GFN )
        view_put(judge->view, event->gfn, page);
    if ( event->flags & AV_FLAG_REGISTERS )
        view_repeat(judge->view, VIEW_PAGE, event->cr3);
    before = gather(judge, event, page, who, &after);

    for ( unsigned int i = 0; i < plugins_count(judge->plugins); i++ )
    {
        struct plugin *plugin = plugins_at(judge->plugins, i);
        uint32_t mine = plugin->is.window_before < before ? plugin->is.window_before : before;
        uint32_t behind = plugin->is.window_after < after ? plugin->is.window_after : after;
        uint64_t start = is_virtual ? event->gva & ~((uint64_t)AV_PAGE_SIZE - 1) : event->gfn * AV_PAGE_SIZE;
        struct av_scan scan = {
            .size = sizeof(scan), .flags = is_virtual ? AV_SCAN_VIRTUAL : 0, .event = event,
            .bytes = middle - mine, .length = (uint64_t)mine + AV_PAGE_SIZE + behind, .address = start - mine,
            .focus = mine, .focus_length = AV_PAGE_SIZE,
        };

        if ( event->flags & AV_FLAG_EXECUTE )
            scan.flags |= AV_SCAN_EXECUTABLE;
        if ( judge->attached[i].is && wants(plugin, AV_EVENT_SCAN, who) )
            ask_scan(judge, plugin, &scan);
    }
    attribute(judge);
}

void judge_piece(struct judge *judge, const struct av_event *event, const void *bytes, uint64_t length, uint64_t address,
                 uint64_t focus, uint64_t focus_length, uint32_t flags, struct judgement *out)
{
    const struct av_scan scan = {
        .size = sizeof(scan), .flags = flags, .event = event, .bytes = bytes, .length = length, .address = address,
        .focus = focus, .focus_length = focus_length,
    };

    begin(judge, event, UINT64_MAX, out);
    for ( unsigned int i = 0; i < plugins_count(judge->plugins); i++ )
    {
        struct plugin *plugin = plugins_at(judge->plugins, i);

        if ( judge->attached[i].is && wants(plugin, AV_EVENT_SCAN, JUDGE_ALL) )
            ask_scan(judge, plugin, &scan);
    }
    attribute(judge);
}

/* ---- the rest ---- */

void judge_event(struct judge *judge, const struct av_event *event, enum judge_who who, uint64_t deadline,
                 struct judgement *out)
{
    begin(judge, event, deadline, out);
    for ( unsigned int i = 0; i < plugins_count(judge->plugins); i++ )
    {
        struct plugin *plugin = plugins_at(judge->plugins, i);
        int said;

        if ( !judge->attached[i].is || !wants(plugin, event->kind, who) || !plugin->is.event )
            continue;
        enter(judge, plugin);
        said = plugin->is.event(plugin->instance, judge->attached[i].state, &judge->call, event);
        take(judge, plugin, event->kind, said);
        leave(judge);
    }
    attribute(judge);
}

unsigned int judge_tick(struct judge *judge, uint64_t deadline, struct judgement *out)
{
    uint64_t now = view_now();
    unsigned int asked = 0;

    begin(judge, NULL, deadline, out);
    view_repeat(judge->view, VIEW_TICK, 0);
    for ( unsigned int i = 0; i < plugins_count(judge->plugins); i++ )
    {
        struct plugin *plugin = plugins_at(judge->plugins, i);
        struct attached *attached = &judge->attached[i];
        int said;

        if ( !attached->is || !plugin->is.tick_ms || !plugin->is.tick ||
             (attached->ticked && now - attached->ticked < (uint64_t)plugin->is.tick_ms * (1000000u - TICK_EARLY)) )
            continue;
        attached->ticked = now;
        asked++;
        enter(judge, plugin);
        said = plugin->is.tick(plugin->instance, attached->state, &judge->call);
        take(judge, plugin, 0, said);
        leave(judge);
    }
    return asked;
}
