/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The index: one array of records (24 octets each) for the whole store in a memfd, and a directory a domain from gfn to
 * record (4 octets a gfn in stretches of 1,024, allocated on demand).  A stretch that is at least half stored thus costs
 * at most 32 octets a stored page.
 *
 * Only the records are kept for a later process: directories and the list of free records follow from them.
 *
 * The memfd begins with struct store_index_header.  At STORE_INDEX_WRITES are STORE_WRITES_MAX words: the slots, plus 1,
 * that a transfer may be writing to at this moment, 0 for none.  At STORE_INDEX_DOMAINS is struct store_index_domain for
 * each domain number; records begin at STORE_INDEX_RECORDS and end with the memfd.
 */
#ifndef XENPAGING_STORE_INDEX_H
#define XENPAGING_STORE_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include "store.h"
#include "store-memory.h"
#include "store-record.h"

#define STORE_INDEX_MAGIC   UINT64_C(0x3158444e49504758)
#define STORE_INDEX_VERSION 2U
#define STORE_INDEX_WRITES  2048U
#define STORE_INDEX_DOMAINS 4096U
/* Where records begin: all domain numbers before them, of which only those in use become memory. */
#define STORE_INDEX_RECORDS (STORE_INDEX_DOMAINS + (1U << 20))

/* gfns a directory stretch: one page of record numbers. */
#define STORE_STRETCH_GFNS  1024U

/* Written once, the magic last. */
struct store_index_header {
    uint64_t magic;
    uint32_t version;
    uint32_t record_size;
    uint32_t segment_size;
    uint32_t segment_cells;      /* STORE_CELLS_MAX and STORE_CLASSES, 16 bits each: which cells a class has follows */
    struct store_secret secret;  /* verifies what is stored, so it must go where that goes */
    uint64_t pool_inode;         /* of the file that holds the pool */
    uint64_t spill_inode;        /* and the one behind it; 0: there is none */
    uint64_t spill_device;
    uint64_t check;              /* keyed hash of all before it */
};
_Static_assert(sizeof(struct store_index_header) == 56 + STORE_SECRET_SIZE, "layout shared with a later process");

/* A domain that pages are kept of.  check is written last, and made zero first. */
struct store_index_domain {
    uint8_t identity[STORE_IDENTITY_SIZE];
    uint64_t note;               /* 63..32 keyed hash of the rest and the number, 31..0 the note; 0 for a note of 0 */
    uint64_t check;              /* keyed hash of identity and number, never 0; 0: there is no such domain */
};
_Static_assert(sizeof(struct store_index_domain) == 32, "layout shared with a later process");
_Static_assert(STORE_INDEX_DOMAINS + STORE_DOMID_LIMIT * sizeof(struct store_index_domain) <= STORE_INDEX_RECORDS,
               "all domain numbers have their place");

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
    uint64_t *writes;
    struct store_index_domain *domains;
    struct store_record *records;
    uint32_t count;              /* records grown */
    uint32_t free_head;
    uint32_t free_count;
    struct store_stretch **spare; /* stack of STORE_RESERVE_MAX, zeroed and touched */
    uint32_t spare_count;
    uint32_t stretches;          /* in use and spare */
    uint64_t damaged;
};

/*
 * fd -1, or one that is empty: makes an empty index with a fresh secret; it is nothing to a later process before
 * store_index_finish() made it valid.
 * Otherwise that of an earlier process.  -ENODATA: it never was finished; -EPROTONOSUPPORT: another version's;
 * -EBADMSG: damaged.  No record is free until store_index_give() gave it.
 */
int store_index_open(struct store_index *x, int fd);
/* The inode of the pool, and device and inode of the spill file or 0, 0. */
void store_index_finish(struct store_index *x, uint64_t pool_inode, uint64_t spill_device, uint64_t spill_inode);
void store_index_close(struct store_index *x);

/* Tries to make n pages of any gfn storable; returns how many are, up to n. */
uint32_t store_index_populate(struct store_index *x, uint32_t n);

uint64_t store_index_allocated(const struct store_index *x);

/* A free record, or STORE_NONE, which does not happen while fewer are taken than were populated. */
uint32_t store_index_take(struct store_index *x);
void store_index_give(struct store_index *x, uint32_t record);

/* The entry of a domain.  -ENOMEM. */
int store_index_set_domain(struct store_index *x, uint16_t domid, const uint8_t *identity);
void store_index_clear_domain(struct store_index *x, uint16_t domid);
void store_index_set_note(struct store_index *x, uint16_t domid, uint32_t note);
/* 1: there is one; a note that is damaged counts as 0.  0: there is none.  -EBADMSG: it is damaged. */
int store_index_get_domain(const struct store_index *x, uint16_t domid, uint8_t *identity, uint32_t *note);

int store_directory_open(struct store_directory *d);
/* Must be empty or not be used again: gives its stretches back. */
void store_directory_close(struct store_index *x, struct store_directory *d);

/* All gfns below STORE_GFN_LIMIT. */
uint32_t store_directory_find(const struct store_directory *d, uint64_t gfn);
/* One spare stretch at least, for a page that was not populated.  False: no memory. */
bool store_index_spare(struct store_index *x);
/* Uses up at most one of the populated pages.  False: nothing was populated. */
bool store_directory_set(struct store_index *x, struct store_directory *d, uint64_t gfn, uint32_t record);
void store_directory_clear(struct store_index *x, struct store_directory *d, uint64_t gfn);
/* The first stored gfn not below *gfn. */
bool store_directory_next(const struct store_directory *d, uint64_t *gfn);

#endif
