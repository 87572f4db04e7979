/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Starting the loader, and messages from and to it. Nothing here waits, but for the end of what was killed.
 */
#include "link.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loader.h"
#include "view.h"

/* What a sanitizer's runtime would do at a crash is forbidden to a worker; without one nobody reads this. */
static char sanitizers[] = "ASAN_OPTIONS=handle_segv=0:handle_abort=0:handle_sigbus=0:detect_leaks=0:allocator_may_return_null=1";

static int send_message(struct link *link, const struct loader_message *message, const int *fds, size_t fds_count)
{
    union { struct cmsghdr header; char bytes[CMSG_SPACE(4 * sizeof(int))]; } control = { 0 };
    struct iovec iov = { (void *)message, sizeof(*message) };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
    ssize_t n;

    if ( fds_count )
    {
        struct cmsghdr *c;

        msg.msg_control = &control;
        msg.msg_controllen = CMSG_SPACE(fds_count * sizeof(int));
        c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(fds_count * sizeof(int));
        memcpy(CMSG_DATA(c), fds, fds_count * sizeof(int));
    }
    do
        n = sendmsg(link->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
    while ( n < 0 && errno == EINTR );
    return n < 0 ? -errno : 0;
}

/* In the child, where nothing may fail loudly. */
static void run(int socket, const char *program, const char *directory)
{
    char *const argv[] = { (char *)program, (char *)directory, NULL };
    char *const envp[] = { sanitizers, NULL };
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    /* dup2() of a descriptor to itself would leave it close-on-exec. */
    if ( socket == LOADER_SOCKET )
        socket = dup(socket);
    if ( dup2(socket, LOADER_SOCKET) < 0 || syscall(SYS_close_range, LOADER_SOCKET + 1u, ~0u, 0) )
        _exit(127);
    execve(program, argv, envp);
    _exit(127);
}

static int tell_all(struct link *link, const char *specs, const char *user)
{
    struct loader_message *message = calloc(1, sizeof(*message));
    int rc = message ? 0 : -ENOMEM;

    while ( !rc && specs && *specs )
    {
        size_t length = strcspn(specs, "\n");

        memset(message, 0, sizeof(*message));
        message->kind = LOADER_PLUGIN;
        if ( length >= sizeof(message->text) )
            rc = -E2BIG;
        else if ( length )
        {
            memcpy(message->text, specs, length);
            rc = send_message(link, message, NULL, 0);
        }
        specs += length + (specs[length] == '\n');
    }
    if ( !rc )
    {
        memset(message, 0, sizeof(*message));
        message->kind = LOADER_CREATE;
        strncpy(message->text, user, sizeof(message->text) - 1);
        rc = send_message(link, message, NULL, 0);
    }
    free(message);
    return rc;
}

int link_open(struct link *link, const char *program, const char *directory, const char *specs, const char *user)
{
    /* All plugins and the order to create them, before it reads the first. */
    const int room = (PLUGINS_MAX + 2) * 4 * (int)sizeof(struct loader_message);
    int fds[2], rc = 0;
    pid_t pid;

    link->fd = link->pidfd = -1;
    link->since = view_now();
    if ( socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) )
        return -errno;
    link->fd = fds[0];
    setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
    pid = fork();
    if ( !pid )
        run(fds[1], program, directory);
    if ( pid < 0 )
        rc = -errno;
    close(fds[1]);
    if ( !rc )
    {
        link->pidfd = syscall(SYS_pidfd_open, pid, 0);
        rc = link->pidfd < 0 ? -errno : tell_all(link, specs, user);
    }
    if ( rc )
        link_close(link);
    return rc;
}

void link_close(struct link *link)
{
    siginfo_t info;

    if ( link->pidfd >= 0 )
    {
        syscall(SYS_pidfd_send_signal, link->pidfd, SIGKILL, NULL, 0);
        waitid(P_PIDFD, link->pidfd, &info, WEXITED);
        close(link->pidfd);
    }
    if ( link->fd >= 0 )
        close(link->fd);
    link->fd = link->pidfd = -1;
}

int link_start(struct link *link, uint64_t tag, const struct process *process, uint64_t memory)
{
    const int fds[4] = { process->in_fd, process->out_fd, process->wake, process->tell };
    static const struct loader_message blank;
    static struct loader_message message;

    if ( link->fd < 0 )
        return -EPIPE;
    message = blank;
    message.kind = LOADER_START;
    message.tag = tag;
    message.memory = memory;
    return send_message(link, &message, fds, 4);
}

int link_reload(struct link *link)
{
    static const struct loader_message message = { .kind = LOADER_RELOAD };

    link->since = view_now();
    return link->fd < 0 ? -EPIPE : send_message(link, &message, NULL, 0);
}

int link_receive(struct link *link, struct loader_message *out)
{
    ssize_t n;

    do
        n = recv(link->fd, out, sizeof(*out), MSG_DONTWAIT);
    while ( n < 0 && errno == EINTR );
    if ( n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) )
        return 0;
    if ( n != sizeof(*out) )
        return -EPIPE;
    out->text[sizeof(out->text) - 1] = 0;
    return 1;
}
