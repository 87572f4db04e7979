/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From figures to texts, lines and columns.
 */
#include "figure.h"

#include <errno.h>
#include <inttypes.h>
#include <langinfo.h>
#include <string.h>
#include <time.h>

#include <daemon/utf8.h>

#define KIB_A_PAGE    4U
#define NS_A_MS       1000000U
#define COUNT(array)  (sizeof(array) / sizeof((array)[0]))

void figure_escape(char *text, const char *words)
{
    char escaped[FIGURE_TEXT_BYTES];
    size_t used = 0;

    utf8_escape(escaped, sizeof(escaped), words, strlen(words));
    if ( !strcmp(nl_langinfo(CODESET), "UTF-8") )
    {
        snprintf(text, FIGURE_TEXT_BYTES, "%s", escaped);
        return;
    }
    /* The terminal could not show it, and libsmartcols never comes to an end with it. */
    for ( const char *c = escaped; *c && used + 5 < FIGURE_TEXT_BYTES; c++ )
        used += snprintf(text + used, FIGURE_TEXT_BYTES - used, *c & 0x80 ? "\\x%02x" : "%c", (unsigned char)*c);
    text[used] = '\0';
}

/* So many pages that their KiB do not fit into 64 bits are no figure. */
void figure_format_kib(char *text, uint64_t value, bool pages)
{
    if ( pages && value > UINT64_MAX / KIB_A_PAGE )
        snprintf(text, FIGURE_TEXT_BYTES, "-");
    else
        snprintf(text, FIGURE_TEXT_BYTES, "%" PRIu64, pages ? value * KIB_A_PAGE : value / 1024 + !!(value % 1024));
}

void figure_format_time(char *text, uint64_t ns)
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
    snprintf(text, FIGURE_TEXT_BYTES, "%" PRIu64 " %s", ns / units[i].unit, units[i].name);
}

void figure_format_rate(char *text, uint64_t value, uint64_t before, double seconds)
{
    if ( before <= value && seconds > 0 )
        snprintf(text, FIGURE_TEXT_BYTES, "%.0f/s", (value - before) / seconds);
    else
        snprintf(text, FIGURE_TEXT_BYTES, "%" PRIu64, value);
}

static void format_moment(char *text, uint64_t seconds)
{
    time_t moment = seconds;
    struct tm parts;

    if ( seconds > INT32_MAX * UINT64_C(100) || !localtime_r(&moment, &parts) ||
         !strftime(text, FIGURE_TEXT_BYTES, "%Y-%m-%d %H:%M:%S", &parts) )
        snprintf(text, FIGURE_TEXT_BYTES, "-");
}

static void format_text(char *text, const struct figure *figure, const struct json_object *object)
{
    const char *words = status_text(object, figure->path);

    if ( figure->form == FORM_FLAG && status_has_flag(object, figure->path) )
        snprintf(text, FIGURE_TEXT_BYTES, "%s", status_flag(object, figure->path) ? "yes" : "no");
    else if ( figure->form == FORM_TEXT && words )
        figure_escape(text, words);
}

static void format_number(char *text, const struct figure *figure, uint64_t value, const struct figure_row *row)
{
    uint64_t other;

    switch ( figure->form )
    {
    case FORM_PAGES:
    case FORM_BYTES:
        figure_format_kib(text, value, figure->form == FORM_PAGES);
        break;
    case FORM_TIME:
        figure_format_time(text, value);
        break;
    case FORM_MILLISECONDS:
        if ( value <= UINT64_MAX / NS_A_MS )
            figure_format_time(text, value * NS_A_MS);
        break;
    case FORM_PERMILLE:
        snprintf(text, FIGURE_TEXT_BYTES, "%.1f %%", value / 10.0);
        break;
    case FORM_PERCENT:
        snprintf(text, FIGURE_TEXT_BYTES, "%" PRIu64 " %%", value);
        break;
    case FORM_MOMENT:
        format_moment(text, value);
        break;
    case FORM_SHARE:
        other = status_number(row->object, figure->path_of_whole);
        if ( other != STATUS_UNKNOWN )
            snprintf(text, FIGURE_TEXT_BYTES, "%.0f %%", 100.0 * value / other);
        break;
    case FORM_RATE:
        other = row->before ? status_number(row->before, figure->path) : STATUS_UNKNOWN;
        figure_format_rate(text, value, other, row->seconds);
        break;
    default:
        snprintf(text, FIGURE_TEXT_BYTES, "%" PRIu64, value);
    }
}

void figure_format(char *text, const struct figure *figure, const struct figure_row *row)
{
    uint64_t value = status_number(row->object, figure->path);

    snprintf(text, FIGURE_TEXT_BYTES, "-");
    if ( figure->form == FORM_TEXT || figure->form == FORM_FLAG )
        format_text(text, figure, row->object);
    else if ( value != STATUS_UNKNOWN &&
              (!figure->path_of_whole || status_number(row->object, figure->path_of_whole)) )
        format_number(text, figure, value, row);
}

/* ---- tables ---- */

struct libscols_table *figure_table_open(FILE *out, bool headings)
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

int figure_table_add_columns(struct libscols_table *table, const struct figure *figures, size_t count)
{
    for ( size_t i = 0; i < count; i++ )
    {
        bool left = figures[i].form == FORM_TEXT || figures[i].form == FORM_FLAG;

        if ( figures[i].heading && !scols_table_new_column(table, figures[i].heading, 0, left ? 0 : SCOLS_FL_RIGHT) )
            return -ENOMEM;
    }
    return 0;
}

int figure_table_add_row(struct libscols_table *table, const struct figure *figures, size_t count,
                         const struct figure_row *row)
{
    struct libscols_line *line = scols_table_new_line(table, NULL);
    size_t column = 0;

    for ( size_t i = 0; i < count && line; i++ )
    {
        char text[FIGURE_TEXT_BYTES];

        if ( !figures[i].heading )
            continue;
        figure_format(text, &figures[i], row);
        if ( scols_line_set_data(line, column++, text) )
            return -ENOMEM;
    }
    return line ? 0 : -ENOMEM;
}

int figure_table_add_texts(struct libscols_table *table, const char *const *texts, size_t count)
{
    struct libscols_line *line = scols_table_new_line(table, NULL);

    for ( size_t i = 0; i < count && line; i++ )
        if ( scols_line_set_data(line, i, texts[i]) )
            return -ENOMEM;
    return line ? 0 : -ENOMEM;
}

int figure_table_close(struct libscols_table *table, int rc)
{
    if ( !rc )
        rc = scols_print_table(table);
    scols_unref_table(table);
    return rc ? -ENOMEM : 0;
}

struct libscols_table *figure_pairs_open(FILE *out)
{
    struct libscols_table *table = figure_table_open(out, false);

    if ( table && (!scols_table_new_column(table, "FIGURE", 0, 0) ||
                   !scols_table_new_column(table, "VALUE", 0, SCOLS_FL_RIGHT)) )
    {
        scols_unref_table(table);
        return NULL;
    }
    return table;
}

int figure_pairs_add(struct libscols_table *table, const char *label, const char *text)
{
    return figure_table_add_texts(table, (const char *[]){ label, text }, 2);
}

int figure_pairs_add_all(struct libscols_table *table, const struct figure *figures, size_t count,
                         const struct figure_row *row)
{
    int rc = 0;

    for ( size_t i = 0; i < count && !rc; i++ )
    {
        char text[FIGURE_TEXT_BYTES];

        if ( !figures[i].label )
            continue;
        figure_format(text, &figures[i], row);
        rc = figure_pairs_add(table, figures[i].label, text);
    }
    return rc;
}
