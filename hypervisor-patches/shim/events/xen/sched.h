/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stand-in for Xen's header of this name, with which event_2l.c, event_fifo.c and event-nlevel.c of a source tree that
 * apply was run on are compiled in user space, together with the tree's own xen/event.h and public headers.
 *
 * Of domains, vCPUs and channels it has what these files know.  All channels lie in one bucket.  The program has to
 * define shim_current, and the functions at the end; locks of domain and channel it has to keep itself.
 */
#ifndef SHIM_EVENTS_XEN_SCHED_H
#define SHIM_EVENTS_XEN_SCHED_H

#include <stdio.h>

#include <asm/atomic.h>
#include <asm/guest_atomics.h>
#include <asm/system.h>
#include <xen/errno.h>
#include <xen/lib.h>
#include <xen/nospec.h>
#include <xen/spinlock.h>
#include <xen/types.h>
#include <xen/xmalloc.h>

#include <public/event-nlevel.h>
#include <public/event_channel.h>
#include <public/xen.h>

#define CONFIG_EVTCHN_NLEVEL

#ifndef unlikely
#define unlikely(condition) __builtin_expect(!!(condition), 0)
#endif
#define always_inline inline __attribute__((always_inline))
#define min(a, b) ((a) < (b) ? (a) : (b))
#define XFREE(memory) (xfree(memory), (memory) = NULL)
typedef bool bool_t;
#define __must_check
struct pirq;

/* The program's own: one thread, or a model of few. */
typedef struct { uint32_t words[3]; } rwlock_t;
#define read_lock(lock)     ((void)(lock))
#define read_trylock(lock)  ((void)(lock), true)
#define read_unlock(lock)   ((void)(lock))
#define write_lock(lock)    ((void)(lock))
#define write_unlock(lock)  ((void)(lock))
#define spin_lock_irqsave(lock, flags)      ((flags) = 0, spin_lock(lock))
#define spin_unlock_irqrestore(lock, flags) ((void)(flags), spin_unlock(lock))

#define ECS_FREE        0
#define ECS_RESERVED    1
#define ECS_UNBOUND     2
#define ECS_INTERDOMAIN 3

struct evtchn {
    rwlock_t lock;
    unsigned char state, xen_consumer;
    evtchn_port_t port;
    bool pending;
    unsigned char priority;
    unsigned short notify_vcpu_id;
    uint32_t fifo_lastq;
} __attribute__((aligned(64)));

#define EVTCHNS_PER_BUCKET (XEN_NLEVEL_PAGES_MAX * XEN_NLEVEL_CHANNELS_A_PAGE)
#define EVTCHNS_PER_GROUP  EVTCHNS_PER_BUCKET
#define array_access_nospec(array, index) ((void)(index), (array)[0])

struct vcpu {
    struct domain *domain;
    unsigned int vcpu_id;
    struct vcpu *next_in_list;
    struct vcpu_info *vcpu_info;
    struct evtchn_fifo_vcpu *evtchn_fifo;
    uint32_t *evtchn_nlevel;
};

struct domain {
    unsigned int domain_id, max_vcpus;
    struct vcpu **vcpu;
    struct shared_info *shared_info;
    struct evtchn *evtchn, **evtchn_group[1];
    unsigned int valid_evtchns;
    rwlock_t event_lock;
    const struct evtchn_port_ops *evtchn_port_ops;
    struct evtchn_fifo_domain *evtchn_fifo;
    struct evtchn_nlevel_domain *evtchn_nlevel;
};

#define BITS_PER_EVTCHN_WORD(d)   ((void)(d), BITS_PER_LONG)
#define shared_info(d, field)     ((d)->shared_info->field)
#define vcpu_info(v, field)       ((v)->vcpu_info->field)
#define for_each_vcpu(d, v)       for ( (v) = (d)->vcpu[0]; (v); (v) = (v)->next_in_list )
#define domain_vcpu(d, id)        ((id) < (d)->max_vcpus ? (d)->vcpu[id] : NULL)

extern struct vcpu *shim_current;
#define current shim_current

/* What Xen would say on its console: the format alone, as its own %p forms are no others'. */
void shim_xen_says(const char *format);
#define XENLOG_WARNING
#define XENLOG_G_WARNING
#define printk(format, ...) shim_xen_says(format)
#define gprintk(level, format, ...) shim_xen_says(format)
#define gdprintk(level, format, ...) shim_xen_says(format)

void vcpu_mark_events_pending(struct vcpu *v);

#endif /* SHIM_EVENTS_XEN_SCHED_H */
