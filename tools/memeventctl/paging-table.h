/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The pager's figures for people: one table of figures, from which the list of all domains, the details of one and
 * the host's sums are made.
 */
#ifndef MEMEVENTCTL_PAGING_TABLE_H
#define MEMEVENTCTL_PAGING_TABLE_H

#include <stdint.h>
#include <stdio.h>

#include "status.h"

/* One domain as one pager sees it, and as it did `seconds` ago. */
struct paging_row {
    const struct status *status;
    const struct json_object *domain;
    const struct json_object *before;     /* NULL: there is nothing to compare with */
    double seconds;
};

/* -ENOMEM, or 0. */
int paging_print_overview(FILE *out, const struct paging_row *rows, size_t count);
int paging_print_details(FILE *out, const struct paging_row *row);
/* One pager's sums for the host: store, hypercalls, and what is wrong. */
int paging_print_host(FILE *out, const struct status *status);

#endif
