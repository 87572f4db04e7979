/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How fast it goes: the share of one CPU that the whole process may use, measured by what the kernel says that it
 * did use.  What was not used is kept for a second, so that the cap is used and not only not exceeded.
 */
#ifndef XENSHARING_PACE_H
#define XENSHARING_PACE_H

#include <stdint.h>

struct pace {
    uint32_t percent;             /* of one CPU */
    int64_t  budget;              /* of CPU time, hundredths of ns that may be used now; below 0: exceeded */
    uint64_t wall, used;          /* at the last look, ns */
    uint64_t window_wall, window_used;
    uint32_t permille;            /* of one CPU, in the last whole window */
};

/* percent: at least 1. */
void pace_open(struct pace *pace, uint32_t percent);

/* Nanoseconds until work may go on; 0: now.  Call it before each piece of work, and see that pieces are short. */
uint64_t pace_wait(struct pace *pace);

/* The same by clocks that the caller read. */
uint64_t pace_wait_at(struct pace *pace, uint64_t wall, uint64_t used);

/* CPU time of this process so far, ns. */
uint64_t pace_used(void);

#endif
