/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * See vm-event-access.h.  The slot's order of registers is Xen's own, which upstream's structure of them shares only at its
 * begin.
 */
#include <stddef.h>
#include <string.h>

#include <memevent/memevent.h>

#include "vm-event-access.h"

/* What Xen puts into a request; the last says that a view of altp2m is in force. */
#define KNOWN_FLAGS (VM_EVENT_FLAG_VCPU_PAUSED | VM_EVENT_FLAG_FOREIGN | VM_EVENT_FLAG_ALTERNATE_P2M)

_Static_assert(XEN_MEMEVENT_REGISTERS_OFFSET + sizeof(struct vm_event_regs_x86) <= XEN_MEMEVENT_FULL_SIZE,
               "all registers have room");
_Static_assert(sizeof(((struct xen_memevent_access_request *)NULL)->gpr) == offsetof(struct vm_event_regs_x86, rflags),
               "sixteen registers, in one order");

bool vm_event_is_access(const vm_event_request_t *entry)
{
    if ( entry->version != VM_EVENT_INTERFACE_VERSION || (entry->flags & ~KNOWN_FLAGS) )
        return false;

    switch ( entry->reason )
    {
    case VM_EVENT_REASON_UNKNOWN:
    case VM_EVENT_REASON_MEM_SHARING:
    case VM_EVENT_REASON_MEM_PAGING:
        return false;
    default:
        /* Consumers expect kinds that they do not know; a slot of a channel has 16 bits for one. */
        return entry->reason <= UINT16_MAX;
    }
}

void vm_event_fill_slot(union vm_event_slot *slot, const vm_event_request_t *entry)
{
    struct xen_memevent_access_request *access = &slot->access;
    const struct vm_event_regs_x86 *registers = &entry->data.regs.x86;

    memset(slot, 0, sizeof(*slot));
    access->request.vcpu = entry->vcpu_id;
    access->request.kind = entry->reason;
    access->request.gfn = XEN_MEMEVENT_NO_GFN;
    if ( entry->flags & VM_EVENT_FLAG_VCPU_PAUSED )
        access->request.flags |= XEN_MEMEVENT_VCPU_PAUSED;
    if ( entry->flags & VM_EVENT_FLAG_FOREIGN )
        access->request.flags |= XEN_MEMEVENT_FOREIGN;

    if ( entry->reason == VM_EVENT_REASON_MEM_ACCESS )
    {
        access->request.gfn = entry->u.mem_access.gfn;
        access->gla = entry->u.mem_access.gla;
        access->access = entry->u.mem_access.flags;
    }
    else
        memcpy(access->values, &entry->u, sizeof(access->values));
    if ( entry->flags & VM_EVENT_FLAG_ALTERNATE_P2M )
        access->view = entry->altp2m_idx;

    memcpy(access->gpr, registers, sizeof(access->gpr));
    access->rip = registers->rip;
    access->cr3 = registers->cr3;
    memcpy(slot->octets + XEN_MEMEVENT_REGISTERS_OFFSET, registers, sizeof(*registers));
}

bool vm_event_action_flags(uint32_t actions, uint32_t *flags)
{
    if ( actions & ~(MEMEVENT_ACTION_EMULATE | MEMEVENT_ACTION_SKIP_WRITE | MEMEVENT_ACTION_DENY) )
        return false;

    *flags = 0;
    if ( actions & MEMEVENT_ACTION_EMULATE )
        *flags |= VM_EVENT_FLAG_EMULATE;
    if ( actions & MEMEVENT_ACTION_SKIP_WRITE )
        *flags |= VM_EVENT_FLAG_EMULATE_NOWRITE;
    if ( actions & MEMEVENT_ACTION_DENY )
        *flags |= VM_EVENT_FLAG_DENY;

    return true;
}
