/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Scans of a domain's pages: their octets are frozen, taken, and judged; then policy is asked, the frame gets its state,
 * and who waits goes on or is denied.
 *
 * Octets are taken after the frame was made read-only, so that what is judged is what will be executed: whoever writes
 * meanwhile is heard of first (scans_disturb()).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <daemon/log.h>

#include "broker-private.h"

/* Fresh scans whose frames are mapped together: as many as events are taken at once. */
#define FRESH_MAX        64U

/* A scanner that dies over a page gets it so often; then it is another's turn to say that nobody can judge it. */
#define TRIES_MAX        3U

/* A scan for which there was no room is offered again after this. */
#define RETRY_NS         UINT64_C(2000000)

/* A page that flips too often is left alone for so long, and looked at each second. */
#define VOLATILE_SECONDS 5U

/* Scans of a domain for which nobody waits, at a time: they are not worth more memory. */
#define OVER_MAX         128U

/* Findings of one domain in a second: a guest that tries again and again must not fill the disk. */
#define FINDINGS_A_SECOND 20U

struct scan *scans_find(struct guard *g, uint64_t gfn)
{
    struct scan *scan = g->scans;

    while ( scan && (scan->gfn != gfn || scan->is_over) )
        scan = scan->next;
    return scan;
}

static struct scan *make(struct guard *g, uint64_t gfn)
{
    struct scan *scan = calloc(1, sizeof(*scan));

    if ( !scan )
        return NULL;
    scan->id = ++g->broker->last_scan;
    scan->gfn = gfn;
    scan->is_fresh = true;
    scan->began = now_ns();
    scan->deadline = scan->began + g->broker->settings->deadline * (SECOND_NS / 1000);
    scan->next = g->scans;
    g->scans = scan;
    return scan;
}

static void drop(struct guard *g, struct scan *scan)
{
    struct scan **link = &g->scans;

    while ( *link != scan )
        link = &(*link)->next;
    *link = scan->next;
    free(scan->page);
    free(scan->waiters);
    free(scan);
}

struct scan *scans_begin(struct guard *g, uint64_t gfn)
{
    struct scan *scan = make(g, gfn);

    if ( scan && pages_set(g->pages, gfn, PAGE_SCANNING) )
    {
        drop(g, scan);
        return NULL;
    }
    return scan;
}

int scans_wait(struct scan *scan, const struct waiter *waiter)
{
    if ( scan->waiters_count == scan->waiters_room )
    {
        unsigned int room = scan->waiters_room ? 2 * scan->waiters_room : 1;
        struct waiter *waiters = reallocarray(scan->waiters, room, sizeof(*waiters));

        if ( !waiters )
            return -ENOMEM;
        scan->waiters = waiters;
        scan->waiters_room = room;
    }
    scan->waiters[scan->waiters_count++] = *waiter;
    return 0;
}

/* ---- ends ---- */

/* Who waits goes on; the frame's state is what it may do. */
static void let_go(struct guard *g, struct scan *scan)
{
    uint64_t waited = now_ns() - scan->began;

    for ( unsigned int i = 0; i < scan->waiters_count; i++ )
    {
        guard_answer(g, scan->waiters[i].id, scan->waiters[i].steps ? MEMEVENT_ACTION_EMULATE : 0);
        g->statistics.stepped += scan->waiters[i].steps;
        g->statistics.waited_ns += waited;
    }
    if ( scan->waiters_count && waited > g->statistics.waited_most_ns )
        g->statistics.waited_most_ns = waited;
    scan->waiters_count = 0;
    scan->is_over = true;
}

static bool somebody_steps(const struct scan *scan)
{
    for ( unsigned int i = 0; i < scan->waiters_count; i++ )
        if ( scan->waiters[i].steps )
            return true;
    return false;
}

static void make_volatile(struct guard *g, uint64_t gfn)
{
    if ( pages_set(g->pages, gfn, PAGE_VOLATILE) )
        return;
    g->statistics.volatile_pages++;
    g->volatiles[g->volatiles_count] = gfn;
    g->volatile_since[g->volatiles_count++] = now_ns() / SECOND_NS;
    log_message(LOG_INFO, LOG_DOMAIN(g->domid, g->name, "volatile"),
                "%s: page %#llx is written and executed in turn more than %u times a second; for %u s it is looked at once a "
                "second only", g->name, (unsigned long long)gfn, g->broker->settings->flips, VOLATILE_SECONDS);
}

