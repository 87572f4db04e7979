/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The table of av-introspect's settings.
 */
#include "settings.h"

#include <limits.h>
#include <stddef.h>
#include <stdio.h>

#include <daemon/host-directory.h>

#define FINDINGS "av-findings.jsonl"

#ifndef AV_PLUGIN_DIRECTORY
#define AV_PLUGIN_DIRECTORY "/usr/lib/xen-memevent/av-plugins"
#endif

#ifndef AV_WORKER_PROGRAM
#define AV_WORKER_PROGRAM "/usr/libexec/xen-memevent/av-worker"
#endif

/* A vCPU that stands still for longer is one that hangs, to whoever uses it. */
#define DEADLINE_MOST_MS  60000U

/* 64 octets an entry: a quarter of a GiB. */
#define CACHE_MOST        (4U << 20)

static const char *const unjudged[] = { [UNJUDGED_RUNS] = "runs", [UNJUDGED_WAITS] = "waits", NULL };
static const char *const exits[] = { [EXIT_LIFT] = "lift", [EXIT_GUARD] = "guard", NULL };

static const struct options_setting table[] = {
    {
        .name = "protect", .letter = 'p', .argument = "PATTERN",
        .type = OPTIONS_TEXT, .where = OPTIONS_ANYWHERE, .repeats = true,
        .help = "Domains whose name or UUID fits are protected, * and ? stand for others; may be given several times. What "
                "is in a domain's memory/av-protect in xenstore, yes or no, is stronger. Other domains are left alone.",
        OPTIONS_PLACE(struct settings, protect),
    },
    {
        .name = "plugin", .letter = 'P', .argument = "NAME[:...]",
        .type = OPTIONS_TEXT, .where = OPTIONS_ANYWHERE, .repeats = true,
        .help = "Who judges pages, and NAME:OPTION=VALUE,... with what options; may be given several times, and the heaviest "
                "verdict counts. NAME:help lists the options of one.",
        OPTIONS_PLACE(struct settings, plugins),
    },
    {
        .name = "plugin-directory", .argument = "DIR",
        .type = OPTIONS_PATH, .where = OPTIONS_ANYWHERE, .value = AV_PLUGIN_DIRECTORY,
        .help = "Plugins are here, NAME.so; it, they, and what is above must belong to root and be writable by nobody else.",
        OPTIONS_PLACE(struct settings, plugin_directory),
    },
    {
        .name = "image", .letter = 'i', .argument = "FILE",
        .type = OPTIONS_TEXT, .where = OPTIONS_COMMAND_LINE,
        .help = "Judge the memory that is in this file, raw, an ELF core or of 'xl dump-core', print what was found, and end. "
                "Needs no Xen.",
        OPTIONS_PLACE(struct settings, image),
    },
    {
        .name = "cr3", .argument = "ADDRESS",
        .type = OPTIONS_TEXT, .where = OPTIONS_COMMAND_LINE,
        .help = "With --image: the physical address of page tables, where the image does not say it, or for another address "
                "space than those of the vCPUs.",
        OPTIONS_PLACE(struct settings, cr3),
    },
    {
        .name = "json", .letter = 'j',
        .type = OPTIONS_FLAG, .where = OPTIONS_COMMAND_LINE, .value = "no",
        .help = "With --image: an object of JSON in a line for each finding.",
        OPTIONS_PLACE(struct settings, json),
    },
    {
        .name = "deadline", .letter = 'd', .argument = "MS",
        .type = OPTIONS_NUMBER, .where = OPTIONS_ANYWHERE, .value = "500", .unit = "ms",
        .minimum = 1, .maximum = DEADLINE_MOST_MS,
        .help = "A vCPU waits for a verdict at most this long.",
        OPTIONS_PLACE(struct settings, deadline),
    },
    {
        .name = "unjudged", .letter = 'u', .argument = "runs|waits",
        .type = OPTIONS_WORD, .where = OPTIONS_ANYWHERE, .value = "runs", .words = unjudged,
        .help = "What nobody has judged within the deadline is executed, and the scan goes on as a notification (runs); or "
                "its vCPU waits on, and is denied what cannot be judged at all (waits).",
        OPTIONS_PLACE(struct settings, unjudged),
    },
    {
        .name = "flips", .argument = "N",
        .type = OPTIONS_NUMBER, .where = OPTIONS_ANYWHERE, .value = "50", .unit = "a second",
        .minimum = 2, .maximum = 65535,
        .help = "A page that is written and executed in turn more often than this, as just-in-time compilers do, is "
                "looked at in intervals and not each time, for a while. Not with unjudged = waits.",
        OPTIONS_PLACE(struct settings, flips),
    },
    {
        .name = "cache", .argument = "PAGES",
        .type = OPTIONS_NUMBER, .where = OPTIONS_ANYWHERE, .value = "65536", .unit = "pages",
        .minimum = 64, .maximum = CACHE_MOST,
        .help = "Verdicts on this many different pages are kept, for all domains together, 64 octets each.",
        OPTIONS_PLACE(struct settings, cache),
    },
    {
        .name = "policy", .argument = "FILE",
        .type = OPTIONS_PATH, .where = OPTIONS_ANYWHERE,
        .help = "What is done about a verdict, a line each of DOMAIN PLUGIN RULE VERDICT ACTION...; unset: what is malicious "
                "is logged and denied, what is suspicious logged.",
        OPTIONS_PLACE(struct settings, policy),
    },
    {
        .name = "findings", .argument = "FILE",
        .type = OPTIONS_PATH, .where = OPTIONS_ANYWHERE, .value = "/var/log/xen-memevent/" FINDINGS,
        .help = "All findings, an object of JSON in each line, for 'memeventctl av findings' and for programs.",
        OPTIONS_PLACE(struct settings, findings),
    },
    {
        .name = "findings-limit", .argument = "SIZE",
        .type = OPTIONS_SIZE, .where = OPTIONS_ANYWHERE, .value = "16M", .minimum = 65536, .maximum = UINT64_C(1) << 40,
        .help = "When the findings take this much they are set aside as FILE.1, in the place of the former one.",
        OPTIONS_PLACE(struct settings, findings_limit),
    },
    {
        .name = "hook", .argument = "PROGRAM",
        .type = OPTIONS_PATH, .where = OPTIONS_ANYWHERE,
        .help = "What the action 'hook' runs, with the finding as JSON on its standard input.",
        OPTIONS_PLACE(struct settings, hook),
    },
    {
        .name = "at-exit", .letter = 'e', .argument = "lift|guard",
        .type = OPTIONS_WORD, .where = OPTIONS_ANYWHERE, .value = "lift", .words = exits,
        .help = "A stop gives all access back, and guests go on unprotected (lift); or leaves them as they are, so that "
                "whatever is not judged yet waits for the next start (guard).",
        OPTIONS_PLACE(struct settings, at_exit),
    },
    {
        .name = "worker-user", .argument = "NAME",
        .type = OPTIONS_TEXT, .where = OPTIONS_ANYWHERE, .value = "nobody",
        .help = "The processes that run plugins belong to this user.",
        OPTIONS_PLACE(struct settings, worker_user),
    },
    {
        .name = "worker", .argument = "PROGRAM",
        .type = OPTIONS_PATH, .where = OPTIONS_ANYWHERE, .value = AV_WORKER_PROGRAM,
        .help = "What those processes run; another than the installed one is for trying it out.",
        OPTIONS_PLACE(struct settings, worker),
    },
    {
        .name = "worker-memory", .argument = "SIZE",
        .type = OPTIONS_SIZE, .where = OPTIONS_ANYWHERE, .value = "256M", .minimum = 1 << 20, .maximum = UINT64_C(1) << 40,
        .help = "One of those processes may have this much more than what plugins had loaded when it began.",
        OPTIONS_PLACE(struct settings, worker_memory),
    },
    {
        .name = "worker-hang", .argument = "MS",
        .type = OPTIONS_NUMBER, .where = OPTIONS_ANYWHERE, .value = "10000", .unit = "ms", .minimum = 10, .maximum = 3600000,
        .help = "A process that takes longer than this over one page is killed and replaced.",
        OPTIONS_PLACE(struct settings, worker_hang),
    },
    {
        .name = "workers", .argument = "N",
        .type = OPTIONS_NUMBER, .where = OPTIONS_ANYWHERE, .value = "4", .minimum = 1, .maximum = 16,
        .help = "So many processes judge pages of one domain at a time.",
        OPTIONS_PLACE(struct settings, workers),
    },
    OPTIONS_RUN_DIRECTORY(struct settings),
    OPTIONS_METRICS(struct settings),
    {
        .name = "host", .argument = "HOST",
        .type = OPTIONS_TEXT, .where = OPTIONS_COMMAND_LINE,
        .help = "xen, which is what it is without this; or emulated:KEY=VALUE,... for a host without Xen, which "
                "xenpaging(8) describes.",
        OPTIONS_PLACE(struct settings, host),
    },
    OPTIONS_FOREGROUND(struct settings),
    OPTIONS_VERBOSE(struct settings),
};

const struct options_program settings_program = {
    .name = "av-introspect",
    .summary = "Lets Xen guests execute only what was scanned since it was written.",
    .settings = table,
    .settings_count = sizeof(table) / sizeof(table[0]),
};

int settings_follow_host(struct settings *settings, const struct options *options)
{
    static struct host_place place;
    static char findings[PATH_MAX + sizeof(FINDINGS)];
    int rc = host_find_place(settings->host, &place);

    if ( rc <= 0 )
        return rc;
    settings->host = place.host;
    if ( options_origin(options, offsetof(struct settings, run_directory)) == OPTIONS_FROM_DEFAULT )
        settings->run_directory = place.directory;
    snprintf(findings, sizeof(findings), "%s/" FINDINGS, place.directory);
    if ( options_origin(options, offsetof(struct settings, findings)) == OPTIONS_FROM_DEFAULT )
        settings->findings = findings;
    return 0;
}
