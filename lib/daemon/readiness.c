/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Words to the service manager, by libsystemd.  The environment tells whether
 * there is one; libsystemd then answers 0 and nothing is sent.
 */
#include "readiness.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

/* A status with the keys around it. */
#define MESSAGE_BYTES   (READINESS_STATUS_BYTES + 64u)

static int send_status(const char *first, const char *status, va_list args)
{
    char line[READINESS_STATUS_BYTES], message[MESSAGE_BYTES];
    char *newline;
    int rc;

    vsnprintf(line, sizeof(line), status, args);

    /* A newline would begin a new key, which the text must not choose. */
    while ( (newline = strchr(line, '\n')) )
        *newline = ' ';

    snprintf(message, sizeof(message), "%sSTATUS=%s", first, line);
    rc = sd_notify(0, message);

    return rc < 0 ? rc : 0;
}

int readiness_ready(const char *status, ...)
{
    va_list args;
    int rc;

    va_start(args, status);
    rc = send_status("READY=1\n", status, args);
    va_end(args);

    return rc;
}

int readiness_status(const char *status, ...)
{
    va_list args;
    int rc;

    va_start(args, status);
    rc = send_status("", status, args);
    va_end(args);

    return rc;
}

int readiness_stopping(const char *status, ...)
{
    va_list args;
    int rc;

    va_start(args, status);
    rc = send_status("STOPPING=1\n", status, args);
    va_end(args);

    return rc;
}

int readiness_extend(uint64_t microseconds)
{
    int rc = sd_notifyf(0, "EXTEND_TIMEOUT_USEC=%" PRIu64, microseconds);

    return rc < 0 ? rc : 0;
}

uint64_t readiness_watchdog_period(void)
{
    uint64_t limit;

    if ( sd_watchdog_enabled(0, &limit) <= 0 )
        return 0;

    return limit > 1 ? limit / 2 : 1;
}

int readiness_alive(void)
{
    int rc = sd_notify(0, "WATCHDOG=1");

    return rc < 0 ? rc : 0;
}

static bool name_is_sound(const char *name)
{
    size_t length = strlen(name), i;

    if ( !length || length > READINESS_NAME_BYTES )
        return false;

    for ( i = 0; i < length; i++ )
        if ( name[i] < ' ' || name[i] > '~' || name[i] == ':' )
            return false;

    return true;
}

int readiness_store_fd(const char *name, int fd)
{
    char message[READINESS_NAME_BYTES + 64];

    if ( !name_is_sound(name) )
        return -EINVAL;

    snprintf(message, sizeof(message), "FDSTORE=1\nFDNAME=%s", name);

    return sd_pid_notify_with_fds(0, 0, message, &fd, 1);
}

int readiness_forget_fd(const char *name)
{
    int rc;

    if ( !name_is_sound(name) )
        return -EINVAL;

    rc = sd_notifyf(0, "FDSTOREREMOVE=1\nFDNAME=%s", name);

    return rc < 0 ? rc : 0;
}

int readiness_collect_fds(struct readiness_fd **out)
{
    struct readiness_fd *fds;
    char **names = NULL;
    int count, i;

    *out = NULL;
    count = sd_listen_fds_with_names(1, &names);
    if ( count <= 0 )
        return count;

    fds = calloc(count, sizeof(*fds));
    for ( i = 0; i < count; i++ )
    {
        if ( fds )
            fds[i] = (struct readiness_fd){ SD_LISTEN_FDS_START + i, names[i] };
        else
        {
            /* Nobody will ever be able to tell them apart. */
            close(SD_LISTEN_FDS_START + i);
            free(names[i]);
        }
    }
    free(names);

    *out = fds;

    return fds ? count : -ENOMEM;
}

void readiness_free_fds(struct readiness_fd *fds, size_t count)
{
    size_t i;

    for ( i = 0; fds && i < count; i++ )
    {
        if ( fds[i].fd >= 0 )
            close(fds[i].fd);
        free(fds[i].name);
    }

    free(fds);
}
