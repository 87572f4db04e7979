/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an earlier pager left with the service manager: descriptors by name.  As long as a process that was given them is
 * started again they are kept; when the unit ends, or a start of it fails for good, they are closed, and pages are lost.
 */
#ifndef XENPAGING_INHERITED_H
#define XENPAGING_INHERITED_H

#include <stdbool.h>

/* Before the name of each in the fd store. */
#define INHERITED_PREFIX  "paging-"

/* There are pages, or may be: this one is handed over last and taken away first. */
#define INHERITED_INDEX   "index"

struct readiness_fd;

struct inherited {
    struct readiness_fd *fds;
    int count;
};

/* 0, or -errno: what the service manager says cannot be understood.  Once, first; then inherited_close(), in any case. */
int  inherited_collect(struct inherited *left);

/* The descriptor of that name (without the prefix), which stays inherited's, or -1. */
int  inherited_fd(const struct inherited *left, const char *name);

/* The service manager keeps an earlier pager's pages for us. */
bool inherited_holds_pages(const struct inherited *left);

void inherited_close(struct inherited *left);

#endif
