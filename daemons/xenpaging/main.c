/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * xenpaging: from the command line to an exit status.  A pager that comes after one that died is the only one to have
 * the pages of guests that are out, and has them only as long as it is started again: it does not end for good because of
 * what a person has to put right.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <daemon/log.h>
#include <daemon/service.h>

#include "inherited.h"
#include "pager.h"
#include "settings.h"
#include "settings-kept.h"

/* Between two starts that fail, so that the journal can be read. */
#define AGAIN_SECONDS 1U

struct start {
    struct inherited left;
    struct settings settings;
    struct options *options;
    bool is_recalled;             /* settings are not those that a person wrote last */
};

/* Goes back to settings with which a pager has run.  False: they are used already, or there is no need. */
static bool fall_back(struct start *start, int status)
{
    bool are_kept;

    if ( start->is_recalled || !inherited_holds_pages(&start->left) ||
         (status != EX_USAGE && status != EX_CONFIG && status != EX_CANTCREAT) )
        return false;
    options_close(start->options);
    start->is_recalled = true;
    if ( settings_recall(&start->left, &start->options, &start->settings, &are_kept) )
        return false;
    log_message(LOG_ERR, LOG_HOST("settings-refused"),
                "an earlier pager left pages of guests, so this one goes on with %s; put right what was said above, and "
                "restart the service", are_kept ? "the settings of that one" : "the default settings");
    return true;
}

/* What systemd would take for the end, and then close what it keeps. */
static int hold_on(const struct start *start, int status)
{
    if ( !inherited_holds_pages(&start->left) ||
         (status != EX_USAGE && status != EX_UNAVAILABLE && status != EX_CANTCREAT && status != EX_NOPERM && status != EX_CONFIG) )
        return status;
    log_message(LOG_CRIT, LOG_HOST("pages-wait"),
                "the service manager keeps pages of guests that wait for them, and this pager cannot start: it is tried again "
                "until what was said above is put right. Do not stop the service: that would lose them");
    sleep(AGAIN_SECONDS);
    return EX_TEMPFAIL;
}

int main(int argc, char **argv)
{
    struct start start = { .is_recalled = false };
    int rc = inherited_collect(&start.left);
    enum options_outcome outcome = options_load(&start.options, &settings_program, &start.settings, argc, argv, stdout);
    int status;

    log_open(settings_program.name, start.settings.foreground || start.settings.domid);
    log_set_level(start.settings.verbose ? LOG_DEBUG : LOG_INFO);
    status = service_options(outcome, start.options);
    if ( rc && outcome == OPTIONS_RUN )
    {
        log_message(LOG_ERR, LOG_HOST("start-failed"), "what the service manager hands over cannot be understood: %s",
                    strerror(-rc));
        status = EX_OSERR;
    }
    else if ( outcome == OPTIONS_RUN && settings_follow_host(&start.settings, start.options) )
        status = service_refuse_place(start.settings.host);
    else if ( outcome == OPTIONS_RUN )
        status = pager_run(&start.settings, start.settings.domid, &start.left);
    if ( fall_back(&start, status) )
        status = pager_run(&start.settings, start.settings.domid, &start.left);
    status = hold_on(&start, status);
    options_close(start.options);
    inherited_close(&start.left);
    log_close();
    return status;
}
