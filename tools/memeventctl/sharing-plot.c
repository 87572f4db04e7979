/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * memeventctl sharing plot: memory saved over time, as SVG.  Everything in it is a number or one of the texts here,
 * and coordinates are whole numbers, which look the same in every locale.
 */
#include "sharing-history.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include <daemon/whole-file.h>

#define COUNT(array)   (sizeof(array) / sizeof((array)[0]))

/* In tenths of a pixel: the picture, and the part of it in which the curve is. */
#define WIDTH          9600
#define HEIGHT         4200
#define LEFT           900
#define RIGHT          9400
#define TOP            600
#define BOTTOM         3600

/* Values of so many columns are drawn: one a pixel. */
#define COLUMNS        ((RIGHT - LEFT) / 10)

#define PAGE_BYTES     4096.0
#define TICKS_MAX      10U

struct column {
    double sum;
    unsigned int count;
};

struct plot {
    struct column columns[COLUMNS];
    double most;                  /* bytes, of any column */
    double top;                   /* bytes at the upper edge */
    double step;                  /* bytes between two lines */
    double unit;                  /* bytes that labels count in */
    const char *unit_name;
    double last, sum;
    size_t count;
};

static void fill(struct plot *p, const struct sharing_samples *s)
{
    uint64_t pages;

    for ( size_t i = 0; i < s->count && sharing_samples_get(s, i, "saved", &pages); i++ )
    {
        uint64_t at = (s->first[i].time - s->from) * (COLUMNS - 1) / (s->to - s->from);
        double bytes = pages * PAGE_BYTES;

        p->columns[at].sum += bytes;
        p->columns[at].count++;
        p->last = bytes;
        p->sum += bytes;
        p->count++;
    }
    for ( size_t i = 0; i < COLUMNS; i++ )
        if ( p->columns[i].count && p->columns[i].sum / p->columns[i].count > p->most )
            p->most = p->columns[i].sum / p->columns[i].count;
}

/* Lines at 1, 2 or 5 times a power of ten of a unit, and four to ten of them. */
static void scale(struct plot *p)
{
    static const struct { double bytes; const char *name; } units[] = {
        { 1024.0, "KiB" }, { 1048576.0, "MiB" }, { 1073741824.0, "GiB" }, { 1099511627776.0, "TiB" },
    };
    static const double steps[] = { 1, 2, 5, 10 };
    size_t u = 0;
    double rough, power;

    while ( u + 1 < COUNT(units) && p->most >= 2 * units[u + 1].bytes )
        u++;
    p->unit = units[u].bytes;
    p->unit_name = units[u].name;
    rough = fmax(p->most, p->unit) / p->unit / 5;
    power = pow(10, floor(log10(rough)));
    for ( size_t i = 0; i < COUNT(steps); i++ )
    {
        p->step = steps[i] * power * p->unit;
        if ( steps[i] * power >= rough )
            break;
    }
    p->top = p->step * (floor(p->most / p->step) + 1);
}

static int y_of(const struct plot *p, double bytes)
{
    return BOTTOM - lround((BOTTOM - TOP) * (bytes / p->top));
}

static void write_values(FILE *out, const struct plot *p)
{
    for ( unsigned int i = 0; i * p->step <= p->top * 1.0001; i++ )
    {
        int y = y_of(p, i * p->step);

        fprintf(out, "<path class=\"grid\" d=\"M%d %dH%d\"/>", LEFT, y, RIGHT);
        fprintf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%.6g %s</text>\n", LEFT - 60, y + 40,
                i * p->step / p->unit, p->unit_name);
    }
}

static void write_times(FILE *out, const struct sharing_samples *s)
{
    static const unsigned int steps[] = {
        300, 600, 900, 1800, 3600, 2 * 3600, 3 * 3600, 6 * 3600, 12 * 3600, 86400, 2 * 86400, 7 * 86400, 14 * 86400,
        28 * 86400, 56 * 86400,
    };
    uint64_t span = s->to - s->from;
    unsigned int step = steps[COUNT(steps) - 1];
    time_t from = s->from;
    struct tm parts;
    long shift;

    for ( size_t i = COUNT(steps); i-- > 0; )
        if ( span / steps[i] < TICKS_MAX )
            step = steps[i];
    if ( !localtime_r(&from, &parts) )
        return;
    shift = parts.tm_gmtoff;
    for ( uint64_t t = (s->from + shift) / step * step + step - shift; t <= s->to; t += step )
    {
        int x = LEFT + (int)((RIGHT - LEFT) * (t - s->from) / span);
        const char *format = step < 86400 ? "%H:%M" : "%m-%d";
        time_t moment = t;
        char label[32];

        if ( !localtime_r(&moment, &parts) || !strftime(label, sizeof(label), format, &parts) )
            continue;
        fprintf(out, "<path class=\"grid\" d=\"M%d %dV%d\"/>", x, TOP, BOTTOM);
        fprintf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", x, BOTTOM + 200, label);
    }
}

