/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * loop: a daemon's event loop, a thin layer on libevent.
 *
 * Here is what each daemon would repeat: signals, a timer that goes on, a
 * descriptor that is watched, and a moment before sleeping in which shared
 * memory can be polled.  For the rest use libevent itself on loop_base().
 *
 * Threads: everything from the thread that runs the loop.  Callbacks may
 * free the event they were called for.
 */
#ifndef DAEMON_LOOP_H
#define DAEMON_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include <event2/event.h>

/* Signals a daemon may ask for; TERM, INT, HUP and two of its own. */
#define LOOP_SIGNALS_MAX  8u

struct loop;

/*
 * 0, -ENOMEM or -EIO.  From here on SIGPIPE is ignored by the process: a reader
 * of stderr or of a socket who goes away must not end a daemon that holds a
 * guest's pages.
 */
int loop_open(struct loop **out);

/* Frees signals; events made by loop_watch() and loop_every() are the caller's
 * and must be freed (event_free()) before. */
void loop_close(struct loop *loop);

struct event_base *loop_base(struct loop *loop);

/*
 * All callbacks are libevent's: void f(evutil_socket_t fd, short what, void
 * *arg); for a signal `fd` is its number, so that one function can serve TERM
 * and INT.
 *
 * Calls back while `fd` is readable.  The fd stays the caller's and must stay
 * open until the event is freed.  0, -ENOMEM or -EINVAL.
 */
int loop_watch(struct loop *loop, int fd, event_callback_fn callback,
               void *arg, struct event **out);

/* Calls back every `milliseconds` (at least 1).  Same errors. */
int loop_every(struct loop *loop, uint64_t milliseconds,
               event_callback_fn callback, void *arg, struct event **out);

/* Calls back from the loop, not from the handler.  -EEXIST if the signal is
 * taken, -ENOSPC beyond LOOP_SIGNALS_MAX, -ENOMEM, -EINVAL. */
int loop_on_signal(struct loop *loop, int signal, event_callback_fn callback,
                   void *arg);

/*
 * Called each time before the loop would sleep.  True: there was work or there
 * may be soon, so look at descriptors and timers without sleeping and call
 * again.  False: sleep.  The hook decides how long it polls (a bound of its
 * own, in time); one that always says true burns a CPU.  One hook a loop; NULL
 * takes it away.
 */
void loop_before_sleep(struct loop *loop, bool (*hook)(void *arg), void *arg);

/* Runs until loop_stop().  0; -EIO when libevent failed; -ENOENT when there is
 * nothing left that could ever wake it.  A loop_stop() that came before the run
 * ends it at once; each stop ends one run. */
int loop_run(struct loop *loop);

void loop_stop(struct loop *loop);

#endif /* DAEMON_LOOP_H */
