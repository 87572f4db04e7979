/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A service manager of the test's own: keeps descriptors that a process under test hands over, and hands them to the next.
 * What a process makes of them is the test's.
 */
#ifndef TESTS_DAEMONS_XENPAGING_SERVICE_MANAGER_H
#define TESTS_DAEMONS_XENPAGING_SERVICE_MANAGER_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define STORED_MAX 8

static struct {
    int socket;
    char path[108];
    char name[STORED_MAX][32];
    int fd[STORED_MAX];
    unsigned int count;
} manager;

/* Listens at this path, and says so to who is started from here. */
static void manager_start(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    snprintf(manager.path, sizeof(manager.path), "%.107s", path);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", manager.path);
    manager.socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(manager.socket >= 0);
    assert_int_equal(bind(manager.socket, (struct sockaddr *)&address, sizeof(address)), 0);
    setenv("NOTIFY_SOCKET", manager.path, 1);
}

/* Closes those of that name. */
static void manager_forget(const char *name)
{
    for ( unsigned int i = manager.count; i-- > 0; )
        if ( !strcmp(manager.name[i], name) )
        {
            close(manager.fd[i]);
            manager.count--;
            manager.fd[i] = manager.fd[manager.count];
            memmove(manager.name[i], manager.name[manager.count], sizeof(manager.name[i]));
        }
}

/* Does what it was told since. */
static void manager_listen(void)
{
    char text[512], control[CMSG_SPACE(sizeof(int) * 4)];
    struct iovec part = { .iov_base = text, .iov_len = sizeof(text) - 1 };
    struct msghdr message;
    ssize_t n;

    for ( ;; )
    {
        struct cmsghdr *header;
        char *name;

        message = (struct msghdr){
            .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control),
        };
        n = recvmsg(manager.socket, &message, MSG_CMSG_CLOEXEC);
        if ( n < 0 )
            return;
        text[n] = '\0';
        header = CMSG_FIRSTHDR(&message);
        name = strstr(text, "FDNAME=");
        if ( !name )
            continue;
        name += strlen("FDNAME=");
        name[strcspn(name, "\n")] = '\0';
        if ( !strncmp(text, "FDSTOREREMOVE=1", 15) )
            manager_forget(name);
        else if ( !strncmp(text, "FDSTORE=1", 9) && header && header->cmsg_type == SCM_RIGHTS )
        {
            assert_true(manager.count < STORED_MAX);
            memcpy(&manager.fd[manager.count], CMSG_DATA(header), sizeof(int));
            snprintf(manager.name[manager.count++], sizeof(manager.name[0]), "%.31s", name);
        }
    }
}

/* In a child: what the manager does before it executes the service. */
static void manager_hands_over(void)
{
    char names[STORED_MAX * 33] = "", number[16];
    int copy[STORED_MAX];

    if ( !manager.count )
        return;
    for ( unsigned int i = 0; i < manager.count; i++ )
        copy[i] = fcntl(manager.fd[i], F_DUPFD, 100);
    for ( unsigned int i = 0; i < manager.count; i++ )
    {
        dup2(copy[i], 3 + i);
        close(copy[i]);
        snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s", i ? ":" : "", manager.name[i]);
    }
    snprintf(number, sizeof(number), "%u", manager.count);
    setenv("LISTEN_FDS", number, 1);
    setenv("LISTEN_FDNAMES", names, 1);
    snprintf(number, sizeof(number), "%d", getpid());
    setenv("LISTEN_PID", number, 1);
}

static void manager_end(void)
{
    while ( manager.count )
        close(manager.fd[--manager.count]);
    close(manager.socket);
    unlink(manager.path);
    unsetenv("NOTIFY_SOCKET");
}

#endif
