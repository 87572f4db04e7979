/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From figures to lines and columns.  Which domains are shown is decided in paging.c.
 */
#include "paging-table.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <libsmartcols.h>

#include <daemon/options.h>
#include <daemon/utf8.h>

#define KIB_A_PAGE   4U

/* A figure as text; a name takes at most 63 bytes, each of which may become \xNN. */
#define TEXT_BYTES   272U

enum form {
    FORM_COUNT,       /* as it is */
    FORM_RATE,        /* a count; with something to compare with, how much more a second */
    FORM_PAGES,       /* shown as KiB */
    FORM_BYTES,       /* shown as KiB */
    FORM_TIME,        /* nanoseconds */
    FORM_TEXT,
    FORM_SHARE,       /* in per cent of path_of_whole */
};

struct figure {
    const char *heading;      /* in the list; NULL: only in the details */
    const char *label;        /* in the details; NULL: only in the list */
    const char *path;
    const char *path_of_whole;    /* what a share is of, or the number of samples of an estimate: 0, and there is none */
    enum form form;
};

static const struct figure of_domain[] = {
    { "ID",        "Domain",                         "domid",                          NULL, FORM_COUNT },
    { "NAME",      "Name",                           "name",                           NULL, FORM_TEXT },
    { "STATE",     "State",                          "state",                          NULL, FORM_TEXT },
    { "TARGET",    "Target, KiB",                    "target_pages",                   NULL, FORM_PAGES },
    { "RESIDENT",  "In memory, KiB",                 "resident_pages",                 NULL, FORM_PAGES },
    { "OUT",       "Paged out, KiB",                 "out_pages",                      NULL, FORM_PAGES },
    { NULL,        "Offered for eviction, KiB",      "nominated_pages",                NULL, FORM_PAGES },
    { "WORKING",   "Working set, KiB",               "choice.working_set_pages", "choice.working_set_samples", FORM_PAGES },
    { NULL,        "  from so many samples",         "choice.working_set_samples",     NULL, FORM_COUNT },
    { "FAULTS",    "Faults that somebody waited for", "faults",                        NULL, FORM_RATE },
    { "IN",        "Pages brought in",               "paged_in",                       NULL, FORM_RATE },
    { "OUT",       "Pages evicted",                  "paged_out",                      NULL, FORM_RATE },
    { "2ND-CH",    "Second chances",                 "choice.second_chances",          NULL, FORM_RATE },
    { NULL,        "Pages given up while out",       "dropped",                        NULL, FORM_RATE },
    { NULL,        "Waits for the host's memory",    "waited_for_host_memory",         NULL, FORM_RATE },
    { NULL,        "Pages prefetched",               "prefetch.pages",                 NULL, FORM_RATE },
    { "PREFETCH",  "Prefetches that were used",      "prefetch.windows_used", "prefetch.windows", FORM_SHARE },
    { "P50",       "Service of a fault, median",     "fault_service.p50_nanoseconds",  NULL, FORM_TIME },
    { "P99",       "  99 of 100 within",             "fault_service.p99_nanoseconds",  NULL, FORM_TIME },
    { "MAX",       "  longest",                      "fault_service.longest_nanoseconds", NULL, FORM_TIME },
    { NULL,        "Stored: one word repeated, KiB", "store.same_filled",              NULL, FORM_PAGES },
    { NULL,        "  compressed (lz4), KiB",        "store.lz4",                      NULL, FORM_PAGES },
    { NULL,        "  as they are, KiB",             "store.uncompressed",             NULL, FORM_PAGES },
    { NULL,        "  in the file, KiB",             "store.in_file",                  NULL, FORM_PAGES },
    { NULL,        "  dom0's memory for them, KiB",  "store.memory_bytes",             NULL, FORM_BYTES },
    { NULL,        "Channel",                        "channel.transport",              NULL, FORM_TEXT },
    { NULL,        "  events taken",                 "channel.received",               NULL, FORM_RATE },
    { NULL,        "  answers",                      "channel.answered",               NULL, FORM_RATE },
    { NULL,        "  answers refused",              "channel.refused",                NULL, FORM_RATE },
    { NULL,        "  events that made no sense",    "channel.malformed",              NULL, FORM_RATE },
    { NULL,        "  wake-ups",                     "channel.wakeups",                NULL, FORM_RATE },
    { NULL,        "  events that came again",       "channel.again",                  NULL, FORM_COUNT },
    { NULL,        "  answers that Xen refused",     "channel.hypervisor.refused",     NULL, FORM_COUNT },
    { NULL,        "  pagers so far",                "channel.hypervisor.pagers",      NULL, FORM_COUNT },
};

