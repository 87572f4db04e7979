/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which pages go: a clock with a true second chance.
 *
 * The hand passes over the frames; a page that was found in use keeps a heat that each pass takes one
 * from, and a cold one is nominated.  A nominated page is still there, but its first touch comes back
 * as an event, or takes the nomination away: it need not be guessed whether it is in use.  Nominated
 * pages wait in order; one that nobody touched for the grace time may be evicted.  Calls no hypervisor:
 * pagers ask here and tell here.
 */
#ifndef XENPAGING_CHOOSE_H
#define XENPAGING_CHOOSE_H

#include <stdbool.h>
#include <stdint.h>

#include "pages.h"

/* Ages of pages, upper bounds in seconds; the last bucket has none. */
#define CHOOSE_AGES       5
extern const uint32_t choose_age_seconds[CHOOSE_AGES - 1];

/*
 * How long a nominated page must stay untouched.  The default keeps what is used ten times a second;
 * under pressure that finds no victims it is halved down to the least, below which a page that a
 * sequential reader is about to leave would be taken from under him.
 */
#define CHOOSE_GRACE_MS       100U
#define CHOOSE_GRACE_LEAST_MS 10U

/* A page sampled for the working set counts as not in it when it was not touched for this long. */
#define CHOOSE_SAMPLE_MS      30000U

/* Refusals in a row after which a frame is no longer taken for memory and must be asked about. */
#define CHOOSE_REFUSALS_MAX   8U

struct choose_statistics {
    uint64_t nominated;           /* nominations that were accepted */
    uint64_t refused;             /* that were not, and evictions: in use by dom0, touched just now, not pageable */
    uint64_t touched;             /* second chances: nominated pages that came back */
    uint64_t evicted;
    uint64_t working_set_pages;   /* estimate: pages in use within CHOOSE_SAMPLE_MS */
    uint64_t samples;             /* that the estimate stands on; 0: there is none yet */
    uint64_t cold_pages[CHOOSE_AGES]; /* untouched for this long: nominated and out pages by age */
};

struct choose;

int choose_open(struct pages *pages, struct choose **out);
void choose_close(struct choose *c);  /* NULL is accepted */

/* Fills gfns with up to max resident pages that are worth a nomination; looks at a bounded number of frames. */
unsigned int choose_nominees(struct choose *c, uint64_t *gfns, unsigned int max);

/* Up to max random resident pages for the working-set estimate, not cold ones in particular. */
unsigned int choose_samples(struct choose *c, uint64_t *gfns, unsigned int max);

/* A nomination was accepted; flags are PAGE_MARKER, PAGE_SAMPLED or 0. */
void choose_nominated(struct choose *c, uint64_t gfn, uint8_t flags, uint32_t now);

/* A nomination, or an eviction, was refused.  True: the frame was refused so often that it should be asked about. */
bool choose_refused(struct choose *c, uint64_t gfn, uint32_t now);

/* The nomination was taken back, for our own reasons: says nothing of how the guest uses the page. */
void choose_released(struct choose *c, uint64_t gfn, uint32_t now);

/* The guest used the page: it came back, was found not nominated any more, or was loaded on demand. */
void choose_touched(struct choose *c, uint64_t gfn, uint32_t now);

/*
 * Takes up to max pages that have been nominated for the grace time from the queue, oldest first;
 * all_ages: those that have not, too.  The caller evicts them or gives them back (choose_put_back).
 */
unsigned int choose_victims(struct choose *c, uint64_t *gfns, unsigned int max, bool all_ages, uint32_t now);
void choose_put_back(struct choose *c, uint64_t gfn, uint32_t now);
void choose_evicted(struct choose *c, uint64_t gfn, uint32_t now);

/* Pages were needed and none had its grace: accept younger ones; or: there are plenty again. */
void choose_set_pressed(struct choose *c, bool pressed);

/* Up to max samples that choose_tick() is about to settle as cold: where no event tells of a touch, ask first. */
unsigned int choose_due(const struct choose *c, uint64_t *gfns, unsigned int max, uint32_t now);

/* Once a second: settles the samples. */
void choose_tick(struct choose *c, uint32_t now);

/* Walks all frames for the ages: not for every event. */
void choose_get_statistics(const struct choose *c, uint32_t now, struct choose_statistics *out);

#endif
