/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * See guard.h. Here a domain's protection begins and ends. What happens in between is in events.c and scans.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <daemon/log.h>

#include "broker-private.h"

/* Frames that are restricted before the loop looks at events again: some ten milliseconds of hypercalls. */
#define SWEEP_FRAMES 4096U

/* Frames of which it is asked each second whether they have come or gone: 64 hypercalls. */
#define LOOK_FRAMES  65536U

static const char no_access[] =
    "this hypervisor has no ACCESS channel: boot the one of this suite, which hypervisor-patches/build makes";
static const char no_memory[] =
    "the hypervisor has no memory left for the domain's page tables, which need an entry for each page now: raise "
    "shadow_memory in its configuration, by 4 MiB for each GiB at least, and start it anew";

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct guard *g = arg;

    (void)fd;
    (void)what;
    g->has_events = true;
}

static int attach(struct guard *g, const char **why)
{
    struct broker *b = g->broker;
    int rc = memevent_attach(b->hv, MEMEVENT_CLASS_ACCESS, g->domid, &g->channel, why);

    if ( rc == -ENOSYS && !*why )
        *why = no_access;
    if ( !rc )
        rc = pages_open(&g->pages, b->hv, g->domid);
    if ( !rc && pages_restrict_new(g->pages) )
        log_message(LOG_NOTICE, LOG_DOMAIN(g->domid, g->name, "restrict-failed"),
                    "the hypervisor cannot restrict memory that %s is given later; it is executable until it is found", g->name);
    if ( !rc )
        rc = b->scanner->add_domain(b->scanner->opaque, g->domid);
    if ( !rc )
        rc = loop_watch(b->loop, memevent_fd(g->channel), on_readable, g, &g->readable);
    return rc;
}

int guard_open(struct guard **out, struct broker *broker, const struct domain_info *info, const char *name,
               const char *uuid, const char **why)
{
    struct guard *g = calloc(1, sizeof(*g));
    uint32_t again;
    int rc = -ENOMEM;

    *out = NULL;
    *why = NULL;
    if ( !g )
        return rc;
    g->broker = broker;
    g->info = *info;
    g->domid = info->domid;
    strncpy(g->name, name, sizeof(g->name) - 1);
    strncpy(g->uuid, uuid, sizeof(g->uuid) - 1);
    g->vcpus = calloc(info->vcpus, sizeof(*g->vcpus));
    if ( g->vcpus )
        rc = attach(g, why);
    if ( rc )
    {
        guard_close(g, true);
        return rc;
    }
    again = memevent_get_redelivered(g->channel);
    if ( again )
        log_message(LOG_NOTICE, LOG_DOMAIN(g->domid, g->name, "attached-again"),
                    "an earlier broker left %u vCPUs of %s waiting; they are looked after now", again, g->name);
    g->has_events = true;
    /* A former broker may have had others. */
    monitors_end(g);
    monitors_follow(g);
    *out = g;
    return 0;
}

/*
 * Everybody who waits goes on. A vCPU may be on its way into the hypervisor with a violation of a moment ago: once the
 * domain stands still, whatever there will ever be is in the ring.
 */
static void lift(struct guard *g)
{
    struct hypervisor *hv = g->broker->hv;
    struct memevent_event event;
    int rc = pages_release(g->pages);
    bool is_paused = !hv->ops->pause_domain(hv, g->domid);

    monitors_end(g);
    while ( memevent_next(g->channel, &event) == 1 )
        guard_answer(g, event.id, 0);
    scans_release(g);
    memevent_flush(g->channel);
    memevent_detach(g->channel);
    g->channel = NULL;
    if ( is_paused )
        hv->ops->unpause_domain(hv, g->domid);
    if ( rc && rc != -ESRCH )
        log_message(LOG_ERR, LOG_DOMAIN(g->domid, g->name, "release-failed"),
                    "not all of the memory of %s could be set free (%s); what it has no right to use is set free by the "
                    "hypervisor when it is used", g->name, strerror(-rc));
}

void guard_close(struct guard *g, bool lifts)
{
    struct scanner scanner = *g->broker->scanner;

    if ( g->readable )
        event_free(g->readable);
    /* Who cannot be taken up again by a later broker is not left waiting for one. */
    if ( g->channel && g->pages && !g->is_gone && (lifts || !memevent_can_reattach(g->channel)) )
        lift(g);
    else if ( g->channel && (g->is_gone || !g->pages) )
        memevent_detach(g->channel);
    else if ( g->channel )
    {
        guard_publish(g);
        memevent_leave(g->channel);
    }
    g->channel = NULL;
    scanner.remove_domain(scanner.opaque, g->domid);
    scans_close(g);
    pages_close(g->pages);
    free(g->vcpus);
    free(g);
}

