/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The pages of one domain, taken out and given back through the PAGING family. What is out is for Xen to know: the
 * store has a place for each frame, which Xen itself fills, so it needs no books and survives whoever dies in the
 * middle.
 */
#ifndef TESTS_SYSTEM_PROGRAMS_CHANNEL_PAGES_H
#define TESTS_SYSTEM_PROGRAMS_CHANNEL_PAGES_H

#include "channel.h"

struct pages {
    uint16_t domid;
    uint64_t frames;                        /* [0, frames) may be taken out */
    uint8_t *octets;                        /* 4096 for each; shared with children */
    struct xen_memevent_operation *operations;
};

void pages_open(struct pages *p, uint16_t domid, uint64_t frames);

/* In a child, after hypervisor_open(). */
void pages_inherit(struct pages *p);

/* Nominates and evicts count frames from first on. How many went out. */
unsigned long pages_evict(struct pages *p, uint64_t first, uint64_t count);

/* Gives one back. 0, -ENOENT: it is in; the program ends with anything else. */
int pages_load(struct pages *p, uint64_t gfn);

/* What a request asks for; it is not answered here. */
void pages_serve(struct pages *p, const struct xen_memevent_request *request);

/* How many are out; all of them come back with load. */
unsigned long pages_out(struct pages *p, bool load);

#endif
