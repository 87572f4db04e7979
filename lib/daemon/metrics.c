/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Families, each with the text of its samples; all of them together are the file.  The format wants a family's samples
 * in one piece, and callers have them domain by domain.
 */
#include "metrics.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "config.h"
#include "utf8.h"
#include "whole-file.h"

#define NAME_CHARACTERS  "abcdefghijklmnopqrstuvwxyz0123456789_"

/* Whole numbers up to here have a double of their own. */
#define EXACT_MAX        9007199254740992.0

/* First room of a family's text; it doubles. */
#define TEXT_BYTES       512U

struct text {
    char *bytes;
    size_t length, room;
};

struct declared {
    const struct metrics_family *family;
    struct text samples;
};

enum { INFO, STARTED, CPU_SECONDS, RESIDENT, HYPERCALLS, OPERATIONS, SYSTEM_CALLS, COMMON };

static const struct metrics_family common[COMMON] = {
    [INFO] = { "xen_memevent_daemon_info", METRICS_GAUGE, "Always 1; the label says which version runs" },
    [STARTED] = { "xen_memevent_daemon_start_time_seconds", METRICS_GAUGE,
                  "When the daemon started, in seconds since 1970" },
    [CPU_SECONDS] = { "xen_memevent_daemon_cpu_seconds_total", METRICS_COUNTER, "CPU time of all its threads" },
    [RESIDENT] = { "xen_memevent_daemon_resident_bytes", METRICS_GAUGE, "Memory of dom0 that it takes" },
    [HYPERCALLS] = { "xen_memevent_hypercalls_total", METRICS_COUNTER,
                     "Hypercalls made; one that carries many operations counts as one" },
    [OPERATIONS] = { "xen_memevent_hypercall_operations_total", METRICS_COUNTER,
                     "Operations on pages carried by hypercalls" },
    [SYSTEM_CALLS] = { "xen_memevent_system_calls_total", METRICS_COUNTER, "System calls made to reach Xen" },
};

struct metrics {
    const char *daemon;
    struct declared *families;
    size_t count;
    size_t bytes;                 /* of all samples */
    int error;                    /* the first since metrics_begin() */
};

static int append(struct text *text, const char *bytes, size_t length)
{
    size_t room = text->room ? text->room : TEXT_BYTES;
    char *more;

    while ( room <= text->length + length )
        room *= 2;
    if ( room != text->room )
    {
        more = realloc(text->bytes, room);
        if ( !more )
            return -ENOMEM;
        text->bytes = more;
        text->room = room;
    }
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
    text->bytes[text->length] = '\0';
    return 0;
}

static int append_string(struct text *text, const char *string)
{
    return append(text, string, strlen(string));
}

static bool is_name(const char *name)
{
    return ((name[0] >= 'a' && name[0] <= 'z') || name[0] == '_') && !name[strspn(name, NAME_CHARACTERS)];
}

static int declare(struct metrics *m, const struct metrics_family *family)
{
    struct declared *more = reallocarray(m->families, m->count + 1, sizeof(*more));

    if ( !more )
        return -ENOMEM;
    m->families = more;
    more[m->count] = (struct declared){ .family = family };
    return m->count++;
}

int metrics_open(struct metrics **out, const char *daemon)
{
    struct metrics *m = calloc(1, sizeof(*m));

    *out = NULL;
    if ( !m )
        return -ENOMEM;
    m->daemon = daemon;
    for ( size_t i = 0; i < COMMON; i++ )
        if ( declare(m, &common[i]) < 0 )
        {
            metrics_close(m);
            return -ENOMEM;
        }
    *out = m;
    return 0;
}

void metrics_close(struct metrics *m)
{
    if ( !m )
        return;
    for ( size_t i = 0; i < m->count; i++ )
        free(m->families[i].samples.bytes);
    free(m->families);
    free(m);
}

int metrics_declare(struct metrics *m, const struct metrics_family *family)
{
    size_t length = strlen(family->name), own = strcspn(m->daemon, "-");
    bool total = length > 6 && !strcmp(family->name + length - 6, "_total");

    if ( !is_name(family->name) || strncmp(family->name, m->daemon, own) || family->name[own] != '_' ||
         total != (family->type == METRICS_COUNTER) || !family->help[0] || strpbrk(family->help, "\n\\") )
        return -EINVAL;
    for ( size_t i = 0; i < m->count; i++ )
        if ( !strcmp(m->families[i].family->name, family->name) )
            return -EEXIST;
    if ( m->count - COMMON >= METRICS_FAMILIES_MAX )
        return -ENOSPC;
    return declare(m, family) < 0 ? -ENOMEM : (int)(m->count - COMMON - 1);
}

void metrics_begin(struct metrics *m)
{
    for ( size_t i = 0; i < m->count; i++ )
        m->families[i].samples.length = 0;
    m->bytes = 0;
    m->error = 0;
}

static int append_label(struct text *text, const char *name, const char *value)
{
    char shown[METRICS_LABEL_BYTES];
    int rc;

    utf8_escape(shown, sizeof(shown), value, strlen(value));
    rc = append_string(text, name);
    if ( !rc )
        rc = append_string(text, "=\"");
    for ( const char *c = shown; *c && !rc; c++ )
    {
        if ( *c == '\\' || *c == '"' )
            rc = append(text, "\\", 1);
        if ( !rc )
            rc = append(text, c, 1);
    }
    return rc ? rc : append(text, "\"", 1);
}

