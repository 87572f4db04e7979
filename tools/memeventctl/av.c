/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * memeventctl av: what the broker of av-introspect publishes, and what it found. Findings are read as what anybody may
 * have written into that file: nothing of them is believed to be there, and nothing is printed as it is.
 */
#include "config.h"

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <json-c/json.h>

#include <daemon/options.h>

#include "command.h"
#include "figure.h"
#include "look.h"

#define DAEMON        "av-introspect"
#define FINDINGS      "/var/log/xen-memevent/av-findings.jsonl"

/* A finding is some hundred octets, and none of the broker's is longer. */
#define LINE_BYTES_MAX (64U << 10)

/* What fits a screen; and a number that nobody wants more of at a time. */
#define LAST           20U
#define LAST_MAX       1000000U

#define COUNT(array)  (sizeof(array) / sizeof((array)[0]))

enum { KEY_FILE = LOOK_KEYS };

struct arguments {
    struct look look;
    const char *action;
    const char *name;             /* of a domain, or its number; NULL: all */
    const char *file;
    unsigned int last;
};

static const struct figure of_host[] = {
    { NULL, "Findings",                       "findings",          NULL, FORM_COUNT },
    { NULL, "  written to",                   "findings_file",     NULL, FORM_TEXT },
    { NULL, "A vCPU waits at most",           "deadline_ms",       NULL, FORM_MILLISECONDS },
    { NULL, "  what is not judged then",      "unjudged",          NULL, FORM_TEXT },
    { NULL, "Verdicts kept",                  "cache.entries",     NULL, FORM_COUNT },
    { NULL, "  may be",                       "cache.limit",       NULL, FORM_COUNT },
    { NULL, "  used",                         "cache.hits",        NULL, FORM_COUNT },
    { NULL, "  not there",                    "cache.misses",      NULL, FORM_COUNT },
    { NULL, "  forgotten",                    "cache.forgotten",   NULL, FORM_COUNT },
};

static const struct figure of_domain[] = {
    { "ID",         "Domain",                         "domid",                       NULL, FORM_COUNT },
    { "NAME",       "Name",                           "name",                        NULL, FORM_TEXT },
    { NULL,         "UUID",                           "uuid",                        NULL, FORM_TEXT },
    { "STATE",      "State",                          "state",                       NULL, FORM_TEXT },
    { NULL,         "  wanted by",                    "wanted_by",                   NULL, FORM_TEXT },
    { NULL,         "Nobody guarded it before, for",  "gap.milliseconds",         NULL, FORM_MILLISECONDS },
    { NULL,         "  what was new to it then",      "gap.new_code",                NULL, FORM_TEXT },
    { NULL,         "Refused because",                "refusal",                     NULL, FORM_TEXT },
    { NULL,         "Memory that is watched, KiB",    "pages.restricted",            NULL, FORM_PAGES },
    { "EXECUTABLE", "  executable as judged, KiB",    "pages.executable",            NULL, FORM_PAGES },
    { NULL,         "  changes too often, KiB",       "pages.volatile",              NULL, FORM_PAGES },
    { "SCANS",      "Pages judged",                   "scanning.scans",              NULL, FORM_COUNT },
    { "KNOWN",      "  known from before",            "scanning.cached",             NULL, FORM_COUNT },
    { NULL,         "  clean",                        "scanning.verdicts.clean",     NULL, FORM_COUNT },
    { NULL,         "  unknown",                      "scanning.verdicts.unknown",   NULL, FORM_COUNT },
    { NULL,         "  suspicious",                   "scanning.verdicts.suspicious", NULL, FORM_COUNT },
    { "MALICIOUS",  "  malicious",                    "scanning.verdicts.malicious", NULL, FORM_COUNT },
    { NULL,         "  that nobody could judge",      "scanning.verdicts.unjudged",  NULL, FORM_COUNT },
    { "DENIED",     "Executions denied",              "scanning.denied",             NULL, FORM_COUNT },
    { "LATE",       "Verdicts that came late",        "scanning.late",               NULL, FORM_COUNT },
    { NULL,         "Pages written while judged",     "scanning.disturbed",          NULL, FORM_COUNT },
    { NULL,         "Instructions stepped over",      "scanning.stepped",            NULL, FORM_COUNT },
    { "WAITING",    "vCPUs that wait",                "scanning.vcpus_waiting",      NULL, FORM_COUNT },
    { NULL,         "Events",                         "channel.events",              NULL, FORM_COUNT },
    { NULL,         "  of executions",                "channel.fetches",             NULL, FORM_COUNT },
    { NULL,         "  over a",                       "channel.transport",           NULL, FORM_TEXT },
    { NULL,         "Worker, process id",             "worker.pid",                  NULL, FORM_COUNT },
    { NULL,         "  workers that died",            "worker.deaths",               NULL, FORM_COUNT },
};

