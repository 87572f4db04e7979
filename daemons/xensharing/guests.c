/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * See guests.h.  What a domain holds is scanned and merged elsewhere; here is only who takes part.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <daemon/log.h>

#include "guests.h"

/* Domain numbers below this are ordinary ones. */
#define DOMIDS          0x7ff0U

/* Frames that are unshared before the loop looks at other things again: some ten milliseconds. */
#define LEAVE_STEP      4096U

/* Books that are forgotten at a time. */
#define FORGET_STEP     65536U

/* Books are made for this many frames at a time: what a domain takes is more than its frames by one piece at most at each
 * end, of low memory and of what lies below 4 GiB. */
#define BOOKS_SLACK     65536U

_Static_assert(LEAVE_STEP % SCAN_FRAMES == 0, "whole batches");
_Static_assert(SCAN_FRAMES <= HYPERVISOR_BATCH_MAX && SCAN_FRAMES <= HYPERVISOR_QUERY_MAX, "one call each");

static const char memory_refusal[] =
    "what is known of its pages would take more of dom0's memory than memory-limit allows: raise that, or let fewer or "
    "smaller domains share";
static const char suspend_refusal[] = "it is suspended; it joins when it goes on";

/* ---- what is wanted of a domain ---- */

static int read_key(const struct guest *g, const char *key, char *value, size_t size)
{
    char path[96];

    snprintf(path, sizeof(path), "/local/domain/%u/%s", g->domid, key);
    return g->sharer->hv->ops->read_key(g->sharer->hv, path, value, size);
}

static void read_within(struct guest *g)
{
    const struct sharer *s = g->sharer;
    char value[8];

    g->within = s->settings->within || (g->group != GROUPS_NONE && groups_is_within(s->groups, g->group));
    if ( read_key(g, GUESTS_WITHIN_KEY, value, sizeof(value)) < 0 )
        return;
    if ( !strcmp(value, "yes") || !strcmp(value, "no") )
        g->within = value[0] == 'y';
    else
        log_message(LOG_ERR, LOG_DOMAIN(g->domid, g->name, "within-invalid"),
                    "/local/domain/%u/" GUESTS_WITHIN_KEY " holds '%s', allowed is yes or no; the configuration's %s "
                    "counts", g->domid, value, g->within ? "yes" : "no");
}

/* The key is stronger than the configuration; one that is empty, or makes no sense, is no group. */
static void read_wishes(struct guest *g)
{
    struct sharer *s = g->sharer;
    char value[GROUPS_NAME_MAX + 2];
    int length = read_key(g, GUESTS_GROUP_KEY, value, sizeof(value));

    g->by_xenstore = length >= 0;
    g->group = g->by_xenstore ? groups_number(s->groups, value, strlen(value)) :
                                groups_find(s->groups, g->name, g->uuid);
    read_within(g);
    if ( g->by_xenstore && g->group == GROUPS_NONE && length )
        log_message(LOG_ERR, LOG_DOMAIN(g->domid, g->name, "group-invalid"),
                    "/local/domain/%u/" GUESTS_GROUP_KEY " holds '%s', allowed is a name of up to %u letters, digits, '-' "
                    "and '_', or nothing; the domain shares nothing until that is corrected", g->domid, value,
                    GROUPS_NAME_MAX);
}

/* ---- joining ---- */

static uint64_t frames_populated(const struct guest *g)
{
    return g->info.pages + g->info.pages_shared + g->info.pages_paged;
}

/* NULL: it may join. */
static const char *find_refusal(struct guest *g, uint64_t frames)
{
    struct sharer *s = g->sharer;
    struct decide_statistics statistics;
    const char *why = NULL;
    uint64_t need;
    int rc = s->hv->ops->enable_sharing(s->hv, g->domid, &why);

    if ( rc )
        return why ? why : strerror(-rc);
    decide_get_statistics(s->decide, &statistics);
    need = decide_need(s->decide, frames_populated(g) + BOOKS_SLACK < frames ? frames_populated(g) + BOOKS_SLACK : frames);
    if ( statistics.octets + need > s->settings->memory_limit )
        return memory_refusal;
    log_message(LOG_INFO, LOG_DOMAIN(g->domid, g->name, "joining"),
                "%s has %" PRIu64 " pages; what is known of them will take up to %" PRIu64 " KiB, besides %" PRIu64 " KiB now",
                g->name, frames_populated(g), need / 1024, statistics.octets / 1024);
    return NULL;
}

