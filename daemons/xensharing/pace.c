/* SPDX-License-Identifier: GPL-2.0-only */
/* See pace.h. */
#include "pace.h"

#include <time.h>

#define SECOND        1000000000ULL

/* What is saved up is at most so much wall time's worth: enough for the jitter of timers, too little for a burst. */
#define SAVED_NS      (SECOND / 4)

/* Over this long the share is measured, for people. */
#define WINDOW_NS     SECOND

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return t.tv_sec * SECOND + t.tv_nsec;
}

uint64_t pace_used(void)
{
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

void pace_open(struct pace *pace, uint32_t percent)
{
    *pace = (struct pace){ .percent = percent, .wall = clock_ns(CLOCK_MONOTONIC), .used = pace_used() };
    pace->window_wall = pace->wall;
    pace->window_used = pace->used;
}

uint64_t pace_wait_at(struct pace *pace, uint64_t wall, uint64_t used)
{
    const int64_t most = SAVED_NS * pace->percent;

    pace->budget += (int64_t)((wall - pace->wall) * pace->percent) - (int64_t)(used - pace->used) * 100;
    if ( pace->budget > most )
        pace->budget = most;
    pace->wall = wall;
    pace->used = used;
    if ( wall - pace->window_wall >= WINDOW_NS )
    {
        pace->permille = (used - pace->window_used) * 1000 / (wall - pace->window_wall);
        pace->window_wall = wall;
        pace->window_used = used;
    }
    return pace->budget >= 0 ? 0 : ((uint64_t)-pace->budget + pace->percent - 1) / pace->percent;
}

uint64_t pace_wait(struct pace *pace)
{
    return pace_wait_at(pace, clock_ns(CLOCK_MONOTONIC), pace_used());
}
