/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The descriptors that the service manager hands to a pager which comes after one that died.  What is in them is
 * state.c's and settings-kept.c's.
 */
#include "inherited.h"

#include <string.h>

#include <daemon/readiness.h>

int inherited_collect(struct inherited *left)
{
    int count = readiness_collect_fds(&left->fds);

    left->count = count > 0 ? count : 0;
    return count < 0 ? count : 0;
}

int inherited_fd(const struct inherited *left, const char *name)
{
    int fd = -1;

    for ( int i = 0; i < left->count; i++ )
        if ( !strncmp(left->fds[i].name, INHERITED_PREFIX, strlen(INHERITED_PREFIX)) &&
             !strcmp(left->fds[i].name + strlen(INHERITED_PREFIX), name) )
            fd = left->fds[i].fd;
    return fd;
}

bool inherited_holds_pages(const struct inherited *left)
{
    return inherited_fd(left, INHERITED_INDEX) >= 0;
}

void inherited_close(struct inherited *left)
{
    readiness_free_fds(left->fds, left->count);
    *left = (struct inherited){ 0 };
}
