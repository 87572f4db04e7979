/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fetching ahead of sequential readers, for pagein.c.
 */
#ifndef XENPAGING_AHEAD_H
#define XENPAGING_AHEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "stream.h"

struct paged;

/* A window to be fetched; one of count 0 is none. */
void ahead_want(struct paged *d, struct stream_window window);
/* Fetches the windows, now that nobody waits. */
void ahead_fetch(struct paged *d);

/*
 * Of a page with PAGE_HELD: its load goes the way of the others, and the flag becomes PAGE_LOADING.  demanded: somebody waits
 * for it.
 */
void ahead_release(struct paged *d, uint64_t gfn, bool demanded);
/* What may be held of the page is not wanted any more. */
void ahead_forget(struct paged *d, uint64_t gfn);
/* The same, of all the domain's pages. */
void ahead_abandon(struct paged *d);

#endif
