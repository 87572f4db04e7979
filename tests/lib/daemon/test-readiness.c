/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a service manager hears: this program is one, at the other end of a
 * datagram socket.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/readiness.h"

#define MESSAGE_BYTES   2048
#define FDS_START       3       /* systemd's, see sd_listen_fds(3) */

static char directory[] = "/tmp/test-readiness-XXXXXX";
static struct sockaddr_un address = { .sun_family = AF_UNIX };
static int manager = -1;
static char message[MESSAGE_BYTES];

static int begin(void **state)
{
    (void)state;
    if ( !mkdtemp(directory) )
        return -1;

    snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify",
             directory);
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if ( manager < 0 ||
         bind(manager, (struct sockaddr *)&address, sizeof(address)) )
        return -1;

    return setenv("NOTIFY_SOCKET", address.sun_path, 1);
}

static int end(void **state)
{
    (void)state;
    unsetenv("NOTIFY_SOCKET");
    close(manager);
    unlink(address.sun_path);
    rmdir(directory);
    memcpy(directory + sizeof(directory) - 7, "XXXXXX", 6);

    return 0;
}

/* The next message, and a descriptor if one came along. */
static const char *hear(int *fd)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int)) +
                   CMSG_SPACE(3 * sizeof(unsigned int))];
    } control;
    struct iovec vector = { message, sizeof(message) - 1 };
    struct msghdr header = {
        .msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control,
        .msg_controllen = sizeof(control),
    };
    struct cmsghdr *part;
    ssize_t got = recvmsg(manager, &header, MSG_CMSG_CLOEXEC);

    message[got < 0 ? 0 : got] = '\0';
    if ( fd )
        *fd = -1;
    if ( got < 0 )
        return message;

    for ( part = CMSG_FIRSTHDR(&header); part;
          part = CMSG_NXTHDR(&header, part) )
        if ( fd && part->cmsg_level == SOL_SOCKET &&
             part->cmsg_type == SCM_RIGHTS )
            memcpy(fd, CMSG_DATA(part), sizeof(*fd));

    return message;
}

static void states_are_told(void **state)
{
    (void)state;
    assert_int_equal(readiness_ready("%d domains", 3), 0);
    assert_string_equal(hear(NULL), "READY=1\nSTATUS=3 domains");
    assert_int_equal(readiness_status("d%d paged", 1), 0);
    assert_string_equal(hear(NULL), "STATUS=d1 paged");
    assert_int_equal(readiness_stopping("bringing pages in"), 0);
    assert_string_equal(hear(NULL), "STOPPING=1\nSTATUS=bringing pages in");
    assert_int_equal(readiness_extend(5000000), 0);
    assert_string_equal(hear(NULL), "EXTEND_TIMEOUT_USEC=5000000");
    assert_int_equal(readiness_alive(), 0);
    assert_string_equal(hear(NULL), "WATCHDOG=1");
}

static void a_status_is_one_line_whatever_is_in_it(void **state)
{
    char longer[2 * READINESS_STATUS_BYTES];

    (void)state;
    assert_int_equal(readiness_status("name\nREADY=1\n"), 0);
    assert_string_equal(hear(NULL), "STATUS=name READY=1 ");

    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    assert_int_equal(readiness_ready("%s", longer), 0);
    assert_int_equal(strlen(hear(NULL)),
                     strlen("READY=1\nSTATUS=") + READINESS_STATUS_BYTES - 1);
}

static void descriptors_are_handed_over(void **state)
{
    int ends[2], got;
    char byte = 0;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(readiness_store_fd("d3-store", ends[1]), 1);
    assert_string_equal(hear(&got), "FDSTORE=1\nFDNAME=d3-store");
    assert_true(got >= 0);
    assert_int_equal(write(got, "!", 1), 1);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    assert_int_equal(byte, '!');
    close(got);

    assert_int_equal(readiness_forget_fd("d3-store"), 0);
    assert_string_equal(hear(NULL), "FDSTOREREMOVE=1\nFDNAME=d3-store");
    close(ends[0]);
    close(ends[1]);
}

