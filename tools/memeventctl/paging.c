/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * memeventctl paging: which pagers and domains are shown, once or again and again.
 */
#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <json-c/json.h>

#include "command.h"
#include "look.h"
#include "paging-table.h"

#define DAEMON         "xenpaging"

struct request {
    struct look look;
    const char *domain;           /* NULL: all */
};

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
    struct request *request = state->input;

    if ( key != ARGP_KEY_ARG )
        return look_parse(&request->look, key, argument, state);
    if ( request->domain )
        argp_error(state, "more than one domain is named");
    request->domain = argument;
    return 0;
}

static bool is_wanted(const struct request *request, const struct json_object *domain)
{
    const char *name = status_text(domain, "name");
    char number[24];

    if ( !request->domain )
        return true;
    snprintf(number, sizeof(number), "%" PRIu64, status_number(domain, "domid"));
    return !strcmp(request->domain, number) || (name && !strcmp(request->domain, name));
}

/* The same domain of the same pager, a while ago. */
static const struct json_object *find_before(const struct status_list *before, const struct status *status,
                                             const struct json_object *domain)
{
    for ( size_t i = 0; i < before->count; i++ )
    {
        const struct status *old = &before->items[i];

        for ( size_t d = 0; old->pid == status->pid && d < status_count(old->root, "domains"); d++ )
        {
            const struct json_object *candidate = status_item(old->root, "domains", d);

            if ( status_number(candidate, "domid") == status_number(domain, "domid") )
                return candidate;
        }
    }
    return NULL;
}

static size_t count_rows(const struct request *request, const struct status *status)
{
    size_t found = 0;

    for ( size_t i = 0; i < status_count(status->root, "domains"); i++ )
        found += is_wanted(request, status_item(status->root, "domains", i));
    return found;
}

static void print_heading(FILE *out, const struct status *status)
{
    if ( status->pid == STATUS_UNKNOWN )
        fprintf(out, "%s does not say which process wrote it: it is not of a pager, or an old one's; remove it\n",
                status->path);
    else if ( !status->alive )
        fprintf(out, "The pager with process id %" PRIu64 " died %" PRIu64 " s ago: a domain below that has pages out waits for "
                "the next one, 'systemctl start xenpaging'. On a stock hypervisor these pages went with it: 'xl destroy' the "
                "domain and start it anew. Without a pager to come, remove %s\n", status->pid, status->age, status->path);
    /* Without a domain it sleeps, and writes nothing. */
    else if ( status->age > STATUS_OLD_SECONDS && status_count(status->root, "domains") )
        fprintf(out, "The pager with process id %" PRIu64 " wrote nothing for %" PRIu64 " s: see 'systemctl status xenpaging' "
                "and the disk of its spill directory\n", status->pid, status->age);
    else
        fprintf(out, "Pager, process id %" PRIu64 "\n", status->pid);
}

static int print_pager(const struct request *request, const struct status *status, const struct status_list *before,
                       double seconds)
{
    size_t wanted = count_rows(request, status), count = 0;
    struct paging_row *rows = calloc(wanted + 1, sizeof(*rows));
    int rc = rows ? 0 : -ENOMEM;

    if ( !rows )
        return rc;
    for ( size_t i = 0; count < wanted; i++ )
    {
        const struct json_object *domain = status_item(status->root, "domains", i);

        if ( is_wanted(request, domain) )
            rows[count++] = (struct paging_row){
                .status = status, .domain = domain, .seconds = seconds,
                .before = find_before(before, status, domain),
            };
    }
    print_heading(stdout, status);
    if ( request->domain )
    {
        for ( size_t i = 0; i < count && !rc; i++ )
            rc = paging_print_details(stdout, &rows[i]);
    }
    else
    {
        if ( count )
            rc = paging_print_overview(stdout, rows, count);
        else
            puts("No domain is paged: write a target in KiB to /local/domain/DOMID/memory/target-tot_pages in xenstore");
        putchar('\n');
        if ( !rc )
            rc = paging_print_host(stdout, status);
    }
    free(rows);
    return rc;
}

