/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The broker with the tests' scanner: on a real Xen it shows what the broker does without workers and plugins. Options are
 * av-introspect's.
 */
#include <stdio.h>
#include <sys/prctl.h>
#include <sysexits.h>

#include <daemon/log.h>
#include <daemons/av-introspect/broker.h>

#include <tests/daemons/av-introspect/marker-scanner.h>

int main(int argc, char **argv)
{
    struct settings settings = { 0 };
    struct scanner scanner;
    struct options *options;
    int status = EX_USAGE;

    /* By this name memeventctl tells whether who wrote the status file still runs. */
    prctl(PR_SET_NAME, "av-introspect");
    log_open("marker-broker", true);
    if ( options_load(&options, &settings_program, &settings, argc, argv, stdout) != OPTIONS_RUN )
        log_message(LOG_ERR, NULL, "%s", options_error(options));
    else if ( !marker_scanner_open(&scanner) )
    {
        log_set_level(settings.verbose ? LOG_DEBUG : LOG_INFO);
        status = broker_run(&settings, &scanner);
        scanner.close(scanner.opaque);
    }
    options_close(options);
    log_close();
    return status;
}