static const struct figure of_host[] = {
    { NULL, "Pages out, KiB",                 "store.pages",                  NULL, FORM_PAGES },
    { NULL, "  one word repeated, KiB",       "store.same_filled",            NULL, FORM_PAGES },
    { NULL, "  compressed (lz4), KiB",        "store.lz4",                    NULL, FORM_PAGES },
    { NULL, "  as they are, KiB",             "store.uncompressed",           NULL, FORM_PAGES },
    { NULL, "  in the file, KiB",             "store.in_file",                NULL, FORM_PAGES },
    { NULL, "Memory for pages, KiB",          "store.memory_bytes",           NULL, FORM_BYTES },
    { NULL, "  taken from dom0, KiB",         "store.memory_allocated_bytes", NULL, FORM_BYTES },
    { NULL, "  limit, KiB",                   "store.memory_limit_bytes",     NULL, FORM_BYTES },
    { NULL, "  for finding them, KiB",        "store.index_bytes",            NULL, FORM_BYTES },
    { NULL, "File, KiB",                      "store.file_allocated_bytes",   NULL, FORM_BYTES },
    { NULL, "  limit, KiB",                   "store.file_limit_bytes",       NULL, FORM_BYTES },
    { NULL, "  reads",                        "store.file_reads",             NULL, FORM_COUNT },
    { NULL, "  writes",                       "store.file_writes",            NULL, FORM_COUNT },
    { NULL, "  given up as bad, KiB",         "store.file_retired_bytes",     NULL, FORM_BYTES },
    { NULL, "Read errors",                    "store.read_errors",            NULL, FORM_COUNT },
    { NULL, "Write errors",                   "store.write_errors",           NULL, FORM_COUNT },
    { NULL, "Checksum errors",                "store.checksum_errors",        NULL, FORM_COUNT },
    { NULL, "Lacks of memory, to copy into",  "oom.events",                   NULL, FORM_COUNT },
    { NULL, "  guests that wait now",         "oom.waiting",                  NULL, FORM_COUNT },
    { NULL, "  answered after an eviction",   "oom.answered_with_memory",     NULL, FORM_COUNT },
    { NULL, "  told to try again",            "oom.answered_without",         NULL, FORM_COUNT },
    { NULL, "Hypercalls",                     "hypervisor.hypercalls",        NULL, FORM_COUNT },
    { NULL, "System calls for them",          "hypervisor.system_calls",      NULL, FORM_COUNT },
};

/* What a pager says is wrong, and what to do. */
static const struct {
    const char *path, *text;
} wrong[] = {
    { "stopping", "it is stopping: everything is brought in first" },
    { "host_memory_short", "the host has no free memory for pages that guests wait for: "
                           "free some ('xl info', 'xl mem-set') or lower targets" },
    { "oom.unresolved", "a guest waits for memory to copy a shared page into, and no page can be evicted: "
                        "free some ('xl info', 'xl mem-set'), or set targets for more domains" },
    { "store_full", "there is no room for more pages: raise memory-limit or spill-limit in "
                    OPTIONS_DIRECTORY "/xenpaging.conf and restart the pager, or raise targets" },
    { "store.file_full", "the file system of the spill directory is full: make room there" },
    { "store.file_retired", "the disk of the spill directory made too many errors, and gets no more pages: replace it" },
};

