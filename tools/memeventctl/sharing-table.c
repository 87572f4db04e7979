/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The sharer's tables of figures.  When they are shown, and again, is decided in sharing.c.
 */
#include "sharing-table.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include <daemon/options.h>

#include "figure.h"

#define COUNT(array)  (sizeof(array) / sizeof((array)[0]))

static const struct figure of_host[] = {
    { NULL, "Memory saved, KiB",                  "host.saved",               NULL, FORM_PAGES },
    { NULL, "Pages of guests that share, KiB",    "host.sharing",             NULL, FORM_PAGES },
    { NULL, "  to be asked about again, KiB",     "host.doubtful",            NULL, FORM_PAGES },
    { NULL, "Shared pages under them, KiB",       "host.shared",              NULL, FORM_PAGES },
    { NULL, "Pages like no other, KiB",           "host.unique",              NULL, FORM_PAGES },
    { NULL, "Pages that are not settled, KiB",    "host.unsettled",           NULL, FORM_PAGES },
    { NULL, "  changed in the last pass, KiB",    "host.volatile",            NULL, FORM_PAGES },
    { NULL, "  left alone after a write, KiB",    "host.cooling",             NULL, FORM_PAGES },
    { NULL, "Memory of members, KiB",             "host.pages",               NULL, FORM_PAGES },
    { NULL, "Memory of the host, KiB",            "host.total",               NULL, FORM_PAGES },
    { NULL, "  free, KiB",                        "host.free",                NULL, FORM_PAGES },
    { NULL, "  wanted if all were written, KiB",  "host.need",                NULL, FORM_PAGES },
    { NULL, "  saved as Xen counts it, KiB",      "host.xen_saved",           NULL, FORM_PAGES },
    { NULL, "Overcommit",                         "host.overcommit_percent",  NULL, FORM_PERCENT },
    { NULL, "  merging stops at",                 "host.overcommit_limit",    NULL, FORM_PERCENT },
};

static const struct figure of_scan[] = {
    { NULL, "Pass",                               "scan.pass",                NULL, FORM_COUNT },
    { NULL, "  began",                            "scan.pass_started",        NULL, FORM_MOMENT },
    { NULL, "  done",                             "scan.pass_done", "scan.pass_pages", FORM_SHARE },
    { NULL, "  the last one took",                "scan.pass_milliseconds",   NULL, FORM_MILLISECONDS },
    { NULL, "  until the next",                   "scan.next_pass_milliseconds", NULL, FORM_MILLISECONDS },
    { NULL, "Pages looked at",                    "scan.scanned",             NULL, FORM_RATE },
    { NULL, "  hashed",                           "scan.hashed",              NULL, FORM_RATE },
    { NULL, "  of these, zeros",                  "scan.zero",                NULL, FORM_RATE },
    { NULL, "  another repeated word",            "scan.filled",              NULL, FORM_RATE },
    { NULL, "  mappings for it",                  "scan.mapped",              NULL, FORM_RATE },
    { NULL, "CPU, of one",                        "scan.cpu_permille",        NULL, FORM_PERMILLE },
    { NULL, "  may be",                           "scan.cpu_limit_percent",   NULL, FORM_PERCENT },
    { NULL, "  so far",                           "scan.cpu_milliseconds",    NULL, FORM_MILLISECONDS },
    { NULL, "  threads",                          "scan.threads",             NULL, FORM_COUNT },
    { NULL, "Memory for the index, KiB",          "scan.index_bytes",         NULL, FORM_BYTES },
    { NULL, "  may be, KiB",                      "scan.index_limit_bytes",   NULL, FORM_BYTES },
};

static const struct figure of_merge[] = {
    { NULL, "Pairs to merge",                     "merge.candidates",         NULL, FORM_RATE },
    { NULL, "  bytes compared",                   "merge.compared",           NULL, FORM_RATE },
    { NULL, "  merged",                           "merge.merged",             NULL, FORM_RATE },
    { NULL, "  shared already",                   "merge.already",            NULL, FORM_RATE },
    { NULL, "  different after all",              "merge.different",          NULL, FORM_RATE },
    { NULL, "  in use by dom0 or a device",       "merge.busy",               NULL, FORM_RATE },
    { NULL, "  gone in the meantime",             "merge.stale",              NULL, FORM_RATE },
    { NULL, "  calls that carried them",          "merge.batches",            NULL, FORM_RATE },
    { NULL, "Pages given back by the sharer",     "merge.unmerged",           NULL, FORM_RATE },
};

