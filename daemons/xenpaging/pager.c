/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The pager of a host: start, signals and stop.
 * Its domains are domains.c's, its work rounds.c's.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include <daemon/log.h>
#include <daemon/privilege.h>
#include <daemon/readiness.h>
#include <daemon/service.h>

#include "domains.h"
#include "hold.h"
#include "pager.h"
#include "resume.h"
#include "rounds.h"
#include "settings-kept.h"
#include "target.h"

/* ---- signals ---- */

static void on_stop(evutil_socket_t number, short what, void *arg)
{
    struct pager *p = arg;
    struct host *host = arg;
    uint64_t left = 0;

    (void)what;
    if ( p->stopping )
        return;
    p->stopping = true;
    host->stop_left = UINT64_MAX;
    rounds_read_clock(p);
    host->leaving_since = p->now;
    for ( struct paged *d = p->first; d; d = d->next )
    {
        left += store_count(d->store);
        if ( d->phase == PAGED_RUNNING )
            d->phase = PAGED_LEAVING;
    }
    readiness_stopping("Bringing %" PRIu64 " pages back in", left);
    log_message(LOG_INFO, LOG_HOST("stopping"), "%s: bringing %" PRIu64 " pages back in before the end",
                number == SIGTERM ? "SIGTERM" : "interrupted", left);
    if ( !p->first )
        loop_stop(p->loop);
}

/* Of itself it would end the process and lose every page: a terminal that is closed, somebody's idea of a reload. */
static void on_hangup(evutil_socket_t number, short what, void *arg)
{
    struct pager *p = arg;

    if ( p->single || p->settings->foreground )
        on_stop(number, what, arg);
    else
        log_message(LOG_NOTICE, LOG_HOST("hangup"), "SIGHUP: settings are read at the start; restart the service for new ones");
}

/* ---- start and end ---- */

/* Where a pager of one domain leaves its state, and where a service does that no service manager looks after. */
static const char *state_directory(const struct pager *p, char *buffer, size_t size)
{
    if ( p->settings->state_directory )
        return p->settings->state_directory;
    if ( !p->single )
        return NULL;
    snprintf(buffer, size, "%s/paging-%u", p->settings->run_directory, p->settings->domid);
    return buffer;
}

static int open_state(struct pager *p, const char **what)
{
    const struct settings *s = p->settings;
    char buffer[4200];
    int rc;

    *what = s->spill_directory;
    if ( s->spill_limit && mkdir(s->spill_directory, 0700) && errno != EEXIST )
        return -errno;
    rc = state_open(&p->state, s, p->left, state_directory(p, buffer, sizeof(buffer)), &p->store, &p->stage, what);
    if ( rc )
        snprintf(p->state_what, sizeof(p->state_what), "%s", *what);
    *what = p->state_what;
    return rc;
}

static int start(struct pager *p)
{
    struct hypervisor_info info;
    const char *what;
    int rc, status = service_take_lock(settings_program.name, p->settings->run_directory, p->single, &p->lock_fd);

    if ( status != EX_OK )
        return status;
    rc = memevent_open_host(p->settings->host, &p->hv);
    if ( rc )
        return service_refuse_host(p->settings->host, "emulated/xenpaging", rc);
    rc = p->hv->ops->probe(p->hv, &info);
    if ( rc )
        return service_refuse_answer(rc);
    p->has_channel = info.has_channels;
    if ( !info.has_paging )
    {
        log_message(LOG_ERR, LOG_HOST("start-failed"), "Xen %s: %s", info.version, info.paging_missing);
        return EX_UNAVAILABLE;
    }
    rc = open_state(p, &what);
    if ( rc == -EWOULDBLOCK )
        return service_refuse(EX_UNAVAILABLE, what, "another xenpaging uses it: stop that first", rc);
    if ( rc == -EPERM )
        return service_refuse(EX_CANTCREAT, what, "it, or a file in it, is not root's alone: look who made it, and remove it", rc);
    if ( rc == -EMEDIUMTYPE )
        return service_refuse(EX_CANTCREAT, what, "it has to be on a tmpfs: set state-directory", rc);
    if ( rc )
        return service_refuse(EX_CANTCREAT, what, "choose another spill-directory, or spill-limit=0 for none", rc);
    rc = pagein_open(p);
    if ( !rc )
        rc = p->hv->ops->lock_buffer(p->hv, store_stage_pages(p->stage), STORE_STAGE_PAGES);
    if ( rc )
        return service_refuse(EX_OSERR, "buffers for pages", "free memory in dom0, or raise the limit on locked memory", rc);
    rc = resume_stage(p);
    if ( rc )
        return service_refuse(EX_TEMPFAIL, "pages that an earlier pager was about to store", "free memory in dom0; it is tried again",
                      rc);

    /* Descriptors to Xen are open, and carry the rights: no capability is needed any more. */
    rc = privilege_drop(NULL, 0, PRIVILEGE_HOLDS_GUEST_MEMORY);
    if ( rc )
        return service_refuse(EX_NOPERM, "giving up rights", "this kernel or container forbids it", rc);

    rc = loop_open(&p->loop);
    if ( !rc )
        rc = service_listen(p->loop, on_stop, on_hangup, p, &p->watchdog);
    if ( !rc )
        rc = loop_every(p->loop, HOUSEKEEPING_MS, rounds_on_housekeeping, p, &p->housekeeping);
    if ( !rc )
        rc = loop_watch(p->loop, store_fd(p->store), rounds_on_store, p, &p->store_readable);
    if ( !rc )
        rc = p->hv->ops->add_watch(p->hv, "@introduceDomain", "domains");
    if ( !rc )
        rc = p->hv->ops->add_watch(p->hv, "@releaseDomain", "domains");
    if ( !rc )
        rc = p->hv->ops->add_watch(p->hv, HOLD_KEYS, "hold");
    if ( !rc )
        rc = loop_watch(p->loop, p->hv->ops->watch_fd(p->hv), domains_on_watch, p, &p->watches);
    if ( rc )
        return service_refuse(EX_OSERR, "the event loop and xenstore's watches", "see whether xenstored runs", rc);
    loop_before_sleep(p->loop, rounds_before_sleep, p);
    /* They have led to here: a successor can fall back on them. */
    if ( p->state.is_kept && p->state.directory < 0 )
        settings_keep(p->settings);
    log_message(LOG_INFO, LOG_HOST("started"), "Xen %s", info.version);
    domains_attach_left(p);
    return EX_OK;
}

