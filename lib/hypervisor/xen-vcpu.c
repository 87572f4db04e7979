/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * vCPUs of the real Xen: their registers, what they take when they go on, and what is told of them. The events themselves come over
 * a channel.
 */
#include <errno.h>
#include <string.h>

#include "xen-host.h"

/* As in xen-domain.c: these come last. */
#include <xen/hvm/save.h>
#include <xen/vm_event.h>

/* Xen's types of what is injected, as of the processors'. */
enum { HARDWARE_EXCEPTION = 3, SOFTWARE_EXCEPTION = 6 };

/* An exception without an error code. */
#define NO_ERROR_CODE (~0U)

static int inject(struct hypervisor *hv, uint16_t domid, uint32_t vcpu, uint8_t vector, uint8_t type, uint32_t error,
                  uint32_t length)
{
    return xendevicemodel_inject_event(xen_host_of(hv)->model, domid, vcpu, vector, type, error, length, 0) ? -errno : 0;
}

int xen_inject_fault(struct hypervisor *hv, uint16_t domid, uint32_t vcpu)
{
    enum { GENERAL_PROTECTION = 13 };

    return inject(hv, domid, vcpu, GENERAL_PROTECTION, HARDWARE_EXCEPTION, 0, 0);
}

int xen_inject_breakpoint(struct hypervisor *hv, uint16_t domid, uint32_t vcpu, uint32_t length)
{
    enum { BREAKPOINT = 3 };

    return inject(hv, domid, vcpu, BREAKPOINT, SOFTWARE_EXCEPTION, NO_ERROR_CODE, length);
}

int xen_get_registers(struct hypervisor *hv, uint16_t domid, uint32_t vcpu, struct hypervisor_registers *out)
{
    struct xen_host *host = xen_host_of(hv);
    HVM_SAVE_TYPE(CPU) cpu;

    if ( vcpu > UINT16_MAX )
        return -ENOENT;
    xen_count(&host->counts.hypercalls, 1);
    xen_count(&host->counts.system_calls, 1);
    if ( xc_domain_hvm_getcontext_partial(host->xc, domid, HVM_SAVE_CODE(CPU), vcpu, &cpu, sizeof(cpu)) )
        return -errno;
    *out = (struct hypervisor_registers){
        .gpr = { cpu.rax, cpu.rcx, cpu.rdx, cpu.rbx, cpu.rsp, cpu.rbp, cpu.rsi, cpu.rdi, cpu.r8, cpu.r9, cpu.r10, cpu.r11,
                 cpu.r12, cpu.r13, cpu.r14, cpu.r15 },
        .rip = cpu.rip, .rflags = cpu.rflags, .cr0 = cpu.cr0, .cr3 = cpu.cr3, .cr4 = cpu.cr4, .efer = cpu.msr_efer,
        .star = cpu.msr_star, .lstar = cpu.msr_lstar, .idt_base = cpu.idtr_base, .idt_limit = cpu.idtr_limit,
        .gdt_base = cpu.gdtr_base, .gdt_limit = cpu.gdtr_limit, .fs_base = cpu.fs_base, .gs_base = cpu.gs_base,
        .shadow_gs = cpu.shadow_gs,
    };
    return 0;
}

/* Once for a domain, and for as long as its channel lives: writes that are told of wait for the answer, which can refuse them. */
static int hold_writes(struct xen_host *host, uint16_t domid)
{
    struct xen_domctl domctl = { .cmd = XEN_DOMCTL_monitor_op, .domain = domid };

    domctl.u.monitor_op.op = XEN_DOMCTL_MONITOR_OP_CONTROL_REGISTERS;
    xen_count(&host->counts.hypercalls, 1);
    xen_count(&host->counts.system_calls, 1);
    return xc_domctl(host->xc, &domctl);
}

static int set_control_register(struct xen_host *host, uint16_t domid, uint32_t which, bool tell)
{
    uint16_t index;

    switch ( which )
    {
    case 0:
        index = VM_EVENT_X86_CR0;
        break;
    case 3:
        index = VM_EVENT_X86_CR3;
        break;
    case 4:
        index = VM_EVENT_X86_CR4;
        break;
    default:
        errno = EOPNOTSUPP;
        return -1;
    }
    /* All bits count; a write that changes nothing is no event. */
    return xc_monitor_write_ctrlreg(host->xc, domid, index, tell, true, 0, true);
}

int xen_set_monitor(struct hypervisor *hv, uint16_t domid, enum hypervisor_monitor what, uint32_t which, bool tell)
{
    struct xen_host *host = xen_host_of(hv);
    int rc = 0;

    if ( tell && (what == MONITOR_CONTROL_REGISTER || what == MONITOR_MSR) )
        rc = hold_writes(host, domid);
    if ( rc )
        return -errno;
    xen_count(&host->counts.hypercalls, 1);
    xen_count(&host->counts.system_calls, 1);
    switch ( what )
    {
    case MONITOR_CONTROL_REGISTER:
        rc = set_control_register(host, domid, which, tell);
        break;
    case MONITOR_MSR:
        rc = xc_monitor_mov_to_msr(host->xc, domid, which, tell, false);
        break;
    case MONITOR_BREAKPOINT:
        rc = xc_monitor_software_breakpoint(host->xc, domid, tell);
        break;
    case MONITOR_REQUEST:
        rc = xc_monitor_guest_request(host->xc, domid, tell, true, true);
        break;
    default:
        return -EINVAL;
    }
    return rc && errno != EEXIST ? -errno : 0;
}