/* One stretch without a gap: the line, and what is under it. */
static void write_stretch(FILE *out, const struct plot *p, size_t from, size_t to)
{
    for ( unsigned int filled = 0; filled < 2; filled++ )
    {
        char command = 'M';

        fprintf(out, "<path class=\"%s\" d=\"", filled ? "under" : "saved");
        for ( size_t i = from; i <= to; i++ )
        {
            if ( !p->columns[i].count )
                continue;
            fprintf(out, "%c%zu %d", command, LEFT + 10 * i, y_of(p, p->columns[i].sum / p->columns[i].count));
            command = 'L';
        }
        /* A single sample is a line as wide as a pixel. */
        if ( from == to )
            fputs("h10", out);
        if ( filled )
            fprintf(out, "V%dH%zuZ", BOTTOM, LEFT + 10 * from);
        fputs("\"/>\n", out);
    }
}

static void write_curve(FILE *out, const struct plot *p, const struct sharing_samples *s)
{
    /* As long as three periods, and a column besides, something may be missing without a gap. */
    uint64_t span = s->to - s->from, gap = 3 * (uint64_t)s->view.period * COLUMNS / span + 2;
    size_t from = COLUMNS, last = 0;

    for ( size_t i = 0; i < COLUMNS; i++ )
    {
        if ( !p->columns[i].count )
            continue;
        if ( from < COLUMNS && i - last > gap )
        {
            write_stretch(out, p, from, last);
            from = COLUMNS;
        }
        if ( from == COLUMNS )
            from = i;
        last = i;
    }
    if ( from < COLUMNS )
        write_stretch(out, p, from, last);
}

static void write_title(FILE *out, const struct plot *p, const struct sharing_samples *s)
{
    char from[32] = "-", to[32] = "-";
    time_t moments[] = { s->from, s->to };
    struct tm parts;

    if ( localtime_r(&moments[0], &parts) )
        strftime(from, sizeof(from), "%Y-%m-%d %H:%M", &parts);
    if ( localtime_r(&moments[1], &parts) )
        strftime(to, sizeof(to), "%Y-%m-%d %H:%M", &parts);
    fprintf(out, "<text class=\"title\" x=\"%d\" y=\"%d\">Memory saved by sharing</text>\n", LEFT, 250);
    if ( p->count )
        fprintf(out, "<text x=\"%d\" y=\"%d\">%s to %s, in %s: now %.4g, on average %.4g, "
                "at most %.4g</text>\n", LEFT, 450, from, to, p->unit_name, p->last / p->unit,
                p->sum / p->count / p->unit, p->most / p->unit);
    else
        fprintf(out, "<text x=\"%d\" y=\"%d\">%s to %s: there is no sample</text>\n", LEFT, 450, from, to);
}

void sharing_plot_write(FILE *out, const struct sharing_samples *s)
{
    struct plot *p = calloc(1, sizeof(*p));

    if ( !p )
        return;
    fill(p, s);
    scale(p);
    fprintf(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
            "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" "
            "viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\">\n"
            "<title>Memory saved by sharing</title>\n"
            "<style>text{font:130px sans-serif;fill:#333}.title{font-size:180px;font-weight:bold}"
            ".grid{stroke:#ddd;stroke-width:8;fill:none}.saved{stroke:#1f6fb2;stroke-width:20;fill:none}"
            ".under{fill:#1f6fb2;fill-opacity:.25}</style>\n"
            "<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n",
            WIDTH, HEIGHT, WIDTH / 10, HEIGHT / 10, WIDTH, HEIGHT);
    write_title(out, p, s);
    write_values(out, p);
    write_times(out, s);
    write_curve(out, p, s);
    fputs("</svg>\n", out);
    free(p);
}

int sharing_plot(const struct sharing_request *request)
{
    struct sharing_samples samples;
    char *text = NULL;
    size_t length;
    FILE *out;
    int status, rc = 0;

    if ( request->look.json || request->look.watch )
    {
        fputs("memeventctl: plot writes a picture once: no --json, no --watch\n", stderr);
        return EX_USAGE;
    }
    if ( !request->output && isatty(STDOUT_FILENO) )
    {
        fputs("memeventctl: plot writes SVG: name a file with --output, or send it somewhere\n", stderr);
        return EX_USAGE;
    }
    status = sharing_samples_open(request, &samples);
    if ( status != EX_OK )
        return status;
    out = open_memstream(&text, &length);
    if ( out )
        sharing_plot_write(out, &samples);
    if ( !out || fclose(out) || !length )
        rc = -ENOMEM;
    sharing_samples_close(&samples);
    if ( !rc && request->output )
        rc = whole_file_write(request->output, text, length);
    else if ( !rc && (fwrite(text, 1, length, stdout) != length || fflush(stdout)) )
        rc = -errno;
    free(text);
    if ( rc )
        fprintf(stderr, "memeventctl: %s: %s\n", request->output ? request->output : "writing the output",
                strerror(-rc));
    return !rc ? EX_OK : rc == -ENOMEM ? EX_OSERR : request->output ? EX_CANTCREAT : EX_IOERR;
}