static const struct figure of_invalidates[] = {
    { NULL, "Told of pages that stop by",         "invalidates.transport",    NULL, FORM_TEXT },
    { NULL, "  records taken",                    "invalidates.received",     NULL, FORM_RATE },
    { NULL, "  of pages not known",               "invalidates.unknown",      NULL, FORM_RATE },
    { NULL, "  records lost",                     "invalidates.lost",         NULL, FORM_RATE },
    { NULL, "  pages doubted because of it",      "invalidates.doubted",      NULL, FORM_RATE },
    { NULL, "  asked about since",                "invalidates.re_examined",  NULL, FORM_RATE },
};

static const struct figure of_hypervisor[] = {
    { NULL, "Hypercalls",                         "hypervisor.hypercalls",    NULL, FORM_RATE },
    { NULL, "  operations carried by them",       "hypervisor.operations",    NULL, FORM_RATE },
    { NULL, "System calls for them",              "hypervisor.system_calls",  NULL, FORM_RATE },
};

static const struct figure of_group[] = {
    { "GROUP",    NULL, "name",      NULL, FORM_TEXT },
    { "FROM",     NULL, "origin",    NULL, FORM_TEXT },
    { "WITHIN",   NULL, "within",    NULL, FORM_FLAG },
    { "DOMAINS",  NULL, "domains",   NULL, FORM_COUNT },
    { "MEMORY",   NULL, "pages",     NULL, FORM_PAGES },
    { "SAVED",    NULL, "saved",     NULL, FORM_PAGES },
    { "SHARING",  NULL, "sharing",   NULL, FORM_PAGES },
    { "SHARED",   NULL, "shared",    NULL, FORM_PAGES },
    { "UNIQUE",   NULL, "unique",    NULL, FORM_PAGES },
    { "UNSETTLED", NULL, "unsettled", NULL, FORM_PAGES },
    { "MERGED",   NULL, "merged",    NULL, FORM_RATE },
    { "UNSHARED", NULL, "unshared",  NULL, FORM_RATE },
};

static const struct figure of_domain[] = {
    { "ID",       "Domain",                           "domid",        NULL, FORM_COUNT },
    { "NAME",     "Name",                             "name",         NULL, FORM_TEXT },
    { NULL,       "UUID",                             "uuid",         NULL, FORM_TEXT },
    { "GROUP",    "Group",                            "group",        NULL, FORM_TEXT },
    { NULL,       "  named by",                       "group_origin", NULL, FORM_TEXT },
    { NULL,       "Shared within the domain",         "within",       NULL, FORM_FLAG },
    { "STATE",    "State",                            "state",        NULL, FORM_TEXT },
    { NULL,       "Refused because",                  "refusal",      NULL, FORM_TEXT },
    { "MEMORY",   "Memory, KiB",                      "pages",        NULL, FORM_PAGES },
    { "SAVED",    "Memory saved, KiB",                "saved",        NULL, FORM_PAGES },
    { "SHARING",  "Pages that share, KiB",            "sharing",      NULL, FORM_PAGES },
    { NULL,       "  to be asked about again, KiB",   "doubtful",     NULL, FORM_PAGES },
    { NULL,       "Its own pages that others share, KiB", "shared",   NULL, FORM_PAGES },
    { "UNIQUE",   "Pages like no other, KiB",         "unique",       NULL, FORM_PAGES },
    { "UNSETTLED", "Pages that are not settled, KiB", "unsettled",    NULL, FORM_PAGES },
    { NULL,       "  changed in the last pass, KiB",  "volatile",     NULL, FORM_PAGES },
    { NULL,       "Pages looked at",                  "scanned",      NULL, FORM_RATE },
    { "MERGED",   "Pages merged",                     "merged",       NULL, FORM_RATE },
    { "UNSHARED", "Pages that stopped to share",      "unshared",     NULL, FORM_RATE },
};