/*
 * The frame may be executed. An instruction that is emulated writes past the access: it must not find a frame that
 * counts as judged.
 */
static void allow(struct guard *g, struct scan *scan)
{
    if ( scan->flips && g->volatiles_count < GUARD_VOLATILE_MAX )
        make_volatile(g, scan->gfn);
    else
        (void)pages_set(g->pages, scan->gfn, somebody_steps(scan) ? PAGE_UNSCANNED : PAGE_SCANNED);
    let_go(g, scan);
}

static void refuse_fault(struct guard *g, int error)
{
    struct hypervisor *hv = g->broker->hv;

    log_message(LOG_ERR, LOG_DOMAIN(g->domid, g->name, "deny-failed"),
                "%s cannot be denied an execution (%s) and is paused instead", g->name, strerror(-error));
    (void)hv->ops->pause_domain(hv, g->domid);
}

static void deny(struct guard *g, struct scan *scan, unsigned int actions)
{
    struct hypervisor *hv = g->broker->hv;

    (void)pages_set(g->pages, scan->gfn, PAGE_UNSCANNED);
    if ( actions & POLICY_KILL )
        (void)hv->ops->crash_domain(hv, g->domid);
    else if ( actions & POLICY_PAUSE )
        (void)hv->ops->pause_domain(hv, g->domid);
    for ( unsigned int i = 0; i < scan->waiters_count; i++ )
    {
        int rc = 0;

        scan->waiters[i].steps = false;
        g->statistics.denied++;
        /* A domain that is paused tries again when it goes on, and is paused again as long as the policy says so. */
        if ( !(actions & (POLICY_KILL | POLICY_PAUSE)) )
            rc = hv->ops->inject_fault(hv, g->domid, scan->waiters[i].vcpu);
        if ( rc )
            refuse_fault(g, rc);
    }
    let_go(g, scan);
}

void scans_disturb(struct guard *g, struct scan *scan)
{
    g->statistics.disturbed++;
    /* One that is written faster than it can be judged is as one whose deadline passed. */
    if ( scan->flips && g->volatiles_count < GUARD_VOLATILE_MAX )
    {
        scan->has_run = true;
        make_volatile(g, scan->gfn);
    }
    else
        (void)pages_set(g->pages, scan->gfn, PAGE_UNSCANNED);
    for ( unsigned int i = 0; i < scan->waiters_count; i++ )
        scan->waiters[i].steps = false;
    let_go(g, scan);
}

/* ---- verdicts ---- */

static void find(struct guard *g, const struct scan *scan, const struct scan_result *result, unsigned int verdict,
                 unsigned int actions, bool from_cache)
{
    uint64_t second = now_ns() / SECOND_NS;
    struct finding finding = {
        .domid = g->domid, .name = g->name, .uuid = g->uuid, .gfn = scan->gfn, .gla = scan->gla, .has_gla = scan->has_gla,
        .rip = scan->rip, .cr3 = scan->cr3, .vcpu = scan->vcpu, .verdict = verdict, .actions = actions,
        .has_run = scan->has_run, .from_cache = from_cache, .digest = scan->digest, .result = result,
        .left_out = g->statistics.findings_left_out,
    };

    if ( g->findings_second != second )
    {
        g->findings_second = second;
        g->findings_count = 0;
    }
    if ( g->findings_count >= FINDINGS_A_SECOND )
    {
        g->statistics.findings_left_out++;
        return;
    }
    g->findings_count++;
    g->statistics.findings++;
    findings_add(g->broker->findings, &finding);
}

