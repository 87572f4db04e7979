/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From figures to lines and columns.  Which domains are shown is decided in paging.c.
 */
#include "paging-table.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <daemon/options.h>

#include "figure.h"

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

static int add_sums(struct libscols_table *table, const struct paging_row *rows, size_t count)
{
    const char *texts[COUNT(of_domain)];
    char text[COUNT(of_domain)][FIGURE_TEXT_BYTES];
    size_t columns = 0;

    for ( size_t i = 0; i < COUNT(of_domain); i++ )
    {
        const struct figure *figure = &of_domain[i];
        uint64_t sum = 0;

        if ( !figure->heading )
            continue;
        for ( size_t r = 0; r < count && figure->form == FORM_PAGES; r++ )
        {
            uint64_t value = status_number(rows[r].domain, figure->path);

            if ( value != STATUS_UNKNOWN )
                sum += value;
        }
        text[columns][0] = '\0';
        if ( figure->form == FORM_PAGES )
            figure_format_kib(text[columns], sum, true);
        else if ( !strcmp(figure->path, "name") )
            snprintf(text[columns], sizeof(text[columns]), "(all)");
        texts[columns] = text[columns];
        columns++;
    }
    return figure_table_add_texts(table, texts, columns);
}

static struct figure_row figure_row(const struct paging_row *row)
{
    return (struct figure_row){ .object = row->domain, .before = row->before, .seconds = row->seconds };
}

int paging_print_overview(FILE *out, const struct paging_row *rows, size_t count)
{
    struct libscols_table *table = figure_table_open(out, true);
    int rc = table ? figure_table_add_columns(table, of_domain, COUNT(of_domain)) : -ENOMEM;

    for ( size_t r = 0; r < count && !rc; r++ )
    {
        struct figure_row row = figure_row(&rows[r]);

        rc = figure_table_add_row(table, of_domain, COUNT(of_domain), &row);
    }
    if ( !rc && count > 1 )
        rc = add_sums(table, rows, count);
    return table ? figure_table_close(table, rc) : rc;
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
        char label[64], text[FIGURE_TEXT_BYTES] = "-";

        if ( to == STATUS_UNKNOWN )
            snprintf(label, sizeof(label), "Untouched for %" PRIu64 " s or more, KiB", from);
        else
            snprintf(label, sizeof(label), "Untouched for %" PRIu64 " to %" PRIu64 " s, KiB", from, to);
        if ( pages != STATUS_UNKNOWN )
            figure_format_kib(text, pages, true);
        rc = figure_pairs_add(table, label, text);
        from = to;
    }
    return rc;
}

int paging_print_details(FILE *out, const struct paging_row *row)
{
    struct libscols_table *table = figure_pairs_open(out);
    struct figure_row figures = figure_row(row);
    int rc = table ? figure_pairs_add_all(table, of_domain, COUNT(of_domain), &figures) : -ENOMEM;

    if ( !rc )
        rc = add_ages(table, row->domain);
    return table ? figure_table_close(table, rc) : rc;
}

int paging_print_host(FILE *out, const struct status *status)
{
    struct libscols_table *table = figure_pairs_open(out);
    int rc = table ? figure_pairs_add_all(table, of_host, COUNT(of_host),
                                          &(struct figure_row){ .object = status->root }) : -ENOMEM;

    if ( table )
        rc = figure_table_close(table, rc);
    for ( size_t i = 0; i < COUNT(wrong); i++ )
        if ( status_flag(status->root, wrong[i].path) )
            fprintf(out, "Note: %s.\n", wrong[i].text);
    return rc;
}
