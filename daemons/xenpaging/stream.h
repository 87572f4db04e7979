/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sequential readers: from the frames that are faulted on, which ones will be wanted next.
 *
 * A few streams a domain, each with a direction and a window that doubles while it is right.  In the middle
 * of a window one page is the marker, whose touch is heard of: when the reader touches it the next
 * window is fetched before he gets there, and the touch tells that the window was wanted.
 * Knows frame numbers only.
 */
#ifndef XENPAGING_STREAM_H
#define XENPAGING_STREAM_H

#include <stdbool.h>
#include <stdint.h>

/* Readers followed at a time in a domain: a few more than a small guest's vCPUs. */
#define STREAM_COUNT      8U

/* Faults in order before anything is fetched ahead: two may be chance. */
#define STREAM_RUN_MIN    3U

/* First window, in pages; doubles with each success. */
#define STREAM_WINDOW_MIN 4U

struct stream_window {
    uint64_t first;               /* the frame nearest to the reader */
    int      step;                /* +1 or -1 */
    unsigned int count;           /* 0: nothing to fetch */
    bool     has_marker;
    uint64_t marker;
};

struct stream_statistics {
    uint64_t windows;             /* fetched with a marker */
    uint64_t windows_used;        /* whose marker was touched, or whose end was read over */
};

struct stream {
    uint64_t next;                /* the frame that would go on */
    int      step;                /* 0: one fault only, no direction yet */
    unsigned int run;             /* frames in order so far, bounded */
    unsigned int window;
    uint64_t marker;
    bool     has_marker;
    uint64_t used;                /* when, for the least recently used */
};

struct streams {
    struct stream stream[STREAM_COUNT];
    uint64_t clock;
    unsigned int window_max;      /* 0: fetch nothing ahead */
    struct stream_statistics statistics;
};

void streams_init(struct streams *s, unsigned int window_max);

/* gfn was loaded on demand: what to fetch beside it. */
struct stream_window streams_fault(struct streams *s, uint64_t gfn);

/* The marker is another page of the window: the one that was chosen cannot tell. */
void streams_move_marker(struct streams *s, uint64_t from, uint64_t to);

/* Whether the touch of this frame is waited for. */
bool streams_knows_marker(const struct streams *s, uint64_t gfn);

/* A marker was touched: what to fetch next.  count 0 if nobody knows the marker any more. */
struct stream_window streams_marker(struct streams *s, uint64_t gfn);

#endif
