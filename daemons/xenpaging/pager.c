/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The pager of a host: which domains are to be paged, the rounds of work between sleeps, start and stop.
 * What is done with one domain is in paged.c, pagein.c and pageout.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include <daemon/log.h>
#include <daemon/privilege.h>
#include <daemon/readiness.h>

#include "hold.h"
#include "paged.h"
#include "pager.h"
#include "resume.h"
#include "target.h"

#define HOUSEKEEPING_MS   100U

/* A stop that brings pages in may take so much longer, each time that some came. */
#define STOP_EXTEND_US    (120U * 1000000)

/* Polling before sleep starts here when it last paid, doubles up to the limit, and halves to nothing. */
#define POLL_LEAST_NS     10000U

/* Looks at the channels between two at the clock, which is a system call where the kernel trusts no cheap one. */
#define POLL_LOOKS        32U

/* Rounds of work before the loop looks at descriptors and timers again, so that watches and signals get their turn. */
#define ROUND_MS          5U

/* A page that cannot be read holds up a stop for so long; then the domain is left, paused. */
#define GIVE_UP_MS        5000U

/* Domain numbers below this are ordinary ones. */
#define DOMIDS            0x7ff0U

/* What is known of each domain number besides what is paged. */
struct host {
    struct pager pager;           /* first: callbacks get a struct pager */
    uint8_t watched[DOMIDS / 8];
    uint8_t refused[DOMIDS / 8];
    uint8_t left[DOMIDS / 8];     /* by an earlier pager, and it was said that they cannot be attached to yet */
    uint32_t leaving_since;
    uint64_t stop_left;           /* the fewest pages that a stop had still to bring in */
};

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

