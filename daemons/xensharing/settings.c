/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The table of xensharing's settings.
 */
#include "groups.h"
#include "settings.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>

#include <daemon/host-directory.h>

#define HISTORY "xensharing.history"

/* A host's CPUs at most; more threads than these only wait for each other. */
#define THREADS_MOST      64U

/* An hour: who wants less wants no scanner. */
#define PERIOD_MOST_MS    3600000U

/* Twelve octets a page: a page of settings' limit knows 4 GiB at the least. */
#define MEMORY_LEAST      (UINT64_C(16) << 20)
#define MEMORY_MOST       (UINT64_C(1) << 40)

static const char *const exits[] = { [EXIT_KEEP] = "keep", [EXIT_UNDO] = "undo", NULL };

static const struct options_setting table[] = {
    {
        .name = "group", .letter = 'g', .argument = "NAME:PATTERNS",
        .type = OPTIONS_TEXT, .where = OPTIONS_ANYWHERE, .repeats = true,
        .is_sound = groups_line_is_sound, .allowed = GROUPS_ALLOWED,
        .help = "Domains whose name or UUID fits one of the patterns share pages with each other; may be given several "
                "times, and the first that fits counts. What is in a domain's memory/sharing-group in xenstore is "
                "stronger. A domain without a group shares nothing.",
        OPTIONS_PLACE(struct settings, groups),
    },
    {
        .name = "within", .letter = 'w',
        .type = OPTIONS_FLAG, .where = OPTIONS_ANYWHERE, .value = "yes",
        .help = "Pages of one domain of a group are shared with each other, too, where its memory/sharing-within in "
                "xenstore does not say otherwise.",
        OPTIONS_PLACE(struct settings, within),
    },
    {
        .name = "within-group", .argument = "NAME",
        .type = OPTIONS_TEXT, .where = OPTIONS_ANYWHERE, .repeats = true,
        .is_sound = groups_name_is_sound, .allowed = GROUPS_NAME_ALLOWED,
        .help = "As within, for the domains of this group; may be given several times.",
        OPTIONS_PLACE(struct settings, within_groups),
    },
    {
        .name = "cpu-limit", .letter = 'C', .argument = "PERCENT",
        .type = OPTIONS_NUMBER, .where = OPTIONS_ANYWHERE, .value = "20", .unit = "percent",
        .minimum = 1, .maximum = THREADS_MOST * 100,
        .help = "All threads together use at most this much of one CPU, and that much as long as there is something to "
                "look at.",
        OPTIONS_PLACE(struct settings, cpu_limit),
    },
    {
        .name = "threads", .letter = 't', .argument = "N",
        .type = OPTIONS_NUMBER, .where = OPTIONS_ANYWHERE, .value = "1", .minimum = 1, .maximum = THREADS_MOST,
        .help = "So many threads look at pages.",
        OPTIONS_PLACE(struct settings, threads),
    },
    {
        .name = "period", .letter = 'p', .argument = "MS",
        .type = OPTIONS_NUMBER, .where = OPTIONS_ANYWHERE, .value = "10000", .unit = "ms",
        .minimum = 100, .maximum = PERIOD_MOST_MS,
        .help = "A pass over all pages begins at least this long after the last one began: what changes in between is "
                "not merged.",
        OPTIONS_PLACE(struct settings, period),
    },
    {
        .name = "overcommit", .letter = 'o', .argument = "PERCENT",
        .type = OPTIONS_NUMBER, .where = OPTIONS_ANYWHERE, .value = "150", .unit = "percent",
        .minimum = 10, .maximum = 100000,
        .help = "Merging stops when everything that is in use, and what would be if guests wrote to all that they "
                "share, comes to so much of the host's memory.",
        OPTIONS_PLACE(struct settings, overcommit),
    },
    {
        .name = "memory-limit", .letter = 'm', .argument = "SIZE",
        .type = OPTIONS_SIZE, .where = OPTIONS_ANYWHERE, .value = "1G",
        .minimum = MEMORY_LEAST, .maximum = MEMORY_MOST,
        .help = "What is known of pages, up to 16 bytes for each, takes at most this much of dom0's memory; a domain for "
                "which it is not enough does not join.",
        OPTIONS_PLACE(struct settings, memory_limit),
    },
    {
        .name = "at-exit", .letter = 'e', .argument = "keep|undo",
        .type = OPTIONS_WORD, .where = OPTIONS_ANYWHERE, .value = "keep", .words = exits,
        .help = "A stop leaves shared what is shared (keep), and the next start learns it back; or gives every domain "
                "its own pages again first (undo), for which the host needs the memory.",
        OPTIONS_PLACE(struct settings, at_exit),
    },
    {
        .name = "invalidates",
        .type = OPTIONS_FLAG, .where = OPTIONS_ANYWHERE, .value = "yes",
        .help = "Listen to what the hypervisor says of pages that are no longer shared. Without it what was shared once "
                "is taken to be so for ever, and less and less is: for measurements only.",
        OPTIONS_PLACE(struct settings, invalidates),
    },
    OPTIONS_RUN_DIRECTORY(struct settings),
    {
        .name = "history", .argument = "FILE",
        .type = OPTIONS_PATH, .where = OPTIONS_ANYWHERE, .value = "/var/lib/xen-memevent/xensharing.history",
        .help = "A week of figures, a minute each, for 'memeventctl sharing history' and 'plot'.",
        OPTIONS_PLACE(struct settings, history),
    },
    OPTIONS_METRICS(struct settings),
    {
        .name = "host", .argument = "HOST",
        .type = OPTIONS_TEXT, .where = OPTIONS_COMMAND_LINE,
        .help = "xen, which is what it is without this; xen:stock, upstream's interfaces even if there are channels; or "
                "emulated:KEY=VALUE,... for a host without Xen, which xenpaging(8) describes.",
        OPTIONS_PLACE(struct settings, host),
    },
    OPTIONS_FOREGROUND(struct settings),
    OPTIONS_VERBOSE(struct settings),
};

const struct options_program settings_program = {
    .name = "xensharing",
    .summary = "Finds equal pages in the Xen guests of a group and makes them one.",
    .settings = table,
    .settings_count = sizeof(table) / sizeof(table[0]),
};

int settings_follow_host(struct settings *settings, const struct options *options)
{
    static struct host_place place;
    static char history[PATH_MAX + sizeof(HISTORY)];
    int rc = host_find_place(settings->host, &place);

    if ( rc <= 0 )
        return rc;
    settings->host = place.host;
    if ( options_origin(options, offsetof(struct settings, run_directory)) == OPTIONS_FROM_DEFAULT )
        settings->run_directory = place.directory;
    snprintf(history, sizeof(history), "%s/" HISTORY, place.directory);
    if ( options_origin(options, offsetof(struct settings, history)) == OPTIONS_FROM_DEFAULT )
        settings->history = history;
    return 0;
}
