/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Threads that answer the events which another has taken: in any order, now and then twice, and with a flush at the latest
 * before they wait.  Included by a test once.
 */
#ifndef TESTS_LIB_MEMEVENT_ANSWERERS_H
#define TESTS_LIB_MEMEVENT_ANSWERERS_H

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <memevent/memevent.h>

#define ANSWERERS       3
/* More than any channel of the tests can have outstanding. */
#define ANSWERERS_QUEUE 256

/* No limit of speed: only what tells a lost wake-up from a slow machine. */
#define STUCK_SECONDS   60

static struct memevent_channel *channel;

/* Events on their way from the thread that takes them to those that answer. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    struct memevent_event events[ANSWERERS_QUEUE];
    unsigned int count;
    bool closed;
} queue = { .lock = PTHREAD_MUTEX_INITIALIZER, .filled = PTHREAD_COND_INITIALIZER };

/* cmocka's assertions belong to its own thread. */
#define check(condition) \
    do { \
        if ( !(condition) ) \
        { \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            abort(); \
        } \
    } while ( 0 )

static uint64_t draw(uint64_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;

    return *random >> 16;
}

static void queue_put(const struct memevent_event *event)
{
    pthread_mutex_lock(&queue.lock);
    check(queue.count < ANSWERERS_QUEUE);
    queue.events[queue.count++] = *event;
    pthread_cond_signal(&queue.filled);
    pthread_mutex_unlock(&queue.lock);
}

/* No more come: who has answered what there is ends. */
static void queue_close(void)
{
    pthread_mutex_lock(&queue.lock);
    queue.closed = true;
    pthread_cond_broadcast(&queue.filled);
    pthread_mutex_unlock(&queue.lock);
}

/* Any of them, so that answers overtake each other. */
static bool queue_take(uint64_t *random, bool *owes, struct memevent_event *event)
{
    bool got;

    pthread_mutex_lock(&queue.lock);
    while ( !queue.count && !queue.closed )
    {
        if ( *owes )
        {
            /* Nobody may wait for an answer that this thread sits on. */
            pthread_mutex_unlock(&queue.lock);
            check(memevent_flush(channel) == 0);
            *owes = false;
            pthread_mutex_lock(&queue.lock);
            continue;
        }
        pthread_cond_wait(&queue.filled, &queue.lock);
    }
    got = queue.count > 0;
    if ( got )
    {
        unsigned int i = draw(random) % queue.count;

        *event = queue.events[i];
        queue.events[i] = queue.events[--queue.count];
    }
    pthread_mutex_unlock(&queue.lock);

    return got;
}

/* seed: not 0. */
static void *run_answerer(void *seed)
{
    uint64_t random = 1234567 * (uintptr_t)seed;
    struct memevent_event event;
    bool owes = false;

    while ( queue_take(&random, &owes, &event) )
    {
        if ( draw(&random) % 8 == 0 )
            sched_yield();
        check(memevent_answer(channel, event.id) == 0);
        owes = true;
        if ( draw(&random) % 8 == 0 )
            check(memevent_answer(channel, event.id) == -EALREADY);
        if ( draw(&random) % 4 == 0 )
        {
            check(memevent_flush(channel) == 0);
            owes = false;
        }
    }
    check(memevent_flush(channel) == 0);

    return NULL;
}

#endif
