/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * memeventctl sharing: what was asked for; and stats, groups and domains, once or again and again.
 */
#include "sharing.h"

#include <argp.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include <json-c/json.h>

#include "command.h"
#include "sharing-table.h"

/* The history holds a week, and could hold a year. */
#define HOURS              24U
#define HOURS_MAX          (366U * 24)
#define MINUTES            60U
#define MINUTES_MAX        (7U * 24 * 60)

#define COUNT(array)  (sizeof(array) / sizeof((array)[0]))

enum { KEY_HOURS = LOOK_KEYS, KEY_STEP, KEY_HISTORY };

static int show_stats(const struct sharing_request *request, const struct sharing_look *look, size_t *found);
static int show_groups(const struct sharing_request *request, const struct sharing_look *look, size_t *found);
static int show_domains(const struct sharing_request *request, const struct sharing_look *look, size_t *found);

/* What can be asked for: one of the status file's parts, or something of its own. */
static const struct action {
    const char *name;
    int (*show)(const struct sharing_request *request, const struct sharing_look *look, size_t *found);
    const char *part;             /* of the file, which alone --json prints; NULL: all of it */
    int (*run)(const struct sharing_request *request);
} actions[] = {
    { "stats",   show_stats,   NULL,      NULL },
    { "groups",  show_groups,  "groups",  NULL },
    { "domains", show_domains, "domains", NULL },
    { "top",     NULL,         NULL,      sharing_top },
    { "history", NULL,         NULL,      sharing_history },
    { "plot",    NULL,         NULL,      sharing_plot },
};

struct arguments {
    struct sharing_request request;
    const struct action *action;
};

static void parse_word(struct arguments *a, const char *word, struct argp_state *state)
{
    for ( size_t i = 0; !a->action && i < COUNT(actions); i++ )
        if ( !strcmp(actions[i].name, word) )
        {
            a->action = &actions[i];
            return;
        }
    if ( !a->action )
        argp_error(state, "'%s' is not one of stats, top, domains, groups, history and plot", word);
    if ( a->request.name || !a->action->part )
        argp_error(state, "'%s' is one name too many", word);
    a->request.name = word;
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
    struct arguments *a = state->input;

    switch ( key )
    {
    case KEY_HISTORY:
        a->request.history = argument;
        return 0;
    case KEY_HOURS:
        a->request.hours = look_parse_number(state, "hours", argument, HOURS_MAX, "hours");
        return 0;
    case KEY_STEP:
        a->request.minutes = look_parse_number(state, "step", argument, MINUTES_MAX, "minutes");
        return 0;
    case 'o':
        a->request.output = argument;
        return 0;
    case ARGP_KEY_ARG:
        parse_word(a, argument, state);
        return 0;
    default:
        return look_parse(&a->request.look, key, argument, state);
    }
}

int sharing_judge(const struct sharing_request *request, const struct status_list *list)
{
    const struct status *status = list->items;

    if ( !list->count )
    {
        fprintf(stderr, "memeventctl: " SHARING_NO_DAEMON " (nothing of one in %s)\n", request->look.directory);
        return EX_UNAVAILABLE;
    }
    if ( !status->root )
    {
        fprintf(stderr, "memeventctl: %s: %s; the sharer writes it anew each second, remove it if none runs\n",
                status->path, status->error);
        return EX_DATAERR;
    }
    return status->alive ? EX_OK : EX_UNAVAILABLE;
}

/* ---- stats, groups, domains ---- */

static int show_stats(const struct sharing_request *request, const struct sharing_look *look, size_t *found)
{
    (void)request;
    *found = 1;
    return sharing_print_stats(stdout, look);
}

static int show_groups(const struct sharing_request *request, const struct sharing_look *look, size_t *found)
{
    return sharing_print_groups(stdout, look, request->name, found);
}

static int show_domains(const struct sharing_request *request, const struct sharing_look *look, size_t *found)
{
    if ( request->name )
        return sharing_print_domain(stdout, look, request->name, found);
    return sharing_print_domains(stdout, look, found);
}

static bool is_wanted(const struct sharing_request *request, const char *part, const struct json_object *item)
{
    const char *name = status_text(item, "name");

    if ( !request->name )
        return true;
    return strcmp(part, "domains") ? name && !strcmp(name, request->name) : sharing_is_domain(item, request->name);
}

