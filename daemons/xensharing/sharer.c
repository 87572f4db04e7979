/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Start, signals and end of the sharer of a host.  What it does in between is in guests.c, pass.c, merge.c and
 * invalidate.c.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include <daemon/log.h>
#include <daemon/metrics-socket.h>
#include <daemon/privilege.h>
#include <daemon/readiness.h>
#include <daemon/service.h>

#include "guests.h"
#include "sharer.h"

#define SECOND_MS         1000U

/* A stop that gives pages back may take so much longer, each second that it goes on. */
#define STOP_EXTEND_US    (30U * 1000000)

/* ---- what wakes us ---- */

static void on_watch(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    guests_take_watches(arg);
}

static void on_found(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    pass_take_found(arg);
}

static void on_due(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    pass_advance(arg);
}

static void on_records(evutil_socket_t fd, short what, void *arg)
{
    struct sharer *s = arg;

    (void)fd;
    (void)what;
    s->records_left = true;
}

/* Between two looks at other things: records, as many as wait. */
static bool before_sleep(void *arg)
{
    struct sharer *s = arg;

    if ( !s->records_left )
        return false;
    s->records_left = invalidate_take(s) || !invalidate_arm(s);
    return s->records_left;
}

static void on_second(evutil_socket_t fd, short what, void *arg)
{
    struct sharer *s = arg;

    (void)fd;
    (void)what;
    /* What came in smaller batches than are worth a wake-up. */
    s->records_left = true;
    if ( !s->hv->ops->get_memory(s->hv, &s->memory) )
    {
        bool merging = s->estimate.merging;

        estimate_update(&s->estimate, &s->memory, s->settings->overcommit);
        decide_set_merging(s->decide, s->estimate.merging);
        if ( merging != s->estimate.merging )
            log_message(LOG_NOTICE, LOG_HOST("overcommit"),
                        s->estimate.merging ?
                        "merging goes on: what is in use, and would be if all that is shared were written, comes to %llu %% "
                        "of the host's memory; overcommit is %u %%" :
                        "merging stops: what is in use, and would be if all that is shared were written, comes to %llu %% "
                        "of the host's memory; overcommit is %u %%",
                        (unsigned long long)s->estimate.percent, s->settings->overcommit);
    }
    guests_settle(s);
    if ( s->stopping )
    {
        readiness_status("Stopping: %u domains still get pages of their own", guests_left(s));
        readiness_extend(STOP_EXTEND_US);
    }
    else
        pass_advance(s);
    report(s);
    log_flush();
}

static void on_stop(evutil_socket_t number, short what, void *arg)
{
    struct sharer *s = arg;
    bool undo = s->settings->at_exit == EXIT_UNDO;

    (void)what;
    if ( s->stopping )
        return;
    s->stopping = true;
    if ( undo )
        guests_leave_all(s);
    readiness_stopping("%s", undo ? "Giving domains their own pages again" : "Leaving shared what is shared");
    log_message(LOG_INFO, LOG_HOST("stopping"), "%s: %s", number == SIGTERM ? "SIGTERM" : "interrupted",
                undo ? "every domain gets its own pages again before the end" : "what is shared stays so");
    if ( !guests_left(s) )
        loop_stop(s->loop);
}

static void on_hangup(evutil_socket_t number, short what, void *arg)
{
    struct sharer *s = arg;

    if ( s->settings->foreground )
        on_stop(number, what, arg);
    else
        log_message(LOG_NOTICE, LOG_HOST("hangup"), "SIGHUP: settings are read at the start; restart the service for new ones");
}

/* ---- start and end ---- */

static int open_xen(struct sharer *s)
{
    int rc = memevent_open_host(s->settings->host, &s->hv);

    if ( rc )
        return service_refuse_host(s->settings->host, "emulated/xensharing", rc);
    rc = s->hv->ops->probe(s->hv, &s->info);
    if ( !rc )
        rc = s->hv->ops->get_memory(s->hv, &s->memory);
    if ( rc )
        return service_refuse_answer(rc);
    if ( !s->info.has_sharing )
    {
        log_message(LOG_ERR, LOG_HOST("start-failed"), "Xen %s: %s", s->info.version, s->info.sharing_missing);
        return EX_UNAVAILABLE;
    }
    return invalidate_open(s) ? EX_UNAVAILABLE : EX_OK;
}

