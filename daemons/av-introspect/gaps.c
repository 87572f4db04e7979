/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * See gaps.h. The file is ours and root's; it is parsed as if it were not, as a former version may have written it.
 */
#include "gaps.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <json-c/json.h>

#include <daemon/json.h>
#include <daemon/log.h>

#include "broker-private.h"

#define GAPS_FILE       "av-introspect-guarded.json"
#define GAPS_PATH_BYTES 4200u

#define MILLISECOND_NS  UINT64_C(1000000)

struct gaps {
    char path[GAPS_PATH_BYTES];
    struct json_object *former;   /* an array; NULL: there was none */
    bool failed;                  /* and said */
};

static uint64_t boot_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_BOOTTIME, &t);
    return t.tv_sec * SECOND_NS + t.tv_nsec;
}

int gaps_open(struct gaps **out, const char *directory)
{
    struct gaps *gaps = calloc(1, sizeof(*gaps));
    struct json_object *root, *domains = NULL;

    *out = gaps;
    if ( !gaps )
        return -ENOMEM;
    snprintf(gaps->path, sizeof(gaps->path), "%s/" GAPS_FILE, directory);
    if ( access(gaps->path, F_OK) )
        return 0;
    root = json_object_from_file(gaps->path);
    if ( json_object_is_type(root, json_type_object) && json_object_object_get_ex(root, "domains", &domains) &&
         json_object_is_type(domains, json_type_array) )
        gaps->former = json_object_get(domains);
    else
        log_message(LOG_WARNING, LOG_HOST("gaps-unknown"),
                    "%s makes no sense: for how long domains were not guarded is not known", gaps->path);
    json_object_put(root);
    return 0;
}

void gaps_close(struct gaps *gaps)
{
    if ( !gaps )
        return;
    json_object_put(gaps->former);
    free(gaps);
}

static struct json_object *member(struct json_object *object, const char *name)
{
    struct json_object *value = NULL;

    return json_object_is_type(object, json_type_object) && json_object_object_get_ex(object, name, &value) ? value : NULL;
}

struct gap gaps_find(const struct gaps *gaps, uint16_t domid, const char *uuid)
{
    size_t count = gaps->former ? json_object_array_length(gaps->former) : 0;

    for ( size_t i = 0; i < count; i++ )
    {
        struct json_object *one = json_object_array_get_idx(gaps->former, i);
        const char *its = json_object_get_string(member(one, "uuid"));
        struct gap gap = {
            .until = json_object_get_uint64(member(one, "guarded_until_ns")),
            .was_free = json_object_get_boolean(member(one, "set_free")),
        };

        if ( its && !strcmp(its, uuid) && json_object_get_int(member(one, "domid")) == domid && gap.until <= boot_ns() )
            return gap;
    }
    return (struct gap){ 0 };
}

void gaps_end(struct guard *g)
{
    uint64_t milliseconds;

    if ( !g->left.until )
        return;
    milliseconds = (boot_ns() - g->left.until) / MILLISECOND_NS;
    g->gap = (struct gap_length){ .is_known = true, .was_free = g->left.was_free, .milliseconds = milliseconds };
    log_message(g->left.was_free ? LOG_WARNING : LOG_NOTICE, LOG_DOMAIN(g->domid, g->name, "gap"),
                "nobody guarded %s for %" PRIu64 ".%03" PRIu64 " s, since a former broker %s", g->name, milliseconds / 1000,
                milliseconds % 1000, g->left.was_free ? "set it free: what it executed then was not judged" :
                                                        "ended: nothing was executed then that had not been judged");
    g->left = (struct gap){ 0 };
}

/* What the next broker is to know of a domain. */
static struct gap left_of(const struct broker *b, const struct wish *w)
{
    const struct guard *g = b->guards;

    while ( g && g->domid != w->domid )
        g = g->next;
    if ( !g || !g->is_swept )
        return g ? g->left : w->left;
    return (struct gap){
        .until = boot_ns(),
        .was_free = b->stopping && (b->settings->at_exit == EXIT_LIFT || !memevent_can_reattach(g->channel)),
    };
}

void gaps_write(struct broker *b)
{
    struct json_object *root = json_object_new_object(), *domains = json_object_new_array();
    int rc;

    for ( const struct wish *w = b->wishes; w; w = w->next )
    {
        struct gap gap = left_of(b, w);
        struct json_object *one = gap.until ? json_object_new_object() : NULL;

        if ( !one )
            continue;
        json_add_number(one, "domid", w->domid);
        json_add_text(one, "uuid", w->uuid);
        json_add_number(one, "guarded_until_ns", gap.until);
        json_add_flag(one, "set_free", gap.was_free);
        json_object_array_add(domains, one);
    }
    json_object_object_add(root, "domains", domains);
    rc = json_write(root, b->gaps->path);
    json_object_put(root);
    if ( rc && !b->gaps->failed )
        log_message(LOG_WARNING, LOG_HOST("gaps-failed"),
                    "%s cannot be written: %s; after a restart it is not known for how long domains were not guarded",
                    b->gaps->path, strerror(-rc));
    b->gaps->failed = rc;
}
