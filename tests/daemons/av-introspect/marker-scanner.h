/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A scanner for tests, in the broker's own process: a page that holds EICAR's test string is malicious, one that holds
 * SUSPECT is suspicious. It does as it is told: holds results back, fails, is of other rules.
 */
#ifndef TESTS_AV_MARKER_SCANNER_H
#define TESTS_AV_MARKER_SCANNER_H

#include <daemons/av-introspect/scanner.h>

#define MARKER_MALICIOUS  "X5O!P%@AP[4\\PZX54(P^)7CC)7}$" "EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
#define MARKER_SUSPICIOUS "SUSPECT-CODE"
/* Who decides finds nothing here, who is told afterwards does. */
#define MARKER_LATER      "FOUND-AFTERWARDS"
/* Who decides cannot judge this. */
#define MARKER_UNJUDGED   "NOBODY-KNOWS"
/* The new value of a register that may not be. */
#define MARKER_VALUE      UINT64_C(0xbad)

/* 0 or -errno. Closed by its own close(). */
int marker_scanner_open(struct scanner *out);

/* The rest from any thread. While it holds, results wait. */
void marker_scanner_hold(bool hold);
/* The next so many requests end as FAILED. */
void marker_scanner_fail(unsigned int requests);
/* The next so many submits find no room. */
void marker_scanner_refuse(unsigned int submits);
void marker_scanner_set_generation(uint64_t generation);
/* As scanner.wants(); at first pages are decided, no more. */
void marker_scanner_want(uint32_t decide, uint32_t notify);
/* tick() is due so long after the last, from the next event on; 0: never before the second is over. How often it was called. */
void marker_scanner_want_ticks(uint32_t milliseconds);
unsigned int marker_scanner_ticks(void);
/* Frames as the broker gives them to who looks beyond a page, in the next tick; returns when they are there. */
struct marker_read {
    uint16_t domid;
    uint32_t count;
    const uint64_t *gfns;
    void    *pages;               /* of SCAN_PAGE_BYTES each */
    int32_t *status;
};
void marker_scanner_read(struct marker_read *read);
/* A result that nobody asked for, with so many other findings in it. */
void marker_scanner_tick(uint16_t domid, unsigned int others, bool rescan);
/* The last request of the kind; false: there was none. Its pointers say nothing but whether there was something. */
bool marker_scanner_last(enum scan_kind kind, struct scan_request *out, struct hypervisor_registers *registers);
/* Requests that it was given so far, and that wait. */
unsigned int marker_scanner_taken(void);
unsigned int marker_scanner_held(void);

#endif
