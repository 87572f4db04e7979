/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * memeventctl sharing history: what was saved over time, as a list.
 */
#include "sharing-history.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include <json-c/json.h>

#include <daemon/json.h>

#include "figure.h"

#define COUNT(array)  (sizeof(array) / sizeof((array)[0]))

enum kind { AS_PAGES, AS_DIFFERENCE, AS_CPU };

static const struct {
    const char *heading, *name;
    enum kind kind;
} columns[] = {
    { "SAVED",    "saved",            AS_PAGES },
    { "SHARING",  "sharing",          AS_PAGES },
    { "UNIQUE",   "unique",           AS_PAGES },
    { "VOLATILE", "volatile",         AS_PAGES },
    { "MEMORY",   "pages",            AS_PAGES },
    { "FREE",     "free",             AS_PAGES },
    { "NEED",     "need",             AS_PAGES },
    { "MERGED",   "merged",           AS_DIFFERENCE },
    { "UNSHARED", "unshared",         AS_DIFFERENCE },
    { "LOST",     "lost",             AS_DIFFERENCE },
    { "CPU",      "cpu_milliseconds", AS_CPU },
};

int sharing_samples_open(const struct sharing_request *request, struct sharing_samples *s)
{
    char error[HISTORY_ERROR_BYTES];
    int rc = history_view_open(&s->view, request->history, error);
    size_t first;

    if ( rc )
    {
        fprintf(stderr, "memeventctl: %s: %s%s\n", request->history, error, rc == -ENOENT ?
                "; the sharer has not run yet, or its setting 'history' names another file (--history-file)" :
                rc == -EBADMSG ? "; the sharer sets such a file aside when it starts, and begins anew" : "");
        return rc == -ENOENT ? EX_NOINPUT : rc == -EACCES ? EX_NOPERM : rc == -EBADMSG ? EX_DATAERR : EX_OSERR;
    }
    s->to = time(NULL);
    s->from = s->to - request->hours * UINT64_C(3600);
    /* From behind, so that a clock which was wrong long ago does not matter. */
    for ( first = s->view.count; first && s->view.samples[first - 1].time >= s->from &&
          s->view.samples[first - 1].time <= s->to; first-- )
        continue;
    s->first = s->view.samples + first;
    s->count = s->view.count - first;
    return EX_OK;
}

void sharing_samples_close(struct sharing_samples *s)
{
    history_view_close(&s->view);
}

bool sharing_samples_get(const struct sharing_samples *s, size_t i, const char *name, uint64_t *value)
{
    int place = history_view_find(&s->view, name);

    if ( place < 0 )
        return false;
    *value = s->first[i].values[place];
    return true;
}

/* What was counted from one sample to another; a sharer that was started anew counts from 0. */
static bool difference(const struct sharing_samples *s, size_t from, size_t to, const char *name, uint64_t *value)
{
    uint64_t before;

    if ( !sharing_samples_get(s, to, name, value) || !sharing_samples_get(s, from, name, &before) )
        return false;
    if ( before <= *value )
        *value -= before;
    return true;
}

/* One line for the samples behind `before` up to `last`. */
static int add_line(struct libscols_table *table, const struct sharing_samples *s, size_t before, size_t last)
{
    char text[COUNT(columns) + 1][FIGURE_TEXT_BYTES];
    const char *texts[COUNT(columns) + 1];
    time_t moment = s->first[last].time;
    struct tm parts;
    uint64_t value, seconds = s->first[last].time - s->first[before].time;

    if ( !localtime_r(&moment, &parts) || !strftime(text[0], sizeof(text[0]), "%Y-%m-%d %H:%M", &parts) )
        snprintf(text[0], sizeof(text[0]), "-");
    texts[0] = text[0];
    for ( size_t i = 0; i < COUNT(columns); i++ )
    {
        char *cell = text[i + 1];

        texts[i + 1] = cell;
        snprintf(cell, sizeof(text[0]), "-");
        if ( columns[i].kind == AS_PAGES )
        {
            if ( sharing_samples_get(s, last, columns[i].name, &value) )
                figure_format_kib(cell, value, true);
        }
        else if ( !difference(s, before, last, columns[i].name, &value) || before == last )
            continue;
        else if ( columns[i].kind == AS_DIFFERENCE )
            snprintf(cell, sizeof(text[0]), "%" PRIu64, value);
        else if ( seconds && seconds <= INT32_MAX )
            snprintf(cell, sizeof(text[0]), "%.1f %%", value / 10.0 / seconds);
    }
    return figure_table_add_texts(table, texts, COUNT(texts));
}

static int print_table(const struct sharing_samples *s, unsigned int minutes)
{
    struct libscols_table *table = figure_table_open(stdout, true);
    int rc = table && scols_table_new_column(table, "TIME", 0, 0) ? 0 : -ENOMEM;
    uint64_t step = minutes * UINT64_C(60);
    size_t before = 0;

    for ( size_t i = 0; i < COUNT(columns) && !rc; i++ )
        rc = scols_table_new_column(table, columns[i].heading, 0, SCOLS_FL_RIGHT) ? 0 : -ENOMEM;
    for ( size_t i = 0; i < s->count && !rc; i++ )
    {
        /* A line is full when the next sample belongs to another. */
        if ( i + 1 < s->count && s->first[i].time / step == s->first[i + 1].time / step )
            continue;
        rc = add_line(table, s, before, i);
        before = i;
    }
    return table ? figure_table_close(table, rc) : rc;
}

static int print_json(const struct sharing_request *request, const struct sharing_samples *s)
{
    struct json_object *root = json_object_new_object(), *samples = json_object_new_array();
    int rc;

    json_add_text(root, "file", request->history);
    json_add_number(root, "period_seconds", s->view.period);
    json_add_number(root, "damaged", s->view.damaged);
    json_object_object_add(root, "samples", samples);
    for ( size_t i = 0; i < s->count; i++ )
    {
        struct json_object *sample = json_object_new_object();

        json_add_number(sample, "time", s->first[i].time);
        for ( size_t f = 0; f < s->view.figures; f++ )
            json_add_number(sample, s->view.names[f], s->first[i].values[f]);
        json_object_array_add(samples, sample);
    }
    rc = status_print_json(stdout, root, !request->look.watch);
    json_object_put(root);
    return rc;
}

static int show(const struct sharing_request *request)
{
    struct sharing_samples samples;
    int status = sharing_samples_open(request, &samples), rc;

    if ( status != EX_OK )
        return status;
    if ( request->look.json )
        rc = print_json(request, &samples);
    else
        rc = samples.count ? print_table(&samples, request->minutes) : 0;
    if ( !request->look.json && !samples.count )
        printf("There is no sample of the last %u hours\n", request->hours);
    if ( !request->look.json && samples.view.damaged )
        printf("Note: %zu samples are damaged, and were left out.\n", samples.view.damaged);
    sharing_samples_close(&samples);
    return status_end_output(rc);
}

int sharing_history(const struct sharing_request *request)
{
    for ( ;; )
    {
        int status;

        look_clear(&request->look);
        status = show(request);
        if ( !request->look.watch || status != EX_OK )
            return status;
        sleep(request->look.watch);
    }
}