static int append_value(struct text *text, double value)
{
    char number[40];

    if ( isnan(value) )
        snprintf(number, sizeof(number), " NaN\n");
    else if ( isinf(value) )
        snprintf(number, sizeof(number), " %cInf\n", value < 0 ? '-' : '+');
    else if ( value == floor(value) && fabs(value) <= EXACT_MAX )
        snprintf(number, sizeof(number), " %" PRId64 "\n", (int64_t)value);
    else
        snprintf(number, sizeof(number), " %.12g\n", value);
    /* Whatever the locale's point is. */
    for ( char *c = number; *c; c++ )
        if ( *c == ',' )
            *c = '.';
    return append_string(text, number);
}

static int append_sample(struct metrics *m, struct declared *d, double value, va_list labels)
{
    const char *name;
    int rc = append_string(&d->samples, d->family->name);

    if ( !rc )
        rc = append(&d->samples, "{", 1);
    if ( !rc )
        rc = append_label(&d->samples, "daemon", m->daemon);
    while ( !rc && (name = va_arg(labels, const char *)) )
    {
        const char *text = va_arg(labels, const char *);

        if ( !text || !is_name(name) || !strcmp(name, "daemon") )
            return -EINVAL;
        rc = append(&d->samples, ",", 1);
        if ( !rc )
            rc = append_label(&d->samples, name, text);
    }
    if ( !rc )
        rc = append(&d->samples, "}", 1);
    return rc ? rc : append_value(&d->samples, value);
}

/* `i` counts the common ones as well. */
static int add(struct metrics *m, size_t i, double value, va_list labels)
{
    struct text *samples;
    size_t before;
    int rc = -EINVAL;

    if ( i < m->count )
    {
        samples = &m->families[i].samples;
        before = samples->length;
        rc = append_sample(m, &m->families[i], value, labels);
        m->bytes += samples->length - before;
        if ( !rc && m->bytes > METRICS_BYTES_MAX )
            rc = -EFBIG;
        if ( rc )
        {
            m->bytes -= samples->length - before;
            samples->length = before;
        }
    }
    if ( rc && !m->error )
        m->error = rc;
    return rc;
}

int metrics_add(struct metrics *m, int family, double value, ...)
{
    va_list labels;
    int rc;

    va_start(labels, value);
    rc = add(m, family < 0 ? SIZE_MAX : COMMON + (size_t)family, value, labels);
    va_end(labels);
    return rc;
}

static int __attribute__((sentinel)) add_common(struct metrics *m, size_t i, double value, ...)
{
    va_list labels;
    int rc;

    va_start(labels, value);
    rc = add(m, i, value, labels);
    va_end(labels);
    return rc;
}

/* Bytes; 0 if the kernel does not say. */
static double resident(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    unsigned long pages = 0;

    if ( !file )
        return 0;
    if ( fscanf(file, "%*u %lu", &pages) != 1 )
        pages = 0;
    fclose(file);
    return (double)pages * sysconf(_SC_PAGESIZE);
}

int metrics_add_daemon(struct metrics *m, const struct metrics_daemon *d)
{
    struct timespec cpu = { 0 };
    double memory = resident();

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    add_common(m, INFO, 1, "version", PACKAGE_VERSION, NULL);
    add_common(m, STARTED, d->started, NULL);
    add_common(m, CPU_SECONDS, cpu.tv_sec + cpu.tv_nsec / 1e9, NULL);
    if ( memory > 0 )
        add_common(m, RESIDENT, memory, NULL);
    add_common(m, HYPERCALLS, d->hypercalls, NULL);
    add_common(m, OPERATIONS, d->operations, NULL);
    add_common(m, SYSTEM_CALLS, d->system_calls, NULL);
    return m->error;
}

/* -ENOMEM, or 0 with *whole, which is the caller's. */
static int join(const struct metrics *m, struct text *whole)
{
    int rc = append(whole, "", 0);

    for ( size_t i = 0; i < m->count && !rc; i++ )
    {
        const struct declared *d = &m->families[i];
        const char *const head[] = { "# HELP ", d->family->name, " ", d->family->help, "\n# TYPE ", d->family->name,
                                     d->family->type == METRICS_COUNTER ? " counter\n" : " gauge\n" };

        if ( !d->samples.length )
            continue;
        for ( size_t h = 0; h < sizeof(head) / sizeof(head[0]) && !rc; h++ )
            rc = append_string(whole, head[h]);
        if ( !rc )
            rc = append(whole, d->samples.bytes, d->samples.length);
    }
    return rc;
}

char *metrics_text(struct metrics *m, size_t *length)
{
    struct text whole = { 0 };

    if ( m->error || join(m, &whole) )
    {
        free(whole.bytes);
        return NULL;
    }
    if ( length )
        *length = whole.length;
    return whole.bytes;
}

int metrics_write(struct metrics *m, const char *path)
{
    size_t length;
    char *text;
    int rc;

    if ( m->error )
        return m->error;
    text = metrics_text(m, &length);
    if ( !text )
        return -ENOMEM;
    rc = whole_file_write(path, text, length);
    free(text);
    return rc;
}
