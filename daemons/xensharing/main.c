/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * xensharing: from the command line to an exit status.
 */
#include <stdio.h>

#include <daemon/log.h>
#include <daemon/service.h>

#include "sharer.h"
#include "settings.h"

int main(int argc, char **argv)
{
    struct settings settings = { 0 };
    struct options *options;
    enum options_outcome outcome = options_load(&options, &settings_program, &settings, argc, argv, stdout);
    int status;

    log_open(settings_program.name, settings.foreground);
    log_set_level(settings.verbose ? LOG_DEBUG : LOG_INFO);
    status = service_options(outcome, options);
    if ( outcome == OPTIONS_RUN )
        status = settings_follow_host(&settings, options) ? service_refuse_place(settings.host) : sharer_run(&settings);
    options_close(options);
    log_close();
    return status;
}
