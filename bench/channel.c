/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The channels against the shape of upstream's vm_event ring, in one process: events a second and notifications an event
 * with 1, 8 and 64 requests outstanding; lossy records a second, and what a dropped one costs.
 *     bench/channel [--json] [--bare] [ROUNDS]
 *
 * Both ends run on one thread, one after the other, and its CPU time is what counts: what an event costs hypervisor and
 * consumer together, without the waiting of two CPUs for each other.  The shapes are channel-old.c's and channel-ours.c's,
 * the event channel between the ends channel-port.c's; with --bare a system call is one crossing, and not two.  Here
 * is what is measured, and how it is shown.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channel.h"

#include <public/memevent.h>

/* Events in a sample: some milliseconds. */
#define EVENTS_OWN       (64u * 2000)
#define EVENTS_CROSSING  (64u * 300)
#define RECORDS          2000000u
/* Samples of a step, of which the median is taken: each is half a microsecond or so. */
#define STEPS            2000u
#define ROUNDS           21u
#define ROUNDS_MAX       1000u
#define OLD_SLOTS        8u

struct figure {
    double samples[ROUNDS_MAX];
};

static unsigned int rounds = ROUNDS;

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(struct figure *figure)
{
    qsort(figure->samples, rounds, sizeof(double), compare);

    return figure->samples[rounds / 2];
}

enum shape { OLD, OURS, LIBRARY, SHAPES };
static const char *const shape_names[] = { "old", "ours", "libmemevent" };

struct cell {
    bool load;
    unsigned int outstanding;
    struct figure own[SHAPES];          /* nanoseconds an event without crossings, */
    struct figure all[SHAPES];          /* and with them */
    struct figure ratio[SHAPES];        /* the old shape's by this one's, of one round */
    double notifications[SHAPES], calls[SHAPES];        /* an event */
};

static struct cell cells[] = {
    { .outstanding = 1 }, { .outstanding = 8 }, { .outstanding = 64 },
    { .load = true, .outstanding = 1 }, { .load = true, .outstanding = 8 }, { .load = true, .outstanding = 64 },
};
#define CELLS (sizeof(cells) / sizeof(cells[0]))

static struct figure lossy_figures[LOSSY_WORKS];
static const char *const lossy_names[] = { "put", "drop", "put and take" };
static double lossy_notifications;

static struct parts old_steps, our_steps;

/* Nanoseconds an event. */
static double run(enum shape shape, struct host *host, const struct cell *cell, bool crossings)
{
    uint64_t events = crossings ? EVENTS_CROSSING : EVENTS_OWN;
    struct work work = { .outstanding = cell->outstanding, .load = cell->load, .left = events };
    double begin = now(), end;

    port.crossings = crossings;
    port.notifications = port.calls = 0;
    if ( shape == OLD )
        old_run(&work);
    else
        reliable_run(host, &work, shape == OURS);
    end = now();
    require(work.answered == events, "events were lost");

    return (end - begin) * 1e9 / events;
}

/* The shapes one right after the other, so that what disturbs the machine disturbs all. */
static void measure_cell(struct cell *cell, struct host *hosts[SHAPES], unsigned int round)
{
    enum shape shape;

    for ( shape = OLD; shape < SHAPES; shape++ )
        cell->own[shape].samples[round] = run(shape, hosts[shape], cell, false);
    for ( shape = OLD; shape < SHAPES; shape++ )
    {
        cell->all[shape].samples[round] = run(shape, hosts[shape], cell, true);
        cell->notifications[shape] = (double)port.notifications / EVENTS_CROSSING;
        cell->calls[shape] = (double)port.calls / EVENTS_CROSSING;
        cell->ratio[shape].samples[round] = cell->all[OLD].samples[round] / cell->all[shape].samples[round];
    }
}

