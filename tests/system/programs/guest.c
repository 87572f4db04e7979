/* SPDX-License-Identifier: GPL-2.0-only */
/* See guest.h. */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READY "guest: ready"

int guest_tell(struct guest *g, const char *program)
{
    char text[256];
    int length = snprintf(text, sizeof(text), "%s\n", program), fd, rc = 0;
    FILE *log;

    if ( length >= (int)sizeof(text) )
        return -E2BIG;

    log = fopen(g->log, "r");
    if ( !log )
        return -errno;
    fseek(log, 0, SEEK_END);
    g->said = ftell(log);
    fclose(log);

    fd = open(g->tty, O_WRONLY | O_NOCTTY | O_CLOEXEC);
    if ( fd < 0 )
        return -errno;
    if ( write(fd, text, length) != length )
        rc = -EIO;
    close(fd);

    return rc;
}

int guest_answered(const struct guest *g, const char *what, char *line, size_t size)
{
    FILE *log = fopen(g->log, "r");
    char *text = NULL;
    size_t room = 0;
    int ready = 0;

    if ( !log )
        return -errno;

    line[0] = '\0';
    fseek(log, g->said, SEEK_SET);
    while ( getline(&text, &room, log) > 0 )
    {
        /* What has no end yet will be read again as a whole. */
        if ( !strchr(text, '\n') )
            break;
        if ( strstr(text, what) )
            snprintf(line, size, "%.*s", (int)strcspn(text, "\r\n"), text);
        if ( strstr(text, READY) )
            ready = 1;
    }
    free(text);
    fclose(log);

    return ready;
}
