/* SPDX-License-Identifier: GPL-2.0-only */
/* Stand-in for Xen's header of this name: what the dump of event channels uses of it is in sched.h. */
#ifndef DUMPED_XEN_SOFTIRQ_H
#define DUMPED_XEN_SOFTIRQ_H

#include <xen/sched.h>

#endif /* DUMPED_XEN_SOFTIRQ_H */