static int start_single(struct pager *p, uint16_t domid)
{
    struct domain_info info;
    int rc = p->hv->ops->get_domain(p->hv, domid, &info);

    if ( rc )
        return service_refuse(EX_NOINPUT, "the named domain", "see 'xl list' for the numbers there are", rc);
    domains_look(p);
    if ( domains_target(p, domid, TARGET_NONE) == TARGET_NONE )
        log_message(LOG_INFO, LOG_DOMAIN(domid, NULL, "target"),
                    "no target yet: write it in KiB to /local/domain/%u/" TARGET_KEY, domid);
    return EX_OK;
}

static void stop(struct pager *p)
{
    struct event *events[] = { p->housekeeping, p->store_readable, p->watches, p->watchdog };

    oom_close(p);
    while ( p->first )
    {
        struct paged *d = p->first;

        p->first = d->next;
        if ( p->state.is_kept && memevent_can_reattach(d->channel) )
            paged_abandon(d);
        else
            paged_close(d);
    }
    for ( unsigned int i = 0; i < sizeof(events) / sizeof(events[0]); i++ )
        if ( events[i] )
            event_free(events[i]);
    loop_close(p->loop);
    store_close(p->store);
    store_stage_close(p->stage);
    state_close(&p->state);
    if ( p->hv )
    {
        if ( p->load_buffer )
            pagein_close(p);
        memevent_close_host(p->hv);
    }
    if ( p->lock_fd >= 0 )
        close(p->lock_fd);
}

int pager_run(const struct settings *settings, uint16_t domid, struct inherited *left)
{
    struct host *host = calloc(1, sizeof(*host));
    struct pager *p = &host->pager;
    int status;

    if ( !host )
        return EX_OSERR;
    p->settings = settings;
    p->left = left;
    p->single = domid != 0;
    p->lock_fd = -1;
    p->state.directory = p->state.spill_directory = p->state.index = -1;
    if ( p->single )
        snprintf(p->status_name, sizeof(p->status_name), "xenpaging-%u", domid);
    else
        snprintf(p->status_name, sizeof(p->status_name), "xenpaging");
    p->poll_ns = POLL_LEAST_NS;
    rounds_read_clock(p);
    status = start(p);
    if ( status == EX_OK && p->single )
        status = start_single(p, domid);
    if ( status == EX_OK )
    {
        inherited_close(left);
        p->left = NULL;
        readiness_ready("%s", "Ready");
        if ( loop_run(p->loop) )
            p->exit_status = EX_SOFTWARE;
        status = p->exit_status;
        if ( !p->first && status == EX_OK )
            status_remove(p);
        if ( !p->first && !domains_are_left(p) )
            state_remove(&p->state);
    }
    pager_metrics_close(p, !p->first && status == EX_OK);
    stop(p);
    free(host);
    return status;
}

