/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The pager's view of one domain's frames: which state each is in, how hot it was found, since when.
 * Eight bytes a frame, in chunks that exist only where the domain has memory.  Holds no bytes of
 * pages (the store does) and decides nothing (choose.h does).
 */
#ifndef XENPAGING_PAGES_H
#define XENPAGING_PAGES_H

#include <stdbool.h>
#include <stdint.h>

/* Frames a chunk: its records fill one page of memory. */
#define PAGES_CHUNK_SHIFT 9
#define PAGES_CHUNK       (1U << PAGES_CHUNK_SHIFT)

/* Frame numbers are below this, as in the store: a guest's 40 bits of physical address. */
#define PAGES_LIMIT       (UINT64_C(1) << 28)

enum page_state {
    PAGE_ABSENT,                  /* no memory known there */
    PAGE_RESIDENT,
    PAGE_NOMINATED,               /* resident; its first touch will be reported */
    PAGE_OUT,                     /* its bytes are in the store */
    PAGE_STATES
};

/* How often the clock passes a page by before it is asked again: grows with each touch found. */
#define PAGE_HEAT_MAX     7U

#define PAGE_LOADING      (1U << 0)   /* OUT, and on its way in */
#define PAGE_MARKER       (1U << 1)   /* NOMINATED, or left OUT, to learn how far a sequential reader is */
#define PAGE_SAMPLED      (1U << 2)   /* NOMINATED to estimate the working set; it may be OUT by now */
#define PAGE_QUEUED       (1U << 3)   /* NOMINATED, and in choose.c's queue */
#define PAGE_UNREADABLE   (1U << 4)   /* OUT, and could not be read back when last tried */
#define PAGE_HELD         (1U << 5)   /* OUT, and a marker whose bytes are kept ready for its touch */

struct page {
    uint8_t  state;               /* enum page_state; changed with pages_set() only */
    uint8_t  heat;                /* 0..PAGE_HEAT_MAX */
    uint8_t  flags;               /* PAGE_* */
    uint8_t  refusals;            /* nominations in a row that were refused */
    uint32_t since;               /* of the state, in milliseconds of the pager's clock, wrapping */
};

struct pages;

/* -ENOMEM. */
int pages_open(struct pages **out);
void pages_close(struct pages *p);    /* NULL is accepted */

/* The record of gfn, or NULL if its chunk does not exist (every frame there is ABSENT). */
struct page *pages_find(const struct pages *p, uint64_t gfn);

/* The same, made if need be.  NULL: no memory, or gfn out of range. */
struct page *pages_make(struct pages *p, uint64_t gfn);

/* Changes the state, keeps the counts, and notes the time. */
void pages_set(struct pages *p, struct page *page, enum page_state state, uint32_t now);

uint64_t pages_count(const struct pages *p, enum page_state state);

/*
 * The first gfn from *gfn on that has a record, with that record; NULL at the end.
 * A walk of all frames adds one to *gfn after each.
 */
struct page *pages_next(const struct pages *p, uint64_t *gfn);

/* Takes a flag off all pages; walks all frames. */
void pages_clear_flag(struct pages *p, uint8_t flag);

/* A frame that has a record, picked with the given random number; NULL if there is none. */
struct page *pages_pick(const struct pages *p, uint64_t random, uint64_t *gfn);

#endif
