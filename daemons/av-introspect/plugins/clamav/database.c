/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Loading, in the loader, which may read files; workers have the engine by fork, in the same memory.
 */
#include "database.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <xxhash.h>

static void add_file(XXH3_state_t *state, const char *name, const struct stat *st)
{
    const int64_t is[] = { st->st_size, st->st_mtim.tv_sec, st->st_mtim.tv_nsec };

    XXH3_128bits_update(state, name, strlen(name) + 1);
    XXH3_128bits_update(state, is, sizeof(is));
}

static int is_no_dot(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int add_directory(const struct av_host *host, XXH3_state_t *state, const char *path)
{
    struct dirent **entries;
    int count = scandir(path, &entries, is_no_dot, alphasort), rc = 0;

    if ( count < 0 )
        return host->refuse(host, -errno, "database %s: %s", path, strerror(errno));
    if ( (unsigned int)count > DATABASE_FILES_MAX )
        rc = host->refuse(host, -E2BIG, "database %s: more than %u files", path, DATABASE_FILES_MAX);
    for ( int i = 0; i < count; i++ )
    {
        char file[4096 + 256];
        struct stat st;

        if ( !rc && (size_t)snprintf(file, sizeof(file), "%s/%s", path, entries[i]->d_name) < sizeof(file) && !stat(file, &st) )
            add_file(state, entries[i]->d_name, &st);
        free(entries[i]);
    }
    free(entries);
    return rc;
}

static int digest_of(const struct av_host *host, const char *path, uint8_t digest[32])
{
    XXH3_state_t *state = XXH3_createState();
    XXH128_canonical_t canonical;
    struct stat st;
    int rc = 0;

    if ( !state )
        return -ENOMEM;
    memset(digest, 0, 32);
    XXH3_128bits_reset(state);
    if ( stat(path, &st) )
        rc = host->refuse(host, -errno, "database %s: %s (whoever runs plugins must be able to read it)", path, strerror(errno));
    else if ( S_ISDIR(st.st_mode) )
        rc = add_directory(host, state, path);
    else
        add_file(state, path, &st);
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(state));
    memcpy(digest, &canonical, sizeof(canonical));
    XXH3_freeState(state);
    return rc;
}

/*
 * The first scan of a process reads time zones and the configuration of what ClamAV computes digests with; after it,
 * and so in each worker, that is done.
 */
static int scan_nothing(const struct cl_engine *engine)
{
    static const char nothing[64];
    struct cl_scan_options options = { 0 };
    const char *name = NULL;
    unsigned long scanned = 0;
    cl_fmap_t *map = cl_fmap_open_memory(nothing, sizeof(nothing));
    cl_error_t rc;

    if ( !map )
        return CL_EMEM;
    rc = cl_scanmap_callback(map, NULL, &name, &scanned, engine, &options, NULL);
    cl_fmap_close(map);
    return rc == CL_VIRUS ? CL_CLEAN : rc;
}

int database_open(const struct av_host *host, const char *path, uint32_t timeout_ms, struct cl_engine **out, uint8_t digest[32],
                  unsigned int *signatures)
{
    struct cl_engine *engine;
    cl_error_t error;
    int rc = digest_of(host, path, digest);

    *out = NULL;
    *signatures = 0;
    if ( rc )
        return rc;
    engine = cl_engine_new();
    if ( !engine )
        return -ENOMEM;
    error = cl_load(path, engine, signatures, 0);
    if ( error == CL_SUCCESS && *signatures )
        error = cl_engine_compile(engine);
    /* Its cache is by digests of what was clean, which is another's work here. */
    if ( error == CL_SUCCESS )
        error = cl_engine_set_num(engine, CL_ENGINE_DISABLE_CACHE, 1);
    if ( error == CL_SUCCESS )
        error = cl_engine_set_num(engine, CL_ENGINE_MAX_SCANTIME, timeout_ms);
    if ( error == CL_SUCCESS )
        error = cl_engine_set_num(engine, CL_ENGINE_MAX_SCANSIZE, DATABASE_SCAN_BYTES);
    if ( error == CL_SUCCESS )
        error = cl_engine_set_num(engine, CL_ENGINE_MAX_FILESIZE, DATABASE_SCAN_BYTES);
    if ( error == CL_SUCCESS && *signatures )
        error = scan_nothing(engine);
    if ( error == CL_SUCCESS && *signatures )
    {
        *out = engine;
        return 0;
    }
    cl_engine_free(engine);
    return host->refuse(host, -EINVAL, "database %s: %s", path,
                        error == CL_SUCCESS ? "there are no signatures in it" : cl_strerror(error));
}
