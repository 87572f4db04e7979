/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guests that wait because a shared page of theirs could not be copied: the host had no memory.  This room hears of
 * them, makes known that memory is short, so that pages are evicted (pageout.c), and answers.
 */
#ifndef XENPAGING_OOM_H
#define XENPAGING_OOM_H

#include <stdbool.h>
#include <stdint.h>

struct pager;

/* Who waits is told to try again after so long at most, memory or not: then he comes back if there is none. */
#define OOM_ANSWER_MS 250U

struct oom_statistics {
    uint64_t domains;             /* that are listened to */
    uint64_t events;
    uint64_t answered_with;       /* after pages had been evicted */
    uint64_t answered_without;    /* when OOM_ANSWER_MS had passed, and none could be */
    uint64_t waiting;             /* now */
    bool     unresolved;          /* lately there was nothing to free */
};

/* Begins to listen to a domain, if the hypervisor tells of this at all, and if it is not listened to already. */
void oom_add(struct pager *p, uint16_t domid);
/* The domain is gone. */
void oom_remove(struct pager *p, uint16_t domid);
/* All of them: what is unanswered waits for the next pager. */
void oom_close(struct pager *p);

/* Takes events, and answers those who can go on.  True: somebody waits, and pages should go. */
bool oom_serve(struct pager *p);
/* Before sleep.  False: an event is there already. */
bool oom_arm(struct pager *p);

void oom_get_statistics(const struct pager *p, struct oom_statistics *out);

#endif
