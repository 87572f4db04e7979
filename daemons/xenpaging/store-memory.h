/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A memfd, or a file on a tmpfs, that only grows, mapped once at its largest size: what is beyond its present size is
 * address space only.  Memory is allocated when it grows, so what was grown can be written without surprise, and its
 * contents hold no pointers, so the descriptor can be handed to a later process.
 */
#ifndef XENPAGING_STORE_MEMORY_H
#define XENPAGING_STORE_MEMORY_H

#include <stdint.h>

struct store_memory {
    int fd;
    unsigned char *base;
    uint64_t limit;              /* octets mapped */
    uint64_t size;               /* octets grown; below it may be holes (store_memory_drop) */
};

/*
 * fd -1: a new memfd of that name; otherwise what is there is kept, and the descriptor stays the caller's, which may
 * close it.  limit is a multiple of the page size.  -EBADMSG: there is more than limit, or it is no regular file.
 * After an error store_memory_close is still to be called.
 */
int store_memory_open(struct store_memory *m, const char *name, int fd, uint64_t limit);
void store_memory_close(struct store_memory *m);

/* Allocates [offset, offset + length), which may be beyond the present size; -ENOMEM or -ENOSPC leave all as it was. */
int store_memory_fill(struct store_memory *m, uint64_t offset, uint64_t length);

/* Gives the memory of a range back to the kernel. */
void store_memory_drop(struct store_memory *m, uint64_t offset, uint64_t length);

#endif