/* Ends the scan. */
static void judge(struct guard *g, struct scan *scan, const struct scan_result *result, bool from_cache)
{
    struct broker *b = g->broker;
    unsigned int verdict = result->outcome == SCAN_DONE && result->verdict < SCAN_VERDICTS ? result->verdict :
                           POLICY_UNJUDGED;
    unsigned int actions = policy_decide(b->policy, g->name, g->uuid, result->plugin, result->rule, verdict);
    const unsigned int prevents = POLICY_DENY | POLICY_PAUSE | POLICY_KILL;

    if ( verdict == POLICY_UNJUDGED && b->settings->unjudged == UNJUDGED_WAITS )
        actions |= POLICY_DENY;
    g->statistics.verdicts[verdict]++;
    if ( actions & (POLICY_LOG | POLICY_HOOK) )
        find(g, scan, result, verdict, actions, from_cache);
    if ( !scan->is_over && (actions & prevents) )
        deny(g, scan, actions);
    else if ( !scan->is_over )
        allow(g, scan);
    else if ( actions & prevents )
    {
        /* Too late for this time, and not for the next one. */
        if ( pages_get(g->pages, scan->gfn) == PAGE_SCANNED || pages_get(g->pages, scan->gfn) == PAGE_VOLATILE )
            (void)pages_set(g->pages, scan->gfn, PAGE_UNSCANNED);
        if ( actions & POLICY_KILL )
            (void)b->hv->ops->crash_domain(b->hv, g->domid);
        else if ( actions & POLICY_PAUSE )
            (void)b->hv->ops->pause_domain(b->hv, g->domid);
    }
    drop(g, scan);
}

static void submit(struct guard *g, struct scan *scan)
{
    const struct scanner *scanner = g->broker->scanner;
    struct scan_request request = {
        .id = scan->id, .domid = g->domid, .urgency = scan->is_over ? SCAN_NOTIFY : SCAN_DECIDE, .has_gla = scan->has_gla,
        .vcpu = scan->vcpu, .budget_ms = g->broker->settings->deadline, .gfn = scan->gfn, .gla = scan->gla, .rip = scan->rip,
        .cr3 = scan->cr3, .rsp = scan->rsp, .page = scan->page,
    };

    if ( scanner->submit(scanner->opaque, &request) )
        return;                   /* it is offered again */
    scan->is_under_way = true;
    scan->tries++;
}

/* Its octets are here: the cache, or else a scanner. */
static void look_up(struct guard *g, struct scan *scan, const void *octets)
{
    struct broker *b = g->broker;
    struct scan_result result;

    scan->is_fresh = false;
    scan->page = malloc(SCAN_PAGE_BYTES);
    if ( !scan->page )
    {
        (void)pages_set(g->pages, scan->gfn, PAGE_UNSCANNED);
        let_go(g, scan);
        drop(g, scan);
        return;
    }
    /* One copy: who maps it writable besides the guest, dom0 for a device, could change it between two looks. */
    memcpy(scan->page, octets, SCAN_PAGE_BYTES);
    verdicts_digest(scan->page, scan->digest);
    if ( verdicts_find(b->verdicts, scan->digest, b->scanner->generation(b->scanner->opaque), &result) )
    {
        g->statistics.cached++;
        judge(g, scan, &result, true);
        return;
    }
    g->statistics.scans++;
    submit(g, scan);
}

/* Nobody can look at it: it is of a kind that is no memory of the guest's. */
static void cannot_read(struct guard *g, struct scan *scan, int error)
{
    struct scan_result result = { .outcome = SCAN_REFUSED };

    g->statistics.unreadable++;
    strncpy(result.text, "the page cannot be read: ", sizeof(result.text) - 1);
    strncat(result.text, strerror(-error), sizeof(result.text) - strlen(result.text) - 1);
    judge(g, scan, &result, false);
}

static unsigned int collect_fresh(struct guard *g, struct scan **fresh, uint64_t *gfns)
{
    unsigned int count = 0;

    for ( struct scan *scan = g->scans; scan && count < FRESH_MAX; scan = scan->next )
        if ( scan->is_fresh && !scan->is_over )
        {
            fresh[count] = scan;
            gfns[count++] = scan->gfn;
        }
    return count;
}

