/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The spill file's space: slots of one page, allocated on disk before any of them is used.  Which slot holds what is in
 * the index; the transfers are store-io.c's.
 */
#ifndef XENPAGING_STORE_FILE_H
#define XENPAGING_STORE_FILE_H

#include <stdbool.h>
#include <stdint.h>

/* No slot. */
#define STORE_NO_SLOT UINT64_MAX

struct store_file {
    int fd;                      /* -1: there is no file */
    bool direct;
    bool full;                   /* the file system had no room when last asked */
    bool retired;                /* too many writes failed */
    uint64_t limit;              /* slots */
    uint64_t slots;              /* allocated on disk; 0..slots-1 */
    uint64_t free;
    uint64_t lost;               /* retired one by one */
    uint64_t hint;
    uint64_t *used;              /* a bit a slot */
    unsigned int errors;
};

/*
 * A NULL directory and fd -1 open an f without a file.  fd: a file of the caller's, who keeps the descriptor, in place
 * of a nameless one; all that is in it counts as free until store_file_adopt().  After an error store_file_close is still to be called.
 */
int store_file_open(struct store_file *f, const char *directory, uint64_t bytes, int fd);

/* A sound record says that this slot is its own.  -EBADMSG: it cannot be. */
int store_file_adopt(struct store_file *f, uint64_t slot);
/*
 * An earlier process may have been writing to this slot when it died, and the kernel still be.  Unless it is adopted
 * it is used again only when the disk is done with it.
 */
void store_file_quiesce(struct store_file *f, uint64_t slot);
void store_file_close(struct store_file *f);

/* A free slot, next to the one before it if it can be, growing the file if need be; STORE_NO_SLOT: there is none. */
uint64_t store_file_take(struct store_file *f);
void store_file_give(struct store_file *f, uint64_t slot);

/* A write to this slot failed: it is not used again, and after a few the whole file is not. */
void store_file_retire(struct store_file *f, uint64_t slot);

#endif
