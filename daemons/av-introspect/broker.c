/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Start, loop, signals and end of the broker of a host. What it does in between is in domains.c, events.c and scans.c.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <daemon/log.h>
#include <daemon/readiness.h>
#include <daemon/service.h>

#include "broker-private.h"

#define SECOND_MS      1000U

/* Results that are taken before events are looked at again. */
#define RESULTS_AT_ONCE 256U

/* Each guest's memory is set free at the end. */
#define STOP_EXTEND_US (60U * 1000000)

/* ---- what wakes us ---- */

static void on_watch(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    domains_take_watches(arg);
}

static void on_results(evutil_socket_t fd, short what, void *arg)
{
    struct broker *b = arg;

    (void)fd;
    (void)what;
    b->has_results = true;
}

/* Plugins that look for themselves, more often than each second. */
static uint64_t scanner_due(const struct broker *b)
{
    return b->scanner->due ? b->scanner->due(b->scanner->opaque) : UINT64_MAX;
}

static void on_due(evutil_socket_t fd, short what, void *arg)
{
    struct broker *b = arg;

    (void)fd;
    (void)what;
    if ( scanner_due(b) <= now_ns() )
        b->scanner->tick(b->scanner->opaque);
    broker_plan(b);
}

void broker_plan(struct broker *b)
{
    uint64_t now = now_ns(), next = scanner_due(b);
    struct timeval after;

    for ( struct guard *g = b->guards; g; g = g->next )
    {
        uint64_t due = scans_tick(g, now);

        next = due < next ? due : next;
    }
    if ( next == UINT64_MAX )
    {
        event_del(b->due);
        return;
    }
    next = next > now ? (next - now) / 1000 + 1 : 1;
    after.tv_sec = next / 1000000;
    after.tv_usec = next % 1000000;
    event_add(b->due, &after);
}

static void take_result(struct broker *b, const struct scan_result *result)
{
    struct guard *g = b->guards;

    if ( result->id )
    {
        while ( g && !scans_take(g, result) )
            g = g->next;
        return;
    }
    while ( g && g->domid != result->domid )
        g = g->next;
    if ( g )
        reports_of_tick(g, result);
}

static bool take_results(struct broker *b)
{
    struct scan_result result;
    unsigned int taken = 0;

    while ( taken < RESULTS_AT_ONCE && b->scanner->take(b->scanner->opaque, &result) == 1 )
    {
        take_result(b, &result);
        taken++;
    }
    if ( taken )
        for ( struct guard *g = b->guards; g; g = g->next )
            guard_publish(g);
    return taken == RESULTS_AT_ONCE;
}

static bool take_events(struct guard *g)
{
    int rc;

    if ( events_take(g) )
        return true;
    if ( g->is_gone )
        return false;
    rc = memevent_arm(g->channel);
    return rc == 1;
}

/* For plugins that look beyond a page; of domains that they are asked about. */
static void read_memory(void *arg, uint16_t domid, const uint64_t *gfns, uint32_t count, void *pages, int32_t *status)
{
    struct guard *g = ((struct broker *)arg)->guards;

    while ( g && g->domid != domid )
        g = g->next;
    if ( g )
        guard_read(g, gfns, count, pages, status);
    else
        for ( uint32_t i = 0; i < count; i++ )
            status[i] = -ENXIO;
}

static int read_registers(void *arg, uint16_t domid, uint32_t vcpu, struct hypervisor_registers *out)
{
    struct hypervisor *hv = ((struct broker *)arg)->hv;

    return hv->ops->get_registers(hv, domid, vcpu, out);
}

/* Results first: somebody waits for each of them. */
static bool before_sleep(void *arg)
{
    struct broker *b = arg;
    bool more = false;

    if ( b->has_results )
        b->has_results = take_results(b);
    for ( struct guard *g = b->guards; g; g = g->next )
    {
        if ( g->has_events )
            g->has_events = take_events(g);
        if ( !g->is_swept )
            more |= guard_sweep(g);
        more |= g->has_events;
    }
    broker_plan(b);
    return more || b->has_results;
}

