/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pages that are written and executed in turn too often to be stopped each time: they may be both for a while, and are looked at in
 * intervals. What is found there may have run.
 */
#include <daemon/log.h>

#include "broker-private.h"

/* It is left alone for so long, and looked at each second. */
#define VOLATILE_SECONDS 5U

void volatile_begin(struct guard *g, uint64_t gfn)
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

/* A look that nobody waits for. */
static void look_at(struct guard *g, uint64_t gfn)
{
    struct hypervisor *hv = g->broker->hv;
    const void *octets;
    struct scan *scan;
    int error;

    if ( scans_over(g) >= SCANS_OVER_MAX || pages_get(g->pages, gfn) != PAGE_VOLATILE )
        return;
    if ( hv->ops->map_frames(hv, g->domid, &gfn, 1, &error, &octets) )
        return;
    scan = error ? NULL : scans_make(g, gfn);
    if ( scan )
    {
        scan->is_over = scan->has_run = true;
        scans_look_up(g, scan, octets);
    }
    hv->ops->unmap_frames(hv, octets, 1);
}

void volatile_tick(struct guard *g, uint64_t second)
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
