/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which domains are protected: what the configuration says of names and UUIDs, and what the admin wrote to xenstore,
 * which is stronger; at any time. A guest cannot write that key.
 */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <daemon/log.h>

#include "broker-private.h"

#define KEY    "memory/av-protect"
#define NAME   "name"

/* Domain numbers below this are ordinary ones. */
#define DOMIDS 0x7ff0U

static int read_key(const struct broker *b, uint16_t domid, const char *key, char *value, size_t size)
{
    char path[96];

    snprintf(path, sizeof(path), "/local/domain/%u/%s", domid, key);
    return b->hv->ops->read_key(b->hv, path, value, size);
}

static bool is_configured(const struct broker *b, const struct wish *w)
{
    char pattern[OPTIONS_VALUE_BYTES_MAX + 1];

    for ( const char *line = b->settings->protect; line && *line; )
    {
        size_t length = strcspn(line, "\n");

        if ( length < sizeof(pattern) )
        {
            memcpy(pattern, line, length);
            pattern[length] = '\0';
            if ( !fnmatch(pattern, w->name, 0) || !fnmatch(pattern, w->uuid, FNM_CASEFOLD) )
                return true;
        }
        line += length + (line[length] == '\n');
    }
    return false;
}

static void read_wish(struct broker *b, struct wish *w)
{
    bool was_wanted = w->is_wanted;
    char value[8];
    int length = read_key(b, w->domid, KEY, value, sizeof(value));

    w->by_xenstore = length >= 0;
    w->is_wanted = is_configured(b, w);
    if ( length >= 0 && (!strcmp(value, "yes") || !strcmp(value, "no")) )
        w->is_wanted = value[0] == 'y';
    else if ( length > 0 )
        log_message(LOG_ERR, LOG_DOMAIN(w->domid, w->name, "wish-invalid"),
                    "/local/domain/%u/" KEY " holds '%s', allowed is yes or no; the configuration's %s counts", w->domid,
                    value, w->is_wanted ? "yes" : "no");
    if ( w->is_wanted != was_wanted )
        w->was_refused = false;
}

static void print_uuid(struct wish *w)
{
    const uint8_t *u = w->uuid_octets;

    snprintf(w->uuid, sizeof(w->uuid), "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", u[0], u[1],
             u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13], u[14], u[15]);
}

static void watch(struct broker *b, uint16_t domid, bool add)
{
    static const char *const keys[] = { KEY, NAME };
    char path[96], token[8];

    snprintf(token, sizeof(token), "%u", domid);
    for ( unsigned int i = 0; i < sizeof(keys) / sizeof(keys[0]); i++ )
    {
        snprintf(path, sizeof(path), "/local/domain/%u/%s", domid, keys[i]);
        if ( add )
            b->hv->ops->add_watch(b->hv, path, token);
        else
            b->hv->ops->remove_watch(b->hv, path, token);
    }
}

/* ---- protection ---- */

static struct guard **find_guard(struct broker *b, uint16_t domid)
{
    struct guard **link = &b->guards;

    while ( *link && (*link)->domid != domid )
        link = &(*link)->next;
    return link;
}

/*
 * Of a domain that is new the tool stack has not written it yet; one that arrives by migration has another until all of it
 * is there; and `xl rename` changes it at any time. One that dies keeps what it had.
 */
static void read_name(struct broker *b, struct wish *w)
{
    char name[sizeof(w->name)] = "";
    struct guard *g = *find_guard(b, w->domid);

    if ( read_key(b, w->domid, NAME, name, sizeof(name)) >= 0 )
    {
        memcpy(w->name, name, sizeof(name));
        w->is_named = true;
    }
    else if ( !w->is_named )
        snprintf(w->name, sizeof(w->name), "domain %u", w->domid);
    if ( g )
        memcpy(g->name, w->name, sizeof(g->name));
}

static void end(struct broker *b, uint16_t domid, bool lift)
{
    struct guard **link = find_guard(b, domid), *g = *link;

    if ( !g )
        return;
    *link = g->next;
    guard_close(g, lift);
}

static void begin(struct broker *b, struct wish *w, const struct domain_info *info)
{
    struct guard *g;
    const char *why;
    int rc = guard_open(&g, b, info, w->name, w->uuid, &why);

    if ( !rc )
    {
        w->refusal = NULL;
        g->left = w->left;
        w->left = (struct gap){ 0 };
        g->next = b->guards;
        b->guards = g;
        log_message(LOG_INFO, LOG_DOMAIN(w->domid, w->name, "protecting"), "%s is to be protected, over a %s", w->name,
                    memevent_get_transport(g->channel));
        return;
    }
    w->refusal = why ? why : strerrordesc_np(-rc);
    w->was_refused = true;
    if ( rc != -ESRCH )
        log_message(LOG_ERR, LOG_DOMAIN(w->domid, w->name, "refused"), "%s cannot be protected: %s", w->name, w->refusal);
}

