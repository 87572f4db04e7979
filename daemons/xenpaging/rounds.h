/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The pager's work between two sleeps of its loop, and by the clock.
 */
#ifndef XENPAGING_ROUNDS_H
#define XENPAGING_ROUNDS_H

#include "paged.h"

#define HOUSEKEEPING_MS   100U

/* Polling before sleep starts here when it last paid, doubles up to the limit, and halves to nothing. */
#define POLL_LEAST_NS     10000U

/* Sets the pager's clock. */
void rounds_read_clock(struct pager *p);
/* Starts and stops the housekeeper's clock. */
void rounds_keep_house(struct pager *p, bool on);

/* The loop's; arg is the pager.  loop_before_sleep(): true, there is more to do. */
bool rounds_before_sleep(void *arg);
void rounds_on_housekeeping(evutil_socket_t fd, short what, void *arg);
void rounds_on_store(evutil_socket_t fd, short what, void *arg);

#endif
