/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One OOM channel for each domain of the host, whether it is paged or not: any of them can share pages.  No guest sees
 * an error: who waits goes on when memory was found, and otherwise tries again and waits again, for as long as it
 * takes.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <daemon/log.h>

#include "oom.h"
#include "paged.h"

/* Who waits in one domain: its vCPUs and one RESCAN; more stay on the channel until some are answered. */
#define OOM_WAITING_MAX 64U

/*
 * That nothing can be freed is said when it has been so for a while, as a page that is to go is watched for a moment
 * before, and at most this often.
 */
#define OOM_SHORT_MS 1000U
#define OOM_SAY_MS   10000U

struct oom_waiting {
    uint64_t id;
    uint32_t since;
    uint64_t paged_out;           /* pages that had been evicted on the host by then */
};

struct oom {
    struct oom *next;
    uint16_t domid;
    struct memevent_channel *channel;
    struct event *readable;
    bool armed, broken;
    struct oom_waiting waiting[OOM_WAITING_MAX];
    unsigned int count;
};

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct oom *oom = arg;

    (void)fd;
    (void)what;
    oom->armed = false;
}

static void close_one(struct oom *oom)
{
    if ( oom->readable )
        event_free(oom->readable);
    /* Ends it if nobody waits; who does is the next pager's. */
    memevent_detach(oom->channel);
    free(oom);
}

void oom_add(struct pager *p, uint16_t domid)
{
    struct oom *oom;
    const char *why;
    int rc;

    for ( oom = p->oom; oom; oom = oom->next )
        if ( oom->domid == domid )
            return;
    if ( p->oom_missing )
        return;
    oom = calloc(1, sizeof(*oom));
    if ( !oom )
        return;
    oom->domid = domid;
    rc = memevent_attach(p->hv, MEMEVENT_CLASS_OOM, domid, &oom->channel, &why);
    if ( !rc )
        rc = loop_watch(p->loop, memevent_fd(oom->channel), on_readable, oom, &oom->readable);
    if ( rc )
    {
        /* A stock hypervisor has no such events; a PV guest shares nothing; another pager listens already. */
        p->oom_missing |= rc == -ENOSYS;
        if ( rc != -ENOSYS && rc != -ENODEV && rc != -EBUSY && rc != -ESRCH )
            log_message(LOG_WARNING, LOG_DOMAIN(domid, NULL, "oom-deaf"),
                        "domain %u cannot be listened to (%s): it is not helped if the host has no memory for its "
                        "shared pages", domid, why ? why : strerror(-rc));
        close_one(oom);
        return;
    }
    oom->next = p->oom;
    p->oom = oom;
}

void oom_remove(struct pager *p, uint16_t domid)
{
    struct oom **link = &p->oom;

    while ( *link && (*link)->domid != domid )
        link = &(*link)->next;
    if ( *link )
    {
        struct oom *oom = *link;

        *link = oom->next;
        close_one(oom);
    }
}

void oom_close(struct pager *p)
{
    while ( p->oom )
        oom_remove(p, p->oom->domid);
}

static uint64_t paged_out(const struct pager *p)
{
    uint64_t pages = p->paged_out_gone;

    for ( const struct paged *d = p->first; d; d = d->next )
        pages += d->statistics.paged_out;
    return pages;
}

static void take(struct pager *p, struct oom *oom)
{
    struct memevent_event event;
    int rc = 0;

    while ( oom->count < OOM_WAITING_MAX && (rc = memevent_next(oom->channel, &event)) == 1 )
    {
        p->oom_statistics.events++;
        oom->waiting[oom->count++] = (struct oom_waiting){
            .id = event.id, .since = p->now, .paged_out = paged_out(p),
        };
    }
    if ( rc < 0 && !oom->broken )
    {
        oom->broken = true;
        log_message(LOG_CRIT, LOG_DOMAIN(oom->domid, NULL, "oom-broken"),
                    "the channel of domain %u for a lack of memory makes no sense (%s): what waits there goes on when "
                    "the pager is started anew; report this with the output of 'xl dmesg'", oom->domid, strerror(-rc));
    }
}

static void say_unresolved(struct pager *p, uint16_t domid)
{
    if ( !p->oom_short )
        p->oom_short_since = p->now;
    p->oom_short = true;
    p->oom_short_at = p->now;
    if ( p->now - p->oom_short_since < OOM_SHORT_MS )
        return;
    p->oom_statistics.unresolved = true;
    if ( p->oom_said && p->now - p->oom_said_at < OOM_SAY_MS )
        return;
    p->oom_said = true;
    p->oom_said_at = p->now;
    log_message(LOG_CRIT, LOG_DOMAIN(domid, NULL, "oom-unresolved"),
                "the host has no memory for a page that domain %u writes to, and no page of a paged domain can be "
                "evicted: its vCPU waits, and it is tried again. Free memory ('xl info', 'xl mem-set'), make room for "
                "pages%s, or set targets for more domains (memory/target-tot_pages)", domid,
                p->store_full ? " (the store is full)" : "");
}

/* Answers whom memory was found for, and whose time is up. */
static void answer(struct pager *p, struct oom *oom)
{
    uint64_t now_out = paged_out(p);
    unsigned int before = oom->count;

    for ( unsigned int i = 0; i < oom->count; )
    {
        const struct oom_waiting *waiting = &oom->waiting[i];
        bool found = now_out != waiting->paged_out;

        if ( !found && p->now - waiting->since < OOM_ANSWER_MS )
        {
            i++;
            continue;
        }
        if ( found )
        {
            p->oom_statistics.answered_with++;
            p->oom_statistics.unresolved = p->oom_short = false;
        }
        else
        {
            p->oom_statistics.answered_without++;
            say_unresolved(p, oom->domid);
        }
        memevent_answer(oom->channel, waiting->id);
        oom->waiting[i] = oom->waiting[--oom->count];
    }
    if ( oom->count != before )
        memevent_flush(oom->channel);
}

bool oom_serve(struct pager *p)
{
    bool waits = false;

    for ( struct oom *oom = p->oom; oom; oom = oom->next )
    {
        if ( !oom->broken && memevent_peek(oom->channel) )
            take(p, oom);
        if ( oom->count )
            answer(p, oom);
        waits |= oom->count > 0;
    }
    if ( waits )
    {
        /* As for a page-in that finds none: pageout.c evicts from every paged domain. */
        p->memory_short = true;
        p->memory_short_at = p->now;
    }
    return waits;
}

bool oom_arm(struct pager *p)
{
    for ( struct oom *oom = p->oom; oom; oom = oom->next )
    {
        if ( oom->armed || oom->broken || oom->count == OOM_WAITING_MAX )
            continue;
        if ( memevent_arm(oom->channel) != 0 )
            return false;
        oom->armed = true;
    }
    return true;
}

void oom_get_statistics(const struct pager *p, struct oom_statistics *out)
{
    *out = p->oom_statistics;
    out->domains = out->waiting = 0;
    /* Who has tried again without memory has come back by then. */
    out->unresolved &= p->now - p->oom_short_at < OOM_SHORT_MS;
    for ( const struct oom *oom = p->oom; oom; oom = oom->next )
    {
        out->domains++;
        out->waiting += oom->count;
    }
}
