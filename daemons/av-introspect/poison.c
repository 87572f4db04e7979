/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A small table that is searched from end to end; it is asked once a page, and mostly empty.
 */
#include "poison.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <xxhash.h>

#include <av-introspect/plugin.h>

struct entry {
    uint64_t name, met;         /* name 0: free */
    uint32_t deaths;
};

struct poison {
    unsigned char secret[XXH3_SECRET_SIZE_MIN];
    uint64_t clock;
    unsigned int used;
    struct entry entries[POISON_PAGES];
};

int poison_open(struct poison **out)
{
    struct poison *poison = calloc(1, sizeof(*poison));

    *out = NULL;
    if ( !poison )
        return -ENOMEM;
    if ( getrandom(poison->secret, sizeof(poison->secret), 0) != sizeof(poison->secret) )
    {
        free(poison);
        return -EIO;
    }
    *out = poison;
    return 0;
}

void poison_close(struct poison *poison)
{
    free(poison);
}

uint64_t poison_name(const struct poison *poison, const void *page)
{
    uint64_t name = XXH3_64bits_withSecret(page, AV_PAGE_SIZE, poison->secret, sizeof(poison->secret));

    return name ? name : 1;
}

static struct entry *find(const struct poison *poison, uint64_t name)
{
    for ( unsigned int i = 0; poison->used && i < POISON_PAGES; i++ )
        if ( poison->entries[i].name == name )
            return (struct entry *)&poison->entries[i];
    return NULL;
}

static struct entry *oldest(struct poison *poison)
{
    struct entry *found = &poison->entries[0];

    for ( unsigned int i = 1; i < POISON_PAGES; i++ )
        if ( poison->entries[i].met < found->met )
            found = &poison->entries[i];
    return found;
}

uint32_t poison_died(struct poison *poison, uint64_t name)
{
    struct entry *entry = find(poison, name);

    if ( !entry )
    {
        entry = oldest(poison);
        poison->used += !entry->name;
        entry->name = name;
        entry->deaths = 0;
    }
    entry->met = ++poison->clock;
    return ++entry->deaths;
}

uint32_t poison_deaths(const struct poison *poison, uint64_t name)
{
    const struct entry *entry = find(poison, name);

    return entry ? entry->deaths : 0;
}

void poison_judged(struct poison *poison, uint64_t name)
{
    struct entry *entry = find(poison, name);

    if ( !entry )
        return;
    memset(entry, 0, sizeof(*entry));
    poison->used--;
}

void poison_clear(struct poison *poison)
{
    memset(poison->entries, 0, sizeof(poison->entries));
    poison->used = 0;
}
