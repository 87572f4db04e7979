/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest's calls into Xen, its shared page, its event channels, and its ends. A stock hypervisor
 * answers -EFAULT when an argument lies in a page that is paged out; such a call is made again
 * here, after touching the argument, and counted. Any answer that is not expected ends the guest.
 */
#ifndef TESTS_GUEST_HYPERCALL_H
#define TESTS_GUEST_HYPERCALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xen/xen.h>
#include <xen/event_channel.h>
#include <xen/sched.h>

/* Before anything else of this file; false when this is not Xen, and then nothing can be said. */
bool hypercall_open(void);

/* One call with its argument at @arg; the answer as Xen gave it, but never -EFAULT. */
long hypercall(unsigned int number, unsigned long cmd, void *arg, size_t length);
long hypercall_vcpu(unsigned int cmd, unsigned int vcpu, void *arg, size_t length);

/* Only for probing: one attempt, -XEN_EFAULT is handed on. The argument is @arg, in any page. */
long hypercall_once(unsigned int number, unsigned long cmd, const void *arg);

uint64_t hypercall_efaults(void);
void hypercall_count_efault(void);

extern volatile struct shared_info *const shared_info;

uint64_t hvm_param(unsigned int index);
evtchn_port_t event_bind_ipi(unsigned int vcpu);
void event_send(evtchn_port_t port);

/* Does event_clear() once the guest has registered another ABI; NULL: shared_info has the bits. */
extern void (*event_clear_by)(evtchn_port_t port);

/* Clears the port's pending bit; whoever sends after this makes the next poll return. */
void event_clear(evtchn_port_t port);

/* Blocks until the port is pending (none when 0) or Xen's system time reaches @deadline_ns. */
void event_poll(evtchn_port_t port, uint64_t deadline_ns);
void sched_yield(void);

/* SHUTDOWN_suspend; returns in the domain that the image was restored to, of which nothing is mapped or bound. */
void guest_suspend(void);

_Noreturn void guest_shutdown(unsigned int reason);

/* Says so on the console, and in Xen's log if that cannot be done, then SHUTDOWN_crash. */
_Noreturn void guest_panic(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* vCPU 0..31, from where the stack is. */
unsigned int vcpu_self(void);

#endif