/* What was judged by other rules is to be judged again. */
static void follow_rules(struct broker *b)
{
    uint64_t generation = b->scanner->generation(b->scanner->opaque);

    if ( generation == b->generation )
        return;
    if ( b->generation && generation )
        for ( struct guard *g = b->guards; g; g = g->next )
        {
            (void)pages_unscan(g->pages);
            guard_publish(g);
        }
    b->generation = generation;
}

/* A plugin that has learned something wants what was judged before to be judged by that. */
static void follow_plugins(struct broker *b)
{
    bool wanted = false;

    for ( struct guard *g = b->guards; g; g = g->next )
    {
        if ( g->wants_rescan )
            (void)pages_unscan(g->pages);
        wanted |= g->wants_rescan;
        g->wants_rescan = false;
        monitors_follow(g);
        monitors_overflow(g);
        guard_publish(g);
    }
    if ( wanted )
        verdicts_clear(b->verdicts);
}

static void on_second(evutil_socket_t fd, short what, void *arg)
{
    struct broker *b = arg;

    (void)fd;
    (void)what;
    b->scanner->tick(b->scanner->opaque);
    b->has_results = true;
    follow_rules(b);
    domains_look(b);
    for ( struct guard *g = b->guards; g; g = g->next )
    {
        /* Memory that came to the domain since. */
        if ( g->is_swept )
            (void)guard_sweep(g);
        volatile_tick(g, now_ns() / SECOND_NS);
    }
    follow_plugins(b);
    findings_tick(b->findings);
    status_write(b);
    broker_metrics_write(b);
    gaps_write(b);
    log_flush();
}

static void on_stop(evutil_socket_t number, short what, void *arg)
{
    struct broker *b = arg;
    bool lift = b->settings->at_exit == EXIT_LIFT;

    (void)what;
    b->stopping = true;
    readiness_stopping("%s", lift ? "Setting guests free" : "Leaving guests guarded");
    readiness_extend(STOP_EXTEND_US);
    log_message(LOG_INFO, LOG_HOST("stopping"), "%s: %s", number == SIGTERM ? "SIGTERM" : "interrupted",
                lift ? "guests get all access back and go on unprotected" :
                       "guests stay restricted; what is not judged yet waits for the next start");
    loop_stop(b->loop);
}

static void on_hangup(evutil_socket_t number, short what, void *arg)
{
    struct broker *b = arg;
    char error[POLICY_ERROR_BYTES];
    struct policy *policy;
    int rc;

    (void)number;
    (void)what;
    if ( b->scanner->reload )
        (void)b->scanner->reload(b->scanner->opaque);
    rc = policy_open(&policy, b->settings->policy, error);
    if ( rc )
    {
        log_message(LOG_ERR, LOG_HOST("policy-refused"), "%s: %s; the former policy stays", b->settings->policy,
                    error[0] ? error : strerror(-rc));
        return;
    }
    policy_close(b->policy);
    b->policy = policy;
    log_message(LOG_NOTICE, LOG_HOST("policy-read"), "SIGHUP: the policy was read again, and plugins' rules are; settings are read at the start");
}

/* ---- start and end ---- */

static int open_xen(struct broker *b)
{
    int rc = memevent_open_host(b->settings->host, &b->hv);

    if ( rc )
        return service_refuse_host(b->settings->host, NULL, rc);
    rc = b->hv->ops->probe(b->hv, &b->info);
    if ( rc )
        return service_refuse_answer(rc);
    if ( !b->info.has_channels )
        log_message(LOG_WARNING, LOG_HOST("no-channels"),
                    "Xen %s has no channels, so guests are guarded over its monitor ring, which nobody can take up again: stop "
                    "this service with systemctl and never with kill -9, after which vCPUs that wait would do so for ever (%s)",
                    b->info.version, b->info.channels_missing);
    return EX_OK;
}

