/* SPDX-License-Identifier: GPL-2.0-only */
/* See report.h. */
#include "report.h"

#include "console.h"
#include "text.h"

struct total {
    uint64_t phases, touches, ns;
    struct histogram slow;
};

static struct total totals[COMMAND_TIMED_KINDS];
static struct histogram merged;

uint64_t report_us(uint64_t ns)
{
    return (ns + 999) / 1000;
}

static void print_times(const char *prefix, const char *name, const char *extra, uint64_t touches, uint64_t ns,
                        const struct histogram *slow)
{
    console_print("%s%s touches=%lu slow=%lu p50us=%lu p99us=%lu maxus=%lu persec=%lu ms=%lu%s", prefix, name, touches,
                  slow->count, report_us(histogram_percentile(slow, 50)), report_us(histogram_percentile(slow, 99)),
                  report_us(slow->max), touches * 1000000 / (ns / 1000 + 1), ns / 1000000, extra);
}

void report_phase(enum command_kind kind, const char *extra, uint64_t touches, uint64_t ns, const struct histogram *slow)
{
    struct total *total = &totals[kind];

    total->phases++;
    total->touches += touches;
    total->ns += ns;
    histogram_merge(&total->slow, slow);
    print_times("", command_name(kind), extra, touches, ns, slow);
}

void report_totals(const char *extra)
{
    uint64_t touches = 0, ns = 0;
    char phases[CONSOLE_LINE_MAX / 2];
    unsigned int kind;

    histogram_clear(&merged);
    for ( kind = 0; kind < COMMAND_TIMED_KINDS; kind++ )
    {
        struct total *total = &totals[kind];

        if ( !total->phases )
            continue;
        text_print(phases, sizeof(phases), " phases=%lu", total->phases);
        print_times("report kind=", command_name(kind), phases, total->touches, total->ns, &total->slow);
        touches += total->touches;
        ns += total->ns;
        histogram_merge(&merged, &total->slow);
    }
    print_times("report kind=", "total", extra, touches, ns, &merged);
}
