/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The pool's cells in the order in which their pages came, oldest first to be written out.  The links are in the
 * cells, in the memfd, so that the order survives; each is checked before it is followed.  A list found broken is made
 * anew from the cells themselves, in no particular order: age is a hint, and losing it loses no page.
 */
#include <stdbool.h>
#include <stddef.h>

#include "store-ram.h"

/* What store_ram_cell needs to be a cell of any size. */
#define ANY_LENGTH 0

void store_ram_relist(struct store_ram *r)
{
    struct store_cell *cell, *last = NULL;

    r->oldest = r->newest = STORE_NONE;
    for ( uint32_t place = 0; place < r->segments_used * STORE_CELLS_MAX; place++ )
    {
        cell = store_ram_cell(r, place, ANY_LENGTH);
        if ( !cell || cell->flight != STORE_FLIGHT_NONE )
            continue;
        cell->older = r->newest;
        cell->newer = STORE_NONE;
        if ( last )
            last->newer = place;
        else
            r->oldest = place;
        r->newest = place;
        last = cell;
    }
}

static void list_rebuild(struct store_ram *r)
{
    r->damaged++;
    store_ram_relist(r);
}

static bool end_is_sound(const struct store_ram *r, uint32_t end)
{
    const struct store_cell *cell = store_ram_cell(r, end, ANY_LENGTH);

    return end == STORE_NONE || (cell && cell->flight == STORE_FLIGHT_NONE);
}

uint32_t store_ram_oldest(struct store_ram *r)
{
    if ( !end_is_sound(r, r->oldest) )
        list_rebuild(r);
    return r->oldest;
}

void store_ram_list_newest(struct store_ram *r, uint32_t place)
{
    struct store_cell *cell = store_ram_cell(r, place, ANY_LENGTH), *newest;

    if ( !end_is_sound(r, r->newest) )
        list_rebuild(r);
    newest = store_ram_cell(r, r->newest, ANY_LENGTH);
    cell->flight = STORE_FLIGHT_NONE;
    cell->older = r->newest;
    cell->newer = STORE_NONE;
    if ( newest )
        newest->newer = place;
    else
        r->oldest = place;
    r->newest = place;
}

void store_ram_list_oldest(struct store_ram *r, uint32_t place)
{
    struct store_cell *cell = store_ram_cell(r, place, ANY_LENGTH), *oldest;

    oldest = store_ram_cell(r, store_ram_oldest(r), ANY_LENGTH);
    cell->flight = STORE_FLIGHT_NONE;
    cell->older = STORE_NONE;
    cell->newer = r->oldest;
    if ( oldest )
        oldest->older = place;
    else
        r->newest = place;
    r->oldest = place;
}

void store_ram_unlist(struct store_ram *r, uint32_t place, uint32_t flight)
{
    struct store_cell *cell = store_ram_cell(r, place, ANY_LENGTH), *older, *newer;

    if ( cell->flight != STORE_FLIGHT_NONE )
    {
        cell->flight = flight;
        return;
    }

    older = store_ram_cell(r, cell->older, ANY_LENGTH);
    newer = store_ram_cell(r, cell->newer, ANY_LENGTH);
    if ( (older ? older->newer != place : r->oldest != place || cell->older != STORE_NONE) ||
         (newer ? newer->older != place : r->newest != place || cell->newer != STORE_NONE) )
    {
        cell->flight = flight;
        list_rebuild(r);
        return;
    }
    if ( older )
        older->newer = cell->newer;
    else
        r->oldest = cell->newer;
    if ( newer )
        newer->older = cell->older;
    else
        r->newest = cell->older;
    cell->flight = flight;
}
