/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stand-in for Xen's header of this name, with which event-dump.c is compiled in user space.  Of domains and channels
 * it has what that file knows; time goes by when something is printed or locked.  The functions are test-dump.c's.
 */
#ifndef DUMPED_XEN_SCHED_H
#define DUMPED_XEN_SCHED_H

#include <stdio.h>

#include <asm/atomic.h>
#include <asm/system.h>
#include <xen/lib.h>
#include <xen/types.h>
#include <xen/xmalloc.h>

#define __init
#define xchg(word, value) __atomic_exchange_n(word, value, __ATOMIC_SEQ_CST)
#define max(a, b)         ((a) > (b) ? (a) : (b))

/* Domains and their channels. */
#define ECS_FREE        0
#define ECS_RESERVED    1
#define ECS_UNBOUND     2
#define ECS_INTERDOMAIN 3
#define ECS_PIRQ        4
#define ECS_VIRQ        5
#define ECS_IPI         6

typedef uint16_t domid_t;

struct domain;

struct evtchn {
    unsigned int state, notify_vcpu_id, xen_consumer, port;
    union {
        struct {
            domid_t remote_domid;
        } unbound;
        struct {
            struct domain *remote_dom;
            unsigned int remote_port;
        } interdomain;
        struct {
            unsigned int irq;
        } pirq;
        unsigned int virq;
    } u;
};

typedef struct { bool held; } rwlock_t;

struct domain {
    domid_t domain_id;
    unsigned int max_vcpus, valid_evtchns;
    unsigned long *poll_mask;
    rwlock_t event_lock;
    struct evtchn *channels;
    struct domain *next_in_list;
};

extern struct domain *shim_domains;

#define for_each_domain(d)         for ( (d) = shim_domains; (d); (d) = (d)->next_in_list )
#define port_is_valid(d, port)     ((port) < (d)->valid_evtchns)
#define evtchn_from_port(d, port)  (&(d)->channels[port])
#define evtchn_is_pending(d, chn)  ((void)(d), (chn)->port % 2)
#define evtchn_is_masked(d, chn)   ((void)(d), (chn)->port % 3 == 0)
#define domain_pirq_to_irq(d, irq) ((void)(d), (irq))
#define evtchn_port_state_text(d, chn, text, size) ((void)(d), snprintf(text, size, "%u", (chn)->port % 5))

/* A text of which the caller becomes the owner, or NULL. */
char *xsm_show_security_evtchn(struct domain *d, const struct evtchn *chn);

/* Locks. */
void read_lock(rwlock_t *lock);
void read_unlock(rwlock_t *lock);
#define rw_is_locked(lock) ((lock)->held)

extern bool shim_in_list;           /* between these two */
#define rcu_read_lock(lock)   (shim_in_list = true)
#define rcu_read_unlock(lock) (shim_in_list = false)

/* Time, and what happens later. */
typedef int64_t s_time_t;

#define MILLISECS(ms) ((s_time_t)(ms) * 1000000)
s_time_t NOW(void);

struct timer {
    void (*function)(void *data);
    s_time_t expires;               /* 0: not set */
};

struct tasklet {
    void (*func)(void *data);
};

#define DECLARE_TASKLET(name, func, data) struct tasklet name = { func }
#define smp_processor_id()                0
void init_timer(struct timer *timer, void (*function)(void *data), void *data, unsigned int cpu);
void set_timer(struct timer *timer, s_time_t expires);
void tasklet_schedule(struct tasklet *tasklet);
void process_pending_softirqs(void);

/* The console. */
void printk(const char *format, ...);
void console_start_log_everything(void);
void console_end_log_everything(void);
void register_keyhandler(unsigned char key, void (*handler)(unsigned char key), const char *what, bool diagnostic);
#define __initcall(function) int shim_start(void); int shim_start(void) { return function(); }

#endif /* DUMPED_XEN_SCHED_H */
