/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * As much of xenstore as a daemon uses: keys with values, and watches that are told of a path and of what lies below it,
 * and once when they are set.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "host.h"

static struct emulated_watch *new_watch(const char *path, const char *token)
{
    struct emulated_watch *watch = calloc(1, sizeof(*watch));

    if ( !watch )
        return NULL;
    watch->path = strdup(path);
    watch->token = strdup(token);
    if ( watch->path && watch->token )
        return watch;
    free(watch->path);
    free(watch->token);
    free(watch);

    return NULL;
}

static void free_watch(struct emulated_watch *watch)
{
    free(watch->path);
    free(watch->token);
    free(watch);
}

/* Xenstore's own paths begin with '@', and match only themselves. */
static bool is_below(const char *path, const char *watched)
{
    size_t length = strlen(watched);

    return !strncmp(path, watched, length) && (!path[length] || path[length] == '/' || !strcmp(watched, "/"));
}

static void fire(struct emulated_host *host, const char *path, const char *token)
{
    struct emulated_watch **at = &host->fired, *fired = new_watch(path, token);
    const uint64_t one = 1;

    if ( !fired )
        return;
    while ( *at )
        at = &(*at)->next;
    *at = fired;
    if ( host->watch_fd >= 0 && write(host->watch_fd, &one, sizeof(one)) < 0 )
        return;     /* it is readable already */
}

void emulated_fire(struct emulated_host *host, const char *path)
{
    struct emulated_watch *watch;

    for ( watch = host->watches; watch; watch = watch->next )
        if ( is_below(path, watch->path) )
            fire(host, path, watch->token);
}

int emulated_watch_fd(struct hypervisor *hv)
{
    struct emulated_host *host = emulated_host_of(hv);
    int fd;

    pthread_mutex_lock(&host->lock);
    if ( host->watch_fd < 0 )
        host->watch_fd = eventfd(host->fired != NULL, EFD_CLOEXEC | EFD_NONBLOCK);
    fd = host->watch_fd < 0 ? -errno : host->watch_fd;
    pthread_mutex_unlock(&host->lock);

    return fd;
}

int emulated_add_watch(struct hypervisor *hv, const char *path, const char *token)
{
    struct emulated_host *host = emulated_host_of(hv);
    struct emulated_watch *watch = new_watch(path, token);

    if ( !watch )
        return -ENOMEM;
    pthread_mutex_lock(&host->lock);
    watch->next = host->watches;
    host->watches = watch;
    fire(host, path, token);
    pthread_mutex_unlock(&host->lock);

    return 0;
}

int emulated_remove_watch(struct hypervisor *hv, const char *path, const char *token)
{
    struct emulated_host *host = emulated_host_of(hv);
    struct emulated_watch **at, *found;
    int rc = -ENOENT;

    pthread_mutex_lock(&host->lock);
    for ( at = &host->watches; (found = *at); at = &found->next )
        if ( !strcmp(found->path, path) && !strcmp(found->token, token) )
        {
            *at = found->next;
            free_watch(found);
            rc = 0;
            break;
        }
    pthread_mutex_unlock(&host->lock);

    return rc;
}

int emulated_next_watch(struct hypervisor *hv, char *path, size_t path_size, char *token, size_t token_size)
{
    struct emulated_host *host = emulated_host_of(hv);
    struct emulated_watch *fired;
    uint64_t count;

    pthread_mutex_lock(&host->lock);
    fired = host->fired;
    if ( fired )
    {
        host->fired = fired->next;
        snprintf(path, path_size, "%s", fired->path);
        snprintf(token, token_size, "%s", fired->token);
        free_watch(fired);
    }
    /* The last one takes the signal with it. */
    if ( !host->fired && host->watch_fd >= 0 && read(host->watch_fd, &count, sizeof(count)) < 0 )
        count = 0;
    pthread_mutex_unlock(&host->lock);

    return fired != NULL;
}

static struct emulated_key **find_key(struct emulated_host *host, const char *path)
{
    struct emulated_key **at = &host->keys;

    while ( *at && strcmp((*at)->path, path) )
        at = &(*at)->next;

    return at;
}

int emulated_read_key(struct hypervisor *hv, const char *path, char *value, size_t size)
{
    struct emulated_host *host = emulated_host_of(hv);
    const struct emulated_key *key;
    int length = -ENOENT;

    pthread_mutex_lock(&host->lock);
    key = *find_key(host, path);
    if ( key )
        length = snprintf(value, size, "%s", key->value);
    pthread_mutex_unlock(&host->lock);

    return length;
}

static void free_key(struct emulated_key *key)
{
    free(key->path);
    free(key->value);
    free(key);
}

int emulated_write_key(struct hypervisor *hv, const char *path, const char *value)
{
    struct emulated_host *host = emulated_host_of(hv);
    struct emulated_key *key = calloc(1, sizeof(*key)), **at;

    if ( !key )
        return -ENOMEM;
    key->path = strdup(path);
    key->value = strdup(value);
    if ( !key->path || !key->value )
    {
        free_key(key);
        return -ENOMEM;
    }
    pthread_mutex_lock(&host->lock);
    at = find_key(host, path);
    if ( *at )
    {
        struct emulated_key *former = *at;

        key->next = former->next;
        free_key(former);
    }
    *at = key;
    emulated_fire(host, path);
    pthread_mutex_unlock(&host->lock);

    return 0;
}

int emulated_remove_key(struct hypervisor *hv, const char *path)
{
    struct emulated_host *host = emulated_host_of(hv);
    struct emulated_key **at, *former;

    pthread_mutex_lock(&host->lock);
    at = find_key(host, path);
    former = *at;
    if ( former )
    {
        *at = former->next;
        free_key(former);
        emulated_fire(host, path);
    }
    pthread_mutex_unlock(&host->lock);

    return former ? 0 : -ENOENT;
}

void emulated_store_close(struct emulated_host *host)
{
    struct emulated_watch *watch;
    struct emulated_key *key;

    while ( (key = host->keys) )
    {
        host->keys = key->next;
        free_key(key);
    }
    while ( (watch = host->watches) )
    {
        host->watches = watch->next;
        free_watch(watch);
    }
    while ( (watch = host->fired) )
    {
        host->fired = watch->next;
        free_watch(watch);
    }
    if ( host->watch_fd >= 0 )
        close(host->watch_fd);
}
