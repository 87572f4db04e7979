/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The contract of access rights: frames are restricted, the guest's writes to them become events, and it goes on when they
 * are answered, by being stepped over or by getting its rights back.
 */
#include <errno.h>
#include <stdlib.h>

#include "contract-private.h"

/* XENMEM_access_* and MEM_ACCESS_* of Xen's; VM_EVENT_REASON_MEM_ACCESS. */
#define ACCESS_RX      5
#define ACCESS_RWX     7
#define ACCESS_N2RWX   9
#define ACCESS_NONE    11
#define WRITTEN        2u
#define IS_GLA_VALID   8u
#define REASON_ACCESS  1

/* Events that are answered by stepping over, and by giving back. */
#define STEPS 6u
#define BACK  6u

static int set(struct contract *c, uint64_t gfn, uint32_t count, uint32_t access)
{
    struct hypervisor_operation one = {
        .call = ACCESS_SET, .domid = c->domid, .gfn = gfn, .access = { .count = count, .access = access },
    };
    int rc = c->hv->ops->submit(c->hv, &one, 1);

    if ( !rc && !one.status )
        EXPECT(c, one.access.done, count);

    return rc ? rc : one.status;
}

static bool next(struct contract *c, struct memevent_event *event)
{
    struct memevent_details details;

    if ( !contract_wait_event(c, event, PATIENCE_MS) )
    {
        contract_fail(c, __FILE__, __LINE__, "no event came");
        return false;
    }
    EXPECT(c, event->kind, REASON_ACCESS);
    EXPECT(c, event->flags & MEMEVENT_FLAG_VCPU_PAUSED, MEMEVENT_FLAG_VCPU_PAUSED);
    EXPECT(c, event->gfn >= c->first && event->gfn < c->first + c->count, 1);
    EXPECT(c, memevent_get_details(c->channel, event->id, &details), 0);
    EXPECT(c, details.access & WRITTEN, WRITTEN);
    if ( details.access & IS_GLA_VALID )
        EXPECT(c, details.gla / HYPERVISOR_PAGE_SIZE, event->gfn);

    return true;
}

static void answer(struct contract *c, const struct memevent_event *event, uint32_t actions)
{
    EXPECT(c, memevent_answer_with(c->channel, event->id, actions), 0);
    EXPECT(c, memevent_answer(c->channel, event->id), -EALREADY);
    EXPECT(c, memevent_flush(c->channel), 0);
}

/* What the hypervisor says of a vCPU that runs, and which events it takes orders for. */
static void ask_of_vcpus(struct contract *c)
{
    struct hypervisor_registers registers;
    const struct hypervisor_ops *ops = c->hv->ops;

    EXPECT(c, ops->get_registers(c->hv, c->domid, 0, &registers), 0);
    EXPECT(c, registers.cr0 & 1, 1);
    EXPECT(c, ops->get_registers(c->hv, c->domid, 4000, &registers), -ENOENT);
    EXPECT(c, ops->set_monitor(c->hv, c->domid, MONITOR_CONTROL_REGISTER, 5, true), -EOPNOTSUPP);
    for ( unsigned int twice = 0; twice < 2; twice++ )
        for ( unsigned int tell = 2; tell-- > 0; )
        {
            EXPECT(c, ops->set_monitor(c->hv, c->domid, MONITOR_CONTROL_REGISTER, 4, tell), 0);
            EXPECT(c, ops->set_monitor(c->hv, c->domid, MONITOR_MSR, 0xc0000082u, tell), 0);
            EXPECT(c, ops->set_monitor(c->hv, c->domid, MONITOR_MSR, 0xc0000082u, tell), 0);
            EXPECT(c, ops->set_monitor(c->hv, c->domid, MONITOR_BREAKPOINT, 0, tell), 0);
            EXPECT(c, ops->set_monitor(c->hv, c->domid, MONITOR_REQUEST, 0, tell), 0);
        }
}

void contract_access(struct contract *c)
{
    struct memevent_channel_info info;
    struct memevent_event event;
    uint64_t limit = 0;
    unsigned int i;

    EXPECT(c, set(c, c->first, 1, ACCESS_RX), -ENODEV);
    EXPECT(c, set(c, MEMEVENT_NO_GFN, 1, ACCESS_RX), -ENODEV);
    if ( !contract_attach(c, MEMEVENT_CLASS_ACCESS) )
        return;
    EXPECT(c, c->hv->ops->get_frame_limit(c->hv, c->domid, &limit), 0);
    EXPECT(c, set(c, c->first, 0, ACCESS_RX), -EINVAL);
    EXPECT(c, set(c, c->first, 1, ACCESS_NONE), -EINVAL);
    EXPECT(c, set(c, limit - 1, 2, ACCESS_RX), -EINVAL);
    ask_of_vcpus(c);

    /* Of frames that come; n2rwx would be used up by the first. */
    EXPECT(c, set(c, MEMEVENT_NO_GFN, 2, ACCESS_RX), -EINVAL);
    EXPECT(c, set(c, MEMEVENT_NO_GFN, 1, ACCESS_N2RWX), -EINVAL);
    EXPECT(c, set(c, MEMEVENT_NO_GFN, 1, ACCESS_RX), 0);
    EXPECT(c, set(c, MEMEVENT_NO_GFN, 1, ACCESS_RWX), 0);

    EXPECT(c, set(c, c->first, c->count, ACCESS_RX), 0);
    for ( i = 0; i < STEPS && next(c, &event); i++ )
        answer(c, &event, MEMEVENT_ACTION_EMULATE);
    for ( i = 0; i < BACK && next(c, &event); i++ )
    {
        EXPECT(c, set(c, event.gfn, 1, ACCESS_RWX), 0);
        answer(c, &event, 0);
    }
    EXPECT(c, memevent_get_channel_info(c->channel, &info), 0);
    EXPECT(c, info.answered >= STEPS + BACK || c->failures, 1);
    EXPECT(c, info.unknown + info.repeated + info.malformed + info.overruns, 0);

    /* Who waits goes on when the channel ends. */
    if ( next(c, &event) )
        EXPECT(c, set(c, c->first, c->count, ACCESS_RWX), 0);
    contract_detach(c);
    EXPECT(c, set(c, c->first, 1, ACCESS_RX), -ENODEV);
}
