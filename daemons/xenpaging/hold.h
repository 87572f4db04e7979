/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How a tool stack gets a domain to be wholly in memory and to stay so, for a save or a migration: keys in xenstore
 * below HOLD_KEYS/DOMID, which only dom0 can write.
 *
 * "hold", by the tool stack: as long as it exists the domain is kept in.
 * "state", by the pager: "paged" from before the first page goes until the last one is back, and then "in".
 * "pager": the process that wrote "paged"; if it is dead, so are the pages.
 * "left": KiB still to bring in, while that lasts.
 * "lost": KiB of those that nobody can bring in any more: the domain must not be saved.
 *
 * Who writes "hold" and then does not find "paged" may go on at once, whether a pager runs or not: a pager looks for
 * "hold" after it has written "paged", so that one of both sees the other.
 */
#ifndef XENPAGING_HOLD_H
#define XENPAGING_HOLD_H

#include <stdbool.h>
#include <stdint.h>

#define HOLD_KEYS  "/tool/xen-memevent/paging"

struct paged;
struct pager;

bool hold_is_wanted(struct pager *p, uint16_t domid);
/* Somebody has said so: this pager, another one, or one that is dead. */
bool hold_says_paged(struct pager *p, uint16_t domid);

void hold_say_paged(struct pager *p, uint16_t domid);
void hold_say_in(struct pager *p, uint16_t domid);
/* Only for the domain that is being brought in. */
void hold_say_left(struct paged *d);
/* Of a domain whose pages are out, and missing. */
void hold_say_lost(struct paged *d);
/* Nothing is said of the domain any more; what is asked stays. */
void hold_forget(struct pager *p, uint16_t domid);
/* Everything goes: the domain is gone. */
void hold_remove(struct pager *p, uint16_t domid);

/* The domain whose "hold" a watch's path is, or -1: also what is said here makes watches fire. */
int hold_of_path(const char *path);

#endif
