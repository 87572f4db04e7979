/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reading and compiling. Rules cannot include files: what is read is what is in the directory.
 */
#include "rules.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <xxhash.h>

/* What compiled rules begin with. */
static const char compiled[] = "YARA";

struct compiling {
    const struct av_host *host;
    YR_COMPILER *compiler;
    XXH3_state_t *digest;
    const char *path;
    uint64_t bytes;
    char error[AV_TEXT_BYTES];
};

static void on_message(int level, const char *file, int line, const YR_RULE *rule, const char *message, void *arg)
{
    struct compiling *c = arg;

    (void)file;
    if ( level == YARA_ERROR_LEVEL_ERROR && !c->error[0] )
        snprintf(c->error, sizeof(c->error), "line %d: %s", line, message);
    else if ( level != YARA_ERROR_LEVEL_ERROR )
        c->host->log(c->host, AV_LOG_WARNING, "%s: line %d: %s%s%s", c->path, line, message, rule ? ", rule " : "",
                     rule ? rule->identifier : "");
}

/* All of a file, with a NUL; NULL with *rc. */
static char *read_source(struct compiling *c, const char *path, int *rc)
{
    FILE *file = fopen(path, "re");
    struct stat st;
    char *text = NULL;

    if ( !file )
    {
        *rc = c->host->refuse(c->host, -errno, "rules %s: %s (whoever runs plugins must be able to read it)", path,
                              strerror(errno));
        return NULL;
    }
    if ( fstat(fileno(file), &st) || !S_ISREG(st.st_mode) || st.st_size > RULES_BYTES_MAX ||
         (c->bytes += st.st_size) > RULES_BYTES_MAX )
        *rc = c->host->refuse(c->host, -EFBIG, "rules %s: no file, or with others more than %u MiB of sources", path,
                              RULES_BYTES_MAX >> 20);
    else if ( !(text = calloc(st.st_size + 1, 1)) )
        *rc = -ENOMEM;
    else if ( fread(text, 1, st.st_size, file) != (size_t)st.st_size )
    {
        *rc = c->host->refuse(c->host, -EIO, "rules %s cannot be read", path);
        free(text);
        text = NULL;
    }
    else
    {
        XXH3_128bits_update(c->digest, path, strlen(path) + 1);
        XXH3_128bits_update(c->digest, text, st.st_size);
        if ( !strncmp(text, compiled, sizeof(compiled) - 1) )
        {
            *rc = c->host->refuse(c->host, -EINVAL, "rules %s are compiled; give their sources", path);
            free(text);
            text = NULL;
        }
    }
    fclose(file);
    return text;
}

static int add_file(struct compiling *c, const char *path)
{
    int rc = 0;
    char *text;

    c->path = path;
    c->error[0] = 0;
    text = read_source(c, path, &rc);
    if ( !text )
        return rc;
    if ( yr_compiler_add_string(c->compiler, text, NULL) )
        rc = c->host->refuse(c->host, -EINVAL, "rules %s: %s", path, c->error[0] ? c->error : "they cannot be compiled");
    free(text);
    return rc;
}

static int is_source(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');

    return dot && entry->d_name[0] != '.' && (!strcmp(dot, ".yar") || !strcmp(dot, ".yara"));
}

static int add_directory(struct compiling *c, const char *path)
{
    struct dirent **entries;
    int count = scandir(path, &entries, is_source, alphasort), rc = 0;

    if ( count < 0 )
        return c->host->refuse(c->host, -errno, "rules %s: %s", path, strerror(errno));
    if ( !count )
        rc = c->host->refuse(c->host, -ENOENT, "rules %s: there is no *.yar and no *.yara file in it", path);
    else if ( (unsigned int)count > RULES_FILES_MAX )
        rc = c->host->refuse(c->host, -E2BIG, "rules %s: more than %u files", path, RULES_FILES_MAX);
    for ( int i = 0; i < count; i++ )
    {
        char file[4096 + 256];

        if ( !rc && (size_t)snprintf(file, sizeof(file), "%s/%s", path, entries[i]->d_name) < sizeof(file) )
            rc = add_file(c, file);
        free(entries[i]);
    }
    free(entries);
    return rc;
}

int rules_compile(const struct av_host *host, const char *path, YR_RULES **out, uint8_t digest[32])
{
    struct compiling c = { .host = host, .digest = XXH3_createState() };
    struct stat st;
    int rc = -ENOMEM;

    *out = NULL;
    memset(digest, 0, 32);
    if ( !c.digest || yr_compiler_create(&c.compiler) )
        goto out;
    XXH3_128bits_reset(c.digest);
    yr_compiler_set_callback(c.compiler, on_message, &c);
    yr_compiler_set_include_callback(c.compiler, NULL, NULL, NULL);

    if ( stat(path, &st) )
        rc = host->refuse(host, -errno, "rules %s: %s", path, strerror(errno));
    else
        rc = S_ISDIR(st.st_mode) ? add_directory(&c, path) : add_file(&c, path);
    if ( !rc && yr_compiler_get_rules(c.compiler, out) )
        rc = -ENOMEM;
    if ( !rc )
    {
        XXH128_canonical_t canonical;

        XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(c.digest));
        memcpy(digest, &canonical, sizeof(canonical));
    }

 out:
    if ( c.compiler )
        yr_compiler_destroy(c.compiler);
    XXH3_freeState(c.digest);
    return rc;
}