/* The median of each step, less what reading the clock costs. */
static void measure_steps(struct parts *out, struct host *host, unsigned int events)
{
    static double samples[4][STEPS];
    struct parts parts;
    unsigned int i;

    for ( i = 0; i < STEPS; i++ )
    {
        samples[3][i] = -part_clock();
        samples[3][i] += part_clock();
        if ( host )
            reliable_parts(host, &parts);
        else
            old_parts(&parts);
        samples[0][i] = parts.put;
        samples[1][i] = parts.consume;
        samples[2][i] = parts.take;
    }
    for ( i = 0; i < 4; i++ )
        qsort(samples[i], STEPS, sizeof(double), compare);
    for ( i = 0; i < 3; i++ )
        samples[i][STEPS / 2] -= samples[3][STEPS / 2] / events;
    *out = (struct parts){ samples[0][STEPS / 2], samples[1][STEPS / 2], samples[2][STEPS / 2] };
}

static void measure(void)
{
    struct host *hosts[SHAPES] = { NULL, reliable_open(), reliable_open() };
    unsigned int round, i;

    for ( round = 0; round < rounds; round++ )
    {
        for ( i = 0; i < CELLS; i++ )
            measure_cell(&cells[i], hosts, round);
        port.crossings = false;
        for ( i = 0; i < LOSSY_WORKS; i++ )
        {
            port.notifications = 0;
            lossy_figures[i].samples[round] = RECORDS / lossy_run(i, RECORDS);
            if ( i == LOSSY_BOTH )
                lossy_notifications = (double)port.notifications / RECORDS;
        }
    }
    measure_steps(&old_steps, NULL, OLD_SLOTS);
    measure_steps(&our_steps, hosts[OURS], VCPUS);
    reliable_close(hosts[OURS]);
    reliable_close(hosts[LIBRARY]);
}

/* What a crossing costs here: what the old shape's events cost more with them. */
static double crossing_cost(void)
{
    struct cell *cell = &cells[CELLS - 1];

    return (median(&cell->all[OLD]) - median(&cell->own[OLD])) / cell->calls[OLD];
}

/* The ratio if each crossing cost so many nanoseconds. */
static double ratio_at(struct cell *cell, enum shape shape, double cost)
{
    return (median(&cell->own[OLD]) + cell->calls[OLD] * cost) /
           (median(&cell->own[shape]) + cell->calls[shape] * cost);
}

static const double costs[] = { 100, 250, 500, 1000, 2000 };
#define COSTS (sizeof(costs) / sizeof(costs[0]))

static void print_table(void)
{
    unsigned int i, j;

    printf("%u rounds; CPU time of both ends; median (least-most)\na system call of the consumer is %s\n", rounds,
           port.bare ? "one crossing" : "two crossings, there and back through Xen");
    for ( i = 0; i < CELLS; i++ )
    {
        struct cell *cell = &cells[i];
        enum shape shape;

        if ( !i || cell->load != cells[i - 1].load )
            printf("\n%-11s          events/s   ns each: own + crossings   crossings   notifications   times the old\n",
                   cell->load ? "under load" : "in bursts");
        for ( shape = OLD; shape < SHAPES; shape++ )
        {
            double own = median(&cell->own[shape]), all = median(&cell->all[shape]);

            printf("%2u %-11s  %11.0f   %8.1f %5.1f + %8.1f      %6.3f          %6.3f", cell->outstanding,
                   shape_names[shape], 1e9 / all, all, own, all - own, cell->calls[shape], cell->notifications[shape]);
            if ( shape != OLD )
            {
                double middle = median(&cell->ratio[shape]);

                printf("   %5.1f (%.1f-%.1f)", middle, cell->ratio[shape].samples[0],
                       cell->ratio[shape].samples[rounds - 1]);
            }
            printf("\n");
        }
    }
    printf("\na crossing (system call, hypercall, upcall) is %.0f ns here; ours under load, if it were\n  ns        ",
           crossing_cost());
    for ( j = 0; j < COSTS; j++ )
        printf("%7.0f", costs[j]);
    for ( i = 0; i < CELLS; i++ )
    {
        if ( !cells[i].load )
            continue;
        printf("\n  %2u at once", cells[i].outstanding);
        for ( j = 0; j < COSTS; j++ )
            printf("%7.1f", ratio_at(&cells[i], OURS, costs[j]));
    }
    printf("\n\nns an event of its own    put   consume and answer   take the answer\n"
           "old                    %6.1f               %6.1f            %6.1f\n"
           "ours                   %6.1f               %6.1f            %6.1f\n",
           old_steps.put, old_steps.consume, old_steps.take, our_steps.put, our_steps.consume, our_steps.take);
    printf("\nlossy          records/s, millions        ns each\n");
    for ( i = 0; i < LOSSY_WORKS; i++ )
    {
        double middle = median(&lossy_figures[i]);

        printf("%-12s   %6.1f (%5.1f-%5.1f)       %6.2f\n", lossy_names[i], middle / 1e6,
               lossy_figures[i].samples[0] / 1e6, lossy_figures[i].samples[rounds - 1] / 1e6, 1e9 / middle);
    }
    printf("one notification for %.0f records\n", 1 / lossy_notifications);
    printf("\noutstanding requests in a page: old %u, ours %zu\n", OLD_SLOTS,
           PAGE_OCTETS / sizeof(struct xen_memevent_request));
}

