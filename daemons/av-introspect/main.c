/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * av-introspect: from the command line to an exit status.
 */
#include <stdio.h>
#include <sysexits.h>

#include <daemon/log.h>

#include "examine.h"
#include "settings.h"

static int run(struct settings *settings, const struct options *options)
{
    int status = examine_help(settings, stdout);

    if ( status >= 0 )
        return status;
    if ( settings->image )
        return examine_run(settings, stdout);
    (void)options;
    log_message(LOG_ERR, LOG_HOST("start-failed"), "--image=FILE is missing");
    return EX_USAGE;
}

int main(int argc, char **argv)
{
    struct settings settings = { 0 };
    struct options *options;
    enum options_outcome outcome = options_load(&options, &settings_program, &settings, argc, argv, stdout);
    int status = EX_OK;

    log_open(settings_program.name, settings.foreground || settings.image);
    log_set_level(settings.verbose ? LOG_DEBUG : LOG_INFO);
    switch ( outcome )
    {
    case OPTIONS_RUN:
        status = run(&settings, options);
        break;
    case OPTIONS_ANSWERED:
        break;
    case OPTIONS_WRONG_USAGE:
        status = EX_USAGE;
        break;
    case OPTIONS_WRONG_FILE:
        status = EX_CONFIG;
        break;
    case OPTIONS_FAILED:
        status = EX_OSERR;
        break;
    }
    if ( status != EX_OK && outcome != OPTIONS_RUN )
        log_message(LOG_ERR, NULL, "%s", options_error(options));
    options_close(options);
    log_close();
    return status;
}
