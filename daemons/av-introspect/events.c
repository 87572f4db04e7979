/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the hypervisor says of a protected domain, and what it leads to. An event's contents are the hypervisor's, its
 * order and rate the guest's: nothing here looks at what a page holds.
 */
#include <errno.h>
#include <string.h>

#include <daemon/log.h>

#include "broker-private.h"

/* Taken before the hypervisor is told and vCPUs go on: more would let the first wait. */
#define EVENTS_AT_ONCE 64U

/* VM_EVENT_REASON_MEM_ACCESS; MEM_ACCESS_*. */
#define REASON_MEM_ACCESS 1U
#define ACCESS_X          (1U << 2)
#define ACCESS_GLA_VALID  (1U << 3)

/*
 * A vCPU that comes so often with the same registers makes no progress: its instruction writes to the page that it lies
 * in, and each of the two takes the other's right away. Fewer are ordinary: an instruction may lie on two pages, and use
 * two more that were just scanned.
 */
#define REPEATS_MAX 8U

static uint64_t mix_registers(const struct memevent_details *details)
{
    uint64_t mixed = details->cr3;

    for ( unsigned int i = 0; i < 16; i++ )
        mixed = (mixed ^ details->gpr[i]) * UINT64_C(0x9e3779b97f4a7c15) + (mixed >> 29);
    return mixed;
}

static bool makes_no_progress(struct guard *g, uint32_t vcpu, const struct memevent_details *details)
{
    struct guard_vcpu *v = &g->vcpus[vcpu];
    uint64_t registers = mix_registers(details);

    if ( v->rip != details->rip || v->registers != registers )
    {
        *v = (struct guard_vcpu){ .rip = details->rip, .registers = registers };
        return false;
    }
    if ( ++v->repeats < REPEATS_MAX )
        return false;
    v->repeats = 0;
    return true;
}

static void on_fetch(struct guard *g, const struct memevent_event *event, const struct memevent_details *details)
{
    const struct settings *settings = g->broker->settings;
    struct scan *scan = scans_find(g, event->gfn);
    struct waiter waiter = { .id = event->id, .vcpu = event->vcpu };
    enum page_state state = pages_get(g->pages, event->gfn);

    g->statistics.fetches++;
    if ( event->vcpu < g->info.vcpus )
        waiter.steps = makes_no_progress(g, event->vcpu, details);
    /* A violation of a moment ago; it is tried again. */
    if ( state == PAGE_VOLATILE )
    {
        guard_answer(g, event->id, 0);
        return;
    }
    if ( !scan )
    {
        scan = scans_begin(g, event->gfn);
        if ( scan )
        {
            scan->vcpu = event->vcpu;
            scan->has_gla = details->access & ACCESS_GLA_VALID;
            scan->gla = details->gla;
            scans_note_registers(scan, details);
            scan->flips = pages_flip(g->pages, event->gfn, now_ns() / SECOND_NS) > settings->flips &&
                          settings->unjudged == UNJUDGED_RUNS;
        }
    }
    /* Without memory for it: it is not executed, and comes again. */
    if ( !scan || scans_wait(scan, &waiter) )
        guard_answer(g, event->id, 0);
}

/* It may be written again, and is not executed until it was looked at. */
static void on_write(struct guard *g, const struct memevent_event *event)
{
    struct scan *scan = scans_find(g, event->gfn);

    g->statistics.writes++;
    if ( scan )
        scans_disturb(g, scan);
    else if ( pages_set(g->pages, event->gfn, PAGE_UNSCANNED) )
        g->failure = -ENOMEM;
    guard_answer(g, event->id, 0);
}

static void take(struct guard *g, const struct memevent_event *event)
{
    struct memevent_details details;

    g->statistics.events++;
    if ( memevent_get_details(g->channel, event->id, &details) ||
         (event->kind != REASON_MEM_ACCESS && !monitors_take(g, event, &details)) )
    {
        g->statistics.others++;
        guard_answer(g, event->id, 0);
    }
    else if ( event->kind != REASON_MEM_ACCESS )
        return;
    else if ( details.access & ACCESS_X )
        on_fetch(g, event, &details);
    else
        on_write(g, event);
}

bool events_take(struct guard *g)
{
    struct memevent_event event;
    unsigned int taken = 0;
    int rc = 0;

    while ( taken < EVENTS_AT_ONCE && (rc = memevent_next(g->channel, &event)) == 1 )
    {
        take(g, &event);
        taken++;
    }
    if ( taken )
    {
        scans_go(g);
        guard_publish(g);
    }
    if ( rc < 0 && !g->is_gone )
    {
        g->is_gone = true;
        log_message(LOG_CRIT, LOG_DOMAIN(g->domid, g->name, "channel-broken"),
                    "the channel of %s makes no sense (%s): the domain is not protected any more", g->name, strerror(-rc));
    }
    return taken == EVENTS_AT_ONCE;
}