bool guard_sweep(struct guard *g)
{
    bool was_swept = g->is_swept;
    int rc;

    if ( g->is_gone || g->failure )
        return false;
    rc = pages_sweep(g->pages, g->is_swept ? LOOK_FRAMES : SWEEP_FRAMES);
    if ( rc == -ESRCH || rc == -ENODEV )
        g->is_gone = true;
    else if ( rc < 0 && rc != -EINVAL )
    {
        g->failure = rc;
        log_message(LOG_ERR, LOG_DOMAIN(g->domid, g->name, "restrict-failed"),
                    "not all of the memory of %s can be watched, so that it is only protected in part: %s", g->name,
                    rc == -ENOMEM ? no_memory : strerror(-rc));
    }
    if ( rc > 0 )
        g->is_swept = true;
    if ( g->is_swept && !was_swept )
    {
        struct pages_statistics pages;

        pages_get_statistics(g->pages, &pages);
        log_message(LOG_INFO, LOG_DOMAIN(g->domid, g->name, "protected"),
                    "%s is protected: %llu pages are executed only as they were judged", g->name,
                    (unsigned long long)pages.restricted);
        gaps_end(g);
    }
    return !g->is_swept && !g->is_gone && !g->failure;
}

/* Those that are there, in one mapping. */
static void read_there(struct guard *g, const uint64_t *gfns, const uint32_t *which, uint32_t count, uint8_t *pages,
                       int32_t *status)
{
    struct hypervisor *hv = g->broker->hv;
    int errors[SCAN_FRAMES_MAX], rc;
    const void *octets;

    rc = hv->ops->map_frames(hv, g->domid, gfns, count, errors, &octets);
    for ( uint32_t i = 0; i < count; i++ )
    {
        status[which[i]] = rc ? rc : errors[i];
        if ( !status[which[i]] )
            memcpy(pages + (size_t)which[i] * SCAN_PAGE_BYTES, (const uint8_t *)octets + (size_t)i * SCAN_PAGE_BYTES,
                   SCAN_PAGE_BYTES);
    }
    if ( !rc )
        hv->ops->unmap_frames(hv, octets, count);
}

/* A frame that is out is not brought in for it: a plugin that roams through memory would bring in all of it. */
void guard_read(struct guard *g, const uint64_t *gfns, uint32_t count, void *pages, int32_t *status)
{
    struct hypervisor *hv = g->broker->hv;
    uint64_t there[SCAN_FRAMES_MAX];
    uint32_t which[SCAN_FRAMES_MAX], found = 0;
    uint8_t states[SCAN_FRAMES_MAX];

    for ( uint32_t i = 0, run; i < count; i += run )
    {
        int rc;

        for ( run = 1; i + run < count && gfns[i + run] == gfns[i] + run; run++ )
            ;
        rc = hv->ops->query_frames(hv, g->domid, gfns[i], run, states);
        for ( uint32_t j = 0; j < run; j++ )
        {
            status[i + j] = rc ? rc : -ENXIO;
            if ( rc || states[j] != FRAME_RAM )
                continue;
            there[found] = gfns[i + j];
            which[found++] = i + j;
        }
    }
    if ( found )
        read_there(g, there, which, found, pages, status);
}

void guard_stop_domain(struct guard *g, unsigned int actions)
{
    struct hypervisor *hv = g->broker->hv;

    if ( actions & POLICY_KILL )
        (void)hv->ops->crash_domain(hv, g->domid);
    else if ( actions & POLICY_PAUSE )
        (void)hv->ops->pause_domain(hv, g->domid);
}

void guard_answer(struct guard *g, uint64_t id, uint32_t actions)
{
    int rc = memevent_answer_with(g->channel, id, actions);

    if ( rc )
        log_message(LOG_ERR, LOG_DOMAIN(g->domid, g->name, "answer-refused"), "an answer was refused: %s", strerror(-rc));
}

/* Frames first: who goes on uses them at once. */
void guard_publish(struct guard *g)
{
    int rc = pages_commit(g->pages);

    if ( rc == -ESRCH || rc == -ENODEV )
        g->is_gone = true;
    else if ( rc )
        log_message(LOG_ERR, LOG_DOMAIN(g->domid, g->name, "set-failed"),
                    "the access of a page of %s could not be set: %s", g->name, rc == -ENOMEM ? no_memory : strerror(-rc));
    rc = memevent_flush(g->channel);
    if ( rc && !g->is_gone )
        log_message(LOG_ERR, LOG_DOMAIN(g->domid, g->name, "flush-failed"), "answers could not be sent: %s", strerror(-rc));
}
