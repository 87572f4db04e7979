/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which group a domain is in: what the configuration says of its name and UUID, and what the admin wrote to
 * xenstore, which is stronger.  Groups are numbered as they are met; a number stays its group's.
 */
#ifndef XENSHARING_GROUPS_H
#define XENSHARING_GROUPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A name is a word that fits a table's column. */
#define GROUPS_NAME_MAX   31U

/* Different groups in one life of the daemon; pages.h and index.h number them by 16 bits. */
#define GROUPS_MAX        4096U

/* No group: nothing of the domain is shared. */
#define GROUPS_NONE       0xffffU

struct groups;

/* One value of the setting `group`, for the options' table; and what it allows, in words. */
bool groups_line_is_sound(const char *value, size_t length);
#define GROUPS_ALLOWED \
    "NAME: PATTERN..., a name of letters, digits, '-' and '_', then domain names or UUIDs, in which * and ? stand for others"

/* One value of the setting `within-group`: the name of a group. */
bool groups_name_is_sound(const char *value, size_t length);
#define GROUPS_NAME_ALLOWED "a name of letters, digits, '-' and '_'"

/*
 * lines: such values, a line each, all sound; or NULL.  within: names, a line each, all sound; or NULL.
 * 0 or -ENOMEM.
 */
int  groups_open(struct groups **out, const char *lines, const char *within);
void groups_close(struct groups *groups);

/*
 * The group of a domain by the configuration: the first line with a pattern that fits its name or UUID (36 characters).
 * GROUPS_NONE: none does.
 */
uint16_t groups_find(struct groups *groups, const char *name, const char *uuid);

/* The number of a group by its name, a new one for a new name; GROUPS_NONE: no name, or there are too many. */
uint16_t groups_number(struct groups *groups, const char *name, size_t length);

/* How many there are; their numbers are 0 up to that. */
uint16_t groups_count(const struct groups *groups);
const char *groups_name(const struct groups *groups, uint16_t number);
/* Named by the configuration. */
bool groups_is_configured(const struct groups *groups, uint16_t number);
/* Pages of one domain of it are shared with each other, where the domain's own key does not say otherwise. */
bool groups_is_within(const struct groups *groups, uint16_t number);

#endif
