/* SPDX-License-Identifier: GPL-2.0-only */
/* See scan.h.  One lock over two lists; a chunk is half a millisecond's work or more, and the lock no cost. */
#include "scan.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct list {
    struct scan_chunk *first, **end;
};

struct scan {
    struct hypervisor *hv;
    const struct digest *digest;
    int fd;
    unsigned int outstanding;     /* the asker's own */
    struct scan_chunk *spare;     /* the asker's own */

    pthread_mutex_t lock;
    pthread_cond_t asked;
    struct list questions, answers;   /* lock */
    bool ends;                    /* lock */
    uint64_t mapped;              /* relaxed */

    unsigned int count;
    pthread_t threads[];
};

static void list_open(struct list *list)
{
    list->first = NULL;
    list->end = &list->first;
}

static void list_put(struct list *list, struct scan_chunk *chunk)
{
    chunk->next = NULL;
    *list->end = chunk;
    list->end = &chunk->next;
}

static struct scan_chunk *list_take(struct list *list)
{
    struct scan_chunk *chunk = list->first;

    if ( !chunk )
        return NULL;
    list->first = chunk->next;
    if ( !list->first )
        list->end = &list->first;
    return chunk;
}

/* Which of the frames are to be looked at, and are there.  A paged-out one is not: to map it would force it in. */
static int choose(struct scan *scan, struct scan_chunk *chunk, uint64_t *gfns, uint16_t *places)
{
    uint8_t states[SCAN_FRAMES];
    int rc = scan->hv->ops->query_frames(scan->hv, chunk->domid, chunk->first, chunk->count, states);
    int n = 0;

    if ( rc )
        return rc;
    for ( unsigned int i = 0; i < chunk->count; i++ )
        chunk->populated += states[i] == FRAME_RAM;
    for ( unsigned int i = 0; i < chunk->wanted; i++ )
    {
        if ( states[chunk->gfns[i] - chunk->first] != FRAME_RAM )
            continue;
        gfns[n] = chunk->gfns[i];
        places[n++] = i;
    }
    return n;
}

static int look(struct scan *scan, struct scan_chunk *chunk)
{
    uint64_t gfns[SCAN_FRAMES], digests[SCAN_FRAMES];
    uint16_t places[SCAN_FRAMES];
    int errors[SCAN_FRAMES];
    const void *mapping;
    int n = choose(scan, chunk, gfns, places), rc;

    for ( unsigned int i = 0; i < chunk->wanted; i++ )
        chunk->digests[i] = DIGEST_NEVER;
    if ( n <= 0 )
        return n;
    rc = scan->hv->ops->map_frames(scan->hv, chunk->domid, gfns, n, errors, &mapping);
    if ( rc )
        return rc;
    __atomic_fetch_add(&scan->mapped, 1, __ATOMIC_RELAXED);
    digest_pages(scan->digest, mapping, n, errors, digests);
    scan->hv->ops->unmap_frames(scan->hv, mapping, n);
    for ( int i = 0; i < n; i++ )
        chunk->digests[places[i]] = digests[i];
    chunk->hashed = n;
    return 0;
}

static void *work(void *arg)
{
    struct scan *scan = arg;
    static const uint64_t one = 1;

    pthread_mutex_lock(&scan->lock);
    for ( ;; )
    {
        struct scan_chunk *chunk = scan->ends ? NULL : list_take(&scan->questions);

        if ( scan->ends )
            break;
        if ( !chunk )
        {
            pthread_cond_wait(&scan->asked, &scan->lock);
            continue;
        }
        pthread_mutex_unlock(&scan->lock);
        chunk->rc = look(scan, chunk);
        pthread_mutex_lock(&scan->lock);
        list_put(&scan->answers, chunk);
        /* Fails only when it would overflow: then it is readable all the more. */
        (void)!write(scan->fd, &one, sizeof(one));
    }
    pthread_mutex_unlock(&scan->lock);
    return NULL;
}

int scan_open(struct scan **out, struct hypervisor *hv, const struct digest *digest, unsigned int threads)
{
    struct scan *scan = calloc(1, sizeof(*scan) + threads * sizeof(scan->threads[0]));
    int rc = 0;

    *out = NULL;
    if ( !scan )
        return -ENOMEM;
    scan->hv = hv;
    scan->digest = digest;
    pthread_mutex_init(&scan->lock, NULL);
    pthread_cond_init(&scan->asked, NULL);
    list_open(&scan->questions);
    list_open(&scan->answers);
    scan->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if ( scan->fd < 0 )
        rc = -errno;
    for ( ; !rc && scan->count < threads; scan->count++ )
    {
        rc = -pthread_create(&scan->threads[scan->count], NULL, work, scan);
        if ( rc )
            break;
    }
    if ( rc )
        scan_close(scan);
    else
        *out = scan;
    return rc;
}

static void free_all(struct scan_chunk *chunk)
{
    while ( chunk )
    {
        struct scan_chunk *next = chunk->next;

        free(chunk);
        chunk = next;
    }
}

void scan_close(struct scan *scan)
{
    if ( !scan )
        return;
    pthread_mutex_lock(&scan->lock);
    scan->ends = true;
    pthread_cond_broadcast(&scan->asked);
    pthread_mutex_unlock(&scan->lock);
    for ( unsigned int i = 0; i < scan->count; i++ )
        pthread_join(scan->threads[i], NULL);
    free_all(scan->questions.first);
    free_all(scan->answers.first);
    free_all(scan->spare);
    if ( scan->fd >= 0 )
        close(scan->fd);
    pthread_cond_destroy(&scan->asked);
    pthread_mutex_destroy(&scan->lock);
    free(scan);
}

int scan_fd(const struct scan *scan)
{
    return scan->fd;
}

struct scan_chunk *scan_new(struct scan *scan)
{
    struct scan_chunk *chunk = scan->spare;

    if ( chunk )
        scan->spare = chunk->next;
    else
        chunk = malloc(sizeof(*chunk));
    if ( chunk )
    {
        memset(chunk, 0, offsetof(struct scan_chunk, gfns));
        chunk->populated = chunk->hashed = 0;
    }
    return chunk;
}

void scan_ask(struct scan *scan, struct scan_chunk *chunk)
{
    scan->outstanding++;
    pthread_mutex_lock(&scan->lock);
    list_put(&scan->questions, chunk);
    pthread_cond_signal(&scan->asked);
    pthread_mutex_unlock(&scan->lock);
}

struct scan_chunk *scan_take(struct scan *scan)
{
    struct scan_chunk *chunk;
    uint64_t count;

    pthread_mutex_lock(&scan->lock);
    chunk = list_take(&scan->answers);
    if ( !chunk )
        (void)!read(scan->fd, &count, sizeof(count));
    pthread_mutex_unlock(&scan->lock);
    if ( chunk )
        scan->outstanding--;
    return chunk;
}

void scan_put(struct scan *scan, struct scan_chunk *chunk)
{
    chunk->next = scan->spare;
    scan->spare = chunk;
}

unsigned int scan_outstanding(const struct scan *scan)
{
    return scan->outstanding;
}

uint64_t scan_mapped(const struct scan *scan)
{
    return __atomic_load_n(&scan->mapped, __ATOMIC_RELAXED);
}