static const struct figure of_finding[] = {
    { "TIME",    NULL, "time",    NULL, FORM_TEXT },
    { "DOMAIN",  NULL, "domain",  NULL, FORM_TEXT },
    { "VERDICT", NULL, "verdict", NULL, FORM_TEXT },
    { "PLUGIN",  NULL, "plugin",  NULL, FORM_TEXT },
    { "RULE",    NULL, "rule",    NULL, FORM_TEXT },
    { "PID",     NULL, "pid",     NULL, FORM_COUNT },
    { "PROCESS", NULL, "comm",    NULL, FORM_TEXT },
    { "ADDRESS", NULL, "gla",     NULL, FORM_TEXT },
    { "RAN",     NULL, "has_run", NULL, FORM_FLAG },
};

static bool is_domain(const struct json_object *object, const char *text_path, const char *name)
{
    const char *own = status_text(object, text_path);
    char number[24];

    snprintf(number, sizeof(number), "%" PRIu64, status_number(object, "domid"));
    return !name || !strcmp(name, number) || (own && !strcmp(name, own));
}

/* ---- status ---- */

static int print_details(const struct json_object *object, const struct figure *figures, size_t count)
{
    const struct figure_row row = { .object = object };
    struct libscols_table *table = figure_pairs_open(stdout);
    int rc = table ? figure_pairs_add_all(table, figures, count, &row) : -ENOMEM;

    return table ? figure_table_close(table, rc) : rc;
}

static int print_domains(const struct json_object *root)
{
    struct libscols_table *table = figure_table_open(stdout, true);
    int rc = table ? figure_table_add_columns(table, of_domain, COUNT(of_domain)) : -ENOMEM;

    for ( size_t i = 0; i < status_count(root, "domains") && !rc; i++ )
    {
        const struct figure_row row = { .object = status_item(root, "domains", i) };

        rc = figure_table_add_row(table, of_domain, COUNT(of_domain), &row);
    }
    if ( table && (rc || status_count(root, "domains")) )
        return figure_table_close(table, rc);
    scols_unref_table(table);
    fputs("No domain is to be protected: name one in " OPTIONS_DIRECTORY "/" DAEMON ".conf, or write yes to "
          "/local/domain/DOMID/memory/av-protect in xenstore\n", stdout);
    return rc;
}

/* All of the file, or of the domain that was named only what it says of that. */
static int print_json(const struct arguments *a, const struct status *status, size_t *found)
{
    struct json_object *brokers = json_object_new_array(), *broker = NULL, *domains, *shown;
    int rc;

    *found = 1;
    if ( status )
        broker = status_add_daemon(brokers, status);
    if ( broker && !a->name )
        json_object_object_add(broker, "status", json_object_get(status->root));
    else if ( broker )
    {
        domains = json_object_new_array();
        for ( size_t i = 0; i < status_count(status->root, "domains"); i++ )
            if ( is_domain(status_item(status->root, "domains", i), "name", a->name) )
                json_object_array_add(domains, json_object_get(status_item(status->root, "domains", i)));
        *found = json_object_array_length(domains);
        shown = json_object_new_object();
        json_object_object_add(shown, "domains", domains);
        json_object_object_add(broker, "status", shown);
    }
    rc = status_print_json(stdout, brokers, true);
    json_object_put(brokers);
    return rc;
}

