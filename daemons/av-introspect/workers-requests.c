/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a request of the broker's becomes for a worker and its plugins: the event and the registers of its vCPU.
 */
#include <string.h>

#include "workers-private.h"

/* r: NULL, they are not known. */
static void put_registers(struct request_in *in, uint32_t vcpu, const struct hypervisor_registers *r)
{
    in->has_registers = r != NULL;
    if ( !r )
        return;
    in->registers = (struct av_registers){
        .size = sizeof(in->registers), .vcpu = vcpu, .rip = r->rip, .rflags = r->rflags, .cr0 = r->cr0, .cr3 = r->cr3,
        .cr4 = r->cr4, .efer = r->efer, .star = r->star, .lstar = r->lstar, .idt_base = r->idt_base, .gdt_base = r->gdt_base,
        .idt_limit = r->idt_limit, .gdt_limit = r->gdt_limit, .fs_base = r->fs_base, .gs_base = r->gs_base,
        .shadow_gs = r->shadow_gs,
        .known = AV_REGISTER_GPR | AV_REGISTER_CONTROL | AV_REGISTER_EFER | AV_REGISTER_SYSCALL | AV_REGISTER_TABLES |
                 AV_REGISTER_BASES,
    };
    memcpy(in->registers.gpr, r->gpr, sizeof(in->registers.gpr));
}

void request_put_registers(const struct workers *w, const struct domain *domain, struct request_in *in)
{
    struct hypervisor_registers registers;
    bool known = w->get_registers && !w->get_registers(w->registers_arg, domain->domid, 0, &registers);

    put_registers(in, 0, known ? &registers : NULL);
}

void request_put(struct request_in *in, const struct slot *slot)
{
    const struct scan_request *request = &slot->request;
    bool is_page = request->kind == SCAN_PAGE;

    in->kind = is_page ? REQUEST_PAGE : REQUEST_EVENT;
    in->who = request->urgency == SCAN_DECIDE ? JUDGE_DECIDE : request->urgency == SCAN_AFTER ? JUDGE_AFTER : JUDGE_ALL;
    in->event = (struct av_event){
        .size = sizeof(in->event), .kind = 1u << request->kind, .vcpu = request->vcpu,
        .gfn = is_page ? request->gfn : AV_NO_GFN, .gva = request->has_gla ? request->gla : 0, .rip = request->rip,
        .cr3 = request->cr3,
        .flags = (request->kind == SCAN_OVERFLOW ? 0 : AV_FLAG_REGISTERS) | (is_page ? AV_FLAG_EXECUTE : 0) |
                 (request->has_gla ? AV_FLAG_GVA : 0) | (request->urgency == SCAN_DECIDE ? AV_FLAG_WAITING : 0) |
                 (slot->again ? AV_FLAG_AGAIN : 0),
    };
    memcpy(in->event.values, request->values, sizeof(in->event.values));
    put_registers(in, request->vcpu, slot->has_registers ? &slot->registers : NULL);
    memcpy(in->event.gpr, request->gpr, sizeof(in->event.gpr));
    if ( is_page )
        memcpy(in->page, slot->page, sizeof(in->page));
}
