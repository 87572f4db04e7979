/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the halves of bench/channel share: the event channel between the two ends, the lock on the hypervisor's, and
 * the work that is put through a ring.  One thread; nothing here is for another.
 */
#ifndef BENCH_CHANNEL_H
#define BENCH_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#define VCPUS         64u
#define PAGE_OCTETS   4096u

/* Ends the program if it is not so. */
void fail(const char *what) __attribute__((noreturn, cold));

static inline void require(bool truth, const char *what)
{
    if ( !truth )
        fail(what);
}

/* Seconds of this thread's CPU time. */
double now(void);

/*
 * The event channel.  Without crossings its state is kept, and nothing is called.
 *
 * Towards the consumer it is as Xen's and Linux's: an event that is pending already costs no more than the look; otherwise an
 * upcall masks the port and wakes (a write() to an eventfd).  The consumer that wakes polls, reads the port and unmasks it; what
 * came meanwhile is the next upcall.  Towards the hypervisor an event is a system call and a hypercall: a write() and a
 * read().  The consumer's system calls go through Xen both ways, as those of a paravirtual dom0's processes, unless
 * bare.
 */
struct port {
    bool crossings;
    bool bare;
    uint64_t notifications;     /* asked for, both directions */
    uint64_t calls;             /* system calls, hypercalls and upcalls that that took */
};
extern struct port port;

void port_open(void);
void port_close(void);
/* The hypervisor has something for the consumer. */
void port_signal(void);
/* False: nobody has woken the consumer. */
bool port_wake(void);
/* The consumer has something for the hypervisor, which is called next. */
void port_notify(void);

/* Uncontended, as it is in a hypervisor with one vCPU at a time in here; both shapes take it where Xen does. */
void lock(void);
void unlock(void);

/*
 * Events to be put through a ring: so many vCPUs ask at a time.  In bursts, all of them ask, the consumer wakes, answers and
 * sleeps.  Under load, who was answered asks again at once, and the consumer finds no end.
 */
struct work {
    unsigned int outstanding;
    bool load;
    uint64_t left;              /* still to be asked */
    uint64_t answered;
};

/* Whether a vCPU that was answered asks again. */
static inline bool work_goes_on(struct work *work)
{
    work->answered++;
    if ( !work->load || !work->left )
        return false;
    work->left--;

    return true;
}

/* A copy that is not left out because little of it is used. */
static inline void used(const void *copy)
{
    __asm__ volatile ( "" : : "r" (copy) : "memory" );
}

/*
 * Nanoseconds an event, of each step by itself: as many as there is room for put, then all consumed, then all their answers
 * taken.  One sample; its clock is part_clock(), in nanoseconds.
 */
struct parts {
    double put, consume, take;
};
double part_clock(void);

/* Upstream's shape. */
void old_open(void);
void old_close(void);
void old_run(struct work *work);
void old_parts(struct parts *parts);

/* Ours: with a consumer by hand, or libmemevent's. */
struct host;
struct host *reliable_open(void);
void reliable_close(struct host *host);
void reliable_run(struct host *host, struct work *work, bool by_hand);
void reliable_parts(struct host *host, struct parts *parts);

enum lossy_work { LOSSY_PUT, LOSSY_DROP, LOSSY_BOTH, LOSSY_WORKS };

/* Seconds for so many records. */
double lossy_run(enum lossy_work work, uint64_t records);

#endif /* BENCH_CHANNEL_H */