void scans_go(struct guard *g)
{
    struct hypervisor *hv = g->broker->hv;
    struct scan *fresh[FRESH_MAX];
    uint64_t gfns[FRESH_MAX];
    int errors[FRESH_MAX];
    unsigned int count;

    while ( (count = collect_fresh(g, fresh, gfns)) )
    {
        const uint8_t *octets = NULL;
        int rc = pages_commit(g->pages);

        if ( !rc )
            rc = hv->ops->map_frames(hv, g->domid, gfns, count, errors, (const void **)&octets);
        for ( unsigned int i = 0; i < count; i++ )
            if ( rc || errors[i] )
                cannot_read(g, fresh[i], rc ? rc : errors[i]);
            else
                look_up(g, fresh[i], octets + (size_t)i * SCAN_PAGE_BYTES);
        if ( !rc )
            hv->ops->unmap_frames(hv, octets, count);
    }
}

bool scans_take(struct guard *g, const struct scan_result *result)
{
    struct scan *scan = g->scans;

    while ( scan && scan->id != result->id )
        scan = scan->next;
    if ( !scan )
        return false;
    verdicts_keep(g->broker->verdicts, scan->digest, result);
    if ( result->outcome == SCAN_FAILED && scan->tries < TRIES_MAX )
    {
        scan->is_under_way = false;
        submit(g, scan);
    }
    else
        judge(g, scan, result, false);
    return true;
}

/* ---- time ---- */

static void expire(struct guard *g, struct scan *scan)
{
    g->statistics.late++;
    scan->has_run = true;
    log_message(LOG_WARNING, LOG_DOMAIN(g->domid, g->name, "late"),
                "%s: page %#llx was not judged within %u ms and is let be executed; the scan goes on", g->name,
                (unsigned long long)scan->gfn, g->broker->settings->deadline);
    allow(g, scan);
}

uint64_t scans_tick(struct guard *g, uint64_t now)
{
    bool runs = g->broker->settings->unjudged == UNJUDGED_RUNS;
    uint64_t next = UINT64_MAX;
    unsigned int over = 0;

    for ( struct scan *scan = g->scans, *following; scan; scan = following )
    {
        uint64_t due = UINT64_MAX;

        following = scan->next;
        if ( !scan->is_over && runs && now >= scan->deadline )
            expire(g, scan);
        if ( !scan->is_under_way && scan->page )
            submit(g, scan);
        over += scan->is_over;
        if ( scan->is_over && !scan->is_under_way && over > OVER_MAX )
        {
            drop(g, scan);
            continue;
        }
        if ( !scan->is_over && runs )
            due = scan->deadline;
        if ( !scan->is_under_way && now + RETRY_NS < due )
            due = now + RETRY_NS;
        next = due < next ? due : next;
    }
    guard_publish(g);
    return next;
}

/* ---- pages that flip too often ---- */

/* A look that nobody waits for. */
static void look_at(struct guard *g, uint64_t gfn)
{
    struct hypervisor *hv = g->broker->hv;
    const void *octets;
    struct scan *scan;
    unsigned int over = 0;
    int error;

    for ( scan = g->scans; scan; scan = scan->next )
        over += scan->is_over;
    if ( over >= OVER_MAX || pages_get(g->pages, gfn) != PAGE_VOLATILE )
        return;
    if ( hv->ops->map_frames(hv, g->domid, &gfn, 1, &error, &octets) )
        return;
    scan = error ? NULL : make(g, gfn);
    if ( scan )
    {
        scan->is_over = scan->has_run = true;
        look_up(g, scan, octets);
    }
    hv->ops->unmap_frames(hv, octets, 1);
}

void scans_tick_volatile(struct guard *g, uint64_t second)
{
    for ( unsigned int i = 0; i < g->volatiles_count; )
    {
        look_at(g, g->volatiles[i]);
        if ( second - g->volatile_since[i] < VOLATILE_SECONDS )
        {
            i++;
            continue;
        }
        (void)pages_set(g->pages, g->volatiles[i], PAGE_UNSCANNED);
        g->volatiles[i] = g->volatiles[--g->volatiles_count];
        g->volatile_since[i] = g->volatile_since[g->volatiles_count];
    }
    guard_publish(g);
}

/* ---- the end ---- */

void scans_release(struct guard *g)
{
    for ( struct scan *scan = g->scans; scan; scan = scan->next )
        if ( !scan->is_over )
            let_go(g, scan);
}

void scans_close(struct guard *g)
{
    while ( g->scans )
        drop(g, g->scans);
}
