/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which of a host's domains are paged: what xenstore wants of each, what an earlier pager left, domains that come and go.
 * What is done with one of them is in paged.c, pagein.c and pageout.c.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <daemon/log.h>

#include "domains.h"
#include "hold.h"
#include "resume.h"
#include "rounds.h"

/* A page that cannot be read holds up a stop for so long; then the domain is left, paused. */
#define GIVE_UP_MS        5000U

static bool bit_get(const uint8_t *bits, uint16_t n)
{
    return bits[n / 8] & (1U << (n % 8));
}

static void bit_set(uint8_t *bits, uint16_t n, bool value)
{
    if ( value )
        bits[n / 8] |= 1U << (n % 8);
    else
        bits[n / 8] &= ~(1U << (n % 8));
}

static struct paged *find(struct pager *p, uint16_t domid)
{
    struct paged *d = p->first;

    while ( d && d->domid != domid )
        d = d->next;
    return d;
}

/* ---- what is wanted of a domain ---- */

/* The guest was asked to suspend: it is about to be saved or to migrate. */
static bool is_suspending(struct pager *p, uint16_t domid)
{
    char path[64], value[16];

    snprintf(path, sizeof(path), "/local/domain/%u/control/shutdown", domid);
    return p->hv->ops->read_key(p->hv, path, value, sizeof(value)) >= 0 && !strcmp(value, "suspend");
}

/* The target in pages, or TARGET_NONE.  A value that is no number leaves things as they are. */
uint64_t domains_target(struct pager *p, uint16_t domid, uint64_t before)
{
    char path[64], value[TARGET_TEXT_MAX + 1];
    uint64_t target;
    int length, rc;

    snprintf(path, sizeof(path), "/local/domain/%u/" TARGET_KEY, domid);
    length = p->hv->ops->read_key(p->hv, path, value, sizeof(value));
    if ( length < 0 )
        return TARGET_NONE;
    rc = (unsigned int)length > TARGET_TEXT_MAX ? -ERANGE : target_parse(value, length, &target);
    if ( !rc )
        return target;
    log_message(LOG_ERR, LOG_DOMAIN(domid, NULL, "target-invalid"),
                "%s holds '%s', which is %s: write the target in KiB there, or 0 for everything in; "
                "until then nothing changes for this domain",
                path, value, rc == -ERANGE ? "larger than a domain can be" : "not a number");
    return before;
}

/* Pages that are out while nobody has their bytes: an earlier pager's, whose state is damaged or was not kept. */
static void say_missing(struct paged *d)
{
    uint64_t stored = store_count(d->store);

    paged_refresh(d, 0);
    if ( d->info.pages_paged <= stored )
        return;
    d->missing = d->info.pages_paged - stored;
    hold_say_lost(d);
    log_message(LOG_CRIT, LOG_DOMAIN(d->domid, d->name, "pages-lost"),
                "%" PRIu64 " pages of %s are out, and their bytes are nowhere: when it needs one of them it is paused, and an "
                "image of it would be wrong; 'xl destroy %u' and start it anew", d->missing, d->name, d->domid);
}

static void adopt(struct pager *p, struct paged *d, uint64_t target)
{
    d->target = target;
    d->next = p->first;
    p->first = d;
    rounds_keep_house(p, true);
    hold_say_paged(p, d->domid);
    say_missing(d);
}

static void attach(struct pager *p, uint16_t domid, uint64_t target)
{
    struct host *host = (struct host *)p;
    /* By another pager, which may be dead: Xen knows, and then refuses; what is said stays as it is. */
    bool others = hold_says_paged(p, domid);
    struct paged *d;
    const char *why;
    int rc;

    if ( !others )
        hold_say_paged(p, domid);
    if ( hold_is_wanted(p, domid) )
    {
        if ( !others )
            hold_say_in(p, domid);
        return;
    }
    rc = paged_open(p, domid, &d, &why);
    if ( rc )
    {
        if ( !others )
            hold_forget(p, domid);
        bit_set(host->refused, domid, true);
        log_message(LOG_ERR, LOG_DOMAIN(domid, NULL, "attach-refused"),
                    "domain %u cannot be paged: %s", domid, why ? why : strerror(-rc));
        if ( p->single )
        {
            p->exit_status = EX_UNAVAILABLE;
            loop_stop(p->loop);
        }
        return;
    }
    adopt(p, d, target);
    log_message(LOG_INFO, LOG_DOMAIN(domid, d->name, "attached"),
                "paging %s towards %" PRIu64 " KiB of %" PRIu64 " KiB, over a %s", d->name, target * 4,
                d->info.pages * 4, memevent_get_transport(d->channel));
}

