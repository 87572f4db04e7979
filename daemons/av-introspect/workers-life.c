/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Workers' processes: given requests, answered, watched, ended, replaced. The loader, which starts them, is workers-loader.c's.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include <daemon/log.h>

#include "view.h"
#include "workers-private.h"

_Static_assert(REQUEST_FRAMES <= SCAN_FRAMES_MAX, "a question is answered at once");
_Static_assert(_Alignof(struct runner) > ABOUT_FLAGS, "there is room for flags in its address");

int life_watch(struct workers *w, int fd, uint64_t about)
{
    struct epoll_event event = { .events = EPOLLIN, .data.u64 = about };

    return epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

void life_forget(struct workers *w, int fd)
{
    if ( fd >= 0 )
        epoll_ctl(w->epoll, EPOLL_CTL_DEL, fd, NULL);
}

uint64_t life_back_off(uint32_t failures)
{
    uint64_t wait = failures < 2 ? 0 : BACKOFF_FIRST_NS << (failures - 2 < 16 ? failures - 2 : 16);

    return view_now() + (wait < BACKOFF_MOST_NS ? wait : BACKOFF_MOST_NS);
}

/* ---- the end of a worker ---- */

void life_free(struct workers *w, struct runner *runner)
{
    struct runner **at = &w->runners;

    while ( *at != runner )
        at = &(*at)->next;
    *at = runner->next;
    life_forget(w, runner->process.pidfd);
    life_forget(w, runner->process.tell);
    process_close(&runner->process);
    free(runner);
}

/* It ends now, and we hear of it by its pidfd. One that has none yet is ended when it gets one. */
static void kill_runner(struct runner *runner, const char *why)
{
    if ( !runner->killed )
        runner->killed = why;
    process_kill(&runner->process);
}

static void take_lines(struct workers *w, struct runner *runner)
{
    struct request_line line;
    uint32_t lost;

    /* Who writes on while we read has to wait for the next look. */
    for ( unsigned int i = 0; i < REQUEST_LINES && process_line(&runner->process, &line, &lost); i++ )
    {
        const char *name = line.plugin < PLUGINS_MAX ? w->names[line.plugin] : "";

        if ( runner->domain )
            log_message(line.level, LOG_DOMAIN(runner->domain->domid, NULL, "plugin"), "%s%s%s", name, name[0] ? ": " : "",
                        line.text);
        if ( lost )
            log_message(LOG_WARNING, LOG_HOST("plugin-lines-lost"), "%u more lines of plugins were lost", lost);
    }
}

static void died(struct workers *w, struct runner *runner, const char *how)
{
    struct domain *domain = runner->domain;
    unsigned int index = process_plugin(&runner->process);
    const char *plugin = index < PLUGINS_MAX && w->names[index][0] ? w->names[index] : "none";
    struct slot *slot = runner->life == LIFE_BUSY ? runner->slot : NULL;

    take_lines(w, runner);
    if ( runner->killed )
        how = runner->killed;
    if ( domain )
    {
        domain->statistics.deaths++;
        domain->failures++;
        domain->not_before = life_back_off(domain->failures);
        log_message(LOG_WARNING, LOG_DOMAIN(domain->domid, NULL, "worker-died"), "worker %d, in plugin %s, %s",
                    (int)runner->process.pid, plugin, how);
        if ( slot )
            slot_died(w, domain, slot, plugin, how);
    }
    life_free(w, runner);
    if ( domain )
        life_schedule(w, domain);
}

/* ---- requests ---- */

static void begin(struct workers *w, struct runner *runner, struct slot *slot)
{
    struct request_in *in = process_request(&runner->process);
    uint64_t now = view_now(), hang = (uint64_t)w->options.hang_ms * 1000000;

    runner->life = LIFE_BUSY;
    runner->slot = slot;
    runner->limit = now + hang;
    runner->idle_calls = 0;
    memset(&in->event, 0, sizeof(in->event));
    /* Nobody may wait any more, but the verdict is wanted; so plugins have all the time there is, less some to end. */
    in->deadline = now + hang / 4 * 3;
    if ( slot )
    {
        slot->state = SLOT_RUNS;
        request_put(in, slot);
    }
    else
    {
        in->kind = REQUEST_TICK;
        in->who = JUDGE_ALL;
        request_put_registers(w, runner->domain, in);
    }
    process_begin(&runner->process);
}

static void answer(struct workers *w, struct runner *runner)
{
    uint64_t gfns[REQUEST_FRAMES];
    uint32_t count = process_gfns(&runner->process, gfns);

    int32_t *status;
    void *frames = process_frames(&runner->process, &status);

    if ( w->read && runner->domain )
        w->read(w->read_arg, runner->domain->domid, gfns, count, frames, status);
    else
        for ( uint32_t i = 0; i < count; i++ )
            status[i] = -ENXIO;
    if ( runner->process.reads > REQUEST_READS_MAX )
    {
        kill_runner(runner, "read more of the guest than there is to be read");
        return;
    }
    process_answer(&runner->process);
}

static void count_tick(struct scan_statistics *s, const struct process *process, uint64_t nanoseconds)
{
    s->ticks++;
    s->tick_crossings += process->crossings;
    s->tick_frames += process->reads;
    s->tick_ns += nanoseconds;
    if ( s->tick_most_ns < nanoseconds )
        s->tick_most_ns = nanoseconds;
}

/* What a plugin says that is no verdict was taken as if it could not judge (judge.c). */
static void report_defects(const struct workers *w, const struct domain *domain)
{
    for ( unsigned int i = 0; i < PLUGINS_MAX; i++ )
        if ( w->judgement.defects & 1U << i )
            log_message(LOG_ERR, LOG_DOMAIN(domain->domid, NULL, "plugin-defect"),
                        "plugin %s gave a verdict that is none, which counts as if it could not judge", w->names[i]);
}

static void judged(struct workers *w, struct runner *runner, uint64_t nanoseconds)
{
    struct domain *domain = runner->domain;

    report_defects(w, domain);
    domain->failures = 0;
    if ( runner->slot )
        slot_judged(w, domain, runner->slot, &w->judgement, runner->generation, nanoseconds);
    else
    {
        uint64_t now = view_now();

        count_tick(&domain->statistics, &runner->process, nanoseconds);
        /* Pages come between, however slow the host is: ticks have half of a worker's time at most. */
        runner->tick_after = now + (now - runner->tick_began);
        tick_judged(w, domain, &w->judgement);
    }
    runner->slot = NULL;
    runner->life = LIFE_IDLE;
    runner->limit = UINT64_MAX;
}

/* ---- scheduling ---- */

static void start(struct workers *w, struct domain *domain)
{
    struct runner *runner = calloc(1, sizeof(*runner));
    struct av_domain description = {
        .size = sizeof(description), .domid = domain->domid,
        /* Guest-physical addresses have 52 bits; who reads says what is there. */
        .frames = UINT64_C(1) << 40,
    };
    int rc = runner ? process_open(&runner->process, &description) : -ENOMEM;

    if ( !rc )
    {
        runner->domain = domain;
        runner->life = LIFE_STARTS;
        /* For attach(), which comes before any request. */
        request_put_registers(w, domain, process_request(&runner->process));
        runner->tag = ++w->next_tag;
        runner->generation = w->generation;
        runner->limit = view_now() + START_NS;
        runner->next = w->runners;
        w->runners = runner;
        rc = life_watch(w, runner->process.tell, (uintptr_t)runner);
        if ( !rc )
            rc = link_start(&w->link, runner->tag, &runner->process, w->options.memory);
        if ( rc )
            life_free(w, runner);
    }
    else
        free(runner);
    if ( rc )
    {
        domain->failures++;
        domain->not_before = life_back_off(domain->failures + 1);
        log_message(LOG_WARNING, LOG_DOMAIN(domain->domid, NULL, "worker-failed"), "a worker cannot be started: %s",
                    strerror(-rc));
    }
}

void life_schedule(struct workers *w, struct domain *domain)
{
    unsigned int there = 0, coming = 0, waiting = 0;
    struct slot *slot;

    for ( struct runner *r = w->runners; r; r = r->next )
    {
        if ( r->domain != domain || r->killed )
            continue;
        there++;
        coming += r->life == LIFE_STARTS;
        if ( r->life == LIFE_IDLE && r->generation == w->generation && (slot = slot_next(domain)) )
            begin(w, r, slot);
    }
    for ( unsigned int i = 0; i < WORKERS_SLOTS; i++ )
        waiting += domain->slots[i].state == SLOT_WAITS;
    /* One at a time, and one at the least. */
    if ( w->linked && !coming && there < w->options.processes && (waiting || !there) && view_now() >= domain->not_before )
        start(w, domain);
}

void life_leave(struct workers *w, const struct domain *domain)
{
    for ( struct runner *r = w->runners; r; r = r->next )
        if ( r->domain == domain )
        {
            r->domain = NULL;
            r->slot = NULL;
            kill_runner(r, "belonged to a domain that is not protected any more");
        }
}

void life_renew(struct workers *w)
{
    struct runner *next;

    for ( struct runner *r = w->runners; r; r = next )
    {
        next = r->next;
        if ( r->domain && r->life == LIFE_IDLE && r->generation != w->generation )
        {
            /* It ends in order, and nobody counts that as a death. */
            process_request(&r->process)->kind = REQUEST_STOP;
            process_begin(&r->process);
            r->domain = NULL;
            r->killed = "had old rules";
            r->limit = view_now() + START_NS;
        }
    }
    for ( struct domain *domain = w->domains; domain; domain = domain->next )
        life_schedule(w, domain);
}

/* ---- what happens ---- */

static void look_at(struct workers *w, struct runner *runner)
{
    uint64_t nanoseconds = 0;
    unsigned int found = process_look(&runner->process, &w->judgement, &nanoseconds);

    take_lines(w, runner);
    if ( runner->killed || !runner->domain )
        return;
    if ( (found & PROCESS_NONSENSE) || ((found & PROCESS_DONE) && runner->life != LIFE_BUSY) )
    {
        kill_runner(runner, "said what cannot be, and was killed");
        return;
    }
    if ( !found && ++runner->idle_calls > IDLE_CALLS_MAX )
    {
        kill_runner(runner, "called again and again for nothing, and was killed");
        return;
    }
    if ( found & PROCESS_ASKS )
        answer(w, runner);
    if ( found & PROCESS_READY && runner->life == LIFE_STARTS )
    {
        runner->life = LIFE_IDLE;
        runner->limit = UINT64_MAX;
    }
    if ( found & PROCESS_DONE )
        judged(w, runner, nanoseconds);
    if ( runner->life == LIFE_IDLE && runner->generation != w->generation )
        life_renew(w);
    else if ( found & (PROCESS_READY | PROCESS_DONE) )
        life_schedule(w, runner->domain);
}

void life_look(struct workers *w)
{
    struct epoll_event event;
    char how[AV_TEXT_BYTES];
    bool only_results = false;

    /* One at a time: handling one may free what another is about. Each that is readable gets its turn. */
    for ( unsigned int i = 0; i < EVENTS_A_LOOK && epoll_wait(w->epoll, &event, 1, 0) == 1; i++ )
    {
        struct runner *runner = (struct runner *)(uintptr_t)(event.data.u64 & ~ABOUT_FLAGS);
        bool results = !event.data.u64;

        if ( results && only_results )
            return;
        only_results = results;
        if ( results )
            continue;
        if ( event.data.u64 == ABOUT_LINK )
            loader_look(w);
        else if ( !(event.data.u64 & ABOUT_PIDFD) )
            look_at(w, runner);
        else
        {
            /* What it said last may have been its result. */
            look_at(w, runner);
            if ( !process_reap(&runner->process, how, sizeof(how)) )
                died(w, runner, how);
        }
    }
}

static void check_limits(struct workers *w, uint64_t now)
{
    for ( struct runner *r = w->runners; r; r = r->next )
    {
        uint64_t resident;

        if ( now > r->limit )
        {
            kill_runner(r, r->life == LIFE_STARTS ? "was not ready in time, and was killed" : "hung, and was killed");
            process_kill(&r->process);
        }
        if ( r->life < LIFE_IDLE || r->killed )
            continue;
        resident = process_resident(&r->process);
        if ( resident > r->process.resident + w->options.memory )
            kill_runner(r, "took more memory than it may have, and was killed");
    }
}

/*
 * Plugins that look for themselves: the domain's worker that is to do so next, and when; NULL: those that could have something
 * else to do.
 */
static struct runner *next_to_tick(const struct workers *w, const struct domain *domain, uint64_t *due)
{
    struct runner *next = NULL, *oldest = NULL;

    *due = UINT64_MAX;
    if ( !w->tick_ms || domain->has_ticked )
        return NULL;
    /* The newest comes first. */
    for ( struct runner *r = w->runners; r; r = r->next )
        if ( r->domain == domain && r->life >= LIFE_IDLE && !r->killed && r->generation == w->generation )
            oldest = r;
    for ( struct runner *r = w->runners; oldest && r != oldest->next; r = r->next )
    {
        uint64_t interval = (uint64_t)w->tick_ms * 1000000 * (r == oldest ? 1 : TICK_OTHERS), at = r->tick_began + interval;

        if ( r->domain != domain || r->life != LIFE_IDLE || r->killed || r->generation != w->generation )
            continue;
        at = at > r->tick_after ? at : r->tick_after;
        if ( at >= *due )
            continue;
        *due = at;
        next = r;
    }
    return next;
}

static void tick_domain(struct workers *w, struct domain *domain, uint64_t now)
{
    uint64_t due;
    struct runner *r = next_to_tick(w, domain, &due);

    if ( !r || now < due )
        return;
    r->tick_began = now;
    begin(w, r, NULL);
}

uint64_t life_due(const struct workers *w)
{
    uint64_t first = UINT64_MAX, due;

    for ( const struct domain *domain = w->domains; domain; domain = domain->next )
        if ( next_to_tick(w, domain, &due) && due < first )
            first = due;
    return first;
}

void life_tick(struct workers *w)
{
    uint64_t now = view_now();

    check_limits(w, now);
    loader_tick(w, now);
    for ( struct domain *domain = w->domains; domain; domain = domain->next )
    {
        tick_domain(w, domain, now);
        life_schedule(w, domain);
    }
}

void life_close(struct workers *w)
{
    for ( struct runner *r = w->runners; r; r = r->next )
        process_kill(&r->process);
    while ( w->runners )
        life_free(w, w->runners);
    life_forget(w, w->link.fd);
    link_close(&w->link);
}
