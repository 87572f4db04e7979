/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * gaps: until when each domain was guarded, left behind for the next broker, so that it can say for how long one was not.
 * Times are ns of CLOCK_BOOTTIME: the file lies where nothing outlives a boot.
 */
#ifndef AV_GAPS_H
#define AV_GAPS_H

#include <stdbool.h>
#include <stdint.h>

struct broker;
struct guard;
struct gaps;

/* What a former broker said of a domain. */
struct gap {
    uint64_t until;               /* it was guarded; 0: nothing is known */
    bool     was_free;            /* set free then; else it stayed restricted, and whatever was new to it waited */
};

/* A gap that is over. */
struct gap_length {
    bool     is_known;
    bool     was_free;
    uint64_t milliseconds;        /* from the last that the former broker wrote, which may be a second too long */
};

/* Reads what is there; what makes no sense is nothing, and is said. 0 or -ENOMEM. */
int  gaps_open(struct gaps **out, const char *directory);
void gaps_close(struct gaps *gaps);

/* Of a domain as the former broker left it; zeros if it did not guard it. */
struct gap gaps_find(const struct gaps *gaps, uint16_t domid, const char *uuid);

/* All of the domain is guarded again: what there is to say of a gap is said, once. */
void gaps_end(struct guard *guard);

/* Each second, and once more when guests are about to be let go. */
void gaps_write(struct broker *broker);

#endif /* AV_GAPS_H */
