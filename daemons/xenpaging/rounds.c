/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The rounds of work between two sleeps of the loop: what is done before it may sleep, and what is done now and then by
 * the clock.
 */
#include <inttypes.h>

#include <daemon/log.h>
#include <daemon/readiness.h>

#include "domains.h"
#include "hold.h"
#include "rounds.h"

/* A stop that brings pages in may take so much longer, each time that some came. */
#define STOP_EXTEND_US    (120U * 1000000)

/* Looks at the channels between two at the clock, which is a system call where the kernel trusts no cheap one. */
#define POLL_LOOKS        32U

/* Rounds of work before the loop looks at descriptors and timers again, so that watches and signals get their turn. */
#define ROUND_MS          5U

void rounds_read_clock(struct pager *p)
{
    p->now = latency_clock() / 1000000;
}

/* A host without paged domains sleeps until xenstore says something. */
void rounds_keep_house(struct pager *p, bool on)
{
    static const struct timeval period = { .tv_usec = HOUSEKEEPING_MS * 1000 };

    if ( on )
        event_add(p->housekeeping, &period);
    else
        event_del(p->housekeeping);
}

/* ---- the rounds ---- */

/* Who waits is answered in time by the housekeeper's clock, if nobody else keeps us awake. */
static void serve_oom(struct pager *p)
{
    bool waits = oom_serve(p);

    if ( waits && !p->oom_waits && !p->first )
        rounds_keep_house(p, true);
    p->oom_waits = waits;
}

static bool work_round(struct pager *p)
{
    bool more = false;

    rounds_read_clock(p);
    /* A system call, and this is between a guest and its page: only if there may be something. */
    if ( p->store_woken || store_is_busy(p->store) )
    {
        p->store_woken = false;
        if ( store_reap(p->store, pagein_read_done, p) > 0 )
            for ( struct paged *d = p->first; d; d = d->next )
                if ( d->ready )
                    pagein_finish(d);
    }
    if ( p->oom )
        serve_oom(p);
    for ( struct paged *d = p->first, *next; d; d = next )
    {
        next = d->next;
        if ( !d->broken && memevent_peek(d->channel) )
            more |= pagein_serve(d) > 0;
        more |= pageout_step(d);
        domains_settle(d);
    }
    return more;
}

/* Watches the channels for a moment.  A wake-up costs many times what a look does. */
static bool poll_channels(struct pager *p)
{
    uint64_t limit = (uint64_t)p->settings->poll_limit * 1000;
    uint64_t until;

    if ( !p->poll_ns || !p->first )
        return false;
    until = latency_clock() + p->poll_ns;
    do
    {
        for ( unsigned int looks = 0; looks < POLL_LOOKS; looks++ )
        {
            for ( struct paged *d = p->first; d; d = d->next )
            {
                if ( !d->broken && memevent_peek(d->channel) )
                {
                    p->poll_ns = p->poll_ns * 2 < limit ? p->poll_ns * 2 : limit;
                    return true;
                }
            }
            __builtin_ia32_pause();
        }
    } while ( latency_clock() < until );
    p->poll_ns = p->poll_ns / 2 >= POLL_LEAST_NS ? p->poll_ns / 2 : 0;
    return false;
}

static bool arm_channels(struct pager *p)
{
    if ( !oom_arm(p) )
        return false;
    for ( struct paged *d = p->first; d; d = d->next )
    {
        if ( d->armed || d->broken )
            continue;
        if ( memevent_arm(d->channel) != 0 )
        {
            /* It came in the moment of going to sleep: polling would have paid. */
            uint64_t limit = (uint64_t)p->settings->poll_limit * 1000;

            p->poll_ns = POLL_LEAST_NS < limit ? POLL_LEAST_NS : limit;
            return false;
        }
        d->armed = true;
    }
    return true;
}

bool rounds_before_sleep(void *arg)
{
    struct pager *p = arg;
    uint32_t from;

    rounds_read_clock(p);
    from = p->now;
    do
    {
        if ( !work_round(p) && !poll_channels(p) )
            return !arm_channels(p);
    } while ( p->now - from < ROUND_MS );
    return true;
}

/* ---- housekeeping ---- */

static void retry_failed(struct paged *d)
{
    pagein_retry(d);
    if ( d->failed && !d->lost && !store_has(d->store, d->failed_gfn) )
    {
        d->failed = false;
        pages_clear_flag(d->pages, PAGE_UNREADABLE);
        paged_unpause(d);
        log_message(LOG_NOTICE, LOG_DOMAIN(d->domid, d->name, "page-in-recovered"),
                    "the page could be read after all: %s goes on", d->name);
    }
}

static void every_second(struct pager *p)
{
    struct host *host = (struct host *)p;
    uint64_t left = 0;

    for ( struct paged *d = p->first; d; d = d->next )
    {
        paged_refresh(d, 0);
        if ( d->failed )
            retry_failed(d);
        pageout_sample(d);
        /* Memory that a guest got since (ballooning, a device's) is looked for when the sums do not match. */
        if ( d->scan == d->frame_limit && d->info.pages > FRAMES_UNSOUGHT +
             pages_count(d->pages, PAGE_RESIDENT) + pages_count(d->pages, PAGE_NOMINATED) )
            d->scan = d->scan_found = 0;
        if ( d->phase == PAGED_LEAVING )
            hold_say_left(d);
        left += paged_left(d);
    }
    if ( p->stopping )
    {
        readiness_status("Stopping: %" PRIu64 " pages still have to be brought in", left);
        if ( left < host->stop_left )
            readiness_extend(STOP_EXTEND_US);
        if ( left < host->stop_left )
            host->stop_left = left;
    }
    else
        readiness_status("%s", p->first ? "Paging" : "No domain has a target");
    status_write(p);
    pager_metrics_write(p);
    log_flush();
}

void rounds_on_housekeeping(evutil_socket_t fd, short what, void *arg)
{
    struct pager *p = arg;

    (void)fd;
    (void)what;
    rounds_read_clock(p);
    if ( p->memory_short && p->now - p->memory_short_at > 1000 )
        p->memory_short = false;
    for ( struct paged *d = p->first; d; d = d->next )
    {
        if ( d->stuck )
            log_message(LOG_WARNING, LOG_DOMAIN(d->domid, d->name, "host-memory-short"),
                        "the host has no free memory for a page that %s waits for: other pages are evicted, and it is "
                        "tried again; free memory ('xl info', 'xl mem-set') or lower targets", d->name);
        if ( d->stuck || d->waiting_count )
            pagein_retry(d);
        paged_refresh(d, HOUSEKEEPING_MS);
        if ( d->info.is_suspended != d->was_suspended )
        {
            d->was_suspended = d->info.is_suspended;
            domains_consider(p, d->domid);
        }
    }
    if ( p->now - p->last_second >= 1000 )
    {
        p->last_second = p->now;
        every_second(p);
        if ( domains_are_left(p) && !p->stopping )
            domains_attach_left(p);
        else if ( !p->first && !p->oom_waits )
            rounds_keep_house(p, false);
    }
}

void rounds_on_store(evutil_socket_t fd, short what, void *arg)
{
    struct pager *p = arg;

    /* The work is done before the next sleep. */
    (void)fd;
    (void)what;
    p->store_woken = true;
}
