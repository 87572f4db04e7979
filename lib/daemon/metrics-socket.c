/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A listener, its clients, and the text that they share.  A client reads until the empty line behind the headers, then
 * writes until all is gone; its deadline ends it in either.
 *
 * Not libevent's evhttp: as of 2.1 that bounds neither how many are connected nor how long one of them takes (each octet begins
 * its timeout anew), and tells nobody when a connection has ended, so that no bound can be put around it.
 */
#include "metrics-socket.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "loop.h"
#include "metrics.h"

/* Of an answer's headers. */
#define HEAD_BYTES  256U

struct text {                     /* what one or several answers are made of */
    unsigned int users;
    size_t length;
    char *bytes;
};

struct client {
    struct metrics_socket *socket;
    int fd;                       /* -1: this one is free */
    struct event *event;          /* readable, then writable; with the deadline */
    struct event *deadline;
    char request[METRICS_SOCKET_REQUEST];
    size_t got;
    char head[HEAD_BYTES];
    size_t head_length, body_length;
    size_t sent;                  /* of both */
    struct text *text;            /* NULL: the answer has no body */
};

struct metrics_socket {
    struct loop *loop;
    int fd;
    struct event *event;
    struct text *text;            /* NULL: nothing was published yet */
    struct sockaddr_un address;
    bool is_bound;
    bool has_paused;              /* listening, for want of a descriptor */
    unsigned int connected;
    struct client clients[METRICS_SOCKET_CLIENTS];
};

static void text_release(struct text *text)
{
    if ( !text || --text->users )
        return;
    free(text->bytes);
    free(text);
}

static void free_event(struct event **event)
{
    if ( *event )
        event_free(*event);
    *event = NULL;
}

static void end(struct client *c)
{
    struct metrics_socket *s = c->socket;

    if ( c->fd < 0 )
        return;
    free_event(&c->event);
    free_event(&c->deadline);
    close(c->fd);
    c->fd = -1;
    text_release(c->text);
    c->text = NULL;
    /* There is a place again for who waits. */
    if ( s->connected-- == METRICS_SOCKET_CLIENTS && s->event )
        event_add(s->event, NULL);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    end(arg);
}

/* The headers have come: what is the answer? */
static void answer(struct client *c)
{
    const char *path = strchr(c->request, ' '), *status = "200 OK";
    size_t method = path ? (size_t)(path - c->request) : 0, length = path ? strcspn(path + 1, " ?\r\n") : 0;
    bool is_head = method == 4 && !strncmp(c->request, "HEAD", 4);
    int n;

    if ( !is_head && (method != 3 || strncmp(c->request, "GET", 3)) )
        status = "405 Method Not Allowed";
    else if ( !(length == 1 && path[1] == '/') && !(length == 8 && !strncmp(path + 1, "/metrics", 8)) )
        status = "404 Not Found";
    else if ( c->socket->text )
    {
        c->text = c->socket->text;
        c->text->users++;
    }
    c->body_length = c->text && !is_head ? c->text->length : 0;
    n = snprintf(c->head, sizeof(c->head), "HTTP/1.0 %s\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
                 "Content-Length: %zu\r\nConnection: close\r\n\r\n", status, c->text ? c->text->length : 0);
    c->head_length = n;
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct client *c = arg;
    size_t of_head = c->sent < c->head_length ? c->sent : c->head_length, of_body = c->sent - of_head;
    struct iovec pieces[] = {
        { c->head + of_head, c->head_length - of_head },
        { c->body_length ? c->text->bytes + of_body : NULL, c->body_length - of_body },
    };
    const struct msghdr message = { .msg_iov = pieces, .msg_iovlen = 2 };
    ssize_t n;

    (void)what;
    n = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if ( n < 0 && (errno == EAGAIN || errno == EINTR) )
        return;
    c->sent += n > 0 ? n : 0;
    if ( n < 0 || c->sent == c->head_length + c->body_length )
        end(c);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct client *c = arg;
    ssize_t n = recv(fd, c->request + c->got, sizeof(c->request) - 1 - c->got, MSG_DONTWAIT);

    (void)what;
    if ( n < 0 && (errno == EAGAIN || errno == EINTR) )
        return;
    c->got += n > 0 ? n : 0;
    c->request[c->got] = '\0';
    if ( n > 0 && !strstr(c->request, "\r\n\r\n") && !strstr(c->request, "\n\n") )
    {
        if ( c->got == sizeof(c->request) - 1 )
            end(c);
        return;
    }
    if ( n <= 0 )
    {
        end(c);
        return;
    }
    answer(c);
    free_event(&c->event);
    c->event = event_new(loop_base(c->socket->loop), fd, EV_WRITE | EV_PERSIST, on_writable, c);
    if ( !c->event || event_add(c->event, NULL) )
        end(c);
}

