/* SPDX-License-Identifier: GPL-2.0-only */
/* What event_channel.c and event_fifo.c know of event channels of N levels; see common/event-nlevel.c. */
#ifndef XEN_EVENT_NLEVEL_H
#define XEN_EVENT_NLEVEL_H

#include <xen/sched.h>
#include <public/event-nlevel.h>

#ifdef CONFIG_EVTCHN_NLEVEL

static inline bool evtchn_is_nlevel(const struct domain *d)
{
    return d->evtchn_nlevel;
}

/* Of a domain that has N levels. */
unsigned int evtchn_nlevel_channels(const struct domain *d);

/* Of the calling domain, as the public header says. */
int evtchn_nlevel_init(struct xen_nlevel_init *init);
int evtchn_nlevel_vcpu(const struct xen_nlevel_vcpu *vcpu);

/* After the last channel was closed; under event_lock, or of a dying domain.  The port operations are the caller's. */
void evtchn_nlevel_destroy(struct domain *d);

#else

static inline bool evtchn_is_nlevel(const struct domain *d)
{
    return false;
}

static inline unsigned int evtchn_nlevel_channels(const struct domain *d)
{
    return 0;
}

static inline void evtchn_nlevel_destroy(struct domain *d)
{
}

#endif

#endif /* XEN_EVENT_NLEVEL_H */