static void names_that_cannot_be_are_refused(void **state)
{
    char longer[READINESS_NAME_BYTES + 2];

    (void)state;
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    assert_int_equal(readiness_store_fd(longer, 0), -EINVAL);
    assert_int_equal(readiness_store_fd("", 0), -EINVAL);
    assert_int_equal(readiness_store_fd("a:b", 0), -EINVAL);
    assert_int_equal(readiness_store_fd("a\nREADY=1", 0), -EINVAL);
    assert_int_equal(readiness_forget_fd("a\xff"), -EINVAL);
    assert_string_equal(hear(NULL), "");

    longer[READINESS_NAME_BYTES] = '\0';
    assert_int_equal(readiness_forget_fd(longer), 0);
    assert_non_null(strstr(hear(NULL), "xxx"));
}

static void a_manager_that_is_gone_is_an_error(void **state)
{
    (void)state;
    assert_int_equal(setenv("NOTIFY_SOCKET", "/nonexistent/socket", 1), 0);
    assert_true(readiness_alive() < 0);
    assert_true(readiness_store_fd("a", STDIN_FILENO) < 0);
}

static void without_a_manager_nothing_happens(void **state)
{
    struct readiness_fd *fds;

    (void)state;
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    assert_int_equal(readiness_ready("x"), 0);
    assert_int_equal(readiness_status("x"), 0);
    assert_int_equal(readiness_stopping("x"), 0);
    assert_int_equal(readiness_extend(1), 0);
    assert_int_equal(readiness_alive(), 0);
    assert_int_equal(readiness_watchdog_period(), 0);
    assert_int_equal(readiness_store_fd("x", STDIN_FILENO), 0);
    assert_int_equal(readiness_forget_fd("x"), 0);
    assert_int_equal(readiness_collect_fds(&fds), 0);
    assert_null(fds);
    readiness_free_fds(fds, 0);
}

static void the_watchdog_is_fed_twice_a_limit(void **state)
{
    char pid[32];

    (void)state;
    assert_int_equal(setenv("WATCHDOG_USEC", "3000000", 1), 0);
    assert_int_equal(readiness_watchdog_period(), 1500000);

    /* Meant for a parent or a child, not for us. */
    snprintf(pid, sizeof(pid), "%ld", (long)getpid() + 1);
    assert_int_equal(setenv("WATCHDOG_PID", pid, 1), 0);
    assert_int_equal(readiness_watchdog_period(), 0);
    unsetenv("WATCHDOG_PID");
    unsetenv("WATCHDOG_USEC");
}

/* In a child, as the descriptors' numbers are fixed: exit status 0 is well. */
static int collect_in_child(void)
{
    struct readiness_fd *fds;
    char pid[32], byte;
    int ends[2], count, kept;

    if ( pipe(ends) || dup2(ends[0], 100) < 0 || dup2(ends[1], 101) < 0 ||
         dup2(100, FDS_START) < 0 || dup2(101, FDS_START + 1) < 0 )
        return 10;

    snprintf(pid, sizeof(pid), "%ld", (long)getpid());
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", "2", 1);
    setenv("LISTEN_FDNAMES", "d3-index:d3-pages", 1);

    count = readiness_collect_fds(&fds);
    if ( count != 2 || strcmp(fds[0].name, "d3-index") ||
         strcmp(fds[1].name, "d3-pages") || getenv("LISTEN_FDS") )
        return 11;
    if ( !(fcntl(fds[0].fd, F_GETFD) & FD_CLOEXEC) )
        return 12;
    if ( write(fds[1].fd, "x", 1) != 1 || read(fds[0].fd, &byte, 1) != 1 )
        return 13;

    /* What is taken stays open, the rest does not. */
    kept = fds[1].fd;
    fds[1].fd = -1;
    readiness_free_fds(fds, count);
    if ( fcntl(kept, F_GETFD) < 0 || fcntl(FDS_START, F_GETFD) >= 0 )
        return 14;

    return readiness_collect_fds(&fds);
}

static void descriptors_come_back(void **state)
{
    int status;
    pid_t child = fork();

    (void)state;
    assert_true(child >= 0);
    if ( !child )
        _exit(collect_in_child());

    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

#define READINESS_TEST(f)   cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        READINESS_TEST(states_are_told),
        READINESS_TEST(a_status_is_one_line_whatever_is_in_it),
        READINESS_TEST(descriptors_are_handed_over),
        READINESS_TEST(names_that_cannot_be_are_refused),
        READINESS_TEST(a_manager_that_is_gone_is_an_error),
        READINESS_TEST(without_a_manager_nothing_happens),
        cmocka_unit_test(the_watchdog_is_fed_twice_a_limit),
        cmocka_unit_test(descriptors_come_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
