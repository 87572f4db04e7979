/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A small table from one number to another, for what few pages have: counts of masters with many sharers, classes
 * that have lost their master, contents that one word says.  Open addressing by linear probing; an entry that goes
 * leaves no mark. For one thread.
 */
#ifndef XENSHARING_TABLE_H
#define XENSHARING_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct table {
    struct table_entry {
        uint64_t key, value;      /* value 0: the place is free */
    } *entries;
    uint32_t size;                /* of entries: 0, or a power of two that is at least twice used */
    uint32_t used;
    uint32_t most;                /* entries it will take */
};

void table_open(struct table *t, uint32_t most);
void table_close(struct table *t);
void table_clear(struct table *t);
static inline uint64_t table_allocated(const struct table *t)
{
    return t->size * (uint64_t)sizeof(*t->entries);
}

/* The value, or 0. */
uint64_t table_get(const struct table *t, uint64_t key);
/* value must not be 0.  False: it has as many as it takes, or there is no memory. */
bool table_set(struct table *t, uint64_t key, uint64_t value);
void table_remove(struct table *t, uint64_t key);
/* Calls change for each value; an entry whose value becomes 0 goes. */
void table_change(struct table *t, uint64_t (*change)(uint64_t value));

#endif
