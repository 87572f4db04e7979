/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * av-worker: the program that loads plugins, as another user than root, and out of which workers are forked. The broker starts
 * it with one socket as descriptor 3 and nothing else; it ends when that is closed. It never sees a guest's octets.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sysexits.h>
#include <unistd.h>

#include <linux/sched.h>

#include "loader.h"
#include "request.h"
#include "sandbox.h"
#include "worker.h"

/* in, out, wake, tell */
#define START_FDS 4

/* What a guest can keep busy comes after all else in dom0, whatever the broker was given, and is what dom0 ends first when
 * it lacks memory: a worker is replaced in a moment. */
#define OOM_SCORE "500"

struct loader {
    struct plugins *plugins;
    char *specs[PLUGINS_MAX];
    unsigned int specs_count;
    bool created;
    pid_t broker;
};

static void send_message(const struct loader_message *message)
{
    ssize_t n;

    do
        n = send(LOADER_SOCKET, message, sizeof(*message), MSG_NOSIGNAL);
    while ( n < 0 && errno == EINTR );
    if ( n != sizeof(*message) )
        _exit(EX_IOERR);
}

static void say_to_broker(void *arg, int level, const char *plugin, const char *text)
{
    struct loader_message message = { .kind = LOADER_LINE, .status = level };

    (void)arg;
    snprintf(message.text, sizeof(message.text), "plugin %s: %s", plugin, text);
    send_message(&message);
}

static void say(void *arg, int level, const char *plugin, const char *text)
{
    worker_log(level, plugin, text, say_to_broker, arg);
}

static void send_refused(int rc, const char *words)
{
    struct loader_message message = { .kind = LOADER_REFUSED, .status = rc };

    snprintf(message.text, sizeof(message.text), "%s", words);
    send_message(&message);
}

static void send_ready(struct loader *loader)
{
    struct loader_message ready = {
        .kind = LOADER_READY, .generation = plugins_generation(loader->plugins),
        .decide = plugins_wanted(loader->plugins, true), .notify = plugins_wanted(loader->plugins, false),
    };

    for ( unsigned int i = 0; i < plugins_count(loader->plugins); i++ )
    {
        const struct plugin *plugin = plugins_at(loader->plugins, i);
        struct loader_message name = { .kind = LOADER_NAME, .tag = i };

        if ( plugin->is.tick_ms && (!ready.tick_ms || plugin->is.tick_ms < ready.tick_ms) )
            ready.tick_ms = plugin->is.tick_ms;
        memcpy(name.text, plugin->name, sizeof(plugin->name));
        send_message(&name);
    }
    send_message(&ready);
}

/* It must not outlive the broker; a change of user forgets that. */
static void die_with_broker(const struct loader *loader)
{
    if ( prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) || getppid() != loader->broker )
        _exit(EX_OSERR);
}

/* While it is root, who owns that file; both only get worse, which needs no right. Without them it works as well. */
static void come_last(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

    if ( fd >= 0 )
    {
        (void)!write(fd, OOM_SCORE, sizeof(OOM_SCORE) - 1);
        close(fd);
    }
    if ( getpriority(PRIO_PROCESS, 0) < 0 )
        (void)setpriority(PRIO_PROCESS, 0, 0);
}

static int add_specs(struct loader *loader, int (*call)(struct plugins *, const char *, struct plugins_words *),
                     struct plugins_words *words)
{
    int rc = 0;

    for ( unsigned int i = 0; i < loader->specs_count && !rc; i++ )
        rc = call(loader->plugins, loader->specs[i], words);
    return rc;
}

static void create(struct loader *loader, const char *user)
{
    const struct rlimit none = { 0, 0 };
    struct plugins_words words = { "" };
    int rc = loader->created ? -EALREADY : add_specs(loader, plugins_find, &words);

    if ( !rc )
        rc = sandbox_drop_user(user, words.text, sizeof(words.text));
    if ( !rc )
    {
        die_with_broker(loader);
        setrlimit(RLIMIT_CORE, &none);
        rc = add_specs(loader, plugins_add, &words);
    }
    if ( !rc )
        rc = plugins_create(loader->plugins, &words);
    if ( rc )
    {
        send_refused(rc, words.text[0] ? words.text : strerror(-rc));
        return;
    }
    loader->created = true;
    send_ready(loader);
}

static void reload(struct loader *loader)
{
    struct plugins_words words = { "" };
    int rc = plugins_reload(loader->plugins, &words);

    if ( rc )
        send_refused(rc, words.text);
    else
        send_ready(loader);
}

/* The broker's child, not ours: it is who waits for it. */
static void start(struct loader *loader, const struct loader_message *order, const int fds[START_FDS])
{
    struct loader_message message = { .kind = LOADER_STARTED, .tag = order->tag };
    const struct worker_places places = { fds[0], fds[1], fds[2], fds[3], order->memory };
    long pid;

    fflush(NULL);
    pid = loader->created ? syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0) : -1;
    if ( !pid )
    {
        die_with_broker(loader);
        worker_serve(loader->plugins, &places);
    }
    message.status = pid > 0 ? pid : loader->created ? -errno : -EINVAL;
    for ( unsigned int i = 0; i < START_FDS; i++ )
        close(fds[i]);
    send_message(&message);
}

/* 1, or 0 when the broker is gone. Descriptors come with START only. */
static int receive(struct loader_message *message, int fds[START_FDS])
{
    union { struct cmsghdr header; char bytes[CMSG_SPACE(START_FDS * sizeof(int))]; } control;
    struct iovec iov = { message, sizeof(*message) };
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control),
    };
    struct cmsghdr *c;
    ssize_t n;

    for ( unsigned int i = 0; i < START_FDS; i++ )
        fds[i] = -1;
    do
        n = recvmsg(LOADER_SOCKET, &msg, MSG_CMSG_CLOEXEC);
    while ( n < 0 && errno == EINTR );
    if ( n != sizeof(*message) )
        return 0;
    c = CMSG_FIRSTHDR(&msg);
    if ( c && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(START_FDS * sizeof(int)) )
        memcpy(fds, CMSG_DATA(c), START_FDS * sizeof(int));
    message->text[sizeof(message->text) - 1] = 0;
    return 1;
}

int main(int argc, char **argv)
{
    static struct loader_message message;
    struct loader loader = { .broker = getppid() };
    int fds[START_FDS];

    if ( argc != 2 || argv[1][0] != '/' )
    {
        fprintf(stderr, "av-worker is a part of av-introspect(8), which starts it\n");
        return EX_USAGE;
    }
    die_with_broker(&loader);
    come_last();
    if ( plugins_open(&loader.plugins, argv[1], say, NULL) )
        return EX_OSERR;

    while ( receive(&message, fds) )
        switch ( message.kind )
        {
        case LOADER_PLUGIN:
            if ( loader.specs_count < PLUGINS_MAX )
                loader.specs[loader.specs_count++] = strdup(message.text);
            break;
        case LOADER_CREATE:
            create(&loader, message.text);
            break;
        case LOADER_RELOAD:
            reload(&loader);
            break;
        case LOADER_START:
            start(&loader, &message, fds);
            break;
        }
    plugins_close(loader.plugins);
    return EX_OK;
}
