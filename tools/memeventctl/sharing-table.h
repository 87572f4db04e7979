/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The sharer's figures for people: tables of figures for the host, groups and domains.
 */
#ifndef MEMEVENTCTL_SHARING_TABLE_H
#define MEMEVENTCTL_SHARING_TABLE_H

#include <stdio.h>

#include "sharing.h"

/* All return 0 or -ENOMEM. */

/* Whose figures follow, and whether they are of now. */
void sharing_print_heading(FILE *out, const struct status *status);
int sharing_print_stats(FILE *out, const struct sharing_look *look);
/* name: NULL or of the one that is wanted; *found counts what was. */
int sharing_print_groups(FILE *out, const struct sharing_look *look, const char *name, size_t *found);
int sharing_print_domains(FILE *out, const struct sharing_look *look, size_t *found);
/* All about those of this name or number. */
int sharing_print_domain(FILE *out, const struct sharing_look *look, const char *name, size_t *found);
/* What top shows of a sharer: the host, and its domains by the order that was chosen. */
int sharing_print_screen(FILE *out, const struct sharing_look *look);
/* What is wrong and what to do, a line each. */
void sharing_print_notes(FILE *out, const struct status *status);

bool sharing_is_domain(const struct json_object *domain, const char *name);

/* The same domain in the look before, or NULL. */
const struct json_object *sharing_find_domain(const struct json_object *root, const struct json_object *domain);

#endif