/* The file as it is, or the part of it that was asked for; as for paging, an array with an object for each daemon. */
static int show_json(const struct arguments *a, const struct status_list *list, size_t *found)
{
    struct json_object *sharers = json_object_new_array();
    const char *part = a->action->part;
    int rc;

    *found = 1;
    for ( size_t i = 0; i < list->count && i < 1; i++ )
    {
        const struct status *status = &list->items[i];
        struct json_object *sharer = status_add_daemon(sharers, status), *items, *shown;

        if ( sharer && !part )
            json_object_object_add(sharer, "status", json_object_get(status->root));
        if ( !sharer || !part )
            continue;
        items = json_object_new_array();
        for ( size_t d = 0; d < status_count(status->root, part); d++ )
            if ( is_wanted(&a->request, part, status_item(status->root, part, d)) )
                json_object_array_add(items, json_object_get(status_item(status->root, part, d)));
        *found = json_object_array_length(items);
        shown = json_object_new_object();
        json_object_object_add(shown, part, items);
        json_object_object_add(sharer, "status", shown);
    }
    rc = status_print_json(stdout, sharers, !a->request.look.watch);
    json_object_put(sharers);
    return rc;
}

static int show(const void *asked, const struct status_list *list, const struct status_list *before, double seconds)
{
    const struct arguments *a = asked;
    const struct status *status = list->count ? list->items : NULL;
    size_t found = 1;
    int rc = 0, ended;

    if ( a->request.look.json )
        rc = show_json(a, list, &found);
    else if ( status && status->root )
    {
        const struct status *old = before->count ? before->items : NULL;
        const struct sharing_look look = {
            .status = status, .seconds = seconds, .before = old && old->pid == status->pid ? old->root : NULL,
        };

        sharing_print_heading(stdout, status);
        rc = a->action->show(&a->request, &look, &found);
    }
    ended = status_end_output(rc);
    if ( ended != EX_OK )
        return ended;
    if ( a->request.name && !found && status && status->root )
    {
        fprintf(stderr, "memeventctl: the sharer knows no %.*s of that name: 'memeventctl sharing %s' lists those "
                "that it does\n", (int)strlen(a->action->part) - 1, a->action->part, a->action->part);
        return EX_NOINPUT;
    }
    return sharing_judge(&a->request, list);
}

int sharing_command(int argc, char **argv)
{
    static const struct argp_option options[] = {
        { "json", LOOK_JSON, NULL, 0, "Print it for programs", 0 },
        { "watch", 'w', "SECONDS", OPTION_ARG_OPTIONAL, "Show it again and again, every 2 seconds if none are given, "
          "with counts as rates; not for plot", 0 },
        { "hours", KEY_HOURS, "N", 0, "history, plot: the last N hours, 24 if not given", 0 },
        { "step", KEY_STEP, "MINUTES", 0, "history: a line for so many minutes, 60 if not given", 0 },
        { "output", 'o', "FILE", 0, "plot: write the SVG to FILE, and not to standard output", 0 },
        { "run-directory", LOOK_RUN_DIRECTORY, "DIRECTORY", 0, "Where the sharer writes, if not " LOOK_DIRECTORY, 0 },
        { "host", LOOK_HOST, "HOST", 0, "The --host that a sharer in emulated/ of a build tree was given", 0 },
        { "history-file", KEY_HISTORY, "FILE", 0, "The sharer's history, if not " SHARING_HISTORY, 0 },
        { "version", 'V', NULL, 0, "Show the version", 0 },
        { 0 },
    };
    static const struct argp argp = {
        .options = options, .parser = parse_option,
        .args_doc = "[stats]\ntop\ndomains [DOMAIN]\ngroups [GROUP]\nhistory\nplot",
        .doc = "Shows what the sharer does: sums for the host, a live screen, a line for each domain or group, what "
               "was saved over time, and a picture of that.",
    };
    struct arguments a = { .request = { .look = { .directory = LOOK_DIRECTORY }, .history = SHARING_HISTORY, .hours = HOURS,
                                        .minutes = MINUTES } };

    argp_err_exit_status = EX_USAGE;
    if ( argp_parse(&argp, argc, argv, 0, NULL, &a) )
        return EX_USAGE;
    if ( !a.action )
        a.action = actions;
    return a.action->run ? a.action->run(&a.request) : look_repeatedly(&a.request.look, SHARING_DAEMON, show, &a);
}
