/* SPDX-License-Identifier: GPL-2.0-only */
/* Stand-in for Xen's header of this name: what the event channels use of it is in sched.h. */
#ifndef SHIM_EVENTS_XEN_SOFTIRQ_H
#define SHIM_EVENTS_XEN_SOFTIRQ_H

#include <xen/sched.h>

#endif /* SHIM_EVENTS_XEN_SOFTIRQ_H */
