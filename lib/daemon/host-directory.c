/* SPDX-License-Identifier: GPL-2.0-only */
/* See host-directory.h. */
#include "host-directory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PREFIX "emulated"
#define NAME   "xen-memevent-emulated"

bool host_is_emulated(const char *host)
{
    return host && !strncmp(host, PREFIX, strlen(PREFIX)) && (!host[strlen(PREFIX)] || host[strlen(PREFIX)] == ':');
}

/* Behind run= among the words, or NULL. */
static const char *find_run(const char *host, size_t *length)
{
    const char *word = strchr(host, ':');

    for ( ; word; word = strchr(word + 1, ',') )
        if ( !strncmp(word + 1, "run=", 4) )
        {
            *length = strcspn(word + 5, ",");
            return word + 5;
        }

    return NULL;
}

int host_directory(const char *host, char *directory, size_t size)
{
    const char *session = getenv("XDG_RUNTIME_DIR"), *run;
    size_t length = 0;
    int n;

    run = find_run(host, &length);
    if ( run && (!length || run[0] != '/') )
        return -EINVAL;
    if ( run )
        n = snprintf(directory, size, "%.*s", (int)length, run);
    else if ( session && session[0] == '/' )
        n = snprintf(directory, size, "%s/" NAME, session);
    else
        n = snprintf(directory, size, "/tmp/" NAME "-%u", (unsigned int)getuid());

    return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

int host_find_place(const char *host, struct host_place *place)
{
    size_t length;
    int n, rc;

    if ( !host_is_emulated(host) )
        return 0;
    rc = host_directory(host, place->directory, sizeof(place->directory));
    if ( rc )
        return rc;
    if ( find_run(host, &length) )
        n = snprintf(place->host, sizeof(place->host), "%s", host);
    else
        n = snprintf(place->host, sizeof(place->host), "%s%crun=%s", host, strchr(host, ':') ? ',' : ':', place->directory);

    return n < 0 || (size_t)n >= sizeof(place->host) ? -ENAMETOOLONG : 1;
}
