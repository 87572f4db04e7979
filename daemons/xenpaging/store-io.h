/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Transfers of pages between memory and the spill file: io_uring, many in flight, one system call a batch.  Where the
 * kernel does not permit io_uring, the same interface does each transfer as a blocking pread or pwrite when it is queued.
 *
 * A transfer is begun (store_io_begin), filled in, queued, submitted, comes back from store_io_next with its result, and
 * is ended.  Its buffer is the kernel's from queueing until it came back.
 */
#ifndef XENPAGING_STORE_IO_H
#define XENPAGING_STORE_IO_H

#include <stdbool.h>
#include <stdint.h>

#include <liburing.h>

#include "store.h"

/*
 * Most writes in flight, each with a buffer of a page: enough for a disk to merge and reorder, few enough that a page-in
 * does not queue behind many (256 KiB).
 */
#define STORE_WRITES_MAX 64U

enum store_op_kind {
    STORE_OP_READ,
    STORE_OP_WRITE,
};

struct store_op {
    /* The engine's. */
    enum store_op_kind kind;
    bool busy;
    unsigned int number;         /* from 1 */
    struct store_op *next;
    int result;                  /* 0 or -errno; a short transfer is -EIO */

    /* The owner's, but for page of a write, which is the engine's buffer. */
    void *page;
    uint64_t slot;
    uint32_t record;
    uint32_t size;               /* WRITE: octets that the pool gains */
    bool retried;
    bool dropped;                /* READ: page forgotten meanwhile; the slot is ours to free */
    uint16_t domid;              /* READ: what the bytes are verified with */
    uint64_t gfn;
    uint64_t sum;
    void *cookie;
};

struct store_op_list {
    struct store_op *first, **last;
};

struct store_io {
    int fd;                      /* the file, not owned; -1: no transfers */
    int event;                   /* eventfd: something for store_io_next, or store_io_kick */
    bool uring;
    bool fixed;                  /* the kernel knows the write buffers */
    struct io_uring ring;
    unsigned char *buffers;
    struct store_op op[STORE_WRITES_MAX + STORE_READS_MAX];
    struct store_op *idle[2];    /* by kind */
    unsigned int in_flight[2];   /* begun and not ended, by kind */
    struct store_op_list finished;
    unsigned int queued;
    uint64_t submits;
};

/* After an error store_io_close is still to be called. */
int store_io_open(struct store_io *io, int fd);

/* Waits for what is in flight. */
void store_io_close(struct store_io *io);

/* NULL: as many as may be of this kind are in flight. */
struct store_op *store_io_begin(struct store_io *io, enum store_op_kind kind);
void store_io_queue(struct store_io *io, struct store_op *op);
void store_io_submit(struct store_io *io);

/* The next transfer that has finished; with wait, waits for one if none has.  NULL: none has, or none is in flight. */
struct store_op *store_io_next(struct store_io *io, bool wait);
void store_io_end(struct store_io *io, struct store_op *op);

/* Makes the event readable; clears it. */
void store_io_kick(struct store_io *io);
void store_io_unkick(struct store_io *io);

#endif
