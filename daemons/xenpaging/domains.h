/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which domains of the host are to be paged, and the pager's leave of them.  Everything runs on the thread of the event
 * loop.
 */
#ifndef XENPAGING_DOMAINS_H
#define XENPAGING_DOMAINS_H

#include "paged.h"
#include "target.h"

/* Domain numbers below this are ordinary ones. */
#define DOMIDS            0x7ff0U

/* What is known of each domain number besides what is paged. */
struct host {
    struct pager pager;           /* first: callbacks get a struct pager */
    uint8_t watched[DOMIDS / 8];
    uint8_t refused[DOMIDS / 8];
    uint8_t left[DOMIDS / 8];     /* by an earlier pager, and it was said that they cannot be attached to yet */
    uint32_t leaving_since;
    uint64_t stop_left;           /* the fewest pages that a stop had still to bring in */
};

/* The target in pages, or TARGET_NONE.  A value that is no number leaves things as they were before. */
uint64_t domains_target(struct pager *p, uint16_t domid, uint64_t before);
/* Looks at what is wanted of the domain and sets it in motion. */
void domains_consider(struct pager *p, uint16_t domid);
/* Looks which domains there are. */
void domains_look(struct pager *p);
/* Takes leave of a domain if it is time to: it is freed then. */
void domains_settle(struct paged *d);

/* Domains that an earlier pager left, and that could not be attached to yet. */
bool domains_are_left(const struct pager *p);
/* Tries to attach to each of them. */
void domains_attach_left(struct pager *p);

/* The loop's, for xenstore's descriptor.  arg: the pager. */
void domains_on_watch(evutil_socket_t fd, short what, void *arg);

#endif
