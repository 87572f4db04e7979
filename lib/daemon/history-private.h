/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The history's layout, for its two sides; nobody else sees it.  The octet table is in history.h.
 */
#ifndef DAEMON_HISTORY_PRIVATE_H
#define DAEMON_HISTORY_PRIVATE_H

#include <assert.h>
#include <stddef.h>

#include "history.h"

#define HISTORY_MAGIC "xmeHIST1"

struct history_header {
    char     magic[8];
    uint32_t capacity;
    uint32_t period;
    uint32_t figures;
    uint32_t pad0;                /* zero */
    char     names[HISTORY_FIGURES][HISTORY_NAME_BYTES];
    uint8_t  pad1[64];            /* zero */
    uint64_t check;
};

struct history_record {
    uint64_t sequence;
    uint64_t time;
    uint64_t values[HISTORY_FIGURES];
    uint64_t check;
};

static_assert(sizeof(struct history_header) == 512, "history's header");
static_assert(offsetof(struct history_header, names) == 24, "history's names");
static_assert(offsetof(struct history_header, check) == 504, "history's check");
static_assert(sizeof(struct history_record) == 128, "a sample of the history");
static_assert(offsetof(struct history_record, check) == 120, "a sample's check");

/* XXH64 of what comes before the check. */
uint64_t history_header_check(const struct history_header *header);
uint64_t history_record_check(const struct history_record *record);

/* 0 or -EBADMSG with words (HISTORY_ERROR_BYTES). */
int history_check_header(const struct history_header *header, size_t length, char *error);

#endif /* DAEMON_HISTORY_PRIVATE_H */
