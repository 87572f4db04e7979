/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The loader of plugins: started, listened to, started again. It says which plugins there are, what they want, and which
 * processes it has started; what these do is workers-life.c's.
 */
#include <stdio.h>
#include <string.h>

#include <daemon/log.h>

#include "view.h"
#include "workers-private.h"

static void lost(struct workers *w, const char *why)
{
    log_message(LOG_WARNING, LOG_HOST("loader-died"), "the loader of plugins %s", why);
    life_forget(w, w->link.fd);
    link_close(&w->link);
    w->linked = false;
    w->link_failures++;
    w->link_not_before = life_back_off(w->link_failures + 1);
    /* Who has not been started by it never will be. */
    for ( struct runner *next, *r = w->runners; r; r = next )
    {
        next = r->next;
        if ( r->life == LIFE_STARTS && !r->process.pid )
            life_free(w, r);
    }
}

static void started(struct workers *w, const struct loader_message *message)
{
    struct runner *r = w->runners;
    int rc;

    while ( r && (r->tag != message->tag || r->process.pid) )
        r = r->next;
    if ( !r )
        return;
    rc = message->status > 0 ? process_started(&r->process, message->status) : message->status;
    if ( !rc )
        rc = life_watch(w, r->process.pidfd, (uintptr_t)r | ABOUT_PIDFD);
    if ( rc )
    {
        struct domain *domain = r->domain;

        log_message(LOG_WARNING, LOG_HOST("worker-failed"), "a worker cannot be started: %s", strerror(-rc));
        life_free(w, r);
        if ( domain )
        {
            domain->failures++;
            domain->not_before = life_back_off(domain->failures + 1);
        }
        return;
    }
    if ( r->killed )
        process_kill(&r->process);
}

static void ready(struct workers *w, const struct loader_message *message)
{
    bool other = w->generation != message->generation;

    w->linked = true;
    w->refused = false;
    w->link_failures = 0;
    w->decide = message->decide;
    w->notify = message->notify;
    w->tick_ms = message->tick_ms;
    w->generation = message->generation ? message->generation : 1;
    if ( other )
        poison_clear(w->poison);
    life_renew(w);
}

static void take_message(struct workers *w, const struct loader_message *message)
{
    switch ( message->kind )
    {
    case LOADER_READY:
        ready(w, message);
        break;
    case LOADER_REFUSED:
        snprintf(w->words.text, sizeof(w->words.text), "%s", message->text);
        w->refused = true;
        log_message(LOG_ERR, LOG_HOST("plugins-refused"), "%s", message->text);
        break;
    case LOADER_STARTED:
        started(w, message);
        break;
    case LOADER_NAME:
        if ( message->tag < PLUGINS_MAX )
            snprintf(w->names[message->tag], sizeof(w->names[0]), "%.*s", AV_NAME_BYTES - 1, message->text);
        break;
    case LOADER_LINE:
        log_message(message->status < AV_LOG_ERROR || message->status > AV_LOG_DEBUG ? AV_LOG_INFO : message->status,
                    LOG_HOST("plugin"), "%s", message->text);
        break;
    }
}

void loader_look(struct workers *w)
{
    static struct loader_message message;
    int rc = link_receive(&w->link, &message);

    if ( rc > 0 )
        take_message(w, &message);
    else if ( rc < 0 )
        lost(w, "has ended");
}

int loader_start(struct workers *w)
{
    int rc = link_open(&w->link, w->program, w->directory, w->plugins, w->user);

    if ( !rc )
        rc = life_watch(w, w->link.fd, ABOUT_LINK);
    return rc;
}

void loader_tick(struct workers *w, uint64_t now)
{
    if ( w->link.fd < 0 && now >= w->link_not_before && loader_start(w) )
        lost(w, "cannot be started");
    else if ( w->link.fd >= 0 && !w->linked && !w->refused && now > w->link.since + LINK_LOAD_NS )
        lost(w, "has not loaded the plugins in two minutes, and was killed");
}