/* The file as it is, but for the domains that were not asked for. */
static int print_json(const struct request *request, const struct status_list *list)
{
    struct json_object *pagers = json_object_new_array();
    int rc;

    for ( size_t i = 0; i < list->count; i++ )
    {
        const struct status *status = &list->items[i];
        struct json_object *pager = status_add_daemon(pagers, status), *domains;

        if ( !pager )
            continue;
        domains = json_object_new_array();
        for ( size_t d = 0; d < status_count(status->root, "domains"); d++ )
        {
            struct json_object *domain = status_item(status->root, "domains", d);

            if ( is_wanted(request, domain) )
                json_object_array_add(domains, json_object_get(domain));
        }
        json_object_object_add(status->root, "domains", domains);
        json_object_object_add(pager, "status", json_object_get(status->root));
    }
    rc = status_print_json(stdout, pagers, !request->look.watch);
    json_object_put(pagers);
    return rc;
}

/* Everything that is there has been shown: what is the exit status, and is a word due? */
static int judge(const struct request *request, const struct status_list *list)
{
    size_t found = 0;
    bool alive = false, readable = true;

    for ( size_t i = 0; i < list->count; i++ )
    {
        const struct status *status = &list->items[i];

        alive |= status->alive;
        readable &= status->root != NULL;
        found += status->root ? count_rows(request, status) : 0;
        if ( !status->root )
            fprintf(stderr, "memeventctl: %s: %s; the pager writes it anew each second, remove it if none runs\n",
                    status->path, status->error);
    }
    if ( !list->count )
        fprintf(stderr, "memeventctl: no pager runs (nothing of one in %s): 'systemctl start xenpaging'\n",
                request->look.directory);
    else if ( request->domain && !found )
    {
        fprintf(stderr, "memeventctl: %s is not paged: 'xl list' shows the domains there are; a domain is paged when a target "
                "in KiB stands in /local/domain/DOMID/memory/target-tot_pages in xenstore\n", request->domain);
        return readable ? EX_NOINPUT : EX_DATAERR;
    }
    return !readable ? EX_DATAERR : alive ? EX_OK : EX_UNAVAILABLE;
}

static int show(const void *asked, const struct status_list *list, const struct status_list *before, double seconds)
{
    const struct request *request = asked;
    int rc = 0, ended;

    if ( request->look.json )
        rc = print_json(request, list);
    for ( size_t i = 0, shown = 0; !request->look.json && i < list->count && !rc; i++ )
    {
        if ( !list->items[i].root || (request->domain && !count_rows(request, &list->items[i])) )
            continue;
        if ( shown++ )
            putchar('\n');
        rc = print_pager(request, &list->items[i], before, seconds);
    }
    ended = status_end_output(rc);
    if ( ended != EX_OK )
        return ended;
    return judge(request, list);
}

int paging_command(int argc, char **argv)
{
    static const struct argp_option options[] = {
        { "json", LOOK_JSON, NULL, 0, "Print everything that the pager counts, for programs", 0 },
        { "watch", 'w', "SECONDS", OPTION_ARG_OPTIONAL, "Show it again and again, every 2 seconds if none are given, with "
          "counts as rates", 0 },
        { "host", LOOK_HOST, "HOST", 0, "The --host that a pager in emulated/ of a build tree was given", 0 },
        { "run-directory", LOOK_RUN_DIRECTORY, "DIRECTORY", 0, "Where the pager writes, if not " LOOK_DIRECTORY, 0 },
        { "version", 'V', NULL, 0, "Show the version", 0 },
        { 0 },
    };
    static const struct argp argp = {
        .options = options, .parser = parse_option, .args_doc = "[DOMAIN]",
        .doc = "Shows what the pager does: for all domains a line each and the host's sums, or everything about DOMAIN, "
               "which is a name or a number.",
    };
    struct request request = { .look = { .directory = LOOK_DIRECTORY } };

    argp_err_exit_status = EX_USAGE;
    if ( argp_parse(&argp, argc, argv, 0, NULL, &request) )
        return EX_USAGE;
    return look_repeatedly(&request.look, DAEMON, show, &request);
}