/* Looks at what is wanted of the domain and sets it in motion. */
void domains_consider(struct pager *p, uint16_t domid)
{
    struct host *host = (struct host *)p;
    struct paged *d = find(p, domid);
    bool held = hold_is_wanted(p, domid);
    uint64_t target = domains_target(p, domid, d ? d->target : TARGET_NONE);
    bool suspending = d && (d->info.is_suspended || is_suspending(p, domid));
    struct domain_info info;

    if ( p->stopping )
        return;
    if ( !d && store_domain_get(p->store, domid) )
        return;                   /* attach_left() is at it */
    if ( !d )
    {
        if ( held )
        {
            if ( !hold_says_paged(p, domid) )
                hold_say_in(p, domid);
        }
        else if ( target != TARGET_NONE && !bit_get(host->refused, domid) &&
                  !p->hv->ops->get_domain(p->hv, domid, &info) && !info.is_suspended && !is_suspending(p, domid) )
            attach(p, domid, target);
        return;
    }
    if ( suspending && !held && paged_left(d) && d->phase == PAGED_RUNNING )
        log_message(LOG_CRIT, LOG_DOMAIN(domid, d->name, "suspend-unprepared"),
                    "%s is suspended or was asked to while %" PRIu64 " of its pages are out; if this is a save or a migration, its "
                    "image may lack them: stop it, 'xl unpause' or resume the domain, and use xenpaging-hold(8) around "
                    "the command", d->name, store_count(d->store));
    if ( d->target != target && target != TARGET_NONE && !held )
        log_message(LOG_INFO, LOG_DOMAIN(domid, d->name, "target"), "new target %" PRIu64 " KiB", target * 4);
    d->target = target;
    d->quiet_rounds = 0;
    if ( d->phase != PAGED_GONE )
        d->phase = held || suspending || target == TARGET_NONE ? PAGED_LEAVING : PAGED_RUNNING;
    p->store_full_at = p->now - UINT32_MAX / 2;
}

/* ---- what an earlier pager left ---- */

/* Attaches again where that pager was killed.  Until it succeeds the domain's pages are kept, and it is tried again. */
static void attach_left(struct pager *p, uint16_t domid)
{
    struct host *host = (struct host *)p;
    struct paged *d;
    const char *why;
    int rc = paged_open(p, domid, &d, &why);

    if ( !rc )
    {
        adopt(p, d, domains_target(p, domid, TARGET_NONE));
        domains_consider(p, domid);
        return;
    }
    if ( rc == -ESRCH )
    {
        log_message(LOG_INFO, LOG_DOMAIN(domid, NULL, "domain-gone"),
                    "domain %u went while no pager ran: what was stored of it is forgotten", domid);
        store_domain_drop(p->store, domid);
        return;
    }
    if ( rc != -EBUSY || p->has_channel )
    {
        if ( !bit_get(host->left, domid) )
            log_message(LOG_ERR, LOG_DOMAIN(domid, NULL, "attach-failed"),
                        "an earlier pager of domain %u was killed, and it cannot be gone on with now: %s. It is tried again "
                        "every second, and what touches a page that is out waits", domid, why ? why : strerror(-rc));
        bit_set(host->left, domid, true);
        return;
    }
    /* Upstream's ring ends with its consumer: the pages are of no use to anybody. */
    log_message(LOG_ERR, LOG_DOMAIN(domid, NULL, "attach-refused"),
                "domain %u cannot be paged: %s", domid, why ? why : strerror(-rc));
    bit_set(host->refused, domid, true);
    store_domain_drop(p->store, domid);
}

bool domains_are_left(const struct pager *p)
{
    uint8_t uuid[STORE_IDENTITY_SIZE];
    uint16_t domid = 0;

    return store_domain_left(p->store, &domid, uuid);
}

void domains_attach_left(struct pager *p)
{
    uint8_t uuid[STORE_IDENTITY_SIZE];

    for ( uint16_t domid = 0; store_domain_left(p->store, &domid, uuid); domid++ )
        attach_left(p, domid);
    if ( domains_are_left(p) )
        rounds_keep_house(p, true);
}

/* ---- domains that come and go ---- */

static void watch_domain(struct pager *p, uint16_t domid, bool add)
{
    static const char *const keys[] = { TARGET_KEY, "control/shutdown" };
    struct host *host = (struct host *)p;
    char path[64], token[8];

    if ( bit_get(host->watched, domid) == add )
        return;
    bit_set(host->watched, domid, add);
    bit_set(host->refused, domid, false);
    snprintf(token, sizeof(token), "%u", domid);
    for ( unsigned int i = 0; i < sizeof(keys) / sizeof(keys[0]); i++ )
    {
        snprintf(path, sizeof(path), "/local/domain/%u/%s", domid, keys[i]);
        if ( add )
            p->hv->ops->add_watch(p->hv, path, token);
        else
            p->hv->ops->remove_watch(p->hv, path, token);
    }
}