static void consider(struct broker *b, struct wish *w, const struct domain_info *info)
{
    struct guard *g = *find_guard(b, w->domid);

    /* Not to be guarded is no gap. */
    if ( !w->is_wanted && w->is_named )
        w->left = (struct gap){ 0 };
    if ( g && (g->is_gone || info->is_dying) )
    {
        w->was_refused = true;
        end(b, w->domid, false);
        return;
    }
    if ( b->stopping )
        return;
    /* An image of it would be of restricted memory, and what waits would wait for ever. */
    if ( g && (!w->is_wanted || info->is_suspended) )
    {
        log_message(LOG_INFO, LOG_DOMAIN(w->domid, w->name, "lifted"), "%s is not protected any more: %s", w->name,
                    w->is_wanted ? "it is suspended" : "nobody wants it to be");
        end(b, w->domid, true);
    }
    else if ( !g && w->is_wanted && !w->was_refused && !info->is_suspended && !info->is_dying )
        begin(b, w, info);
}

/* ---- domains that come and go ---- */

static struct wish *find(struct broker *b, uint16_t domid)
{
    struct wish *w = b->wishes;

    while ( w && w->domid != domid )
        w = w->next;
    return w;
}

static void drop(struct broker *b, struct wish *w)
{
    struct wish **link = &b->wishes;
    struct guard *g = *find_guard(b, w->domid);

    watch(b, w->domid, false);
    if ( g )
    {
        log_message(LOG_INFO, LOG_DOMAIN(w->domid, w->name, "domain-gone"), "%s is gone", w->name);
        g->is_gone = true;
        end(b, w->domid, false);
    }
    while ( *link != w )
        link = &(*link)->next;
    *link = w->next;
    free(w);
}

static struct wish *add(struct broker *b, const struct domain_info *info)
{
    struct wish *w = calloc(1, sizeof(*w));

    if ( !w )
        return NULL;              /* and it is tried again with the next look */
    w->domid = info->domid;
    memcpy(w->uuid_octets, info->uuid, sizeof(w->uuid_octets));
    print_uuid(w);
    read_name(b, w);
    w->left = gaps_find(b->gaps, w->domid, w->uuid);
    w->next = b->wishes;
    b->wishes = w;
    watch(b, w->domid, true);
    read_wish(b, w);
    return w;
}

/* The same number may be another domain by now. */
static void refresh(struct broker *b, const struct domain_info *info)
{
    struct wish *w = find(b, info->domid);

    if ( w && memcmp(w->uuid_octets, info->uuid, sizeof(info->uuid)) )
    {
        drop(b, w);
        w = NULL;
    }
    if ( !w )
        w = add(b, info);
    if ( !w )
        return;
    w->is_there = true;
    consider(b, w, info);
}

void domains_look(struct broker *b)
{
    enum { AT_ONCE = 64 };
    struct domain_info info[AT_ONCE];
    uint32_t first = 1;           /* dom0 is who looks */
    int count;

    for ( struct wish *w = b->wishes; w; w = w->next )
        w->is_there = false;
    while ( first < DOMIDS && (count = b->hv->ops->list_domains(b->hv, first, info, AT_ONCE)) > 0 )
    {
        for ( int i = 0; i < count; i++ )
            if ( info[i].domid < DOMIDS && !info[i].is_dying )
                refresh(b, &info[i]);
        first = info[count - 1].domid + 1;
    }
    for ( struct wish *w = b->wishes, *next; w; w = next )
    {
        next = w->next;
        if ( !w->is_there )
            drop(b, w);
    }
}

void domains_take_watches(struct broker *b)
{
    char path[128], token[16];

    while ( b->hv->ops->next_watch(b->hv, path, sizeof(path), token, sizeof(token)) == 1 )
    {
        unsigned long domid = strtoul(token, NULL, 10);
        struct wish *w = domid && domid < DOMIDS ? find(b, domid) : NULL;

        if ( w )
        {
            /* By which the configuration may know it. */
            read_name(b, w);
            read_wish(b, w);
        }
    }
    domains_look(b);
}

int domains_open(struct broker *b)
{
    int rc = b->hv->ops->add_watch(b->hv, "@introduceDomain", "domains");

    if ( !rc )
        rc = b->hv->ops->add_watch(b->hv, "@releaseDomain", "domains");
    if ( !rc )
        domains_look(b);
    return rc;
}

void domains_close(struct broker *b)
{
    bool lift = b->settings->at_exit == EXIT_LIFT;

    while ( b->guards )
        end(b, b->guards->domid, lift);
    while ( b->wishes )
        drop(b, b->wishes);
}
