/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A strict reader of Prometheus' text.
 */
#include "exposition.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <daemon/utf8.h>

struct reader {
    struct exposition *e;
    char *family;                 /* of the last HELP line */
    bool typed, counter;
    size_t first;                 /* the family's first sample */
    unsigned int line;
};

static int __attribute__((format(printf, 2, 3))) wrong(struct reader *r, const char *format, ...)
{
    va_list arguments;
    int n = snprintf(r->e->error, EXPOSITION_ERROR_BYTES, "line %u: ", r->line);

    va_start(arguments, format);
    vsnprintf(r->e->error + n, EXPOSITION_ERROR_BYTES - n, format, arguments);
    va_end(arguments);
    return -1;
}

/* Length of a name; of a label's if `label`, which may have no colon. */
static size_t name_length(const char *text, bool label)
{
    size_t n = strspn(text, label ? "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_" :
                                    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_:");

    return text[0] >= '0' && text[0] <= '9' ? 0 : n;
}

static bool ends_in(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);

    return n >= m && !strcmp(text + n - m, end);
}

static int finish_family(struct reader *r)
{
    if ( r->family && (!r->typed || r->first == r->e->count) )
        return wrong(r, "before it, family %s has no type or no sample", r->family);
    return 0;
}

static int read_help(struct reader *r, const char *rest)
{
    size_t n = name_length(rest, false);

    if ( finish_family(r) )
        return -1;
    if ( !n || rest[n] != ' ' || !rest[n + 1] )
        return wrong(r, "a HELP line without a name or a text");
    free(r->family);
    r->family = strndup(rest, n);
    r->typed = false;
    r->first = r->e->count;
    for ( size_t i = 0; i < r->e->count; i++ )
        if ( !strcmp(r->e->samples[i].family, r->family) )
            return wrong(r, "family %s comes a second time", r->family);
    for ( const char *c = rest + n; (c = strchr(c, '\\')); c += 2 )
        if ( c[1] != '\\' && c[1] != 'n' )
            return wrong(r, "a HELP text escapes %c", c[1]);
    return 0;
}

static int read_type(struct reader *r, const char *rest)
{
    size_t n = name_length(rest, false);

    if ( !r->family || strncmp(rest, r->family, n) || strlen(r->family) != n || r->typed || r->first != r->e->count )
        return wrong(r, "a TYPE line that does not follow its HELP");
    if ( strcmp(rest + n, " counter") && strcmp(rest + n, " gauge") )
        return wrong(r, "an unknown type:%s", rest + n);
    r->typed = true;
    r->counter = !strcmp(rest + n, " counter");
    if ( r->counter != ends_in(r->family, "_total") )
        return wrong(r, "a counter's name, and only a counter's, ends in _total");
    return 0;
}

/* From behind the opening brace; NULL, or behind the closing one. */
static const char *read_labels(const char *text)
{
    char seen[16][64];
    size_t labels = 0;

    for ( ;; )
    {
        size_t n = name_length(text, true);

        if ( !n || n >= sizeof(seen[0]) || labels == 16 || text[n] != '=' || text[n + 1] != '"' )
            return NULL;
        memcpy(seen[labels], text, n);
        seen[labels][n] = '\0';
        for ( size_t i = 0; i < labels; i++ )
            if ( !strcmp(seen[i], seen[labels]) )
                return NULL;
        labels++;
        for ( text += n + 2; *text != '"'; )
        {
            unsigned int point;

            if ( *text == '\\' && text[1] && strchr("\\\"n", text[1]) )
            {
                text += 2;
                continue;
            }
            n = *text == '\\' ? 0 : utf8_decode(text, strlen(text), &point);
            /* The format would take them; a terminal that somebody looks at the file in would not. */
            if ( !n || utf8_is_control(point) )
                return NULL;
            text += n;
        }
        text++;
        if ( *text == '}' )
            return text + 1;
        if ( *text++ != ',' )
            return NULL;
    }
}