static void refuse(struct guest *g, const char *why)
{
    if ( !g->refused || g->refusal != why )
        log_message(LOG_WARNING, LOG_DOMAIN(g->domid, g->name, "refused"), "%s is in group %s, and shares nothing: %s",
                    g->name, groups_name(g->sharer->groups, g->group), why);
    g->refused = true;
    g->refusal = why;
}

/* What pass.c notes of chunks. */
static int make_chunks(struct guest *g, uint64_t frames)
{
    uint64_t size = (frames + SCAN_FRAMES - 1) / SCAN_FRAMES / 4 + 1;
    uint8_t *chunks = calloc(1, size);

    if ( !chunks )
        return -ENOMEM;
    free(g->chunks);
    g->chunks = chunks;
    g->chunks_size = size;
    g->found = 0;
    return 0;
}

int guest_grow(struct guest *g, uint64_t frames)
{
    int rc = make_chunks(g, frames);

    if ( !rc )
        rc = decide_grow(g->sharer->decide, g->domid, frames);
    if ( !rc )
        g->frames = frames;
    return rc;
}

static void begin_leave(struct guest *g)
{
    static const struct timeval now = { 0 };

    g->phase = GUEST_LEAVING;
    g->ticket = ++g->sharer->tickets;
    g->next_frame = 0;
    g->short_of_memory = false;
    event_add(g->sharer->leave, &now);
}

static void join(struct guest *g)
{
    struct sharer *s = g->sharer;
    uint64_t frames;
    const char *why;
    int rc = s->hv->ops->get_frame_limit(s->hv, g->domid, &frames);

    if ( rc )
        return;                   /* it goes: somebody will say so */
    if ( g->info.is_suspended )
    {
        g->refusal = suspend_refusal;
        return;
    }
    why = find_refusal(g, frames);
    if ( why )
    {
        refuse(g, why);
        return;
    }
    g->in_group = g->group;
    g->in_within = g->within;
    g->frames = frames;
    /* A stock hypervisor dies of a page that somebody shares whom the books do not know. */
    if ( !s->channel && g->info.pages_shared )
    {
        begin_leave(g);
        return;
    }
    rc = make_chunks(g, frames);
    if ( !rc )
        rc = decide_join(s->decide, g->domid, g->group, g->within, frames);
    if ( rc )
    {
        refuse(g, strerror(-rc));
        return;
    }
    g->phase = GUEST_MEMBER;
    g->ticket = ++s->tickets;
    g->next_frame = 0;
    g->refused = false;
    g->refusal = NULL;
    log_message(LOG_INFO, LOG_DOMAIN(g->domid, g->name, "joined"), "%s joins group %s%s", g->name,
                groups_name(s->groups, g->group), g->within ? "" : ", with no pages shared within itself");
    pass_advance(s);
}

static void consider(struct guest *g)
{
    if ( g->dying || g->sharer->stopping )
        return;
    read_wishes(g);
    switch ( g->phase )
    {
    case GUEST_ALONE:
        if ( g->group == GROUPS_NONE )
            g->refusal = NULL;
        else
            join(g);
        break;
    case GUEST_MEMBER:
        if ( g->group == g->in_group && g->within == g->in_within )
            break;
        log_message(LOG_INFO, LOG_DOMAIN(g->domid, g->name, "leaving"), "%s leaves group %s: it gets its own pages again",
                    g->name, groups_name(g->sharer->groups, g->in_group));
        begin_leave(g);
        break;
    case GUEST_LEAVING:
        break;                    /* when it has left */
    }
}

/* ---- leaving ---- */

static void forget_books(struct guest *g)
{
    while ( decide_leave(g->sharer->decide, g->domid, FORGET_STEP) )
        ;
}

/* Gives one batch of frames back.  False: there was no memory for one of them. */
static bool unshare(struct guest *g, uint64_t first, unsigned int count)
{
    struct hypervisor_operation operations[SCAN_FRAMES];
    struct hypervisor *hv = g->sharer->hv;
    uint8_t states[SCAN_FRAMES];
    unsigned int n = 0;
    bool done = true;

    if ( hv->ops->query_frames(hv, g->domid, first, count, states) )
        return true;              /* it is going: nothing is left to give back */
    for ( unsigned int i = 0; i < count; i++ )
        if ( states[i] == FRAME_RAM )
            operations[n++] = (struct hypervisor_operation){ .call = SHARING_UNSHARE, .domid = g->domid, .gfn = first + i };
    if ( !n || hv->ops->submit(hv, operations, n) )
        return true;
    for ( unsigned int i = 0; i < n; i++ )
    {
        done &= operations[i].status != -ENOMEM;
        if ( !operations[i].status )
            g->unmerged++, g->sharer->unmerged++;
    }
    return done;
}

