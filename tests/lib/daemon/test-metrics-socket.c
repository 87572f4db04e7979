/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a client of the metrics' socket gets, and what none can do: keep others out, or take the daemon's memory.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/loop.h"
#include "daemon/metrics-socket.h"

#define GET    "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
#define LARGE  (4U << 20)       /* many times what a socket holds */

static struct loop *loop;
static struct metrics_socket *served;
static char directory[] = "/tmp/test-metrics-socket-XXXXXX", path[sizeof(directory) + 16];
static char got[LARGE + 1024];

static int setup(void **state)
{
    (void)state;
    strcpy(directory + sizeof(directory) - 7, "XXXXXX");
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/metrics", directory);
    assert_int_equal(loop_open(&loop), 0);
    assert_int_equal(metrics_socket_open(&served, loop, path), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    metrics_socket_close(served);
    served = NULL;
    loop_close(loop);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(rmdir(directory), 0);
    return 0;
}

static void turn(void)
{
    for ( unsigned int i = 0; i < 50; i++ )
        event_base_loop(loop_base(loop), EVLOOP_NONBLOCK);
}

static void publish(const char *text)
{
    assert_int_equal(metrics_socket_publish(served, strdup(text), strlen(text)), 0);
}

static int join(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    strcpy(address.sun_path, path);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void say(int fd, const char *words)
{
    assert_int_equal(send(fd, words, strlen(words), MSG_NOSIGNAL), strlen(words));
}

/* All that comes until the other side ends it; NULL: it does not. */
static const char *take(int fd)
{
    size_t length = 0;

    for ( unsigned int i = 0; i < 1000; i++ )
    {
        ssize_t n = read(fd, got + length, sizeof(got) - 1 - length);

        if ( n < 0 && errno != EAGAIN )
            break;
        if ( !n )
        {
            got[length] = '\0';
            close(fd);
            return got;
        }
        length += n > 0 ? n : 0;
        turn();
    }
    close(fd);
    return NULL;
}

static const char *ask(const char *request)
{
    int fd = join();

    say(fd, request);
    return take(fd);
}

static const char *body(const char *answer)
{
    const char *end = answer ? strstr(answer, "\r\n\r\n") : NULL;

    return end ? end + 4 : "no body";
}

static void the_latest_text_is_served(void **state)
{
    struct stat about;

    (void)state;
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0660);
    assert_string_equal(body(ask(GET)), "");
    publish("a 1\n");
    assert_string_equal(body(ask(GET)), "a 1\n");
    publish("a 2\n");
    assert_string_equal(ask("GET / HTTP/1.0\n\n"),
                        "HTTP/1.0 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
                        "Content-Length: 4\r\nConnection: close\r\n\r\na 2\n");
    assert_string_equal(body(ask("HEAD /metrics HTTP/1.0\r\n\r\n")), "");
    assert_non_null(strstr(got, "Content-Length: 4\r\n"));
}

static void other_requests_are_refused(void **state)
{
    (void)state;
    publish("a 1\n");
    assert_non_null(strstr(ask("GET /etc/passwd HTTP/1.0\r\n\r\n"), " 404 "));
    assert_string_equal(body(got), "");
    assert_non_null(strstr(ask("POST /metrics HTTP/1.0\r\n\r\n"), " 405 "));
    assert_non_null(strstr(ask("\r\n\r\n"), " 405 "));
    assert_string_equal(body(ask("GET /metrics?name=a HTTP/1.0\r\n\r\n")), "a 1\n");
}

static void a_request_may_come_in_pieces(void **state)
{
    int fd = join();

    (void)state;
    publish("a 1\n");
    for ( const char *c = GET; *c; c++ )
    {
        assert_int_equal(send(fd, c, 1, MSG_NOSIGNAL), 1);
        turn();
    }
    assert_string_equal(body(take(fd)), "a 1\n");
}

static void an_endless_request_is_cut_off(void **state)
{
    static char words[METRICS_SOCKET_REQUEST];
    int fd = join();

    (void)state;
    memset(words, 'a', sizeof(words) - 1);
    say(fd, words);
    turn();
    /* Nothing is said to it. */
    assert_int_equal(read(fd, got, sizeof(got)), 0);
    close(fd);
    assert_string_equal(body(ask(GET)), "");
}

/* Who is slow gets what there was when he asked, whole, while others get what there is. */
static void a_large_text_goes_out_whole(void **state)
{
    char *text = malloc(LARGE + 1);
    int fd = join();

    (void)state;
    memset(text, 'x', LARGE);
    text[LARGE - 1] = 'z';
    text[LARGE] = '\0';
    assert_int_equal(metrics_socket_publish(served, text, LARGE), 0);
    say(fd, GET);
    turn();
    publish("a 2\n");
    assert_string_equal(body(ask(GET)), "a 2\n");
    assert_int_equal(strlen(body(take(fd))), LARGE);
    assert_int_equal(got[strlen(got) - 1], 'z');
}

/* The others wait in the kernel until there is a place, or a deadline has passed. */
static void only_so_many_are_served_at_once(void **state)
{
    int silent[METRICS_SOCKET_CLIENTS], fd;

    (void)state;
    publish("a 1\n");
    for ( unsigned int i = 0; i < METRICS_SOCKET_CLIENTS; i++ )
        silent[i] = join();
    turn();
    fd = join();
    say(fd, GET);
    turn();
    assert_int_equal(read(fd, got, sizeof(got)), -1);
    assert_int_equal(errno, EAGAIN);
    close(silent[3]);
    assert_string_equal(body(take(fd)), "a 1\n");
    for ( unsigned int i = 0; i < METRICS_SOCKET_CLIENTS; i++ )
        if ( i != 3 )
            close(silent[i]);
    turn();
    assert_string_equal(body(ask(GET)), "a 1\n");
}

static void who_says_nothing_is_cut_off(void **state)
{
    int fd = join();

    (void)state;
    /* Until the deadline is all that the loop has to do. */
    turn();
    event_base_loop(loop_base(loop), EVLOOP_ONCE);
    assert_int_equal(read(fd, got, sizeof(got)), 0);
    close(fd);
}

static void what_is_there_already(void **state)
{
    struct metrics_socket *second;
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    char other[sizeof(path) + 8], far[200];
    int fd;

    (void)state;
    assert_int_equal(metrics_socket_open(&second, loop, path), -EADDRINUSE);
    assert_null(second);
    assert_string_equal(body(ask(GET)), "");

    snprintf(other, sizeof(other), "%s.other", path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    strcpy(address.sun_path, other);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    close(fd);
    assert_int_equal(metrics_socket_open(&second, loop, other), 0);
    metrics_socket_close(second);
    assert_int_equal(access(other, F_OK), -1);

    assert_int_equal(metrics_socket_open(&second, loop, directory), -EEXIST);
    memset(far, 'a', sizeof(far) - 1);
    far[0] = '/';
    far[sizeof(far) - 1] = '\0';
    assert_int_equal(metrics_socket_open(&second, loop, far), -ENAMETOOLONG);
    metrics_socket_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_latest_text_is_served, setup, teardown),
        cmocka_unit_test_setup_teardown(other_requests_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_request_may_come_in_pieces, setup, teardown),
        cmocka_unit_test_setup_teardown(an_endless_request_is_cut_off, setup, teardown),
        cmocka_unit_test_setup_teardown(a_large_text_goes_out_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(only_so_many_are_served_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(who_says_nothing_is_cut_off, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_there_already, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
