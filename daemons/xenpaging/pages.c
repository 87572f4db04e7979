/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Records of frames: a directory of chunks that grows to the highest frame seen.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pages.h"

struct pages {
    struct page **chunks;         /* NULL where the domain has no memory */
    uint32_t *present;            /* numbers of the chunks that exist, in the order they were made */
    uint32_t chunk_limit;         /* length of chunks */
    uint32_t present_count;
    uint32_t present_room;
    uint64_t counts[PAGE_STATES];
};

int pages_open(struct pages **out)
{
    *out = calloc(1, sizeof(**out));
    return *out ? 0 : -ENOMEM;
}

void pages_close(struct pages *p)
{
    if ( !p )
        return;
    for ( uint32_t i = 0; i < p->present_count; i++ )
        free(p->chunks[p->present[i]]);
    free(p->chunks);
    free(p->present);
    free(p);
}

struct page *pages_find(const struct pages *p, uint64_t gfn)
{
    uint64_t chunk = gfn >> PAGES_CHUNK_SHIFT;

    if ( chunk >= p->chunk_limit || !p->chunks[chunk] )
        return NULL;
    return &p->chunks[chunk][gfn & (PAGES_CHUNK - 1)];
}

static bool grow_directory(struct pages *p, uint32_t chunk)
{
    uint32_t limit = p->chunk_limit ? p->chunk_limit : 64;
    struct page **chunks;

    while ( limit <= chunk )
        limit *= 2;
    chunks = reallocarray(p->chunks, limit, sizeof(*chunks));
    if ( !chunks )
        return false;
    memset(chunks + p->chunk_limit, 0, (limit - p->chunk_limit) * sizeof(*chunks));
    p->chunks = chunks;
    p->chunk_limit = limit;
    return true;
}

static bool note_present(struct pages *p, uint32_t chunk)
{
    if ( p->present_count == p->present_room )
    {
        uint32_t room = p->present_room ? p->present_room * 2 : 64;
        uint32_t *present = reallocarray(p->present, room, sizeof(*present));

        if ( !present )
            return false;
        p->present = present;
        p->present_room = room;
    }
    p->present[p->present_count++] = chunk;
    return true;
}

struct page *pages_make(struct pages *p, uint64_t gfn)
{
    struct page *page = pages_find(p, gfn);
    uint32_t chunk = gfn >> PAGES_CHUNK_SHIFT;

    if ( page )
        return page;
    if ( gfn >= PAGES_LIMIT || (chunk >= p->chunk_limit && !grow_directory(p, chunk)) )
        return NULL;
    p->chunks[chunk] = calloc(PAGES_CHUNK, sizeof(struct page));
    if ( !p->chunks[chunk] )
        return NULL;
    if ( !note_present(p, chunk) )
    {
        free(p->chunks[chunk]);
        p->chunks[chunk] = NULL;
        return NULL;
    }
    p->counts[PAGE_ABSENT] += PAGES_CHUNK;
    return pages_find(p, gfn);
}

void pages_set(struct pages *p, struct page *page, enum page_state state, uint32_t now)
{
    p->counts[page->state]--;
    p->counts[state]++;
    page->state = state;
    page->flags = 0;
    page->since = now;
}

uint64_t pages_count(const struct pages *p, enum page_state state)
{
    return p->counts[state];
}

struct page *pages_next(const struct pages *p, uint64_t *gfn)
{
    for ( uint64_t chunk = *gfn >> PAGES_CHUNK_SHIFT; chunk < p->chunk_limit; chunk++ )
    {
        if ( p->chunks[chunk] )
        {
            if ( chunk != *gfn >> PAGES_CHUNK_SHIFT )
                *gfn = chunk << PAGES_CHUNK_SHIFT;
            return &p->chunks[chunk][*gfn & (PAGES_CHUNK - 1)];
        }
    }
    return NULL;
}

void pages_clear_flag(struct pages *p, uint8_t flag)
{
    for ( uint32_t i = 0; i < p->present_count; i++ )
        for ( uint32_t j = 0; j < PAGES_CHUNK; j++ )
            p->chunks[p->present[i]][j].flags &= ~flag;
}

struct page *pages_pick(const struct pages *p, uint64_t random, uint64_t *gfn)
{
    if ( !p->present_count )
        return NULL;
    *gfn = (uint64_t)p->present[random % p->present_count] << PAGES_CHUNK_SHIFT;
    *gfn += (random >> 32) & (PAGES_CHUNK - 1);
    return pages_find(p, *gfn);
}
