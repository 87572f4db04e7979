/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The table of xenpaging's settings.
 */
#include "settings.h"
#include "store.h"

#include <limits.h>
#include <stddef.h>

#include <daemon/host-directory.h>

/* Domain numbers from here on are Xen's own (DOMID_FIRST_RESERVED). */
#define DOMID_LAST      0x7fefU

/* Half of the pages that can be on their way in at a time: the other half is for who waits. */
#define PREFETCH_MOST   64U

/* Longer polling than this takes the CPU from the guest that the page is for. */
#define POLL_MOST_US    2000U

static const struct options_setting table[] = {
    {
        .name = "domain", .letter = 'd', .argument = "DOMID",
        .type = OPTIONS_NUMBER, .where = OPTIONS_COMMAND_LINE, .minimum = 1, .maximum = DOMID_LAST,
        .help = "Page this one domain, in the foreground, until it ends; without it, every domain of the host "
                "that has a target.",
        OPTIONS_PLACE(struct settings, domid),
    },
    {
        .name = "host", .argument = "HOST",
        .type = OPTIONS_TEXT, .where = OPTIONS_COMMAND_LINE,
        .help = "xen, which is what it is without this; xen:stock, upstream's ring even if there are channels; or "
                "emulated:KEY=VALUE,... for a host without Xen, see EMULATED HOST.",
        OPTIONS_PLACE(struct settings, host),
    },
    OPTIONS_FOREGROUND(struct settings),
    OPTIONS_VERBOSE(struct settings),
    {
        .name = "memory-limit", .letter = 'm', .argument = "SIZE",
        .type = OPTIONS_SIZE, .where = OPTIONS_ANYWHERE, .value = "256M",
        .minimum = STORE_RAM_MIN, .maximum = STORE_RAM_MAX,
        .help = "Compressed pages take at most this much of dom0's memory.",
        OPTIONS_PLACE(struct settings, memory_limit),
    },
    {
        .name = "spill-directory", .letter = 's', .argument = "DIR",
        .type = OPTIONS_PATH, .where = OPTIONS_ANYWHERE, .value = "/var/lib/xen-memevent",
        .help = "The nameless file for pages that do not fit into memory is made here.",
        OPTIONS_PLACE(struct settings, spill_directory),
    },
    {
        .name = "spill-limit", .letter = 'l', .argument = "SIZE",
        .type = OPTIONS_SIZE, .where = OPTIONS_ANYWHERE, .value = "4G",
        .minimum = 0, .maximum = UINT64_C(1) << 42,
        .help = "That file grows to at most this size; 0: there is none.",
        OPTIONS_PLACE(struct settings, spill_limit),
    },
    {
        .name = "prefetch-limit", .letter = 'p', .argument = "PAGES",
        .type = OPTIONS_NUMBER, .where = OPTIONS_ANYWHERE, .value = "64", .unit = "pages",
        .minimum = 0, .maximum = PREFETCH_MOST,
        .help = "For a guest that reads in order at most this many pages are brought in ahead of it; "
                "0: none are.",
        OPTIONS_PLACE(struct settings, prefetch_limit),
    },
    {
        .name = "poll-limit", .letter = 'P', .argument = "USEC",
        .type = OPTIONS_NUMBER, .where = OPTIONS_ANYWHERE, .value = "200", .unit = "us",
        .minimum = 0, .maximum = POLL_MOST_US,
        .help = "Before it sleeps the pager watches for the next fault for at most this long, and for less "
                "when that seldom pays; 0: it sleeps at once.",
        OPTIONS_PLACE(struct settings, poll_limit),
    },
    OPTIONS_RUN_DIRECTORY(struct settings),
    {
        .name = "state-directory", .argument = "DIR",
        .type = OPTIONS_PATH, .where = OPTIONS_ANYWHERE,
        .help = "What a pager that was killed leaves to the next one is kept here, on a tmpfs; unset: with the service "
                "manager, or for one domain in paging-DOMID in the run-directory.",
        OPTIONS_PLACE(struct settings, state_directory),
    },
    OPTIONS_METRICS(struct settings),
};

const struct options_program settings_program = {
    .name = "xenpaging",
    .summary = "Pages out the memory of Xen guests, and back in when they touch it.",
    .settings = table,
    .settings_count = sizeof(table) / sizeof(table[0]),
};

int settings_follow_host(struct settings *settings, const struct options *options)
{
    static struct host_place place;
    int rc = host_find_place(settings->host, &place);

    if ( rc <= 0 )
        return rc;
    settings->host = place.host;
    if ( options_origin(options, offsetof(struct settings, run_directory)) == OPTIONS_FROM_DEFAULT )
        settings->run_directory = place.directory;
    if ( options_origin(options, offsetof(struct settings, spill_directory)) == OPTIONS_FROM_DEFAULT )
        settings->spill_directory = place.directory;
    return 0;
}
