/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The index: one array of records (24 octets each) for the whole store in a memfd, and a directory a domain from gfn to
 * record (4 octets a gfn in stretches of 1,024, allocated on demand).  A stretch that is at least half stored thus costs
 * at most 32 octets a stored page.
 *
 * Only the records are kept for a later process: directories and the list of free records follow from them.
 * The memfd begins with struct store_index_header; records begin at STORE_INDEX_RECORDS.
 */
#ifndef XENPAGING_STORE_INDEX_H
#define XENPAGING_STORE_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include "store-memory.h"
#include "store-record.h"

#define STORE_INDEX_MAGIC   UINT64_C(0x3158444e49504758)
#define STORE_INDEX_VERSION 1U
/* Where records begin: the header has a page to itself. */
#define STORE_INDEX_RECORDS 4096U

/* gfns a directory stretch: one page of record numbers. */
#define STORE_STRETCH_GFNS  1024U

struct store_index_header {
    uint64_t magic;
    uint32_t version;
    uint32_t record_size;
    uint32_t records;            /* grown; never more than the memfd holds */
    uint32_t zero;
    struct store_secret secret;  /* verifies what is stored, so it must go where that goes */
};
_Static_assert(sizeof(struct store_index_header) == 24 + STORE_SECRET_SIZE, "layout shared with a later process");

/* A stretch holds record numbers + 1, 0 for none. */
struct store_stretch {
    uint32_t record[STORE_STRETCH_GFNS];
};

struct store_directory {
    struct {
        struct store_stretch *stretch;
        uint32_t used;
    } *top;
    uint32_t end;                /* all of top from here on is empty */
    uint64_t count;
};

struct store_index {
    struct store_memory memory;
    struct store_index_header *header;
    struct store_record *records;
    uint32_t free_head;
    uint32_t free_count;
    struct store_stretch **spare; /* stack of STORE_RESERVE_MAX, zeroed and touched */
    uint32_t spare_count;
    uint32_t stretches;          /* in use and spare */
    uint64_t damaged;
};

/* Makes an empty index with a fresh secret. */
int store_index_open(struct store_index *x);
void store_index_close(struct store_index *x);

/* Tries to make n pages of any gfn storable; returns how many are, up to n. */
uint32_t store_index_populate(struct store_index *x, uint32_t n);

uint64_t store_index_allocated(const struct store_index *x);

/* A free record, or STORE_NONE, which does not happen while fewer are taken than were populated. */
uint32_t store_index_take(struct store_index *x);
void store_index_give(struct store_index *x, uint32_t record);

int store_directory_open(struct store_directory *d);
/* Must be empty or not be used again: gives its stretches back. */
void store_directory_close(struct store_index *x, struct store_directory *d);

/* All gfns below STORE_GFN_LIMIT. */
uint32_t store_directory_find(const struct store_directory *d, uint64_t gfn);
/* Uses up at most one of the populated pages.  False: nothing was populated. */
bool store_directory_set(struct store_index *x, struct store_directory *d, uint64_t gfn, uint32_t record);
void store_directory_clear(struct store_index *x, struct store_directory *d, uint64_t gfn);
/* The first stored gfn not below *gfn. */
bool store_directory_next(const struct store_directory *d, uint64_t *gfn);

#endif