void sharing_print_heading(FILE *out, const struct status *status)
{
    if ( status->pid == STATUS_UNKNOWN )
        fprintf(out, "%s does not say which process wrote it: it is not of a sharer, or an old one's; remove it\n",
                status->path);
    else if ( !status->alive )
        fprintf(out, "The sharer with process id %" PRIu64 " died %" PRIu64 " s ago. What was shared still is, and "
                "the next one learns it back: 'systemctl start xensharing'. Without one to come, remove %s\n",
                status->pid, status->age, status->path);
    else if ( status->age > STATUS_OLD_SECONDS )
        fprintf(out, "The sharer with process id %" PRIu64 " wrote nothing for %" PRIu64 " s: see 'systemctl status "
                "xensharing'\n", status->pid, status->age);
    else
        fprintf(out, "Sharer, process id %" PRIu64 "\n", status->pid);
}

void sharing_print_notes(FILE *out, const struct status *status)
{
    const struct json_object *root = status->root;

    if ( status_flag(root, "stopping") )
        fputs("Note: it is stopping.\n", out);
    if ( status_has_flag(root, "host.merging") && !status_flag(root, "host.merging") )
        fputs("Note: nothing is merged, because guests could want more memory than there is: give the host more, let "
              "xenpaging page some of them, or raise overcommit in " OPTIONS_DIRECTORY "/xensharing.conf.\n", out);
    if ( status_object(root, "invalidates") && !status_text(root, "invalidates.transport") )
        fputs("Note: this hypervisor does not tell of pages that stop to share, so that shared pages are looked at in "
              "every pass.\n", out);
}

/* Counts by a name, which is whatever the file has. */
static int add_named(struct libscols_table *table, const char *what, const struct sharing_look *look, const char *path)
{
    struct json_object *counts = status_object(look->status->root, path);
    int rc = 0;

    if ( !counts )
        return 0;
    json_object_object_foreach(counts, name, value)
    {
        char shown[FIGURE_TEXT_BYTES], label[FIGURE_TEXT_BYTES + 64], text[FIGURE_TEXT_BYTES] = "-";
        struct json_object *old = NULL;

        figure_escape(shown, name);
        snprintf(label, sizeof(label), "  %s %s", what, shown);
        if ( json_object_is_type(value, json_type_int) && json_object_get_int64(value) >= 0 )
        {
            if ( look->before )
                json_object_object_get_ex(status_object(look->before, path), name, &old);
            figure_format_rate(text, json_object_get_uint64(value), old ? json_object_get_uint64(old) : UINT64_MAX,
                               look->seconds);
        }
        rc = figure_pairs_add(table, label, text);
        if ( rc )
            break;
    }
    return rc;
}

int sharing_print_stats(FILE *out, const struct sharing_look *look)
{
    const struct figure_row row = { .object = look->status->root, .before = look->before, .seconds = look->seconds };
    struct libscols_table *table = figure_pairs_open(out);
    int rc = table ? 0 : -ENOMEM;

    if ( !rc )
        rc = figure_pairs_add_all(table, of_host, COUNT(of_host), &row);
    if ( !rc )
        rc = figure_pairs_add_all(table, of_scan, COUNT(of_scan), &row);
    if ( !rc )
        rc = figure_pairs_add_all(table, of_merge, COUNT(of_merge), &row);
    if ( !rc )
        rc = add_named(table, "refused,", look, "merge.refused");
    if ( !rc )
        rc = figure_pairs_add_all(table, of_invalidates, COUNT(of_invalidates), &row);
    if ( !rc )
        rc = add_named(table, "because of", look, "invalidates.reasons");
    if ( !rc )
        rc = figure_pairs_add_all(table, of_hypervisor, COUNT(of_hypervisor), &row);
    if ( table )
        rc = figure_table_close(table, rc);
    sharing_print_notes(out, look->status);
    return rc;
}

/* The element of the same name in the look before. */
static const struct json_object *find_group(const struct json_object *root, const struct json_object *group)
{
    const char *name = status_text(group, "name");

    for ( size_t i = 0; name && i < status_count(root, "groups"); i++ )
    {
        const struct json_object *other = status_item(root, "groups", i);
        const char *other_name = status_text(other, "name");

        if ( other_name && !strcmp(name, other_name) )
            return other;
    }
    return NULL;
}

const struct json_object *sharing_find_domain(const struct json_object *root, const struct json_object *domain)
{
    for ( size_t i = 0; i < status_count(root, "domains"); i++ )
    {
        const struct json_object *other = status_item(root, "domains", i);

        if ( status_number(other, "domid") == status_number(domain, "domid") )
            return other;
    }
    return NULL;
}