static int open_books(struct sharer *s)
{
    enum decide_invalidates invalidates = s->channel ? DECIDE_INVALIDATES_ON :
                                          s->settings->invalidates ? DECIDE_INVALIDATES_NONE : DECIDE_INVALIDATES_OFF;
    int rc = groups_open(&s->groups, s->settings->groups, s->settings->within_groups);

    if ( !rc )
        rc = digest_open(&s->digest);
    if ( !rc )
        rc = decide_open(&s->decide, invalidates);
    s->estimate.merging = true;
    estimate_update(&s->estimate, &s->memory, s->settings->overcommit);
    if ( !rc )
        decide_set_merging(s->decide, s->estimate.merging);
    return rc;
}

/* Signals are the loop's: the threads take none. */
static int open_threads(struct sharer *s)
{
    sigset_t all, before;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = scan_open(&s->scan, s->hv, s->digest, s->settings->threads);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

static int open_loop(struct sharer *s)
{
    int rc = loop_open(&s->loop);

    if ( !rc )
        rc = service_listen(s->loop, on_stop, on_hangup, s, &s->watchdog);
    if ( !rc )
        rc = loop_every(s->loop, SECOND_MS, on_second, s, &s->second);
    if ( !rc )
        rc = loop_watch(s->loop, scan_fd(s->scan), on_found, s, &s->found);
    if ( !rc && s->channel )
        rc = loop_watch(s->loop, memevent_fd(s->channel), on_records, s, &s->records);
    if ( !rc )
        rc = loop_watch(s->loop, s->hv->ops->watch_fd(s->hv), on_watch, s, &s->watches);
    if ( rc )
        return rc;
    s->due = event_new(loop_base(s->loop), -1, 0, on_due, s);
    if ( !s->due )
        return -ENOMEM;
    loop_before_sleep(s->loop, before_sleep, s);
    s->records_left = true;
    return guests_open(s);
}

static int start(struct sharer *s)
{
    int rc, status = service_take_lock(settings_program.name, s->settings->run_directory, false, &s->lock_fd);

    if ( status == EX_OK )
        status = open_xen(s);
    if ( status != EX_OK )
        return status;
    rc = open_books(s);
    if ( rc )
        return service_refuse(EX_OSERR, "the books of pages", "free memory in dom0", rc);
    report_open(s);

    /* Descriptors to Xen are open, and carry the rights: no capability is needed any more. */
    rc = privilege_drop(NULL, 0, PRIVILEGE_HOLDS_GUEST_MEMORY);
    if ( rc )
        return service_refuse(EX_NOPERM, "giving up rights", "this kernel or container forbids it", rc);
    rc = open_threads(s);
    if ( rc )
        return service_refuse(EX_OSERR, "threads that look at pages", "set fewer threads", rc);
    pace_open(&s->pace, s->settings->cpu_limit);
    log_message(LOG_INFO, LOG_HOST("started"), "Xen %s, %s; %u %% of one CPU", s->info.version,
                s->channel ? memevent_get_transport(s->channel) : "no invalidates", s->settings->cpu_limit);
    rc = open_loop(s);
    if ( rc )
        return service_refuse(EX_OSERR, "the event loop and xenstore's watches", "see whether xenstored runs", rc);
    return EX_OK;
}

static void stop(struct sharer *s)
{
    struct event *events[] = { s->watches, s->found, s->records, s->second, s->watchdog, s->due };

    scan_close(s->scan);
    s->scan = NULL;
    guests_close(s);
    for ( unsigned int i = 0; i < sizeof(events) / sizeof(events[0]); i++ )
        if ( events[i] )
            event_free(events[i]);
    metrics_socket_close(s->metrics_socket);
    if ( s->loop )
        loop_close(s->loop);
    report_close(s);
    decide_close(s->decide);
    digest_close(s->digest);
    groups_close(s->groups);
    if ( s->hv )
    {
        invalidate_close(s);
        memevent_close_host(s->hv);
    }
    if ( s->lock_fd >= 0 )
        close(s->lock_fd);
}

int sharer_run(const struct settings *settings)
{
    struct sharer *s = calloc(1, sizeof(*s));
    int status;

    if ( !s )
        return EX_OSERR;
    s->settings = settings;
    s->lock_fd = -1;
    s->began = time(NULL);
    status = start(s);
    if ( status == EX_OK )
    {
        readiness_ready("%s", "Ready");
        if ( loop_run(s->loop) )
            s->exit_status = EX_SOFTWARE;
        status = s->exit_status;
    }
    stop(s);
    free(s);
    return status;
}
