/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Between the pool and the file: the pages that came first are written out when the pool runs short, and reads are
 * verified and reported.  struct store itself is here, for store.c and store-spill.c only.
 */
#ifndef XENPAGING_STORE_SPILL_H
#define XENPAGING_STORE_SPILL_H

#include "store.h"
#include "store-file.h"
#include "store-index.h"
#include "store-io.h"
#include "store-page.h"
#include "store-ram.h"

struct store_domain {
    struct store *store;
    uint16_t domid;
    struct store_directory directory;
    struct store_counts counts;  /* but for pages, which the directory knows */
    uint8_t identity[STORE_IDENTITY_SIZE];
    uint32_t note;
    bool left;                   /* by an earlier process, and not opened since */
};

struct store {
    struct store_index index;
    struct store_ram ram;
    struct store_file file;
    struct store_io io;
    struct store_domain **domain; /* by domid */
    void *scratch;               /* lz4's */
    unsigned char *buffer;       /* a compressed page */
    struct store_op_list read;   /* finished reads, to be reported */
    bool spilling;               /* below the low mark, on the way up to the high one */
    uint32_t reserved;
    struct store_statistics statistics;
};

/* store.c: an empty directory for a domain, nothing of which is in the index yet. */
int store_domain_make(struct store *s, uint16_t domid, struct store_domain **out);

/* store-adopt.c: takes in what index, pool and file, all open, hold.  After an error store_close is still to be called. */
int store_take_in(struct store *s);

/* Decodes record n within the store's bounds; -EBADMSG is counted. */
int store_entry_get(struct store *s, uint32_t record, struct store_entry *entry);

/* Keeps the counts of kinds: delta is 1 or -1, size the octets taken up in the pool. */
void store_account(struct store *s, uint16_t domid, enum store_kind kind, int delta, uint32_t size);

/* Starts writing out if the pool is short; finishes what has been written or read.  Never waits. */
void store_spill_pump(struct store *s);

/* Waits for a transfer to finish, and sees to it; false: nothing is being written. */
bool store_spill_wait(struct store *s);

/* store_get and store_forget for a page that is in the file. */
int store_spill_read(struct store *s, const struct store_entry *entry, void *page, void *cookie);
void store_spill_forget(struct store *s, uint64_t slot);

#endif