bool sharing_is_domain(const struct json_object *domain, const char *name)
{
    const char *own = status_text(domain, "name");
    char number[24];

    snprintf(number, sizeof(number), "%" PRIu64, status_number(domain, "domid"));
    return !name || !strcmp(name, number) || (own && !strcmp(name, own));
}

int sharing_print_groups(FILE *out, const struct sharing_look *look, const char *name, size_t *found)
{
    const struct json_object *root = look->status->root;
    struct libscols_table *table = figure_table_open(out, true);
    int rc = table ? figure_table_add_columns(table, of_group, COUNT(of_group)) : -ENOMEM;

    *found = 0;
    for ( size_t i = 0; i < status_count(root, "groups") && !rc; i++ )
    {
        const struct json_object *group = status_item(root, "groups", i);
        const char *own = status_text(group, "name");
        struct figure_row row = { .object = group, .before = find_group(look->before, group),
                                  .seconds = look->seconds };

        if ( name && (!own || strcmp(name, own)) )
            continue;
        rc = figure_table_add_row(table, of_group, COUNT(of_group), &row);
        ++*found;
    }
    if ( table && (rc || *found) )
        rc = figure_table_close(table, rc);
    else
        scols_unref_table(table);
    if ( !rc && !name && !*found )
        fputs("There is no group: name one in " OPTIONS_DIRECTORY "/xensharing.conf, or in "
              "/local/domain/DOMID/memory/sharing-group in xenstore\n", out);
    return rc;
}

static void print_refusals(FILE *out, const struct json_object *root)
{
    for ( size_t i = 0; i < status_count(root, "domains"); i++ )
    {
        const struct json_object *domain = status_item(root, "domains", i);
        const char *refusal = status_text(domain, "refusal"), *name = status_text(domain, "name");
        char reason[FIGURE_TEXT_BYTES], who[FIGURE_TEXT_BYTES];

        if ( !refusal || status_number(domain, "domid") == STATUS_UNKNOWN )
            continue;
        figure_escape(reason, refusal);
        figure_escape(who, name ? name : "");
        fprintf(out, "Not shared: domain %" PRIu64 " (%s): %s\n", status_number(domain, "domid"), who, reason);
    }
}

int sharing_print_domains(FILE *out, const struct sharing_look *look, size_t *found)
{
    const struct json_object *root = look->status->root;
    struct libscols_table *table = figure_table_open(out, true);
    int rc = table ? figure_table_add_columns(table, of_domain, COUNT(of_domain)) : -ENOMEM;
    bool grouped = false;

    *found = status_count(root, "domains");
    for ( size_t i = 0; i < *found && !rc; i++ )
    {
        const struct json_object *domain = status_item(root, "domains", i);
        struct figure_row row = { .object = domain, .before = sharing_find_domain(look->before, domain),
                                  .seconds = look->seconds };

        rc = figure_table_add_row(table, of_domain, COUNT(of_domain), &row);
        grouped |= status_text(domain, "group") != NULL;
    }
    if ( table && (rc || *found) )
        rc = figure_table_close(table, rc);
    else
        scols_unref_table(table);
    if ( !grouped )
        fputs("No domain is in a group: name one in " OPTIONS_DIRECTORY "/xensharing.conf, or in "
              "/local/domain/DOMID/memory/sharing-group in xenstore\n", out);
    print_refusals(out, root);
    return rc;
}

int sharing_print_domain(FILE *out, const struct sharing_look *look, const char *name, size_t *found)
{
    const struct json_object *root = look->status->root;
    int rc = 0;

    *found = 0;
    for ( size_t i = 0; i < status_count(root, "domains") && !rc; i++ )
    {
        const struct json_object *domain = status_item(root, "domains", i);
        struct figure_row row = { .object = domain, .before = sharing_find_domain(look->before, domain),
                                  .seconds = look->seconds };
        struct libscols_table *table;

        if ( !sharing_is_domain(domain, name) )
            continue;
        ++*found;
        table = figure_pairs_open(out);
        if ( !table )
            return -ENOMEM;
        rc = figure_table_close(table, figure_pairs_add_all(table, of_domain, COUNT(of_domain), &row));
    }
    return rc;
}