static void left(struct guest *g)
{
    g->phase = GUEST_ALONE;
    g->refused = false;
    log_message(LOG_INFO, LOG_DOMAIN(g->domid, g->name, "left"), "%s has its own pages again, %" PRIu64 " in all", g->name,
                g->unmerged);
    consider(g);
}

/* True: there is more to do now. */
static bool leave_step(struct guest *g)
{
    uint64_t until = g->next_frame + LEAVE_STEP;

    if ( decide_leave(g->sharer->decide, g->domid, FORGET_STEP) )
        return true;
    if ( until > g->frames )
        until = g->frames;
    while ( g->next_frame < until )
    {
        unsigned int count = until - g->next_frame < SCAN_FRAMES ? until - g->next_frame : SCAN_FRAMES;

        if ( !unshare(g, g->next_frame, count) )
        {
            if ( !g->short_of_memory )
                log_message(LOG_WARNING, LOG_DOMAIN(g->domid, g->name, "host-memory-short"),
                            "the host has no free memory for pages of its own that %s is to get back: it is tried again "
                            "every second; free memory ('xl info', 'xl mem-set')", g->name);
            g->short_of_memory = true;
            return false;
        }
        g->next_frame += count;
    }
    g->short_of_memory = false;
    if ( g->next_frame < g->frames )
        return true;
    left(g);
    return false;
}

static void step_all(struct sharer *s)
{
    static const struct timeval now = { 0 };
    bool more = false;

    for ( struct guest *g = s->guests; g; g = g->next )
        if ( g->phase == GUEST_LEAVING && !g->dying )
            more |= leave_step(g);
    if ( more )
        event_add(s->leave, &now);
    if ( s->stopping && !guests_left(s) )
        loop_stop(s->loop);
}

static void on_leave(evutil_socket_t fd, short what, void *arg)
{
    struct sharer *s = arg;

    (void)fd;
    (void)what;
    for ( struct guest *g = s->guests; g; g = g->next )
        if ( g->phase == GUEST_LEAVING && !g->short_of_memory )
        {
            step_all(s);
            return;
        }
}

void guests_leave_all(struct sharer *s)
{
    for ( struct guest *g = s->guests; g; g = g->next )
        if ( g->phase == GUEST_MEMBER )
            begin_leave(g);
}

unsigned int guests_left(const struct sharer *s)
{
    unsigned int n = 0;

    for ( const struct guest *g = s->guests; g; g = g->next )
        n += g->phase == GUEST_LEAVING && !g->dying;
    return n;
}

/* ---- domains that come and go ---- */

static void watch(struct sharer *s, uint16_t domid, bool add)
{
    static const char *const keys[] = { GUESTS_GROUP_KEY, GUESTS_WITHIN_KEY, "name" };
    char path[96], token[8];

    snprintf(token, sizeof(token), "%u", domid);
    for ( unsigned int i = 0; i < sizeof(keys) / sizeof(keys[0]); i++ )
    {
        snprintf(path, sizeof(path), "/local/domain/%u/%s", domid, keys[i]);
        if ( add )
            s->hv->ops->add_watch(s->hv, path, token);
        else
            s->hv->ops->remove_watch(s->hv, path, token);
    }
}

/*
 * The configuration knows a domain by its name, which a tool stack may change: one that arrives by migration gets it when
 * it is complete, and the one that it was before loses it, to be destroyed at once.  That one keeps its pages as they are.
 */
static void read_name(struct guest *g)
{
    static const char away[] = "--migratedaway";
    char name[GUESTS_NAME_BYTES];
    size_t length;

    if ( read_key(g, "name", name, sizeof(name)) < 0 )
    {
        if ( !g->is_named )
            snprintf(g->name, sizeof(g->name), "domain %u", g->domid);
        return;
    }
    length = strlen(name);
    if ( g->is_named && length >= strlen(away) && !strcmp(name + length - strlen(away), away) )
        return;
    memcpy(g->name, name, length + 1);
    g->is_named = true;
}

