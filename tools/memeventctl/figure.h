/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Figures of status files as people read them: units, rates, and tables of them.  Which figures there are is for the
 * tables of each daemon; nothing that is printed here can move a cursor, whatever a file says.
 */
#ifndef MEMEVENTCTL_FIGURE_H
#define MEMEVENTCTL_FIGURE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <libsmartcols.h>

#include "status.h"

/* A figure as text; a name takes at most 63 bytes, each of which may become \xNN. */
#define FIGURE_TEXT_BYTES   272U

enum figure_form {
    FORM_COUNT,       /* as it is */
    FORM_RATE,        /* a count; with something to compare with, how much more a second */
    FORM_PAGES,       /* shown as KiB */
    FORM_BYTES,       /* shown as KiB */
    FORM_TIME,        /* nanoseconds */
    FORM_MILLISECONDS,
    FORM_PERMILLE,    /* shown in per cent */
    FORM_PERCENT,
    FORM_MOMENT,      /* seconds since 1970, in local time */
    FORM_FLAG,        /* yes or no */
    FORM_TEXT,
    FORM_SHARE,       /* in per cent of path_of_whole */
};

struct figure {
    const char *heading;      /* in the list; NULL: only in the details */
    const char *label;        /* in the details; NULL: only in the list */
    const char *path;
    const char *path_of_whole;    /* what a share is of, or an estimate's number of samples: 0, and there is none */
    enum figure_form form;
};

/* An object as it is, and as it was `seconds` ago. */
struct figure_row {
    const struct json_object *object;
    const struct json_object *before;     /* NULL: there is nothing to compare with */
    double seconds;
};

/* text has room for FIGURE_TEXT_BYTES.  What is not there is a dash. */
void figure_format(char *text, const struct figure *figure, const struct figure_row *row);
/* Any text, fit to be printed in this locale.  text has room for FIGURE_TEXT_BYTES. */
void figure_escape(char *text, const char *words);
void figure_format_kib(char *text, uint64_t value, bool pages);
void figure_format_time(char *text, uint64_t nanoseconds);
/* Counts a second since before, or the count. */
void figure_format_rate(char *text, uint64_t value, uint64_t before, double seconds);

/* Tables; -ENOMEM, or 0. */
struct libscols_table *figure_table_open(FILE *out, bool headings);
int  figure_table_add_columns(struct libscols_table *table, const struct figure *figures, size_t count);
int  figure_table_add_row(struct libscols_table *table, const struct figure *figures, size_t count,
                          const struct figure_row *row);
/* A line of texts for the columns, in order. */
int  figure_table_add_texts(struct libscols_table *table, const char *const *texts, size_t count);
/* Prints if rc is 0, frees, and returns the first error. */
int  figure_table_close(struct libscols_table *table, int rc);

/* Two columns, label and value. */
struct libscols_table *figure_pairs_open(FILE *out);
int  figure_pairs_add(struct libscols_table *table, const char *label, const char *text);
int  figure_pairs_add_all(struct libscols_table *table, const struct figure *figures, size_t count,
                          const struct figure_row *row);

#endif
