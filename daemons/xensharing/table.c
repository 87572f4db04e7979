/* SPDX-License-Identifier: GPL-2.0-only */
/* The table.  It begins when it has its first entry, doubles when it is half full, and never shrinks. */
#include <stdlib.h>
#include <string.h>

#include "table.h"

#define SIZE_LEAST 64U

void table_open(struct table *t, uint32_t most)
{
    *t = (struct table){ .most = most };
}

void table_close(struct table *t)
{
    free(t->entries);
    *t = (struct table){ 0 };
}

void table_clear(struct table *t)
{
    if ( t->used )
        memset(t->entries, 0, t->size * sizeof(*t->entries));
    t->used = 0;
}

static uint32_t home(const struct table *t, uint64_t key)
{
    /* Fibonacci hashing: page numbers come in runs. */
    return key * UINT64_C(0x9e3779b97f4a7c15) >> 32 & (t->size - 1);
}

/* The key's place, or the free one where it would be. */
static struct table_entry *find(const struct table *t, uint64_t key)
{
    uint32_t at = home(t, key);

    while ( t->entries[at].value && t->entries[at].key != key )
        at = (at + 1) & (t->size - 1);

    return &t->entries[at];
}

static bool grow(struct table *t)
{
    struct table bigger = { .size = t->size ? t->size * 2 : SIZE_LEAST, .used = t->used, .most = t->most };

    bigger.entries = calloc(bigger.size, sizeof(*bigger.entries));
    if ( !bigger.entries )
        return false;
    for ( uint32_t i = 0; i < t->size; i++ )
        if ( t->entries[i].value )
            *find(&bigger, t->entries[i].key) = t->entries[i];
    free(t->entries);
    *t = bigger;

    return true;
}

uint64_t table_get(const struct table *t, uint64_t key)
{
    return t->used ? find(t, key)->value : 0;
}

bool table_set(struct table *t, uint64_t key, uint64_t value)
{
    struct table_entry *entry;

    if ( t->used && (entry = find(t, key))->value )
    {
        entry->value = value;
        return true;
    }
    if ( t->used >= t->most || (t->used * 2 >= t->size && !grow(t)) )
        return false;
    *find(t, key) = (struct table_entry){ key, value };
    t->used++;

    return true;
}

void table_remove(struct table *t, uint64_t key)
{
    struct table_entry *entry = t->used ? find(t, key) : NULL;
    uint32_t hole, at;

    if ( !entry || !entry->value )
        return;
    t->used--;
    /* What follows moves up, unless it would come before where it begins. */
    for ( at = hole = entry - t->entries; ; )
    {
        at = (at + 1) & (t->size - 1);
        if ( !t->entries[at].value )
            break;
        if ( ((at - home(t, t->entries[at].key)) & (t->size - 1)) < ((at - hole) & (t->size - 1)) )
            continue;
        t->entries[hole] = t->entries[at];
        hole = at;
    }
    t->entries[hole].value = 0;
}

void table_change(struct table *t, uint64_t (*change)(uint64_t value))
{
    for ( uint32_t i = 0; i < t->size; )
    {
        struct table_entry *entry = &t->entries[i];
        uint64_t value = entry->value ? change(entry->value) : 0;

        if ( entry->value && !value )
        {
            /* Another takes its place, which is looked at next; one from the start may be so a second time. */
            table_remove(t, entry->key);
            continue;
        }
        entry->value = value;
        i++;
    }
}
