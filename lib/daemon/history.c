/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The history's writer: makes the file at its full size, goes on with one that is sound, and sets aside what is not.
 */
#include "history.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "history-private.h"

struct history {
    int fd;
    uint32_t capacity, period;
    size_t figures;
    uint64_t sequence;            /* of the last sample */
    uint64_t time;                /* of the last sample */
};

static int make_header(struct history_header *header, const char *const *names, size_t figures, uint32_t capacity,
                       uint32_t period)
{
    *header = (struct history_header){ .capacity = capacity, .period = period, .figures = figures };
    memcpy(header->magic, HISTORY_MAGIC, sizeof(header->magic));
    if ( figures > HISTORY_FIGURES )
        return -EINVAL;
    for ( size_t i = 0; i < figures; i++ )
    {
        if ( strlen(names[i]) >= HISTORY_NAME_BYTES )
            return -EINVAL;
        memcpy(header->names[i], names[i], strlen(names[i]));
    }
    header->check = history_header_check(header);
    return history_check_header(header, sizeof(*header) + (uint64_t)capacity * sizeof(struct history_record), NULL) ?
           -EINVAL : 0;
}

/* 0: its samples go on.  1: it is empty or not there any more.  -EBADMSG: it cannot be used, and `error` says why. */
static int go_on(struct history *h, const struct history_header *wanted, const char *path, char *error)
{
    struct history_header found;
    struct history_view view;
    int rc;
    ssize_t n = pread(h->fd, &found, sizeof(found), 0);

    if ( n < 0 )
        return -errno;
    if ( !n )
        return 1;
    rc = history_view_open(&view, path, error);
    if ( rc )
        return rc;
    if ( memcmp(&found, wanted, sizeof(found)) )
    {
        if ( error )
            snprintf(error, HISTORY_ERROR_BYTES, "it is of another version: it has other figures or another period");
        rc = -EBADMSG;
    }
    else if ( view.count )
    {
        h->sequence = view.samples[view.count - 1].sequence;
        h->time = view.samples[view.count - 1].time;
        /* Nobody's clock ticked so often: somebody wrote this, and the number must not wrap. */
        if ( h->sequence > UINT64_MAX / 2 )
        {
            if ( error )
                snprintf(error, HISTORY_ERROR_BYTES, "its samples' numbers make no sense");
            rc = -EBADMSG;
        }
    }
    history_view_close(&view);
    return rc;
}

/* -EBUSY when another process keeps the file. */
static int open_file(struct history *h, const char *path)
{
    struct stat there, held;

    h->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);
    if ( h->fd < 0 )
        return -errno;
    if ( flock(h->fd, LOCK_EX | LOCK_NB) )
        return errno == EWOULDBLOCK ? -EBUSY : -errno;
    if ( fstat(h->fd, &held) )
        return -errno;
    if ( !S_ISREG(held.st_mode) )
        return -EINVAL;
    /* Its name may have gone to another file before we had the lock. */
    if ( stat(path, &there) || there.st_ino != held.st_ino || there.st_dev != held.st_dev )
        return -EBUSY;
    return 0;
}

static int make_file(struct history *h, const struct history_header *header)
{
    ssize_t n;
    int rc;

    /* The blocks are taken now: a disk that fills up later costs no sample. */
    rc = posix_fallocate(h->fd, 0, sizeof(*header) + (off_t)h->capacity * sizeof(struct history_record));
    if ( rc )
        return -rc;
    n = pwrite(h->fd, header, sizeof(*header), 0);
    return n == (ssize_t)sizeof(*header) ? 0 : n < 0 ? -errno : -EIO;
}

static int set_aside(struct history *h, const char *path)
{
    char aside[PATH_MAX];

    if ( snprintf(aside, sizeof(aside), "%s.old", path) >= (int)sizeof(aside) )
        return -ENAMETOOLONG;
    if ( rename(path, aside) )
        return -errno;
    close(h->fd);
    h->sequence = h->time = 0;
    return open_file(h, path);
}

int history_open(struct history **out, const char *path, const char *const *names, size_t figures, uint32_t capacity,
                 uint32_t period, char *error)
{
    struct history *h = malloc(sizeof(*h));
    struct history_header header;
    int rc, start = HISTORY_GOES_ON;

    *out = NULL;
    if ( error )
        error[0] = '\0';
    if ( !h )
        return -ENOMEM;
    *h = (struct history){ .fd = -1, .capacity = capacity, .period = period, .figures = figures };
    rc = make_header(&header, names, figures, capacity, period);
    if ( !rc )
        rc = open_file(h, path);
    if ( !rc )
        rc = go_on(h, &header, path, error);
    if ( rc == -EBADMSG )
    {
        start = HISTORY_SET_ASIDE;
        rc = set_aside(h, path);
        rc = rc ? rc : 1;
    }
    else if ( rc == 1 )
        start = HISTORY_NEW;
    if ( rc == 1 )
        rc = make_file(h, &header);
    if ( rc )
    {
        history_close(h);
        return rc;
    }
    *out = h;
    return start;
}

void history_close(struct history *h)
{
    if ( !h )
        return;
    if ( h->fd >= 0 )
        close(h->fd);
    free(h);
}

int history_add(struct history *h, struct history_sample *sample)
{
    struct history_record record = { .sequence = h->sequence + 1, .time = sample->time };
    off_t place = sizeof(struct history_header) + (off_t)(h->sequence % h->capacity) * sizeof(record);
    ssize_t n;

    if ( h->sequence && sample->time >= h->time && sample->time - h->time < h->period )
        return 0;
    memcpy(record.values, sample->values, h->figures * sizeof(record.values[0]));
    record.check = history_record_check(&record);
    n = pwrite(h->fd, &record, sizeof(record), place);
    if ( n != (ssize_t)sizeof(record) )
        return n < 0 ? -errno : -EIO;
    sample->sequence = ++h->sequence;
    h->time = sample->time;
    return 1;
}