static void print_figure(const char *name, struct figure *figure)
{
    double middle = median(figure);

    printf("\"%s\": {\"median\": %.2f, \"least\": %.2f, \"most\": %.2f}", name, middle, figure->samples[0],
           figure->samples[rounds - 1]);
}

static void print_steps(const char *name, const struct parts *steps)
{
    printf("\"%s\": {\"put\": %.2f, \"consume\": %.2f, \"take\": %.2f}", name, steps->put, steps->consume, steps->take);
}

static void print_json(void)
{
    enum shape shape;
    unsigned int i;

    printf("{\"version\": 3, \"rounds\": %u, \"crossings_per_system_call\": %u, \"reliable\": [", rounds,
           port.bare ? 1u : 2u);
    for ( i = 0; i < CELLS; i++ )
    {
        struct cell *cell = &cells[i];

        printf("%s\n  {\"work\": \"%s\", \"outstanding\": %u", i ? "," : "", cell->load ? "load" : "bursts",
               cell->outstanding);
        for ( shape = OLD; shape < SHAPES; shape++ )
        {
            printf(",\n   \"%s\": {\"crossings_per_event\": %.4f, \"notifications_per_event\": %.4f, ", shape_names[shape],
                   cell->calls[shape], cell->notifications[shape]);
            print_figure("own_ns", &cell->own[shape]);
            printf(", ");
            print_figure("ns", &cell->all[shape]);
            printf(", ");
            print_figure("times_the_old", &cell->ratio[shape]);
            printf("}");
        }
        printf("}");
    }
    printf("],\n \"crossing_ns\": %.1f, \"steps_ns\": {", crossing_cost());
    print_steps("old", &old_steps);
    printf(", ");
    print_steps("ours", &our_steps);
    printf("},\n \"lossy\": {");
    for ( i = 0; i < LOSSY_WORKS; i++ )
    {
        static const char *const names[] = { "put_per_second", "drop_per_second", "put_and_take_per_second" };

        print_figure(names[i], &lossy_figures[i]);
        printf(", ");
    }
    printf("\"notifications_per_record\": %.5f},\n", lossy_notifications);
    printf(" \"outstanding_per_page\": {\"old\": %u, \"ours\": %zu}}\n", OLD_SLOTS,
           PAGE_OCTETS / sizeof(struct xen_memevent_request));
}

static void usage(void)
{
    fprintf(stderr, "usage: bench/channel [--json] [--bare] [ROUNDS], at most %u rounds\n", ROUNDS_MAX);
    exit(2);
}

int main(int argc, char *argv[])
{
    bool json = false;
    int i;

    for ( i = 1; i < argc && argv[i][0] == '-'; i++ )
    {
        if ( !strcmp(argv[i], "--json") )
            json = true;
        else if ( !strcmp(argv[i], "--bare") )
            port.bare = true;
        else
            usage();
    }
    if ( i < argc )
        rounds = strtoul(argv[i++], NULL, 0);
    if ( i < argc || !rounds || rounds > ROUNDS_MAX )
        usage();
    port_open();
    old_open();
    measure();
    if ( json )
        print_json();
    else
        print_table();
    old_close();
    port_close();

    return 0;
}
