/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Starts, refusals, the lock and the signals of a daemon.  What the daemon does is its own business, and what a host is
 * that of the libraries.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "log.h"
#include "readiness.h"
#include "service.h"

int service_refuse(int status, const char *what, const char *then, int error)
{
    log_message(LOG_ERR, LOG_HOST("start-failed"), "%s: %s; %s", what, strerror(-error), then);
    return status;
}

int service_options(enum options_outcome outcome, const struct options *options)
{
    int status = EX_OK;

    switch ( outcome )
    {
    case OPTIONS_RUN:
    case OPTIONS_ANSWERED:
        return EX_OK;
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
    log_message(LOG_ERR, NULL, "%s", options_error(options));
    return status;
}

int service_refuse_host(const char *host, const char *emulated, int error)
{
    char then[160] = "see --help for the hosts there are";

    if ( !host )
        return service_refuse(EX_UNAVAILABLE, "no connection to Xen", "run as root in dom0, with xenstored started and the modules "
                              "xen-privcmd, xen-evtchn and xenfs loaded", error);
    if ( error == -EOPNOTSUPP && emulated )
        snprintf(then, sizeof(then),
                 "only %s has that host, which 'make' leaves in the build tree and which is never installed", emulated);
    return service_refuse(EX_USAGE, host, then, error);
}

int service_refuse_answer(int error)
{
    return service_refuse(EX_UNAVAILABLE, "Xen does not answer", "see 'xl dmesg'", error);
}

int service_refuse_place(const char *host)
{
    log_message(LOG_ERR, LOG_HOST("start-failed"), "--host=%s: run= is a directory's absolute path", host);
    return EX_USAGE;
}

/* -EWOULDBLOCK: another instance has it. */
static int take_lock(const char *name, const char *run_directory, int *lock_fd)
{
    char path[PATH_MAX];
    int length = snprintf(path, sizeof(path), "%s/%s.lock", run_directory, name);

    if ( length < 0 || (size_t)length >= sizeof(path) )
        return -ENAMETOOLONG;
    if ( mkdir(run_directory, 0755) && errno != EEXIST )
        return -errno;
    *lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if ( *lock_fd < 0 )
        return -errno;
    return flock(*lock_fd, LOCK_EX | LOCK_NB) ? -errno : 0;
}

int service_take_lock(const char *name, const char *run_directory, bool may_share, int *lock_fd)
{
    char words[160];
    int rc;

    *lock_fd = -1;
    rc = take_lock(name, run_directory, lock_fd);
    if ( !rc || (rc == -EWOULDBLOCK && may_share) )
        return EX_OK;
    if ( rc != -EWOULDBLOCK )
        return service_refuse(EX_CANTCREAT, run_directory, "run as root, or set run-directory", rc);
    snprintf(words, sizeof(words), "another %s serves this host: stop it first ('systemctl stop %s')", name, name);
    log_message(LOG_ERR, LOG_HOST("start-failed"), "%s", words);
    return EX_UNAVAILABLE;
}

static void on_watchdog(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
    readiness_alive();
}

int service_listen(struct loop *loop, event_callback_fn stop, event_callback_fn hangup, void *arg, struct event **watchdog)
{
    static const int ends[] = { SIGTERM, SIGINT, SIGQUIT };
    uint64_t period = readiness_watchdog_period();
    int rc = loop_on_signal(loop, SIGHUP, hangup, arg);

    *watchdog = NULL;
    for ( size_t i = 0; !rc && i < sizeof(ends) / sizeof(ends[0]); i++ )
        rc = loop_on_signal(loop, ends[i], stop, arg);
    if ( !rc && period )
        rc = loop_every(loop, period / 1000, on_watchdog, NULL, watchdog);
    return rc;
}
