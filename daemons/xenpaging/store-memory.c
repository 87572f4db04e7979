/* SPDX-License-Identifier: GPL-2.0-only */
/* The memfds under the pool and the index.  What is in them is no concern of this file. */
#include "store-memory.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int store_memory_open(struct store_memory *m, const char *name, int fd, uint64_t limit)
{
    struct stat sb;
    void *base;

    *m = (struct store_memory){ .fd = -1, .limit = limit };
    m->fd = fd < 0 ? memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING) : fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if ( m->fd < 0 )
        return -errno;
    /* It will be in others' hands as well, and cut short under us it would be the end of us.  A tmpfs has no seals. */
    if ( fd < 0 )
        fcntl(m->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_SEAL);
    if ( fstat(m->fd, &sb) )
        return -errno;
    if ( !S_ISREG(sb.st_mode) || sb.st_size < 0 || (uint64_t)sb.st_size > limit )
        return -EBADMSG;
    m->size = sb.st_size;
    base = mmap(NULL, limit, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, m->fd, 0);
    if ( base == MAP_FAILED )
        return -errno;
    m->base = base;
    /* These are what page faults of guests wait for, and a core dump must not hold them: they are guests' memory. */
    madvise(base, limit, MADV_DONTDUMP);
    return 0;
}

void store_memory_close(struct store_memory *m)
{
    if ( m->base )
        munmap(m->base, m->limit);
    if ( m->fd >= 0 )
        close(m->fd);
    *m = (struct store_memory){ .fd = -1 };
}

int store_memory_fill(struct store_memory *m, uint64_t offset, uint64_t length)
{
    int r;

    if ( offset > m->limit || length > m->limit - offset )
        return -ENOSPC;
    do
        r = fallocate(m->fd, 0, offset, length);
    while ( r < 0 && errno == EINTR );
    if ( r < 0 )
        return -errno;
    if ( offset + length > m->size )
        m->size = offset + length;
    return 0;
}

void store_memory_drop(struct store_memory *m, uint64_t offset, uint64_t length)
{
    /* A hole that cannot be punched costs memory, nothing else. */
    (void)!fallocate(m->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length);
}