static void read_clock(struct pager *p)
{
    p->now = latency_clock() / 1000000;
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
static uint64_t read_target(struct pager *p, uint16_t domid, uint64_t before)
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

/* A host without paged domains sleeps until xenstore says something. */
static void keep_house(struct pager *p, bool on)
{
    static const struct timeval period = { .tv_usec = HOUSEKEEPING_MS * 1000 };

    if ( on )
        event_add(p->housekeeping, &period);
    else
        event_del(p->housekeeping);
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
    keep_house(p, true);
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
static void consider(struct pager *p, uint16_t domid)
{
    struct host *host = (struct host *)p;
    struct paged *d = find(p, domid);
    bool held = hold_is_wanted(p, domid);
    uint64_t target = read_target(p, domid, d ? d->target : TARGET_NONE);
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
        adopt(p, d, read_target(p, domid, TARGET_NONE));
        consider(p, domid);
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

static bool is_left(const struct pager *p)
{
    uint8_t uuid[STORE_IDENTITY_SIZE];
    uint16_t domid = 0;

    return store_domain_left(p->store, &domid, uuid);
}

static void attach_all_left(struct pager *p)
{
    uint8_t uuid[STORE_IDENTITY_SIZE];

    for ( uint16_t domid = 0; store_domain_left(p->store, &domid, uuid); domid++ )
        attach_left(p, domid);
    if ( is_left(p) )
        keep_house(p, true);
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

static void look_at_domains(struct pager *p)
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
            consider(p, domid);
    for ( struct paged *d = p->first; d; d = d->next )
        paged_refresh(d, 0);
}

static void on_watch(evutil_socket_t fd, short what, void *arg)
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
            look_at_domains(p);
        else if ( !strcmp(token, "hold") )
        {
            int wanted = hold_of_path(path);

            if ( wanted > 0 && wanted < (int)DOMIDS && (!p->single || (uint32_t)wanted == p->settings->domid) )
                consider(p, wanted);
        }
        else if ( domid && domid < DOMIDS && bit_get(host->watched, domid) )
        {
            if ( strstr(path, TARGET_KEY) )
                bit_set(host->refused, domid, false);
            consider(p, domid);
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
static void settle(struct paged *d)
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

/* ---- the rounds ---- */

/* Who waits is answered in time by the housekeeper's clock, if nobody else keeps us awake. */
static void serve_oom(struct pager *p)
{
    bool waits = oom_serve(p);

    if ( waits && !p->oom_waits && !p->first )
        keep_house(p, true);
    p->oom_waits = waits;
}

static bool work_round(struct pager *p)
{
    bool more = false;

    read_clock(p);
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
        settle(d);
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

static bool before_sleep(void *arg)
{
    struct pager *p = arg;
    uint32_t from;

    read_clock(p);
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
    log_flush();
}

static void on_housekeeping(evutil_socket_t fd, short what, void *arg)
{
    struct pager *p = arg;

    (void)fd;
    (void)what;
    read_clock(p);
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
            consider(p, d->domid);
        }
    }
    if ( p->now - p->last_second >= 1000 )
    {
        p->last_second = p->now;
        every_second(p);
        if ( is_left(p) && !p->stopping )
            attach_all_left(p);
        else if ( !p->first && !p->oom_waits )
            keep_house(p, false);
    }
}

static void on_watchdog(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
    readiness_alive();
}

static void on_store(evutil_socket_t fd, short what, void *arg)
{
    struct pager *p = arg;

    /* The work is done before the next sleep. */
    (void)fd;
    (void)what;
    p->store_woken = true;
}

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
    read_clock(p);
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

static int take_lock(struct pager *p)
{
    char path[4200];

    if ( mkdir(p->settings->run_directory, 0755) && errno != EEXIST )
        return -errno;
    snprintf(path, sizeof(path), "%s/xenpaging.lock", p->settings->run_directory);
    p->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if ( p->lock_fd < 0 )
        return -errno;
    return flock(p->lock_fd, LOCK_EX | LOCK_NB) ? -errno : 0;
}

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
    rc = state_open(&p->state, s, state_directory(p, buffer, sizeof(buffer)), &p->store, &p->stage, what);
    if ( rc )
        snprintf(p->state_what, sizeof(p->state_what), "%s", *what);
    *what = p->state_what;
    return rc;
}

/* After an error nothing was logged before: says it, and returns the exit status. */
static int refuse(int status, const char *what, const char *then, int error)
{
    log_message(LOG_ERR, LOG_HOST("start-failed"), "%s: %s; %s", what, strerror(-error), then);
    return status;
}

static int start(struct pager *p)
{
    struct hypervisor_info info;
    uint64_t period = readiness_watchdog_period();
    const char *what;
    int rc;

    rc = take_lock(p);
    if ( rc == -EWOULDBLOCK && !p->single )
        return refuse(EX_UNAVAILABLE, "another xenpaging serves this host", "stop it first ('systemctl stop xenpaging')", rc);
    if ( rc && rc != -EWOULDBLOCK )
        return refuse(EX_CANTCREAT, p->settings->run_directory, "run as root, or set run-directory", rc);

    rc = memevent_open_host(NULL, &p->hv);
    if ( rc )
        return refuse(EX_UNAVAILABLE, "no connection to Xen",
                      "run as root in dom0, with xenstored started and the modules xen-privcmd, xen-evtchn and xenfs loaded",
                      rc);
    rc = p->hv->ops->probe(p->hv, &info);
    if ( rc )
        return refuse(EX_UNAVAILABLE, "Xen does not answer", "see 'xl dmesg'", rc);
    p->has_channel = info.has_channels;
    if ( !info.has_paging )
    {
        log_message(LOG_ERR, LOG_HOST("start-failed"), "Xen %s: %s", info.version, info.paging_missing);
        return EX_UNAVAILABLE;
    }
    rc = open_state(p, &what);
    if ( rc == -EWOULDBLOCK )
        return refuse(EX_UNAVAILABLE, what, "another xenpaging uses it: stop that first", rc);
    if ( rc == -EPERM )
        return refuse(EX_CANTCREAT, what, "it, or a file in it, is not root's alone: look who made it, and remove it", rc);
    if ( rc == -EMEDIUMTYPE )
        return refuse(EX_CANTCREAT, what, "it has to be on a tmpfs: set state-directory", rc);
    if ( rc )
        return refuse(EX_CANTCREAT, what, "choose another spill-directory, or spill-limit=0 for none", rc);
    rc = pagein_open(p);
    if ( !rc )
        rc = p->hv->ops->lock_buffer(p->hv, store_stage_pages(p->stage), STORE_STAGE_PAGES);
    if ( rc )
        return refuse(EX_OSERR, "buffers for pages", "free memory in dom0, or raise the limit on locked memory", rc);
    rc = resume_stage(p);
    if ( rc )
        return refuse(EX_TEMPFAIL, "pages that an earlier pager was about to store", "free memory in dom0; it is tried again",
                      rc);

    /* Descriptors to Xen are open, and carry the rights: no capability is needed any more. */
    rc = privilege_drop(NULL, 0, PRIVILEGE_HOLDS_GUEST_MEMORY);
    if ( rc )
        return refuse(EX_NOPERM, "giving up rights", "this kernel or container forbids it", rc);

    rc = loop_open(&p->loop);
    if ( !rc )
        rc = loop_on_signal(p->loop, SIGTERM, on_stop, p);
    if ( !rc )
        rc = loop_on_signal(p->loop, SIGINT, on_stop, p);
    if ( !rc )
        rc = loop_on_signal(p->loop, SIGQUIT, on_stop, p);
    if ( !rc )
        rc = loop_on_signal(p->loop, SIGHUP, on_hangup, p);
    if ( !rc )
        rc = loop_every(p->loop, HOUSEKEEPING_MS, on_housekeeping, p, &p->housekeeping);
    if ( !rc && period )
        rc = loop_every(p->loop, period / 1000, on_watchdog, p, &p->watchdog);
    if ( !rc )
        rc = loop_watch(p->loop, store_fd(p->store), on_store, p, &p->store_readable);
    if ( !rc )
        rc = p->hv->ops->add_watch(p->hv, "@introduceDomain", "domains");
    if ( !rc )
        rc = p->hv->ops->add_watch(p->hv, "@releaseDomain", "domains");
    if ( !rc )
        rc = p->hv->ops->add_watch(p->hv, HOLD_KEYS, "hold");
    if ( !rc )
        rc = loop_watch(p->loop, p->hv->ops->watch_fd(p->hv), on_watch, p, &p->watches);
    if ( rc )
        return refuse(EX_OSERR, "the event loop and xenstore's watches", "see whether xenstored runs", rc);
    loop_before_sleep(p->loop, before_sleep, p);
    log_message(LOG_INFO, LOG_HOST("started"), "Xen %s", info.version);
    attach_all_left(p);
    return EX_OK;
}

static int start_single(struct pager *p, uint16_t domid)
{
    struct domain_info info;
    int rc = p->hv->ops->get_domain(p->hv, domid, &info);

    if ( rc )
        return refuse(EX_NOINPUT, "the named domain", "see 'xl list' for the numbers there are", rc);
    look_at_domains(p);
    if ( read_target(p, domid, TARGET_NONE) == TARGET_NONE )
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

int pager_run(const struct settings *settings, uint16_t domid)
{
    struct host *host = calloc(1, sizeof(*host));
    struct pager *p = &host->pager;
    int status;

    if ( !host )
        return EX_OSERR;
    p->settings = settings;
    p->single = domid != 0;
    p->lock_fd = -1;
    p->state.directory = p->state.spill_directory = p->state.index = -1;
    if ( p->single )
        snprintf(p->status_name, sizeof(p->status_name), "xenpaging-%u", domid);
    else
        snprintf(p->status_name, sizeof(p->status_name), "xenpaging");
    p->poll_ns = POLL_LEAST_NS;
    read_clock(p);
    status = start(p);
    if ( status == EX_OK && p->single )
        status = start_single(p, domid);
    if ( status == EX_OK )
    {
        readiness_ready("%s", "Ready");
        if ( loop_run(p->loop) )
            p->exit_status = EX_SOFTWARE;
        status = p->exit_status;
        if ( !p->first && status == EX_OK )
            status_remove(p);
        if ( !p->first && !is_left(p) )
            state_remove(&p->state);
    }
    stop(p);
    free(host);
    return status;
}
