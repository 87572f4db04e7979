/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * readiness: what a daemon tells the service manager, and descriptors that it
 * leaves there across a restart.
 *
 * Without a service manager everything here does nothing and succeeds.
 * Errors are -errno; a daemon may ignore them, except those of the fd store.
 *
 * Threads: any, but readiness_collect_fds(), which is called once, first.
 */
#ifndef DAEMON_READINESS_H
#define DAEMON_READINESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A status is one line on a screen; longer ones are cut. */
#define READINESS_STATUS_BYTES   256u
/* systemd's own limit on a stored descriptor's name. */
#define READINESS_NAME_BYTES     255u

/* Start is finished.  `status` as in printf, one line. */
int readiness_ready(const char *status, ...)
    __attribute__((format(printf, 1, 2)));

int readiness_status(const char *status, ...)
    __attribute__((format(printf, 1, 2)));

int readiness_stopping(const char *status, ...)
    __attribute__((format(printf, 1, 2)));

/*
 * Start or stop takes longer: the next call, or its end, comes within
 * `microseconds` from now.  Call it again while there is progress.
 */
int readiness_extend(uint64_t microseconds);

/* How often readiness_alive() has to be called, in microseconds: half of what
 * the service manager allows.  0: nobody watches. */
uint64_t readiness_watchdog_period(void);

int readiness_alive(void);

/*
 * Leaves a copy of `fd` with the service manager under `name` (1 to
 * READINESS_NAME_BYTES printable ASCII characters without ':').  Returns 1
 * when it was handed over, 0 when there is nobody to hand it to, -EINVAL for
 * a name that cannot be, or -errno.  A name may be given to several
 * descriptors; they come back in unknown order.  The unit needs
 * FileDescriptorStoreMax=.
 */
int readiness_store_fd(const char *name, int fd);

/* Takes all descriptors of that name out of the store. */
int readiness_forget_fd(const char *name);

struct readiness_fd {
    int fd;
    char *name;
};

/*
 * What an earlier life left.  Returns the number; *out (NULL if none) is freed
 * with readiness_free_fds().  The descriptors are close-on-exec and become the
 * caller's, who sets .fd to -1 for those it keeps.  Call once: the environment
 * is cleared.  -ENOMEM and sd_listen_fds_with_names()'s errors.
 */
int readiness_collect_fds(struct readiness_fd **out);

/* Closes what is not -1.  NULL is fine. */
void readiness_free_fds(struct readiness_fd *fds, size_t count);

#endif /* DAEMON_READINESS_H */