#define COUNT(array)  (sizeof(array) / sizeof((array)[0]))

/* So many pages that their KiB do not fit into 64 bits are no figure. */
static void format_kib(char *text, uint64_t value, bool pages)
{
    if ( pages && value > UINT64_MAX / KIB_A_PAGE )
        snprintf(text, TEXT_BYTES, "-");
    else
        snprintf(text, TEXT_BYTES, "%" PRIu64, pages ? value * KIB_A_PAGE : value / 1024 + !!(value % 1024));
}

static void format_time(char *text, uint64_t ns)
{
    static const struct {
        uint64_t below, unit;
        const char *name;
    } units[] = {
        { 10000, 1, "ns" }, { 10000000, 1000, "us" }, { 10000000000, 1000000, "ms" }, { UINT64_MAX, 1000000000, "s" },
    };
    unsigned int i = 0;

    while ( ns >= units[i].below && i + 1 < COUNT(units) )
        i++;
    snprintf(text, TEXT_BYTES, "%" PRIu64 " %s", ns / units[i].unit, units[i].name);
}

static void format_figure(char *text, const struct figure *figure, const struct paging_row *row,
                          const struct json_object *object)
{
    const char *words = figure->form == FORM_TEXT ? status_text(object, figure->path) : NULL;
    uint64_t value = status_number(object, figure->path), other;

    snprintf(text, TEXT_BYTES, "-");
    if ( words )
        utf8_escape(text, TEXT_BYTES, words, strlen(words));
    if ( figure->form == FORM_TEXT || value == STATUS_UNKNOWN ||
         (figure->path_of_whole && !status_number(object, figure->path_of_whole)) )
        return;
    switch ( figure->form )
    {
    case FORM_PAGES:
    case FORM_BYTES:
        format_kib(text, value, figure->form == FORM_PAGES);
        break;
    case FORM_TIME:
        format_time(text, value);
        break;
    case FORM_SHARE:
        other = status_number(object, figure->path_of_whole);
        if ( other != STATUS_UNKNOWN )
            snprintf(text, TEXT_BYTES, "%.0f %%", 100.0 * value / other);
        break;
    case FORM_RATE:
        other = row && row->before ? status_number(row->before, figure->path) : STATUS_UNKNOWN;
        if ( other <= value && row && row->seconds > 0 )
        {
            snprintf(text, TEXT_BYTES, "%.0f/s", (value - other) / row->seconds);
            break;
        }
        /* fallthrough */
    default:
        snprintf(text, TEXT_BYTES, "%" PRIu64, value);
    }
}

static struct libscols_table *make_table(FILE *out, bool headings)
{
    struct libscols_table *table = scols_new_table();

    if ( !table )
        return NULL;
    scols_table_set_stream(table, out);
    scols_table_enable_noheadings(table, !headings);
    /* Names were made harmless already, and a backslash of that is not to be escaped again. */
    scols_table_enable_noencoding(table, 1);
    return table;
}

static int finish_table(struct libscols_table *table, int rc)
{
    if ( !rc )
        rc = scols_print_table(table);
    scols_unref_table(table);
    return rc ? -ENOMEM : 0;
}

static int add_cell(struct libscols_line *line, size_t column, const char *text)
{
    return scols_line_set_data(line, column, text);
}

static int add_sums(struct libscols_table *table, const struct paging_row *rows, size_t count)
{
    struct libscols_line *line = scols_table_new_line(table, NULL);
    size_t column = 0;
    int rc = line ? 0 : -ENOMEM;

    for ( size_t i = 0; i < COUNT(of_domain) && !rc; i++ )
    {
        const struct figure *figure = &of_domain[i];
        char text[TEXT_BYTES] = "";
        uint64_t sum = 0;

        if ( !figure->heading )
            continue;
        for ( size_t r = 0; r < count && figure->form == FORM_PAGES; r++ )
        {
            uint64_t value = status_number(rows[r].domain, figure->path);

            if ( value != STATUS_UNKNOWN )
                sum += value;
        }
        if ( figure->form == FORM_PAGES )
            format_kib(text, sum, true);
        else if ( !strcmp(figure->path, "name") )
            snprintf(text, sizeof(text), "(all)");
        rc = add_cell(line, column++, text);
    }
    return rc;
}

