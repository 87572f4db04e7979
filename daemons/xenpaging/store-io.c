/* SPDX-License-Identifier: GPL-2.0-only */
/* Transfers.  Which page goes where, and what a failure means, is for store-spill.c. */
#include "store-io.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

/* A power of two that holds all transfers at once, so the queue is never the limit; completions have twice that. */
#define STORE_RING_ENTRIES 256U
_Static_assert(STORE_RING_ENTRIES >= STORE_WRITES_MAX + STORE_READS_MAX, "every transfer has its place in the ring");

/* Pause before asking a kernel again that had no memory to take a transfer, in ms. */
#define STORE_RING_PAUSE 10

static void finished_push(struct store_io *io, struct store_op *op)
{
    op->next = NULL;
    *io->finished.last = op;
    io->finished.last = &op->next;
}

int store_io_open(struct store_io *io, int fd)
{
    struct iovec buffers;

    memset(io, 0, sizeof(*io));
    io->fd = fd;
    io->finished.last = &io->finished.first;
    for ( unsigned int i = STORE_WRITES_MAX + STORE_READS_MAX; i--; )
    {
        struct store_op *op = &io->op[i];

        op->number = i + 1;
        op->kind = i < STORE_WRITES_MAX ? STORE_OP_WRITE : STORE_OP_READ;
        op->next = io->idle[op->kind];
        io->idle[op->kind] = op;
    }

    io->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if ( io->event < 0 )
        return -errno;
    if ( fd < 0 )
        return 0;

    buffers.iov_len = STORE_WRITES_MAX * STORE_PAGE_SIZE;
    io->buffers = aligned_alloc(STORE_PAGE_SIZE, buffers.iov_len);
    if ( !io->buffers )
        return -ENOMEM;
    memset(io->buffers, 0, buffers.iov_len);

    if ( io_uring_queue_init(STORE_RING_ENTRIES, &io->ring, 0) )
        return 0;
    if ( io_uring_register_eventfd(&io->ring, io->event) )
    {
        io_uring_queue_exit(&io->ring);
        return 0;
    }
    io->uring = true;
    /* Refused where RLIMIT_MEMLOCK is small: then each write pins its page by itself. */
    buffers.iov_base = io->buffers;
    io->fixed = !io_uring_register_buffers(&io->ring, &buffers, 1);
    return 0;
}

void store_io_close(struct store_io *io)
{
    struct store_op *op;

    while ( io->in_flight[STORE_OP_READ] + io->in_flight[STORE_OP_WRITE] )
    {
        op = store_io_next(io, true);
        if ( op )
            store_io_end(io, op);
    }
    if ( io->uring )
        io_uring_queue_exit(&io->ring);
    io->uring = false;
    free(io->buffers);
    io->buffers = NULL;
    if ( io->event >= 0 )
        close(io->event);
    io->event = -1;
}

struct store_op *store_io_begin(struct store_io *io, enum store_op_kind kind)
{
    struct store_op *op = io->idle[kind];
    const unsigned int number = op ? op->number : 0;

    if ( !op )
        return NULL;
    io->idle[kind] = op->next;
    io->in_flight[kind]++;
    *op = (struct store_op){ .kind = kind, .number = number, .busy = true };
    if ( kind == STORE_OP_WRITE )
        op->page = io->buffers + (size_t)(number - 1) * STORE_PAGE_SIZE;
    return op;
}

void store_io_end(struct store_io *io, struct store_op *op)
{
    op->busy = false;
    op->next = io->idle[op->kind];
    io->idle[op->kind] = op;
    io->in_flight[op->kind]--;
}

static void transfer(struct store_io *io, struct store_op *op)
{
    off_t offset = op->slot * STORE_PAGE_SIZE;
    ssize_t n;

    do
        n = op->kind == STORE_OP_READ ? pread(io->fd, op->page, STORE_PAGE_SIZE, offset)
                                      : pwrite(io->fd, op->page, STORE_PAGE_SIZE, offset);
    while ( n < 0 && errno == EINTR );
    io->submits++;
    op->result = n == (ssize_t)STORE_PAGE_SIZE ? 0 : n < 0 ? -errno : -EIO;
    finished_push(io, op);
}

void store_io_queue(struct store_io *io, struct store_op *op)
{
    struct io_uring_sqe *sqe;
    uint64_t offset = op->slot * STORE_PAGE_SIZE;

    if ( !io->uring )
    {
        transfer(io, op);
        return;
    }
    /* Never NULL: the ring has an entry for each transfer there is. */
    sqe = io_uring_get_sqe(&io->ring);
    if ( op->kind == STORE_OP_READ )
        io_uring_prep_read(sqe, io->fd, op->page, STORE_PAGE_SIZE, offset);
    else if ( io->fixed )
        io_uring_prep_write_fixed(sqe, io->fd, op->page, STORE_PAGE_SIZE, offset, 0);
    else
        io_uring_prep_write(sqe, io->fd, op->page, STORE_PAGE_SIZE, offset);
    io_uring_sqe_set_data(sqe, op);
    io->queued++;
}

void store_io_submit(struct store_io *io)
{
    int n;

    if ( !io->queued )
        return;
    do
        n = io_uring_submit(&io->ring);
    while ( n == -EINTR );
    io->submits++;
    if ( n > 0 )
        io->queued -= n;
    /* The kernel was short of something.  The entries stay queued: come back soon, and hand them over then. */
    if ( io->queued )
        store_io_kick(io);
}

struct store_op *store_io_next(struct store_io *io, bool wait)
{
    struct store_op *op = io->finished.first;
    struct io_uring_cqe *cqe;

    if ( op )
    {
        io->finished.first = op->next;
        if ( !op->next )
            io->finished.last = &io->finished.first;
        return op;
    }
    if ( !io->uring )
        return NULL;

    store_io_submit(io);
    while ( io_uring_peek_cqe(&io->ring, &cqe) )
    {
        struct pollfd ring = { .fd = io->ring.ring_fd, .events = POLLIN };

        if ( !wait || !(io->in_flight[STORE_OP_READ] + io->in_flight[STORE_OP_WRITE]) )
            return NULL;
        poll(&ring, 1, STORE_RING_PAUSE);
        store_io_submit(io);
    }
    op = io_uring_cqe_get_data(cqe);
    op->result = cqe->res == (int)STORE_PAGE_SIZE ? 0 : cqe->res < 0 ? cqe->res : -EIO;
    io_uring_cqe_seen(&io->ring, cqe);
    return op;
}

void store_io_kick(struct store_io *io)
{
    /* Fails only when the counter is full, and then the event is readable anyway. */
    eventfd_write(io->event, 1);
}

void store_io_unkick(struct store_io *io)
{
    eventfd_t n;

    eventfd_read(io->event, &n);
}
