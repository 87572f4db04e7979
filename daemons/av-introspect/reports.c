/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What of a scanner's result is told, and what the policy wants done for it: each finding by itself, and all of what any of
 * them leads to. Doing it is scans.c's, writing it findings.c's.
 */
#include <string.h>

#include <daemon/log.h>

#include "broker-private.h"

/* Findings of one domain in a second: a guest that tries again and again must not fill the disk. */
#define FINDINGS_A_SECOND 20U

const char *reports_name_of(enum scan_kind kind)
{
    static const char *const names[] = {
        [SCAN_PAGE] = "page", [SCAN_REGISTER] = "control register", [SCAN_MSR] = "MSR", [SCAN_INTERRUPT] = "breakpoint",
        [SCAN_REQUEST] = "request", [SCAN_OVERFLOW] = "overflow", [SCAN_TICK] = "tick",
    };

    return names[kind];
}

static void tell(struct guard *g, const struct scan *scan, const struct scan_result *result, unsigned int verdict,
                 unsigned int actions, bool from_cache)
{
    uint64_t second = now_ns() / SECOND_NS;
    struct finding finding = {
        .domid = g->domid, .name = g->name, .uuid = g->uuid, .kind = scan->kind, .gfn = scan->gfn, .gla = scan->gla,
        .has_gla = scan->has_gla, .rip = scan->rip, .cr3 = scan->cr3, .vcpu = scan->vcpu, .values = scan->values,
        .verdict = verdict, .actions = actions, .has_run = scan->has_run, .from_cache = from_cache,
        .digest = scan->kind == SCAN_PAGE ? scan->digest : NULL, .result = result,
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

static unsigned int decide(struct guard *g, const struct scan *scan, const struct scan_result *result, unsigned int verdict,
                           bool from_cache)
{
    unsigned int actions = policy_decide(g->broker->policy, g->name, g->uuid, result->plugin, result->rule, verdict);

    if ( verdict == POLICY_UNJUDGED && g->broker->settings->unjudged == UNJUDGED_WAITS && scan->urgency != SCAN_AFTER )
        actions |= POLICY_DENY;
    if ( actions & (POLICY_LOG | POLICY_HOOK) )
        tell(g, scan, result, verdict, actions, from_cache);
    return actions;
}

unsigned int reports_of_scan(struct guard *g, const struct scan *scan, const struct scan_result *result, bool from_cache)
{
    bool is_judged = result->outcome == SCAN_DONE && !result->is_unjudged && result->verdict < SCAN_VERDICTS;
    unsigned int verdict = is_judged ? result->verdict : POLICY_UNJUDGED;
    unsigned int actions = decide(g, scan, result, verdict, from_cache);

    if ( scan->urgency != SCAN_AFTER )
        g->statistics.verdicts[verdict]++;
    for ( unsigned int i = 0; i < result->others_count; i++ )
    {
        const struct scan_finding *other = &result->others[i];
        struct scan_result one = *result;

        one.has_process = other->has_process;
        one.pid = other->pid;
        memcpy(one.plugin, other->plugin, sizeof(one.plugin));
        memcpy(one.rule, other->rule, sizeof(one.rule));
        memcpy(one.text, other->text, sizeof(one.text));
        memcpy(one.comm, other->comm, sizeof(one.comm));
        memcpy(one.path, other->path, sizeof(one.path));
        actions |= decide(g, scan, &one, other->verdict < SCAN_VERDICTS ? other->verdict : (unsigned int)SCAN_UNKNOWN, from_cache);
    }
    g->statistics.findings_left_out += result->others_lost;
    return actions;
}

/* Nobody waits for it, and there is nothing that could be denied. */
void reports_of_tick(struct guard *g, const struct scan_result *result)
{
    const struct scan scan = { .kind = SCAN_TICK, .gfn = MEMEVENT_NO_GFN, .urgency = SCAN_NOTIFY, .is_over = true };

    g->wants_rescan |= result->rescan;
    guard_stop_domain(g, reports_of_scan(g, &scan, result, false) & ~POLICY_DENY);
}
