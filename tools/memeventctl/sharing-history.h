/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The sharer's history as the list and the picture take it: the samples of the last hours.
 */
#ifndef MEMEVENTCTL_SHARING_HISTORY_H
#define MEMEVENTCTL_SHARING_HISTORY_H

#include <daemon/history.h>

#include "sharing.h"

struct sharing_samples {
    struct history_view view;
    const struct history_sample *first;   /* those that were asked for, in the order in which they were taken */
    size_t count;
    uint64_t from, to;                    /* what was asked for, seconds since 1970 */
};

/* An exit status, after a word to stderr. */
int  sharing_samples_open(const struct sharing_request *request, struct sharing_samples *samples);
void sharing_samples_close(struct sharing_samples *samples);

/* The figure's value in a sample; false if the history has no such figure. */
bool sharing_samples_get(const struct sharing_samples *samples, size_t i, const char *name, uint64_t *value);

/* Writes the picture.  Numbers in it are the same in every locale. */
void sharing_plot_write(FILE *out, const struct sharing_samples *samples);

#endif