int paging_print_overview(FILE *out, const struct paging_row *rows, size_t count)
{
    struct libscols_table *table = make_table(out, true);
    int rc = table ? 0 : -ENOMEM;

    for ( size_t i = 0; i < COUNT(of_domain) && !rc; i++ )
        if ( of_domain[i].heading &&
             !scols_table_new_column(table, of_domain[i].heading, 0,
                                     of_domain[i].form == FORM_TEXT ? 0 : SCOLS_FL_RIGHT) )
            rc = -ENOMEM;
    for ( size_t r = 0; r < count && !rc; r++ )
    {
        struct libscols_line *line = scols_table_new_line(table, NULL);
        size_t column = 0;

        rc = line ? 0 : -ENOMEM;
        for ( size_t i = 0; i < COUNT(of_domain) && !rc; i++ )
        {
            char text[TEXT_BYTES];

            if ( !of_domain[i].heading )
                continue;
            format_figure(text, &of_domain[i], &rows[r], rows[r].domain);
            rc = add_cell(line, column++, text);
        }
    }
    if ( !rc && count > 1 )
        rc = add_sums(table, rows, count);
    return table ? finish_table(table, rc) : rc;
}

static int add_pair(struct libscols_table *table, const char *label, const char *text)
{
    struct libscols_line *line = scols_table_new_line(table, NULL);

    if ( !line || add_cell(line, 0, label) || add_cell(line, 1, text) )
        return -ENOMEM;
    return 0;
}

/* Pages by how long nobody touched them. */
static int add_ages(struct libscols_table *table, const struct json_object *domain)
{
    size_t count = status_count(domain, "choice.cold_ages");
    uint64_t from = 0;
    int rc = 0;

    for ( size_t i = 0; i < count && !rc; i++ )
    {
        const struct json_object *age = status_item(domain, "choice.cold_ages", i);
        uint64_t to = status_number(age, "untouched_less_than_seconds"), pages = status_number(age, "pages");
        char label[64], text[TEXT_BYTES] = "-";

        if ( to == STATUS_UNKNOWN )
            snprintf(label, sizeof(label), "Untouched for %" PRIu64 " s or more, KiB", from);
        else
            snprintf(label, sizeof(label), "Untouched for %" PRIu64 " to %" PRIu64 " s, KiB", from, to);
        if ( pages != STATUS_UNKNOWN )
            format_kib(text, pages, true);
        rc = add_pair(table, label, text);
        from = to;
    }
    return rc;
}

static int print_pairs(FILE *out, const struct figure *figures, size_t count, const struct paging_row *row,
                       const struct json_object *object)
{
    struct libscols_table *table = make_table(out, false);
    int rc = table && scols_table_new_column(table, "FIGURE", 0, 0) &&
             scols_table_new_column(table, "VALUE", 0, SCOLS_FL_RIGHT) ? 0 : -ENOMEM;

    for ( size_t i = 0; i < count && !rc; i++ )
    {
        char text[TEXT_BYTES];

        format_figure(text, &figures[i], row, object);
        rc = add_pair(table, figures[i].label, text);
    }
    if ( !rc && row )
        rc = add_ages(table, object);
    return table ? finish_table(table, rc) : rc;
}

int paging_print_details(FILE *out, const struct paging_row *row)
{
    return print_pairs(out, of_domain, COUNT(of_domain), row, row->domain);
}

int paging_print_host(FILE *out, const struct status *status)
{
    int rc = print_pairs(out, of_host, COUNT(of_host), NULL, status->root);

    for ( size_t i = 0; i < COUNT(wrong); i++ )
        if ( status_flag(status->root, wrong[i].path) )
            fprintf(out, "Note: %s.\n", wrong[i].text);
    return rc;
}