void domains_look(struct pager *p)
{
    enum { AT_ONCE = 64 };
    static struct domain_info info[AT_ONCE];
    struct host *host = (struct host *)p;
    uint8_t seen[DOMIDS / 8] = { 0 };
    uint32_t first = 1;           /* dom0 is not paged */
    int count;

    while ( first < DOMIDS && (count = p->hv->ops->list_domains(p->hv, first, info, AT_ONCE)) > 0 )
    {
        for ( int i = 0; i < count; i++ )
            if ( info[i].domid < DOMIDS && !info[i].is_dying )
                bit_set(seen, info[i].domid, true);
        first = info[count - 1].domid + 1;
    }
    for ( uint32_t domid = 1; domid < DOMIDS; domid++ )
    {
        if ( bit_get(seen, domid) == bit_get(host->watched, domid) || (p->single && domid != p->settings->domid) )
            continue;
        watch_domain(p, domid, bit_get(seen, domid));
        if ( bit_get(seen, domid) )
            oom_add(p, domid);
        if ( !bit_get(seen, domid) )
        {
            hold_remove(p, domid);
            oom_remove(p, domid);
            if ( p->single && !p->first )
                loop_stop(p->loop);
        }
    }
    /* What was let go while it was suspended is taken up again when it goes on. */
    for ( uint32_t domid = 1; domid < DOMIDS; domid++ )
        if ( bit_get(host->watched, domid) && !find(p, domid) )
            domains_consider(p, domid);
    for ( struct paged *d = p->first; d; d = d->next )
        paged_refresh(d, 0);
}

void domains_on_watch(evutil_socket_t fd, short what, void *arg)
{
    struct pager *p = arg;
    struct host *host = arg;
    char path[128], token[16];

    (void)fd;
    (void)what;
    while ( p->hv->ops->next_watch(p->hv, path, sizeof(path), token, sizeof(token)) == 1 )
    {
        unsigned long domid = strtoul(token, NULL, 10);

        if ( !strcmp(token, "domains") )
            domains_look(p);
        else if ( !strcmp(token, "hold") )
        {
            int wanted = hold_of_path(path);

            if ( wanted > 0 && wanted < (int)DOMIDS && (!p->single || (uint32_t)wanted == p->settings->domid) )
                domains_consider(p, wanted);
        }
        else if ( domid && domid < DOMIDS && bit_get(host->watched, domid) )
        {
            if ( strstr(path, TARGET_KEY) )
                bit_set(host->refused, domid, false);
            domains_consider(p, domid);
        }
    }
}

static void unlink_paged(struct paged *d)
{
    struct paged **link = &d->pager->first;

    while ( *link != d )
        link = &(*link)->next;
    *link = d->next;
}

/* Takes leave of a domain if it is time to. */
void domains_settle(struct paged *d)
{
    struct pager *p = d->pager;
    struct host *host = (struct host *)p;
    uint16_t domid = d->domid;
    bool give_up = p->stopping && d->failed && p->now - host->leaving_since >= GIVE_UP_MS &&
                   p->now - d->last_brought >= GIVE_UP_MS;
    bool gone;

    if ( d->phase == PAGED_GONE )
        log_message(LOG_INFO, LOG_DOMAIN(domid, d->name, "domain-gone"), "%s is gone", d->name);
    else if ( d->phase == PAGED_LEAVING && !paged_left(d) && !d->failed )
    {
        if ( !paged_leave(d) )
            return;
        log_message(LOG_INFO, LOG_DOMAIN(domid, d->name, "detached"), "%s has all its memory; no longer paged", d->name);
    }
    else if ( give_up )
    {
        log_message(LOG_CRIT, LOG_DOMAIN(domid, d->name, "left-incomplete"),
                    "stopped with %" PRIu64 " pages of %s that cannot be given back: it stays paused and must not be "
                    "unpaused; 'xl destroy %u' and start it anew", paged_left(d), d->name, domid);
        p->exit_status = EX_IOERR;
    }
    else
        return;
    gone = d->phase == PAGED_GONE;
    unlink_paged(d);
    paged_close(d);
    /* Only now may a save begin.  After giving up it stays "paged", by a pager that is dead: nobody may save it. */
    if ( gone )
        hold_forget(p, domid);
    else if ( !give_up )
        hold_say_in(p, domid);
    /* The pager of one domain waits for its next target, and ends with the domain. */
    if ( p->stopping ? !p->first : p->single && gone )
        loop_stop(p->loop);
}
