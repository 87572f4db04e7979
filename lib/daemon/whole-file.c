/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Writing a new file beside the old one, and giving it the name.
 */
#include "whole-file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int write_all(int fd, const char *bytes, size_t length)
{
    while ( length )
    {
        ssize_t n = write(fd, bytes, length);

        if ( n < 0 && errno == EINTR )
            continue;
        if ( n <= 0 )
            return n ? -errno : -ENOSPC;
        bytes += n;
        length -= n;
    }
    return 0;
}

int whole_file_write(const char *path, const void *bytes, size_t length)
{
    char made[PATH_MAX];
    int fd, rc;

    if ( snprintf(made, sizeof(made), "%s.new", path) >= (int)sizeof(made) )
        return -ENAMETOOLONG;
    /* A link or a pipe that somebody put there is not to be written through; the directory may be another user's. */
    if ( unlink(made) && errno != ENOENT )
        return -errno;
    fd = open(made, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    if ( fd < 0 )
        return -errno;
    rc = write_all(fd, bytes, length);
    if ( close(fd) && !rc )
        rc = -errno;
    if ( !rc && rename(made, path) )
        rc = -errno;
    if ( rc )
        unlink(made);
    return rc;
}
