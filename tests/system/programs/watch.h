/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A domain whose frames are restricted, the guest in it, and what was seen of them. It answers the events while the
 * guest carries a program out; what has to come out of that is for the caller. Whatever goes wrong here ends the test.
 */
#ifndef TESTS_SYSTEM_PROGRAMS_WATCH_H
#define TESTS_SYSTEM_PROGRAMS_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include <xenctrl.h>

#include "guest.h"
#include "monitor.h"

#define FRAMES_PER_MIB      256
#define FRAMES_MAX          (256 * FRAMES_PER_MIB)  /* of guests for these tests; 64 MiB are plenty */

/* What was seen of the frames in question since watch_from(). */
struct seen {
    unsigned long events, paused, stepped, in_walks, gla, gla_wrong;
    uint32_t all, any;              /* MEM_ACCESS_* that each, and that some event had */
    unsigned long elsewhere;        /* events on other frames */
};

struct watch {
    xc_interface *xch;
    uint32_t domid;
    struct monitor monitor;
    struct guest guest;
    uint64_t frames;                /* RAM is [0, frames) */
    /* Events on [first, end) are counted, and stepped over while `steps` last; all other frames are set free. */
    uint64_t first, end;
    unsigned long steps;
    struct seen seen;
    uint8_t flags[FRAMES_MAX];      /* MEM_ACCESS_R, _W, _X seen of each frame */
    unsigned int told;              /* frames that there was an event of */
};

extern struct watch watch;

/* Ends the test with status 1. */
void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* One more thing shown. */
void pass(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* "rx2rw" and so on. */
const char *access_name(xenmem_access_t access);

/* Sets the access of frames; of ~0ull: the domain's default. */
void watch_set(xenmem_access_t access, uint64_t first, uint32_t count);

/* Each of the frames must have this access. */
void watch_expect_access(xenmem_access_t wanted, uint64_t first, unsigned int count);

/* Begins to count anew: events on these frames, of which the first `steps` are answered by EMULATE. */
void watch_from(uint64_t first, uint64_t count, unsigned long steps);

/*
 * The guest carries a program out while its events are served, until there are none for a moment. Its last line
 * that contains `what` must say that nothing was wrong.
 */
void watch_guest_do(const char *program, const char *what);

#endif
