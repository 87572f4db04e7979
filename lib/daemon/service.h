/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * service: what each daemon does around its work, in the same way and the same words: a start that may be refused, one
 * instance a host, signals, the service manager's watchdog.  Exit statuses are those of sysexits.h.
 *
 * Threads: all of it from the thread that starts the daemon.
 */
#ifndef DAEMON_SERVICE_H
#define DAEMON_SERVICE_H

#include <stdbool.h>

#include "loop.h"
#include "options.h"

/*
 * Logs that the start failed with `what`, why (`error` is -errno), and what to do `then`, unless that was logged before; returns
 * `status`, so that the caller can return what this returns.
 */
int service_refuse(int status, const char *what, const char *then, int error);

/* The exit status for what options_load() said.  What is wrong is logged; EX_OK for OPTIONS_RUN and OPTIONS_ANSWERED. */
int service_options(enum options_outcome outcome, const struct options *options);

/*
 * The library that opens `host` (NULL: none was named) gave `error`, not 0: logs it as service_refuse(), and returns the status.
 * -EOPNOTSUPP is a host that another program has: `emulated`, of the build tree, or none if that is NULL.
 */
int service_refuse_host(const char *host, const char *emulated, int error);

/* The same for a host that is there, and does not answer; and for a run directory in `host` that is none. */
int service_refuse_answer(int error);
int service_refuse_place(const char *host);

/*
 * Makes `run_directory` if it is missing, and takes the lock NAME.lock in it.  EX_OK, and *lock_fd holds the lock until it is
 * closed; else an exit status, and why was logged.  With `may_share` an instance that has the lock already is no reason to refuse:
 * *lock_fd then holds nothing.  *lock_fd is -1 or the caller's to close, whatever is returned.
 */
int service_take_lock(const char *name, const char *run_directory, bool may_share, int *lock_fd);

/*
 * SIGTERM, SIGINT and SIGQUIT to `stop`, SIGHUP to `hangup`; of themselves they would end the process, a terminal that closes
 * included.  Tells the service manager that the loop is alive as often as it asked for, by *watchdog (NULL if it did not ask),
 * which is the caller's to free.  0, or as loop_on_signal() and loop_every().
 */
int service_listen(struct loop *loop, event_callback_fn stop, event_callback_fn hangup, void *arg, struct event **watchdog);

#endif /* DAEMON_SERVICE_H */
