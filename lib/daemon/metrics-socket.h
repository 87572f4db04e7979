/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * metrics-socket: the latest text of struct metrics for whoever connects to a unix socket and asks in HTTP, as
 *
 *     curl --unix-socket /run/xen-memevent/xensharing.metrics http://localhost/metrics
 *
 * and a proxy between the socket and a Prometheus server do.  One answer a connection.  What the text says is the
 * caller's; this serves it, from the daemon's loop, and never waits.
 *
 * Nobody who connects can make the daemon take much memory or time: METRICS_SOCKET_CLIENTS are served at once and others
 * wait in the kernel, a request has METRICS_SOCKET_REQUEST bytes, and who has not taken his answer after
 * METRICS_SOCKET_SECONDS is cut off.
 *
 * Threads: everything from the thread that runs the loop.  Logs nothing.
 */
#ifndef DAEMON_METRICS_SOCKET_H
#define DAEMON_METRICS_SOCKET_H

#include <stddef.h>

/* A server, its spare, and people who look. */
#define METRICS_SOCKET_CLIENTS  8U
/* A scrape takes milliseconds, and Prometheus gives up after 10 s. */
#define METRICS_SOCKET_SECONDS  5U
/* Of a request with its headers; Prometheus' have some 300 bytes. */
#define METRICS_SOCKET_REQUEST  4096U

struct loop;
struct metrics;
struct metrics_socket;

/*
 * Listens on PATH, for its owner and group (mode 0660).  A socket that is there and that nobody listens on is what a
 * daemon left that was killed, and is replaced.  0, -ENOMEM; -ENAMETOOLONG: longer than an address can be; -EADDRINUSE:
 * somebody listens there; -EEXIST: it is something else; or what socket() and bind() say.
 */
int metrics_socket_open(struct metrics_socket **out, struct loop *loop, const char *path);

/* Cuts off who is connected, and removes the file.  NULL is accepted.  Before the loop is closed. */
void metrics_socket_close(struct metrics_socket *socket);

/*
 * What is said from now on: `length` bytes that were allocated with malloc(), as metrics_text() does, and that this
 * takes over, also when it fails.  Who is being answered gets what there was.  Before the first there is an empty
 * answer.  0, or -ENOMEM: what there was stays.
 */
int metrics_socket_publish(struct metrics_socket *socket, char *text, size_t length);

/*
 * What a daemon does once a second with what was added to `metrics`: writes it to FILE, and has it answered at PATH, each of
 * which may be NULL; opens the socket first if *socket is NULL.  Both are tried.  0, or what metrics_write(),
 * metrics_socket_open() and _publish() say; then *what is the one that failed first, and the next call tries again.
 */
int metrics_publish(struct metrics *metrics, const char *file, const char *path, struct metrics_socket **socket,
                    struct loop *loop, const char **what);

#endif /* DAEMON_METRICS_SOCKET_H */
