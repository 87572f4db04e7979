/* SPDX-License-Identifier: GPL-2.0-only */
/* The spill file's space.  The file has no name, so it is gone with the last descriptor, whatever happens to us. */
#include "store-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store.h"

/* Slots allocated at a time: 8 MiB, an extent worth its name; on a nearly full disk half of it, and so on down. */
#define STORE_GROW_SLOTS 2048U
/* The smallest step (64 KiB): below it, what is left of the disk is better left to others. */
#define STORE_GROW_SLOTS_MIN 16U
/* Failed writes after which the disk is not trusted with any more pages. */
#define STORE_FILE_ERRORS_MAX 8U

#define WORD_BITS 64U

/* O_TMPFILE is not everywhere, and neither is O_DIRECT: tries them from best to worst. */
static int open_nameless(const char *directory, bool *direct)
{
    static const char name[] = "/.xenpaging-XXXXXX";
    char path[4096];
    int fd, flags;

    *direct = true;
    fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC | O_DIRECT | O_EXCL, 0600);
    if ( fd >= 0 )
        return fd;
    *direct = false;
    fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600);
    if ( fd >= 0 )
        return fd;
    if ( errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL && errno != ENOENT )
        return -errno;

    if ( snprintf(path, sizeof(path), "%s%s", directory, name) >= (int)sizeof(path) )
        return -ENAMETOOLONG;
    fd = mkostemp(path, O_CLOEXEC);
    if ( fd < 0 )
        return -errno;
    unlink(path);
    flags = fcntl(fd, F_GETFL);
    *direct = flags >= 0 && !fcntl(fd, F_SETFL, flags | O_DIRECT);
    return fd;
}

static int allocate(const struct store_file *f, uint64_t first, uint64_t n)
{
    int r;

    do
        r = fallocate(f->fd, 0, first * STORE_PAGE_SIZE, n * STORE_PAGE_SIZE);
    while ( r < 0 && errno == EINTR );
    return r < 0 ? -errno : 0;
}

static int grow(struct store_file *f)
{
    uint64_t n = f->limit - f->slots;
    int rc = -ENOSPC;

    if ( n > STORE_GROW_SLOTS )
        n = STORE_GROW_SLOTS;
    for ( ; n; n /= 2 )
    {
        rc = allocate(f, f->slots, n);
        if ( !rc || rc == -EOPNOTSUPP || n <= STORE_GROW_SLOTS_MIN )
            break;
    }
    /* A limit that is reached is not a full file system. */
    f->full = rc && f->slots < f->limit;
    if ( !rc )
    {
        f->hint = f->slots;
        f->slots += n;
        f->free += n;
    }
    return rc;
}

int store_file_open(struct store_file *f, const char *directory, uint64_t bytes)
{
    int rc;

    *f = (struct store_file){ .fd = -1, .limit = bytes / STORE_PAGE_SIZE };
    if ( !directory )
        return 0;

    f->used = calloc(f->limit / WORD_BITS + 1, sizeof(*f->used));
    if ( !f->used )
        return -ENOMEM;
    f->fd = open_nameless(directory, &f->direct);
    if ( f->fd < 0 )
        return f->fd;

    /* Asked now, because a file system that cannot do it at all never can.  One that is full now may not stay so. */
    rc = grow(f);
    return rc == -EOPNOTSUPP ? rc : 0;
}

void store_file_close(struct store_file *f)
{
    if ( f->fd >= 0 )
        close(f->fd);
    free(f->used);
    *f = (struct store_file){ .fd = -1 };
}

static bool is_used(const struct store_file *f, uint64_t slot)
{
    return f->used[slot / WORD_BITS] & UINT64_C(1) << slot % WORD_BITS;
}

uint64_t store_file_take(struct store_file *f)
{
    uint64_t slot;

    if ( f->fd < 0 || f->retired || (!f->free && grow(f)) )
        return STORE_NO_SLOT;

    for ( slot = f->hint; ; )
    {
        if ( slot >= f->slots )
            slot = 0;
        /* A full word is passed at once: it is only looked at from its beginning. */
        if ( !(slot % WORD_BITS) && !~f->used[slot / WORD_BITS] )
            slot += WORD_BITS;
        else if ( is_used(f, slot) )
            slot++;
        else
            break;
    }
    f->used[slot / WORD_BITS] |= UINT64_C(1) << slot % WORD_BITS;
    f->free--;
    f->hint = slot + 1;
    return slot;
}

void store_file_give(struct store_file *f, uint64_t slot)
{
    f->used[slot / WORD_BITS] &= ~(UINT64_C(1) << slot % WORD_BITS);
    f->free++;
}

void store_file_retire(struct store_file *f, uint64_t slot)
{
    /* Its bit stays set. */
    (void)slot;
    f->lost++;
    if ( ++f->errors >= STORE_FILE_ERRORS_MAX )
        f->retired = true;
}
