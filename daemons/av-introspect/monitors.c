/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What plugins ask to be told of besides executions: writes to control registers and MSRs, breakpoints, requests of the guest. The
 * hypervisor tells of nothing that nobody wants. An event becomes a scan without a page, and its answer lets the vCPU go
 * on as if nobody had looked, or refuses what it wanted.
 */
#include <errno.h>
#include <string.h>

#include <daemon/log.h>

#include "broker-private.h"

/* VM_EVENT_REASON_*, and upstream's numbers of control registers. */
#define REASON_REGISTER   4U
#define REASON_MSR        5U
#define REASON_BREAKPOINT 6U
#define REASON_REQUEST    8U
#define UPSTREAMS_CR3     1U
#define UPSTREAMS_CR4     2U

/* x86's vector of a breakpoint, and the type of an exception that an instruction asks for. */
#define VECTOR_BREAKPOINT 3U
#define TYPE_SOFTWARE     6U

/* Where system calls enter a kernel, and whether pages can be made not executable: what an attack changes. */
#define MSR_SYSENTER_EIP  0x176U
#define MSR_EFER          0xc0000080U
#define MSR_STAR          0xc0000081U
#define MSR_LSTAR         0xc0000082U
#define MSR_CSTAR         0xc0000083U

/* CR3 is not among them: each change of a process writes it. */
static const struct order {
    enum scan_kind kind;
    enum hypervisor_monitor what;
    uint32_t which;
} orders[] = {
    { SCAN_REGISTER, MONITOR_CONTROL_REGISTER, 0 },
    { SCAN_REGISTER, MONITOR_CONTROL_REGISTER, 4 },
    { SCAN_MSR, MONITOR_MSR, MSR_SYSENTER_EIP },
    { SCAN_MSR, MONITOR_MSR, MSR_EFER },
    { SCAN_MSR, MONITOR_MSR, MSR_STAR },
    { SCAN_MSR, MONITOR_MSR, MSR_LSTAR },
    { SCAN_MSR, MONITOR_MSR, MSR_CSTAR },
    { SCAN_INTERRUPT, MONITOR_BREAKPOINT, 0 },
    { SCAN_REQUEST, MONITOR_REQUEST, 0 },
};
#define ORDERS (sizeof(orders) / sizeof(orders[0]))
#define KINDS  (1U << SCAN_REGISTER | 1U << SCAN_MSR | 1U << SCAN_INTERRUPT | 1U << SCAN_REQUEST)

static uint32_t wanted_by(const struct scanner *scanner, bool decide)
{
    return scanner->wants ? scanner->wants(scanner->opaque, decide) : 0;
}

static void order(struct guard *g, const struct order *o, bool tell)
{
    struct hypervisor *hv = g->broker->hv;
    int rc = hv->ops->set_monitor(hv, g->domid, o->what, o->which, tell);

    if ( rc && tell )
        log_message(LOG_ERR, LOG_DOMAIN(g->domid, g->name, "monitor-failed"),
                    "%s: plugins want to be told of each %s (%#x), and the hypervisor refuses: %s", g->name,
                    reports_name_of(o->kind), o->which, strerror(-rc));
}

void monitors_follow(struct guard *g)
{
    const struct scanner *scanner = g->broker->scanner;
    uint32_t wanted = (wanted_by(scanner, true) | wanted_by(scanner, false)) & KINDS;

    for ( unsigned int i = 0; i < ORDERS && !g->is_gone; i++ )
        if ( (wanted ^ g->monitors) & 1U << orders[i].kind )
            order(g, &orders[i], wanted & 1U << orders[i].kind);
    g->monitors = wanted;
}

/* Whoever wanted it. */
void monitors_end(struct guard *g)
{
    for ( unsigned int i = 0; i < ORDERS; i++ )
        order(g, &orders[i], false);
    g->monitors = 0;
}

static bool fill(struct scan *scan, uint16_t reason, const struct memevent_details *details)
{
    switch ( reason )
    {
    case REASON_REGISTER:
        scan->kind = SCAN_REGISTER;
        /* Of the first word upstream uses the lower half. */
        scan->values[0] = (uint32_t)details->values[0] == UPSTREAMS_CR3 ? 3 :
                          (uint32_t)details->values[0] == UPSTREAMS_CR4 ? 4 : 0;
        scan->values[1] = details->values[1];
        scan->values[2] = details->values[2];
        return true;
    case REASON_MSR:
        scan->kind = SCAN_MSR;
        memcpy(scan->values, details->values, 3 * sizeof(scan->values[0]));
        return true;
    case REASON_BREAKPOINT:
        scan->kind = SCAN_INTERRUPT;
        scan->values[0] = VECTOR_BREAKPOINT;
        scan->values[1] = TYPE_SOFTWARE;
        scan->instruction_bytes = (uint32_t)details->values[2];
        return true;
    case REASON_REQUEST:
        scan->kind = SCAN_REQUEST;
        return true;
    default:
        return false;
    }
}

bool monitors_take(struct guard *g, const struct memevent_event *event, const struct memevent_details *details)
{
    struct waiter waiter = { .id = event->id, .vcpu = event->vcpu };
    struct scan *scan = scans_make(g, MEMEVENT_NO_GFN);

    if ( !scan || !fill(scan, event->kind, details) || scans_wait(scan, &waiter) )
    {
        if ( scan )
            scans_drop(g, scan);
        return false;
    }
    g->statistics.monitored++;
    scan->is_fresh = false;
    scan->vcpu = event->vcpu;
    scans_note_registers(scan, details);
    scans_submit(g, scan);
    return true;
}

bool monitors_decided(const struct guard *g, enum scan_kind kind)
{
    return wanted_by(g->broker->scanner, true) & 1U << kind;
}

void monitors_overflow(struct guard *g)
{
    struct scan *scan;
    uint64_t lost = g->statistics.untold - g->untold;

    if ( !lost || !(wanted_by(g->broker->scanner, false) & 1U << SCAN_OVERFLOW) || scans_over(g) >= SCANS_OVER_MAX )
        return;
    scan = scans_make(g, MEMEVENT_NO_GFN);
    if ( !scan )
        return;
    g->untold += lost;
    scan->kind = SCAN_OVERFLOW;
    scan->values[0] = lost;
    scan->is_fresh = false;
    scan->is_over = true;
    scans_submit(g, scan);
}

void monitors_answer(struct guard *g, const struct scan *scan, const struct waiter *waiter)
{
    struct hypervisor *hv = g->broker->hv;
    uint32_t actions = 0;
    int rc = 0;

    if ( scan->kind == SCAN_REGISTER || scan->kind == SCAN_MSR )
        actions = scan->is_denied ? MEMEVENT_ACTION_DENY : 0;
    else if ( scan->kind == SCAN_INTERRUPT && scan->is_denied )
        rc = hv->ops->inject_fault(hv, g->domid, waiter->vcpu);
    else if ( scan->kind == SCAN_INTERRUPT )
        rc = hv->ops->inject_breakpoint(hv, g->domid, waiter->vcpu, scan->instruction_bytes);
    /* The instruction is met again, and so are we. */
    if ( rc && rc != -EBUSY )
        log_message(LOG_ERR, LOG_DOMAIN(g->domid, g->name, "monitor-failed"), "%s: a breakpoint cannot be handed on: %s",
                    g->name, strerror(-rc));
    guard_answer(g, waiter->id, actions);
}