static void on_connection(evutil_socket_t fd, short what, void *arg)
{
    const struct timeval most = { .tv_sec = METRICS_SOCKET_SECONDS };
    struct metrics_socket *s = arg;
    struct client *c = s->clients;
    int accepted = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)what;
    if ( accepted < 0 )
    {
        /* Who waits keeps the listener readable, and would have us turn around for nothing: publish() goes on. */
        s->has_paused = errno != EAGAIN && errno != EINTR && errno != ECONNABORTED && !event_del(s->event);
        return;
    }
    while ( c->fd >= 0 )          /* listening ends when all have one */
        c++;
    *c = (struct client){ .socket = s, .fd = accepted };
    if ( ++s->connected == METRICS_SOCKET_CLIENTS )
        event_del(s->event);
    c->deadline = evtimer_new(loop_base(s->loop), on_deadline, c);
    c->event = event_new(loop_base(s->loop), accepted, EV_READ | EV_PERSIST, on_readable, c);
    if ( !c->deadline || !c->event || event_add(c->deadline, &most) || event_add(c->event, NULL) )
        end(c);
}

/* Does nobody listen on the socket that is there? */
static bool is_left(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool refused = fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) && errno == ECONNREFUSED;

    if ( fd >= 0 )
        close(fd);
    return refused;
}

static int bind_to(struct metrics_socket *s)
{
    const struct sockaddr *address = (const struct sockaddr *)&s->address;
    struct stat about;

    if ( !bind(s->fd, address, sizeof(s->address)) )
        return 0;
    if ( errno != EADDRINUSE )
        return -errno;
    if ( lstat(s->address.sun_path, &about) || !S_ISSOCK(about.st_mode) )
        return -EEXIST;
    if ( !is_left(&s->address) )
        return -EADDRINUSE;
    if ( unlink(s->address.sun_path) || bind(s->fd, address, sizeof(s->address)) )
        return -errno;
    return 0;
}

static int start(struct metrics_socket *s)
{
    int rc;

    s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if ( s->fd < 0 )
        return -errno;
    rc = bind_to(s);
    if ( rc )
        return rc;
    s->is_bound = true;
    /* Before anybody can connect. */
    if ( chmod(s->address.sun_path, 0660) || listen(s->fd, METRICS_SOCKET_CLIENTS) )
        return -errno;
    return loop_watch(s->loop, s->fd, on_connection, s, &s->event);
}

int metrics_socket_open(struct metrics_socket **out, struct loop *loop, const char *path)
{
    struct metrics_socket *s;
    int rc;

    *out = NULL;
    if ( strlen(path) >= sizeof(s->address.sun_path) )
        return -ENAMETOOLONG;
    s = calloc(1, sizeof(*s));
    if ( !s )
        return -ENOMEM;
    s->loop = loop;
    s->fd = -1;
    s->address.sun_family = AF_UNIX;
    memcpy(s->address.sun_path, path, strlen(path));
    for ( unsigned int i = 0; i < METRICS_SOCKET_CLIENTS; i++ )
        s->clients[i].fd = -1;
    rc = start(s);
    if ( rc )
        metrics_socket_close(s);
    else
        *out = s;
    return rc;
}

void metrics_socket_close(struct metrics_socket *s)
{
    if ( !s )
        return;
    free_event(&s->event);
    for ( unsigned int i = 0; i < METRICS_SOCKET_CLIENTS; i++ )
        end(&s->clients[i]);
    if ( s->fd >= 0 )
        close(s->fd);
    if ( s->is_bound )
        unlink(s->address.sun_path);
    text_release(s->text);
    free(s);
}

int metrics_socket_publish(struct metrics_socket *s, char *bytes, size_t length)
{
    struct text *text = malloc(sizeof(*text));

    if ( !text )
    {
        free(bytes);
        return -ENOMEM;
    }
    *text = (struct text){ .users = 1, .length = length, .bytes = bytes };
    text_release(s->text);
    s->text = text;
    if ( s->has_paused )
        s->has_paused = event_add(s->event, NULL);
    return 0;
}

static int show(struct metrics_socket **socket, struct loop *loop, const char *path, struct metrics *metrics)
{
    int rc = *socket ? 0 : metrics_socket_open(socket, loop, path);
    size_t length;
    char *text;

    if ( rc )
        return rc;
    text = metrics_text(metrics, &length);
    return text ? metrics_socket_publish(*socket, text, length) : -ENOMEM;
}

int metrics_publish(struct metrics *metrics, const char *file, const char *path, struct metrics_socket **socket,
                    struct loop *loop, const char **what)
{
    int written = file ? metrics_write(metrics, file) : 0, shown = path ? show(socket, loop, path, metrics) : 0;

    if ( written || shown )
        *what = written ? file : path;
    return written ? written : shown;
}