static int read_sample(struct reader *r, const char *line)
{
    struct exposition_sample *s = &r->e->samples[r->e->count];
    size_t n = name_length(line, false);
    const char *rest = line + n, *labels = rest;
    char *end;

    if ( !r->family || !r->typed || strncmp(line, r->family, n) || strlen(r->family) != n )
        return wrong(r, "a sample outside of its family: %s", line);
    if ( r->e->count == EXPOSITION_SAMPLES_MAX )
        return wrong(r, "more samples than a test expects");
    if ( *rest == '{' )
    {
        labels = rest + 1;
        rest = read_labels(labels);
        if ( !rest )
            return wrong(r, "its labels are wrong: %s", line);
    }
    if ( *rest != ' ' || rest[1] == ' ' || !rest[1] )
        return wrong(r, "no value: %s", line);
    s->value = strtod(rest + 1, &end);
    if ( *end )
        return wrong(r, "not a number: %s", rest + 1);
    if ( r->counter && !(s->value >= 0) )
        return wrong(r, "a counter below 0: %s", line);
    s->family = strdup(r->family);
    s->labels = labels == line + n ? strdup("") : strndup(labels, rest - labels - 1);
    for ( size_t i = r->first; i < r->e->count; i++ )
        if ( !strcmp(r->e->samples[i].labels, s->labels) )
            return wrong(r, "a second time: %s", line);
    r->e->count++;
    return 0;
}

int exposition_parse(struct exposition *e, const char *text, size_t length)
{
    struct reader r = { .e = e };
    int rc = 0;

    e->count = 0;
    e->error[0] = '\0';
    if ( memchr(text, 0, length) || !length || text[length - 1] != '\n' )
        rc = wrong(&r, "the text is empty, holds a NUL or does not end in a newline");
    while ( !rc && length )
    {
        size_t n = (const char *)memchr(text, '\n', length) - text;
        char *line = strndup(text, n);

        r.line++;
        if ( !strncmp(line, "# HELP ", 7) )
            rc = read_help(&r, line + 7);
        else if ( !strncmp(line, "# TYPE ", 7) )
            rc = read_type(&r, line + 7);
        else
            rc = read_sample(&r, line);
        free(line);
        text += n + 1;
        length -= n + 1;
    }
    if ( !rc )
        rc = finish_family(&r);
    free(r.family);
    return rc;
}

void exposition_free(struct exposition *e)
{
    for ( size_t i = 0; i < e->count; i++ )
    {
        free(e->samples[i].family);
        free(e->samples[i].labels);
    }
    e->count = 0;
}

const double *exposition_value(const struct exposition *e, const char *family, const char *labels)
{
    for ( size_t i = 0; i < e->count; i++ )
        if ( !strcmp(e->samples[i].family, family) && !strcmp(e->samples[i].labels, labels) )
            return &e->samples[i].value;
    return NULL;
}

int exposition_read(struct exposition *e, const char *path)
{
    static char text[1 << 20];
    FILE *file = fopen(path, "r");
    size_t length;

    exposition_free(e);
    if ( !file )
    {
        snprintf(e->error, sizeof(e->error), "there is no %s", path);
        return -1;
    }
    length = fread(text, 1, sizeof(text), file);
    fclose(file);
    return exposition_parse(e, text, length);
}

bool exposition_has(const struct exposition *e, const char *family)
{
    for ( size_t i = 0; i < e->count; i++ )
        if ( !strcmp(e->samples[i].family, family) )
            return true;
    return false;
}

/* Those that it lists, and their number; -1: there is no such page. */
static int read_manual(char (*names)[128], size_t room)
{
    const char *top = getenv("srcdir");
    char path[4096], line[512];
    size_t count = 0;
    FILE *file;

    snprintf(path, sizeof(path), "%s/man/xen-memevent-metrics.7", top ? top : ".");
    file = fopen(path, "r");
    while ( file && count < room && fgets(line, sizeof(line), file) )
        if ( sscanf(line, ".It Li %127s", names[count]) == 1 )
            count++;
    if ( file )
        fclose(file);
    return file ? (int)count : -1;
}

int exposition_is_documented(struct exposition *e, const char *prefix)
{
    static char names[256][128];
    int count = read_manual(names, sizeof(names) / sizeof(names[0])), n;

    for ( size_t i = 0; i < e->count; i++ )
    {
        for ( n = 0; n < count && strcmp(names[n], e->samples[i].family); n++ )
            ;
        if ( n >= count )
        {
            snprintf(e->error, sizeof(e->error), "xen-memevent-metrics(7) lacks %s", e->samples[i].family);
            return -1;
        }
    }
    for ( n = 0; n < count; n++ )
        if ( (!strncmp(names[n], prefix, strlen(prefix)) || !strncmp(names[n], "xen_memevent_", 13)) &&
             !exposition_has(e, names[n]) )
        {
            snprintf(e->error, sizeof(e->error), "xen-memevent-metrics(7) lists %.127s, which is not written", names[n]);
            return -1;
        }
    return count > 0 ? 0 : -1;
}
