/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Going on where an earlier pager was killed: what it left in the store and on the stage, held against what the
 * hypervisor says, which decides.  Where all that was kept meanwhile is state.h's.
 */
#ifndef XENPAGING_RESUME_H
#define XENPAGING_RESUME_H

#include "paged.h"

/*
 * Before any domain is opened: forgets domains that are gone, and puts the pages of the stage that are out into
 * the store.  After an error nothing is lost, and it can be done again.
 */
int resume_stage(struct pager *p);

/*
 * After a domain was attached whose pages an earlier pager left: makes its records of what is stored, forgets what is
 * not out any more, and lets the domain run if it was that pager that had paused it.
 */
int resume_domain(struct paged *d);

/*
 * Holds count frames, in which an earlier pager may have been interested, against what the hypervisor says: one that
 * is marked is nominated for us, too.
 */
void resume_marks(struct paged *d, const uint64_t *gfns, unsigned int count);

/* Forgets every stored page that is not out.  0, or -errno: the hypervisor did not say. */
int resume_check(struct paged *d);

/* Whether one frame is out: 1 or 0, or -errno. */
int resume_is_out(struct paged *d, uint64_t gfn);

#endif
