/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * av-introspect: from the command line to an exit status.
 */
#include <stdio.h>
#include <sysexits.h>

#include <daemon/log.h>
#include <daemon/privilege.h>
#include <daemon/service.h>

#include "broker.h"
#include "examine.h"
#include "settings.h"
#include "workers.h"

/* Rules may be many; the service manager is told when they are there. */
#define LOAD_MS 120000u

/* Xen's devices and all files are opened by root as their owner. */
static const struct privilege_right kept[] = {
    { CAP_SETUID, "what loads plugins becomes another user, also when it has to be started again" },
    { CAP_SETGID, "with that user's group, and no other" },
    { CAP_KILL, "that user's processes are ended when they hang or grow" },
};

static int guard(const struct settings *settings)
{
    const struct workers_options options = {
        .program = settings->worker, .directory = settings->plugin_directory, .plugins = settings->plugins,
        .user = settings->worker_user, .memory = settings->worker_memory, .hang_ms = settings->worker_hang,
        .processes = settings->workers,
    };
    struct plugins_words words = { "" };
    struct scanner scanner;
    int status = EX_UNAVAILABLE, rc;

    rc = privilege_drop(kept, sizeof(kept) / sizeof(kept[0]), PRIVILEGE_HOLDS_GUEST_MEMORY);
    if ( rc )
        return service_refuse(EX_NOPERM, "giving up rights", "this kernel or container forbids it", rc);
    if ( !settings->plugins )
    {
        log_message(LOG_ERR, LOG_HOST("start-failed"), "nobody judges pages: name a plugin, by --plugin or in the configuration");
        return EX_CONFIG;
    }
    if ( !workers_open(&scanner, &options, &words) )
    {
        if ( !workers_wait(&scanner, LOAD_MS, &words) )
            status = broker_run(settings, &scanner);
        else
            log_message(LOG_ERR, LOG_HOST("start-failed"), "%s", words.text);
        scanner.close(scanner.opaque);
    }
    else
        log_message(LOG_ERR, LOG_HOST("start-failed"), "%s", words.text);
    return status;
}

static int run(struct settings *settings, const struct options *options)
{
    int status = examine_help(settings, stdout);

    if ( status >= 0 )
        return status;
    if ( settings->image )
        return examine_run(settings, stdout);
    if ( settings_follow_host(settings, options) )
        return service_refuse_place(settings->host);
    return guard(settings);
}

int main(int argc, char **argv)
{
    struct settings settings = { 0 };
    struct options *options;
    enum options_outcome outcome = options_load(&options, &settings_program, &settings, argc, argv, stdout);
    int status;

    log_open(settings_program.name, settings.foreground || settings.image);
    log_set_level(settings.verbose ? LOG_DEBUG : LOG_INFO);
    status = service_options(outcome, options);
    if ( outcome == OPTIONS_RUN )
        status = run(&settings, options);
    options_close(options);
    log_close();
    return status;
}
