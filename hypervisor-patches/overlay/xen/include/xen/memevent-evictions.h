/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The evictions of a domain that are under way: between a frame's going out and the end of the copy of its page no lock is
 * held, and whoever then has to put the page back must know whether the frame is out by his own doing still.  That it is
 * out does not say so: the frame may have been in meanwhile, with newer contents, and out once more.
 */
#ifndef XEN_MEMEVENT_EVICTIONS_H
#define XEN_MEMEVENT_EVICTIONS_H

#include <xen/spinlock.h>
#include <xen/types.h>

/* On the stack of who evicts. */
struct memevent_eviction {
    struct memevent_eviction *next;
    uint64_t gfn;
    bool overtaken;                     /* the frame has gone out again since */
};

struct memevent_evictions {
    spinlock_t lock;                    /* a leaf; the p2m lock may be held */
    struct memevent_eviction *first;
};

void memevent_evictions_init(struct memevent_evictions *evictions);

/* The frame goes out, now: under the lock that lets no other go out. */
void memevent_eviction_begin(struct memevent_evictions *evictions, struct memevent_eviction *eviction, uint64_t gfn);

/*
 * It is over; once for each begin.  True: since then the frame has not gone out again, so that if it is out, its newest
 * contents are this eviction's.  That holds as long as the lock is held that lets no other go out.
 */
bool memevent_eviction_end(struct memevent_evictions *evictions, struct memevent_eviction *eviction);

#endif /* XEN_MEMEVENT_EVICTIONS_H */
