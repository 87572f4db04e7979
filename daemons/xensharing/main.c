/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * xensharing: from the command line to an exit status.
 */
#include <stdio.h>
#include <sysexits.h>

#include <daemon/log.h>

#include "sharer.h"
#include "settings.h"

int main(int argc, char **argv)
{
    struct settings settings = { 0 };
    struct options *options;
    enum options_outcome outcome = options_load(&options, &settings_program, &settings, argc, argv, stdout);
    int status = EX_OK;

    log_open(settings_program.name, settings.foreground);
    log_set_level(settings.verbose ? LOG_DEBUG : LOG_INFO);
    switch ( outcome )
    {
    case OPTIONS_RUN:
        if ( !settings_follow_host(&settings, options) )
            status = sharer_run(&settings);
        else
        {
            log_message(LOG_ERR, LOG_HOST("start-failed"), "--host=%s: run= is a directory's absolute path", settings.host);
            status = EX_USAGE;
        }
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