static int open_books(struct broker *b)
{
    char error[POLICY_ERROR_BYTES];
    int rc = policy_open(&b->policy, b->settings->policy, error);

    if ( rc )
    {
        log_message(LOG_ERR, LOG_HOST("start-failed"), "%s: %s", b->settings->policy, error[0] ? error : strerror(-rc));
        return EX_CONFIG;
    }
    rc = verdicts_open(&b->verdicts, b->settings->cache);
    if ( rc )
        return service_refuse(EX_OSERR, "the cache of verdicts", "set a smaller cache", rc);
    rc = findings_open(&b->findings, b->settings->findings, b->settings->findings_limit, b->settings->hook);
    if ( rc )
        return service_refuse(EX_CANTCREAT, b->settings->findings, "set another file for findings", rc);
    rc = gaps_open(&b->gaps, b->settings->run_directory);
    if ( rc )
        return service_refuse(EX_OSERR, "what a former broker left", "free some memory", rc);
    return EX_OK;
}

static int open_loop(struct broker *b)
{
    int rc = loop_open(&b->loop);

    if ( !rc )
        rc = service_listen(b->loop, on_stop, on_hangup, b, &b->watchdog);
    if ( !rc )
        rc = loop_every(b->loop, SECOND_MS, on_second, b, &b->second);
    if ( !rc )
        rc = loop_watch(b->loop, b->scanner->fd(b->scanner->opaque), on_results, b, &b->results);
    if ( !rc )
        rc = loop_watch(b->loop, b->hv->ops->watch_fd(b->hv), on_watch, b, &b->watches);
    if ( rc )
        return rc;
    b->due = event_new(loop_base(b->loop), -1, 0, on_due, b);
    if ( !b->due )
        return -ENOMEM;
    if ( b->scanner->set_memory )
        b->scanner->set_memory(b->scanner->opaque, read_memory, b);
    if ( b->scanner->set_registers )
        b->scanner->set_registers(b->scanner->opaque, read_registers, b);
    loop_before_sleep(b->loop, before_sleep, b);
    return domains_open(b);
}

static int start(struct broker *b)
{
    int rc, status = service_take_lock(settings_program.name, b->settings->run_directory, false, &b->lock_fd);

    if ( status == EX_OK )
        status = open_xen(b);
    if ( status == EX_OK )
        status = open_books(b);
    if ( status != EX_OK )
        return status;
    rc = open_loop(b);
    if ( rc )
        return service_refuse(EX_OSERR, "the event loop and xenstore's watches", "see whether xenstored runs", rc);
    log_message(LOG_INFO, LOG_HOST("started"), "Xen %s; a vCPU waits at most %u ms, and what is not judged by then %s",
                b->info.version, b->settings->deadline,
                b->settings->unjudged == UNJUDGED_RUNS ? "is executed" : "goes on waiting");
    return EX_OK;
}

static void stop(struct broker *b)
{
    struct event *events[] = { b->watches, b->results, b->second, b->watchdog };

    if ( b->hv && b->gaps )
        gaps_write(b);
    if ( b->hv )
        domains_close(b);
    if ( b->scanner->set_memory )
        b->scanner->set_memory(b->scanner->opaque, NULL, NULL);
    if ( b->scanner->set_registers )
        b->scanner->set_registers(b->scanner->opaque, NULL, NULL);
    for ( unsigned int i = 0; i < sizeof(events) / sizeof(events[0]); i++ )
        if ( events[i] )
            event_free(events[i]);
    if ( b->due )
        event_free(b->due);
    broker_metrics_close(b);
    if ( b->loop )
        loop_close(b->loop);
    if ( b->findings && b->exit_status == EX_OK )
        status_remove(b);
    findings_close(b->findings);
    gaps_close(b->gaps);
    verdicts_close(b->verdicts);
    policy_close(b->policy);
    if ( b->hv )
        memevent_close_host(b->hv);
    if ( b->lock_fd >= 0 )
        close(b->lock_fd);
}

int broker_run(const struct settings *settings, const struct scanner *scanner)
{
    struct broker *b = calloc(1, sizeof(*b));
    int status;

    if ( !b )
        return EX_OSERR;
    b->settings = settings;
    b->scanner = scanner;
    b->lock_fd = -1;
    b->began = time(NULL);
    b->generation = scanner->generation(scanner->opaque);
    status = start(b);
    if ( status == EX_OK )
    {
        readiness_ready("%s", "Ready");
        if ( loop_run(b->loop) )
            status = EX_SOFTWARE;
    }
    b->exit_status = status;
    stop(b);
    free(b);
    return status;
}
