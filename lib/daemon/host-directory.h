/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where a daemon and who looks at it meet, by the --host that both were given.  What else such a word means is the
 * libraries' business.
 */
#ifndef DAEMON_HOST_DIRECTORY_H
#define DAEMON_HOST_DIRECTORY_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/* "emulated:..." or NULL, "xen", and everything else. */
bool host_is_emulated(const char *host);

/*
 * The run directory of daemons on an emulated host: what run=DIR says in it, else xen-memevent-emulated in
 * $XDG_RUNTIME_DIR or, without that, in /tmp under the user's number.  -ENAMETOOLONG; -EINVAL: DIR is not absolute.
 */
int host_directory(const char *host, char *directory, size_t size);

struct host_place {
    char directory[PATH_MAX];     /* as of host_directory() */
    char host[2 * PATH_MAX];      /* the same host, with run=DIRECTORY said in it */
};

/* Where a daemon on this host has its place.  1: it is filled in; 0: the host is no emulated one; else as host_directory(). */
int host_find_place(const char *host, struct host_place *place);

#endif /* DAEMON_HOST_DIRECTORY_H */