static void read_uuid(struct guest *g)
{
    const uint8_t *u = g->info.uuid;

    snprintf(g->uuid, sizeof(g->uuid), "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", u[0], u[1],
             u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13], u[14], u[15]);
}

static void add(struct sharer *s, const struct domain_info *info)
{
    struct guest *g = calloc(1, sizeof(*g));

    if ( !g )
        return;                   /* and it is tried again with the next change */
    g->sharer = s;
    g->domid = info->domid;
    g->info = *info;
    g->group = g->in_group = GROUPS_NONE;
    read_name(g);
    read_uuid(g);
    g->next = s->guests;
    s->guests = g;
    watch(s, g->domid, true);     /* which says the keys' first values, too */
}

static void drop(struct guest *g)
{
    struct sharer *s = g->sharer;
    struct guest **link = &s->guests;

    watch(s, g->domid, false);
    forget_books(g);
    pass_forget(s, g);
    while ( *link != g )
        link = &(*link)->next;
    *link = g->next;
    if ( g->phase != GUEST_ALONE )
        log_message(LOG_INFO, LOG_DOMAIN(g->domid, g->name, "domain-gone"), "%s is gone", g->name);
    free(g->chunks);
    free(g);
}

/* The same number may be another domain by now. */
static void refresh(struct sharer *s, const struct domain_info *info)
{
    struct guest *g = guests_find(s, info->domid, 0);

    if ( g && memcmp(g->info.uuid, info->uuid, sizeof(info->uuid)) )
    {
        drop(g);
        g = NULL;
    }
    if ( g )
    {
        g->info = *info;
        g->dying = false;
    }
    else
        add(s, info);
}

void guests_look(struct sharer *s)
{
    enum { AT_ONCE = 64 };
    struct domain_info info[AT_ONCE];
    uint32_t first = 1;           /* dom0 shares nothing */
    int count;

    for ( struct guest *g = s->guests; g; g = g->next )
        g->dying = true;
    while ( first < DOMIDS && (count = s->hv->ops->list_domains(s->hv, first, info, AT_ONCE)) > 0 )
    {
        for ( int i = 0; i < count; i++ )
            if ( info[i].domid < DOMIDS && !info[i].is_dying )
                refresh(s, &info[i]);
        first = info[count - 1].domid + 1;
    }
    for ( struct guest *g = s->guests, *next; g; g = next )
    {
        next = g->next;
        if ( g->dying )
            drop(g);
    }
    if ( s->stopping && !guests_left(s) )
        loop_stop(s->loop);
}

void guests_take_watches(struct sharer *s)
{
    char path[128], token[16];

    while ( s->hv->ops->next_watch(s->hv, path, sizeof(path), token, sizeof(token)) == 1 )
    {
        unsigned long domid = strtoul(token, NULL, 10);
        struct guest *g = domid && domid < DOMIDS ? guests_find(s, domid, 0) : NULL;

        if ( !strcmp(token, "domains") )
            guests_look(s);
        else if ( g )
        {
            g->refused = false;
            read_name(g);
            consider(g);
        }
    }
}

void guests_settle(struct sharer *s)
{
    guests_look(s);
    /* What was in the way may be gone: a domain that went on, memory that others gave up. */
    for ( struct guest *g = s->guests; g; g = g->next )
        if ( g->phase == GUEST_ALONE && (g->refusal == suspend_refusal || g->refusal == memory_refusal) )
            consider(g);
    step_all(s);
}

struct guest *guests_find(const struct sharer *s, uint16_t domid, uint64_t ticket)
{
    struct guest *g = s->guests;

    while ( g && g->domid != domid )
        g = g->next;
    return g && (!ticket || g->ticket == ticket) ? g : NULL;
}

int guests_open(struct sharer *s)
{
    int rc;

    s->leave = event_new(loop_base(s->loop), -1, 0, on_leave, s);
    if ( !s->leave )
        return -ENOMEM;
    rc = s->hv->ops->add_watch(s->hv, "@introduceDomain", "domains");
    if ( !rc )
        rc = s->hv->ops->add_watch(s->hv, "@releaseDomain", "domains");
    if ( !rc )
        guests_look(s);
    return rc;
}

void guests_close(struct sharer *s)
{
    while ( s->guests )
    {
        struct guest *g = s->guests;

        s->guests = g->next;
        free(g->chunks);
        free(g);
    }
    if ( s->leave )
        event_free(s->leave);
    s->leave = NULL;
}
