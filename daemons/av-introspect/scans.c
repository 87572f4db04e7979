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

struct scan *scans_find(struct guard *g, uint64_t gfn)
{
    struct scan *scan = g->scans;

    while ( scan && (scan->gfn != gfn || scan->is_over) )
        scan = scan->next;
    return scan;
}

struct scan *scans_make(struct guard *g, uint64_t gfn)
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

void scans_drop(struct guard *g, struct scan *scan)
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
    struct scan *scan = scans_make(g, gfn);

    if ( scan && pages_set(g->pages, gfn, PAGE_SCANNING) )
    {
        scans_drop(g, scan);
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

unsigned int scans_over(const struct guard *g)
{
    unsigned int over = 0;

    for ( const struct scan *scan = g->scans; scan; scan = scan->next )
        over += scan->is_over;
    return over;
}

/* Who waits goes on; the frame's state is what it may do. */
void scans_let_go(struct guard *g, struct scan *scan)
{
    uint64_t waited = now_ns() - scan->began;

    for ( unsigned int i = 0; i < scan->waiters_count; i++ )
    {
        if ( scan->kind != SCAN_PAGE )
            monitors_answer(g, scan, &scan->waiters[i]);
        else
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

/*
 * The frame may be executed. An instruction that is emulated writes past the access: it must not find a frame that
 * counts as judged.
 */
static void allow(struct guard *g, struct scan *scan)
{
    if ( scan->flips && g->volatiles_count < GUARD_VOLATILE_MAX )
        volatile_begin(g, scan->gfn);
    else if ( scan->kind == SCAN_PAGE )
        (void)pages_set(g->pages, scan->gfn, somebody_steps(scan) ? PAGE_UNSCANNED : PAGE_SCANNED);
    scans_let_go(g, scan);
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

    if ( scan->kind == SCAN_PAGE )
        (void)pages_set(g->pages, scan->gfn, PAGE_UNSCANNED);
    guard_stop_domain(g, actions);
    scan->is_denied = actions & POLICY_DENY;
    for ( unsigned int i = 0; i < scan->waiters_count; i++ )
    {
        int rc = 0;

        scan->waiters[i].steps = false;
        g->statistics.denied++;
        /* A domain that is paused tries again when it goes on, and is paused again as long as the policy says so. */
        if ( !(actions & (POLICY_KILL | POLICY_PAUSE)) && scan->kind == SCAN_PAGE )
            rc = hv->ops->inject_fault(hv, g->domid, scan->waiters[i].vcpu);
        if ( rc )
            refuse_fault(g, rc);
    }
    scans_let_go(g, scan);
}

void scans_disturb(struct guard *g, struct scan *scan)
{
    g->statistics.disturbed++;
    /* One that is written faster than it can be judged is as one whose deadline passed. */
    if ( scan->flips && g->volatiles_count < GUARD_VOLATILE_MAX )
    {
        scan->has_run = true;
        volatile_begin(g, scan->gfn);
    }
    else
        (void)pages_set(g->pages, scan->gfn, PAGE_UNSCANNED);
    for ( unsigned int i = 0; i < scan->waiters_count; i++ )
        scan->waiters[i].steps = false;
    scans_let_go(g, scan);
}

/* ---- verdicts ---- */

static bool is_ready(const struct scan *scan)
{
    return scan->page || scan->kind != SCAN_PAGE;
}

static void submit(struct guard *g, struct scan *scan)
{
    const struct scanner *scanner = g->broker->scanner;
    struct scan_request request = {
        .id = scan->id, .domid = g->domid, .kind = scan->kind, .has_gla = scan->has_gla, .vcpu = scan->vcpu,
        .urgency = !scan->is_over ? SCAN_DECIDE : scan->is_decided ? SCAN_AFTER : SCAN_NOTIFY,
        .budget_ms = g->broker->settings->deadline, .gfn = scan->gfn, .gla = scan->gla, .rip = scan->rip, .cr3 = scan->cr3,
        .registers = scan->has_registers ? &scan->registers : NULL, .page = scan->page,
    };

    memcpy(request.values, scan->values, sizeof(request.values));
    memcpy(request.gpr, scan->gpr, sizeof(request.gpr));
    if ( scanner->submit(scanner->opaque, &request) )
        return;                   /* it is offered again */
    scan->urgency = request.urgency;
    scan->is_under_way = true;
    scan->tries++;
}

void scans_note_registers(struct scan *scan, const struct memevent_details *details)
{
    scan->rip = details->rip;
    scan->cr3 = details->cr3;
    memcpy(scan->gpr, details->gpr, sizeof(scan->gpr));
}

void scans_submit(struct guard *g, struct scan *scan)
{
    struct hypervisor *hv = g->broker->hv;

    /*
     * As long as the vCPU waits they are those of the event; but for those that a hypervisor call has its result in by
     * now, of which the event has what they were.
     */
    if ( !scan->is_over && !hv->ops->get_registers(hv, g->domid, scan->vcpu, &scan->registers) )
    {
        scan->has_registers = true;
        scan->registers.rip = scan->rip;
        memcpy(scan->registers.gpr, scan->gpr, sizeof(scan->gpr));
    }
    if ( scan->kind != SCAN_PAGE && !scan->is_over && !monitors_decided(g, scan->kind) )
    {
        scan->has_run = true;
        scans_let_go(g, scan);
    }
    submit(g, scan);
}

/* Those who only want to be told, of what has been decided and was not prevented. */
static bool tell_others(struct guard *g, struct scan *scan, const struct scan_result *result)
{
    const struct scanner *scanner = g->broker->scanner;

    if ( !scanner->wants || scan->urgency != SCAN_DECIDE || !scan->is_under_way || result->outcome != SCAN_DONE ||
         !(scanner->wants(scanner->opaque, false) & 1U << scan->kind) )
        return false;
    if ( scans_over(g) >= SCANS_OVER_MAX )
    {
        g->statistics.untold++;
        return false;
    }
    scan->is_decided = scan->has_run = true;
    scan->tries = 0;
    scan->is_under_way = false;
    g->statistics.told++;
    submit(g, scan);
    return true;
}

/* Ends the scan, but for those who are told afterwards. */
static void judge(struct guard *g, struct scan *scan, const struct scan_result *result, bool from_cache)
{
    unsigned int actions = reports_of_scan(g, scan, result, from_cache);
    const unsigned int prevents = POLICY_DENY | POLICY_PAUSE | POLICY_KILL;

    if ( !scan->is_over && (actions & prevents) )
        deny(g, scan, actions);
    else if ( !scan->is_over )
        allow(g, scan);
    else if ( actions & prevents )
    {
        /* Too late for this time, and not for the next one. */
        if ( scan->kind == SCAN_PAGE &&
             (pages_get(g->pages, scan->gfn) == PAGE_SCANNED || pages_get(g->pages, scan->gfn) == PAGE_VOLATILE) )
            (void)pages_set(g->pages, scan->gfn, PAGE_UNSCANNED);
        guard_stop_domain(g, actions);
    }
    if ( (actions & prevents) || !tell_others(g, scan, result) )
        scans_drop(g, scan);
}

/* Its octets are here: the cache, or else a scanner. */
void scans_look_up(struct guard *g, struct scan *scan, const void *octets)
{
    struct broker *b = g->broker;
    struct scan_result result;

    scan->is_fresh = false;
    scan->page = malloc(SCAN_PAGE_BYTES);
    if ( !scan->page )
    {
        (void)pages_set(g->pages, scan->gfn, PAGE_UNSCANNED);
        scans_let_go(g, scan);
        scans_drop(g, scan);
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
    scans_submit(g, scan);
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
                scans_look_up(g, fresh[i], octets + (size_t)i * SCAN_PAGE_BYTES);
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
    g->wants_rescan |= result->rescan;
    /* Who was only told adds to the verdict of who decided. */
    if ( scan->kind == SCAN_PAGE && (scan->urgency != SCAN_AFTER || result->verdict >= SCAN_SUSPICIOUS) )
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
    if ( scan->kind == SCAN_PAGE )
        log_message(LOG_WARNING, LOG_DOMAIN(g->domid, g->name, "late"),
                    "%s: page %#llx was not judged within %u ms and is let be executed; the scan goes on", g->name,
                    (unsigned long long)scan->gfn, g->broker->settings->deadline);
    else
        log_message(LOG_WARNING, LOG_DOMAIN(g->domid, g->name, "late"),
                    "%s: %s was not judged within %u ms and is let happen; plugins are asked on", g->name,
                    reports_name_of(scan->kind), g->broker->settings->deadline);
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
        if ( !scan->is_under_way && is_ready(scan) )
            submit(g, scan);
        over += scan->is_over;
        if ( scan->is_over && !scan->is_under_way && over > SCANS_OVER_MAX )
        {
            g->statistics.untold++;
            scans_drop(g, scan);
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

/* ---- the end ---- */

void scans_release(struct guard *g)
{
    for ( struct scan *scan = g->scans; scan; scan = scan->next )
        if ( !scan->is_over )
            scans_let_go(g, scan);
}

void scans_close(struct guard *g)
{
    while ( g->scans )
        scans_drop(g, g->scans);
}
