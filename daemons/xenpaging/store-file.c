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

/* What a record has bits for. */
#define SLOTS_MAX (UINT64_C(1) << 36)

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

/* Somebody else's file: that of an earlier process, or an empty one. */
static int open_given(struct store_file *f, int fd)
{
    struct stat sb;
    int flags;

    f->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if ( f->fd < 0 || fstat(f->fd, &sb) )
        return -errno;
    if ( !S_ISREG(sb.st_mode) || (uint64_t)sb.st_size / STORE_PAGE_SIZE >= SLOTS_MAX )
        return -EBADMSG;
    flags = fcntl(f->fd, F_GETFL);
    f->direct = flags >= 0 && (flags & O_DIRECT || !fcntl(f->fd, F_SETFL, flags | O_DIRECT));
    f->slots = f->free = sb.st_size / STORE_PAGE_SIZE;
    if ( f->limit < f->slots )
        f->limit = f->slots;
    return 0;
}

int store_file_open(struct store_file *f, const char *directory, uint64_t bytes, int fd)
{
    int rc;

    *f = (struct store_file){ .fd = -1, .limit = bytes / STORE_PAGE_SIZE };
    if ( !directory && fd < 0 )
        return 0;

    rc = fd < 0 ? open_nameless(directory, &f->direct) : open_given(f, fd);
    if ( rc < 0 )
        return rc;
    if ( fd < 0 )
        f->fd = rc;
    f->used = calloc(f->limit / WORD_BITS + 1, sizeof(*f->used));
    if ( !f->used )
        return -ENOMEM;
    if ( f->slots )
        return 0;

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

int store_file_adopt(struct store_file *f, uint64_t slot)
{
    if ( slot >= f->slots || is_used(f, slot) )
        return -EBADMSG;
    f->used[slot / WORD_BITS] |= UINT64_C(1) << slot % WORD_BITS;
    f->free--;
    return 0;
}

void store_file_quiesce(struct store_file *f, uint64_t slot)
{
    int r;

    if ( store_file_adopt(f, slot) )
        return;
    /*
     * No file system takes blocks out of a file while the disk still writes to them: giving these back waits.
     * Where it cannot be done, or the disk has no room now, the slot is not used again.
     */
    do
        r = fallocate(f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, slot * STORE_PAGE_SIZE, STORE_PAGE_SIZE);
    while ( r < 0 && errno == EINTR );
    if ( !r && !allocate(f, slot, 1) )
        store_file_give(f, slot);
    else
        f->lost++;
}
