/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The pool: octet strings of up to a page in size-classed cells of 64 KiB segments.
 *
 * All cells of a class are alike, so a class whose free cells add up to a segment can always be squeezed by one segment
 * (cells are moved, their records told): the free space of the pool is usable as a whole, whatever was freed.  That is
 * what makes store_ram_capacity() a promise.
 *
 * Layout, for a later process:  segment n is at n * 64 KiB:
 *     octet 0..3   STORE_SEGMENT_MAGIC as long as the segment has memory
 *     octet 4..7   class, when a record says that something is in it
 *     octet 8..15  zero                    octet 16..   cells, of 65520 / cells-per-segment octets, cut to 16
 * and a cell is
 *     octet 0..3   the record it belongs to
 *     octet 4..7   the next older cell by age, 8..11 the next newer (places, STORE_NONE at the ends)
 *     octet 12..15 flight, see below       octet 16..   the bytes
 * A place is segment * 512 + cell.
 */
#ifndef XENPAGING_STORE_RAM_H
#define XENPAGING_STORE_RAM_H

#include <stdbool.h>
#include <stdint.h>

#include "store-memory.h"
#include "store-record.h"

/* Large enough that size classes fit without much waste, small enough that a class with one page in it costs little. */
#define STORE_SEGMENT_SIZE  65536U
#define STORE_SEGMENT_MAGIC 0x58504753U
/* Cells a segment of the smallest class; a multiple of 64. */
#define STORE_CELLS_MAX     512U
/* Cells a segment of the class that holds a whole page. */
#define STORE_CELLS_RAW     15U
#define STORE_CLASSES       25U

/* flight: 0 in the list by age; STORE_FLIGHT_UNLISTED not in it; else the number of the transfer that writes it out. */
#define STORE_FLIGHT_NONE     0U
#define STORE_FLIGHT_UNLISTED UINT32_MAX

struct store_cell {
    uint32_t record;
    uint32_t older, newer;
    uint32_t flight;
    unsigned char bytes[];
};
_Static_assert(sizeof(struct store_cell) == 16, "layout shared with a later process");

struct store_segment;            /* our own notes on a segment, not in the memfd */

/* Asked before a cell moves: makes the record point to the new place, or refuses if it does not point to the old one. */
typedef bool store_ram_moved_fn(void *arg, uint32_t record, uint32_t from, uint32_t to);

struct store_ram {
    struct store_memory memory;
    struct store_segment *segment;
    uint32_t segments_max;
    uint32_t segments_used;      /* ever touched: the memfd's size */
    uint32_t idle;               /* list of segments with memory and without class */
    uint32_t idle_count;
    uint32_t bare;               /* list of segments without memory, below segments_used */
    uint32_t bare_count;
    struct {
        uint32_t partial;        /* list of segments with a free cell */
        uint32_t free;           /* free cells in these */
    } class[STORE_CLASSES];
    uint32_t squeezable;         /* segments that squeezing all classes but the raw one would give */
    uint32_t promised;           /* whole pages that must stay allocatable; kept by the owner */
    uint32_t oldest, newest;     /* places */
    uint64_t bytes;              /* in cells in use, rounding included */
    uint64_t damaged;
    bool starved;                /* the kernel had no memory for more when last asked */
    store_ram_moved_fn *moved;
    void *arg;
};

/*
 * fd -1: a new pool.  Otherwise that of an earlier process, which may be larger than bytes: nothing is in use
 * until store_ram_adopt() said so for each place, and nothing may be allocated before store_ram_settle().
 */
int store_ram_open(struct store_ram *r, int fd, uint64_t bytes, store_ram_moved_fn *moved, void *arg);
void store_ram_close(struct store_ram *r);

/* A sound record says that length octets of its are at place.  -EBADMSG: that cannot be; it is not taken. */
int store_ram_adopt(struct store_ram *r, uint32_t place, uint32_t length, uint32_t record);
/* All records were heard: makes the lists.  Ages are lost. */
void store_ram_settle(struct store_ram *r);

/* Whole pages of any content that can be allocated from memory that is there now. */
uint32_t store_ram_capacity(const struct store_ram *r);

/* Whole pages that fit with what may still be asked from the kernel. */
uint64_t store_ram_room(const struct store_ram *r);

/* Tries to bring the capacity to this many pages by growing. */
void store_ram_populate(struct store_ram *r, uint32_t pages);

/* Octets of memory held. */
uint64_t store_ram_allocated(const struct store_ram *r);

/*
 * Room for length octets, so that the capacity stays at least .promised.  Returns the place, not in the list by age, or
 * STORE_NONE, which does not happen while the capacity is above .promised.
 */
uint32_t store_ram_alloc(struct store_ram *r, uint32_t length, uint32_t record);
void store_ram_free(struct store_ram *r, uint32_t place);

/* The cell of an allocated place with at least length octets; NULL if there is no such cell.  Moves with the next alloc. */
struct store_cell *store_ram_cell(const struct store_ram *r, uint32_t place, uint32_t length);

/* Octets that a place takes up. */
uint32_t store_ram_cell_size(const struct store_ram *r, uint32_t place);

/* The list by age (store-age.c); the oldest is STORE_NONE when it is empty. */
uint32_t store_ram_oldest(struct store_ram *r);
void store_ram_list_newest(struct store_ram *r, uint32_t place);
void store_ram_list_oldest(struct store_ram *r, uint32_t place);
void store_ram_unlist(struct store_ram *r, uint32_t place, uint32_t flight);
void store_ram_relist(struct store_ram *r);

#endif
