/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The event loop: libevent's, with a moment before it sleeps.  What callbacks
 * do is the daemon's.
 */
#include "loop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>

struct loop {
    struct event_base *base;
    struct event *signals[LOOP_SIGNALS_MAX];
    unsigned int signals_count;
    bool (*hook)(void *arg);
    void *hook_arg;
    bool stop;
};

int loop_open(struct loop **out)
{
    struct loop *loop = calloc(1, sizeof(*loop));

    *out = NULL;
    if ( !loop )
        return -ENOMEM;

    loop->base = event_base_new();
    if ( !loop->base || signal(SIGPIPE, SIG_IGN) == SIG_ERR )
    {
        loop_close(loop);
        return -EIO;
    }

    *out = loop;

    return 0;
}

void loop_close(struct loop *loop)
{
    if ( !loop )
        return;

    while ( loop->signals_count )
        event_free(loop->signals[--loop->signals_count]);

    if ( loop->base )
        event_base_free(loop->base);
    free(loop);
}

struct event_base *loop_base(struct loop *loop)
{
    return loop->base;
}

static int add_event(struct loop *loop, int fd, short what,
                     const struct timeval *period, event_callback_fn callback,
                     void *arg, struct event **out)
{
    struct event *event = event_new(loop->base, fd, what | EV_PERSIST,
                                    callback, arg);

    *out = NULL;
    if ( !event )
        return -ENOMEM;

    if ( event_add(event, period) )
    {
        event_free(event);
        return -EINVAL;
    }

    *out = event;

    return 0;
}

int loop_watch(struct loop *loop, int fd, event_callback_fn callback,
               void *arg, struct event **out)
{
    *out = NULL;
    if ( fd < 0 )
        return -EINVAL;

    return add_event(loop, fd, EV_READ, NULL, callback, arg, out);
}

int loop_every(struct loop *loop, uint64_t milliseconds,
               event_callback_fn callback, void *arg, struct event **out)
{
    const struct timeval period = {
        .tv_sec = milliseconds / 1000,
        .tv_usec = milliseconds % 1000 * 1000,
    };

    *out = NULL;
    if ( !milliseconds )
        return -EINVAL;

    return add_event(loop, -1, 0, &period, callback, arg, out);
}

int loop_on_signal(struct loop *loop, int signal, event_callback_fn callback,
                   void *arg)
{
    unsigned int i;
    int rc;

    if ( signal <= 0 || signal >= NSIG )
        return -EINVAL;

    for ( i = 0; i < loop->signals_count; i++ )
        if ( event_get_signal(loop->signals[i]) == signal )
            return -EEXIST;

    if ( loop->signals_count == LOOP_SIGNALS_MAX )
        return -ENOSPC;

    rc = add_event(loop, signal, EV_SIGNAL, NULL, callback, arg,
                   &loop->signals[loop->signals_count]);
    if ( !rc )
        loop->signals_count++;

    return rc;
}

void loop_before_sleep(struct loop *loop, bool (*hook)(void *arg), void *arg)
{
    loop->hook = hook;
    loop->hook_arg = arg;
}

int loop_run(struct loop *loop)
{
    int rc = 0;

    while ( !loop->stop && !rc )
    {
        bool busy = loop->hook && loop->hook(loop->hook_arg);
        int found;

        /* The hook may have been the one to stop. */
        if ( loop->stop )
            break;

        found = event_base_loop(loop->base, busy ? EVLOOP_ONCE |
                                EVLOOP_NONBLOCK : EVLOOP_ONCE);
        if ( found < 0 )
            rc = -EIO;
        else if ( found > 0 && !busy && !loop->stop )
            rc = -ENOENT;
    }

    loop->stop = false;

    return rc;
}

void loop_stop(struct loop *loop)
{
    /* The round that is under way ends after its callbacks; nothing more is
     * needed, as we are called from one of them, from the hook, or before. */
    loop->stop = true;
}