static int print_status(const struct arguments *a, const struct status *status, size_t *found)
{
    const struct json_object *root = status->root;
    int rc = 0;

    if ( status->alive )
        printf("Broker, process id %" PRIu64 "%s\n", status->pid, status_flag(root, "stopping") ? ", is stopping" : "");
    else
        printf("The broker died %" PRIu64 " s ago. Its guests are as it left them: what is not judged yet waits for the "
               "next one, 'systemctl start " DAEMON "'\n", status->age);
    if ( status->alive && status->age > STATUS_OLD_SECONDS )
        printf("Note: it wrote nothing for %" PRIu64 " s\n", status->age);
    if ( !a->name )
    {
        *found = 1;
        rc = print_details(root, of_host, COUNT(of_host));
        return rc ? rc : print_domains(root);
    }
    for ( size_t i = 0; i < status_count(root, "domains") && !rc; i++ )
        if ( is_domain(status_item(root, "domains", i), "name", a->name) )
        {
            ++*found;
            rc = print_details(status_item(root, "domains", i), of_domain, COUNT(of_domain));
        }
    return rc;
}

/* What was printed, whether it is all that was asked for, and whether there is somebody whom it is about. */
static int show(const struct arguments *a, const struct status *status)
{
    bool readable = status && status->root;
    size_t found = 0;
    int rc = a->look.json ? print_json(a, status, &found) : readable ? print_status(a, status, &found) : 0;
    int ended = status_end_output(rc);

    if ( ended != EX_OK )
        return ended;
    if ( !status )
    {
        fprintf(stderr, "memeventctl: there is no broker: 'systemctl start " DAEMON "' (nothing of one in %s)\n",
                a->look.directory);
        return EX_UNAVAILABLE;
    }
    if ( !readable )
    {
        fprintf(stderr, "memeventctl: %s: %s; the broker writes it anew each second, remove it if none runs\n", status->path,
                status->error ? status->error : strerror(ENOMEM));
        return EX_DATAERR;
    }
    if ( !found )
    {
        fprintf(stderr, "memeventctl: no domain of that name is to be protected: 'memeventctl av status' lists them\n");
        return EX_NOINPUT;
    }
    return status->alive ? EX_OK : EX_UNAVAILABLE;
}

static int show_status(const struct arguments *a)
{
    struct status_list list;
    int result = look_read(&a->look, DAEMON, &list);

    if ( result != EX_OK )
        return result;
    result = show(a, list.count ? list.items : NULL);
    status_list_close(&list);
    return result;
}

/* ---- findings ---- */

struct lines {
    struct json_object **ring;    /* the last ones that fit */
    size_t room, count;
    size_t wrong;                 /* lines that make no sense */
};

static void add_line(const struct arguments *a, struct lines *lines, const char *text, size_t length)
{
    struct status one = { 0 };
    struct json_object **place;

    status_parse(&one, text, length);
    free(one.error);
    if ( !one.root || !json_object_is_type(one.root, json_type_object) )
    {
        lines->wrong++;
        json_object_put(one.root);
        return;
    }
    if ( !is_domain(one.root, "domain", a->name) )
    {
        json_object_put(one.root);
        return;
    }
    place = &lines->ring[lines->count++ % lines->room];
    json_object_put(*place);
    *place = one.root;
}

static int read_lines(const struct arguments *a, const char *path, struct lines *lines)
{
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    int rc;

    if ( !file )
        return -errno;
    while ( (length = getline(&line, &room, file)) > 0 )
        if ( (size_t)length > LINE_BYTES_MAX || line[length - 1] != '\n' )
            lines->wrong++;
        else
            add_line(a, lines, line, length - 1);
    rc = ferror(file) ? -EIO : 0;
    free(line);
    fclose(file);
    return rc;
}

static int print_lines(const struct arguments *a, const struct lines *lines)
{
    size_t first = lines->count > lines->room ? lines->count - lines->room : 0;
    struct libscols_table *table = a->look.json ? NULL : figure_table_open(stdout, true);
    int rc = a->look.json ? 0 : table ? figure_table_add_columns(table, of_finding, COUNT(of_finding)) : -ENOMEM;

    for ( size_t i = first; i < lines->count && !rc; i++ )
    {
        const struct figure_row row = { .object = lines->ring[i % lines->room] };

        rc = a->look.json ? status_print_json(stdout, lines->ring[i % lines->room], false) :
                       figure_table_add_row(table, of_finding, COUNT(of_finding), &row);
    }
    if ( table && (rc || lines->count) )
        rc = figure_table_close(table, rc);
    else if ( table )
    {
        scols_unref_table(table);
        puts("Nothing was found");
    }
    return rc;
}

static int show_findings(const struct arguments *a)
{
    struct lines lines = { .room = a->last, .ring = calloc(a->last, sizeof(struct json_object *)) };
    char path[PATH_MAX];
    int rc = lines.ring ? 0 : -ENOMEM, ended = EX_OK;

    /* What was set aside when the file was full, and then the file. */
    if ( !rc && snprintf(path, sizeof(path), "%s.1", a->file) < (int)sizeof(path) )
        (void)read_lines(a, path, &lines);
    if ( !rc )
        rc = read_lines(a, a->file, &lines);
    if ( !rc )
    {
        rc = print_lines(a, &lines);
        ended = status_end_output(rc);
        rc = 0;
    }
    for ( size_t i = 0; lines.ring && i < lines.room; i++ )
        json_object_put(lines.ring[i]);
    free(lines.ring);
    if ( rc )
    {
        fprintf(stderr, "memeventctl: %s: %s%s\n", a->file, strerror(-rc),
                rc == -ENOENT ? "; nothing was found so far, or the setting 'findings' names another file" : "");
        return rc == -EACCES ? EX_NOPERM : rc == -ENOENT ? EX_NOINPUT : EX_OSERR;
    }
    if ( ended != EX_OK )
        return ended;
    if ( lines.wrong )
        fprintf(stderr, "memeventctl: %s: %zu lines are no findings\n", a->file, lines.wrong);
    return lines.wrong ? EX_DATAERR : EX_OK;
}

/* ---- arguments ---- */

static void parse_word(struct arguments *a, const char *word, struct argp_state *state)
{
    if ( !a->action && (!strcmp(word, "status") || !strcmp(word, "findings")) )
        a->action = word;
    else if ( !a->action )
        argp_error(state, "'%s' is not one of status and findings", word);
    else if ( a->name )
        argp_error(state, "'%s' is one name too many", word);
    else
        a->name = word;
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
    struct arguments *a = state->input;

    switch ( key )
    {
    case KEY_FILE:
        a->file = argument;
        return 0;
    case 'n':
        a->last = look_parse_number(state, "last", argument, LAST_MAX, "findings");
        return 0;
    case ARGP_KEY_ARG:
        parse_word(a, argument, state);
        return 0;
    default:
        return look_parse(&a->look, key, argument, state);
    }
}

int av_command(int argc, char **argv)
{
    static const struct argp_option options[] = {
        { "json", LOOK_JSON, NULL, 0, "for programs; findings: an object a line", 0 },
        { "last", 'n', "N", 0, "of the findings the last so many (20)", 0 },
        { "file", KEY_FILE, "FILE", 0, "findings are in this file (" FINDINGS ")", 0 },
        { "run-directory", LOOK_RUN_DIRECTORY, "DIR", 0, "the broker's status file is here (" LOOK_DIRECTORY ")", 0 },
        { "host", LOOK_HOST, "HOST", 0, "what an emulated daemon was given", 0 },
        { "version", 'V', NULL, 0, "show the version", 0 },
        { 0 },
    };
    static const struct argp argp = {
        options, parse_option, "status [DOMAIN]\nfindings [DOMAIN]",
        "Shows which domains av-introspect protects and how it gets on, or what it found.", NULL, NULL, NULL,
    };
    struct arguments a = { .look.directory = LOOK_DIRECTORY, .file = FINDINGS, .last = LAST };

    argp_err_exit_status = EX_USAGE;
    if ( argp_parse(&argp, argc, argv, 0, NULL, &a) )
        return EX_USAGE;
    if ( a.action && !strcmp(a.action, "findings") )
        return show_findings(&a);
    return show_status(&a);
}
