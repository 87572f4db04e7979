/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Finding, trusting, loading and checking plugins, and their life without a domain. Options are plugin-options.c's, calls
 * about a domain judge.c's.
 */
#include "plugins.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <daemon/utf8.h>

#include "host-calls.h"
#include "plugin-options.h"

/* The first version's description; one that says less is none. */
#define PLUGIN_BYTES_LEAST offsetof(struct av_plugin, destroy)

#define SUFFIX ".so"

/* A file that plugins_find() opened. */
struct found {
    char *spec;
    char path[PATH_MAX];
    int fd;
};

struct plugins {
    char *directory;
    plugins_log *log;
    void *arg;
    struct plugin *plugins[PLUGINS_MAX];
    unsigned int count;
    struct found found[PLUGINS_MAX];
    unsigned int found_count;
    struct plugins_words refused;       /* what the plugin said that is being created */
};

static int refuse(struct plugins_words *words, int rc, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static int refuse(struct plugins_words *words, int rc, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(words->text, sizeof(words->text), fmt, args);
    va_end(args);
    return rc;
}

/* ---- what a plugin without a call says ---- */

static void say(const struct plugin *plugin, int level, const char *text)
{
    plugin->all->log(plugin->all->arg, level, plugin->name, text);
}

static void host_log(const struct av_host *host, int level, const char *fmt, ...)
{
    const struct plugin *plugin = (const struct plugin *)host;
    char text[AV_TEXT_BYTES];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    say(plugin, level < AV_LOG_ERROR || level > AV_LOG_DEBUG ? AV_LOG_INFO : level, text);
}

static int host_refuse(const struct av_host *host, int error, const char *fmt, ...)
{
    const struct plugin *plugin = (const struct plugin *)host;
    struct plugins_words *words = &plugin->all->refused;
    va_list args;

    va_start(args, fmt);
    vsnprintf(words->text, sizeof(words->text), fmt, args);
    va_end(args);
    return error < 0 && error > -4096 ? error : -EINVAL;
}

static void make_host(struct plugin *plugin)
{
    plugin->host = (struct av_host){
        .size = sizeof(plugin->host), .abi_major = AV_ABI_MAJOR, .abi_minor = AV_ABI_MINOR,
        .log = host_log, .refuse = host_refuse,
    };
    host_calls_fill(&plugin->host);
}

/* ---- files that nobody else can write ---- */

static int check_owner(int fd, const char *path, bool is_file, struct plugins_words *words)
{
    struct stat st;

    if ( fstat(fd, &st) )
        return refuse(words, -errno, "%s: %s", path, strerror(errno));
    if ( is_file && !S_ISREG(st.st_mode) )
        return refuse(words, -EPERM, "%s is no regular file", path);
    if ( st.st_uid && st.st_uid != geteuid() )
        return refuse(words, -EPERM, "%s belongs to user %u, who could change it; it must belong to root", path,
                      (unsigned int)st.st_uid);
    /* In a directory with the sticky bit, such as /tmp, nobody can replace what is not his. */
    if ( (st.st_mode & (S_IWGRP | S_IWOTH)) && (is_file || !(st.st_mode & S_ISVTX)) )
        return refuse(words, -EPERM, "%s can be written by others than its owner; chmod go-w would do", path);
    return 0;
}

int plugins_open_trusted(const char *path, int *fd, struct plugins_words *words)
{
    char whole[PATH_MAX], *name = whole + 1;
    int at, rc;

    *fd = -1;
    /* Where links lead is decided now; below none is followed. */
    if ( !realpath(path, whole) )
        return refuse(words, -errno, "%s: %s", path, strerror(errno));
    at = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    rc = at < 0 ? -errno : check_owner(at, "/", false, words);

    while ( !rc )
    {
        char *slash = strchr(name, '/');
        int next;

        if ( slash )
            *slash = 0;
        next = openat(at, name, O_NOFOLLOW | O_CLOEXEC | (slash ? O_PATH | O_DIRECTORY : O_RDONLY | O_NONBLOCK));
        if ( next < 0 )
        {
            rc = refuse(words, -errno, "%s: %s", path, strerror(errno));
            break;
        }
        close(at);
        at = next;
        rc = check_owner(at, whole, !slash, words);
        if ( !slash )
            break;
        *slash = '/';
        name = slash + 1;
    }
    if ( rc && at >= 0 )
        close(at);
    else
        *fd = at;
    return rc;
}

/* ---- loading ---- */

/* "NAME" of "NAME:options", into `name`; the options or NULL. A path may have colons only in its directory. */
static const char *split(const char *spec, char *name, size_t size, struct plugins_words *words)
{
    const char *file = strrchr(spec, '/'), *colon;
    size_t length;

    /* A slash behind the colon is one of a value. */
    colon = strchr(spec, ':');
    if ( file && (!colon || file < colon) )
        colon = strchr(file, ':');
    length = colon ? (size_t)(colon - spec) : strlen(spec);
    if ( !length || length >= size || strlen(spec) >= PLUGINS_SPEC_BYTES )
    {
        refuse(words, -EINVAL, "%.64s: no name of a plugin", spec);
        return (const char *)-1;
    }
    memcpy(name, spec, length);
    name[length] = 0;
    return colon ? colon + 1 : NULL;
}

/* The file's path and the name that its plugin must have. */
static int locate(const struct plugins *plugins, const char *given, char path[PATH_MAX], char name[AV_NAME_BYTES],
                  struct plugins_words *words)
{
    const char *base = strrchr(given, '/');
    size_t length;
    int n = base ? snprintf(path, PATH_MAX, "%s", given)
                 : snprintf(path, PATH_MAX, "%s/%s" SUFFIX, plugins->directory, given);

    if ( n < 0 || n >= PATH_MAX )
        return refuse(words, -ENAMETOOLONG, "%.64s...: the path is too long", given);
    base = base ? base + 1 : given;
    length = strlen(base);
    if ( strchr(given, '/') )
    {
        if ( length <= strlen(SUFFIX) || strcmp(base + length - strlen(SUFFIX), SUFFIX) )
            return refuse(words, -EINVAL, "%s: a plugin's file is NAME" SUFFIX, given);
        length -= strlen(SUFFIX);
    }
    if ( !length || length >= AV_NAME_BYTES || strspn(base, "abcdefghijklmnopqrstuvwxyz0123456789-") < length )
        return refuse(words, -EINVAL, "%s: a plugin's name is of lower case letters, digits and '-'", given);
    memcpy(name, base, length);
    name[length] = 0;
    return 0;
}

static int check_functions(const struct av_plugin *is, struct plugins_words *words)
{
    uint32_t wanted = is->decide | is->notify;
    uint32_t known = AV_EVENT_SCAN | AV_EVENT_REGISTER | AV_EVENT_MSR | AV_EVENT_INTERRUPT | AV_EVENT_REQUEST |
                     AV_EVENT_OVERFLOW;

    if ( wanted & ~known || (is->decide & AV_EVENT_OVERFLOW) )
        return refuse(words, -EPROTO, "it asks for events that are not known (%#x, %#x)", is->decide, is->notify);
    if ( (wanted & AV_EVENT_SCAN) && !is->scan )
        return refuse(words, -EPROTO, "it asks for scans and has no scan()");
    if ( (wanted & ~AV_EVENT_SCAN) && !is->event )
        return refuse(words, -EPROTO, "it asks for events and has no event()");
    if ( is->tick_ms && !is->tick )
        return refuse(words, -EPROTO, "it asks to be ticked and has no tick()");
    if ( is->window_before > AV_WINDOW_MAX || is->window_after > AV_WINDOW_MAX )
        return refuse(words, -EPROTO, "its window is larger than %u", AV_WINDOW_MAX);
    return 0;
}

/* Nothing but the first three fields is looked at before they say that the rest is there. */
static int check(const struct av_plugin *theirs, struct plugin *plugin, struct plugins_words *words)
{
    int rc;

    if ( theirs->abi_major != AV_ABI_MAJOR || theirs->abi_minor > AV_ABI_MINOR )
        return refuse(words, -EPROTO,
                      "it was built for version %u.%u of the plugin interface, and this av-introspect has %u.%u: %s",
                      theirs->abi_major, theirs->abi_minor, AV_ABI_MAJOR, AV_ABI_MINOR,
                      theirs->abi_major < AV_ABI_MAJOR ? "build it anew" : "a newer av-introspect would take it");
    if ( theirs->size < PLUGIN_BYTES_LEAST )
        return refuse(words, -EPROTO, "its description has %u octets; %zu are the least", theirs->size, PLUGIN_BYTES_LEAST);
    memcpy(&plugin->is, theirs, theirs->size < sizeof(plugin->is) ? theirs->size : sizeof(plugin->is));

    if ( !plugin->is.name || strcmp(plugin->is.name, plugin->name) )
        return refuse(words, -EPROTO, "its name is %.32s, and its file's is %s" SUFFIX,
                      plugin->is.name ? plugin->is.name : "missing", plugin->name);
    if ( !plugin->is.version || !plugin->is.summary )
        return refuse(words, -EPROTO, "its version or its summary is missing");
    rc = check_functions(&plugin->is, words);
    return rc ? rc : plugin_options_check(&plugin->is, words);
}

static void free_plugin(struct plugin *plugin)
{
    if ( !plugin )
        return;
    if ( plugin->created && plugin->is.destroy )
        plugin->is.destroy(plugin->instance);
    free(plugin->values);
    free(plugin->texts);
    if ( plugin->library )
        dlclose(plugin->library);
    if ( plugin->fd >= 0 )
        close(plugin->fd);
    free(plugin);
}

/* By its descriptor: what was checked is what is loaded, and its directory need not be open to us any more. */
static int load(struct plugin *plugin, int fd, struct plugins_words *words)
{
    const struct av_plugin *theirs;
    char path[32];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    plugin->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if ( !plugin->library )
        return refuse(words, -ENOEXEC, "it cannot be loaded: %s", dlerror());
    theirs = dlsym(plugin->library, AV_PLUGIN_SYMBOL);
    if ( !theirs )
        return refuse(words, -ENOEXEC, "it has no symbol '" AV_PLUGIN_SYMBOL "', and so is no plugin");
    return check(theirs, plugin, words);
}

int plugins_find(struct plugins *plugins, const char *spec, struct plugins_words *words)
{
    struct found *found = &plugins->found[plugins->found_count];
    char given[PLUGINS_SPEC_BYTES], name[AV_NAME_BYTES];
    int rc;

    words->text[0] = 0;
    if ( plugins->found_count == PLUGINS_MAX )
        return refuse(words, -ENOSPC, "%.64s: more plugins than the %u there can be", spec, PLUGINS_MAX);
    if ( split(spec, given, sizeof(given), words) == (const char *)-1 )
        return -EINVAL;
    rc = locate(plugins, given, found->path, name, words);
    if ( !rc )
        rc = plugins_open_trusted(found->path, &found->fd, words);
    if ( rc )
        return rc;
    found->spec = strdup(spec);
    if ( !found->spec )
    {
        close(found->fd);
        return refuse(words, -ENOMEM, "no memory");
    }
    plugins->found_count++;
    return 0;
}

static int take_found(struct plugins *plugins, const char *spec)
{
    for ( unsigned int i = 0; i < plugins->found_count; i++ )
        if ( plugins->found[i].fd >= 0 && !strcmp(plugins->found[i].spec, spec) )
        {
            int fd = plugins->found[i].fd;

            plugins->found[i].fd = -1;
            return fd;
        }
    return -1;
}

/* options: NULL, and they are not looked at. */
static int add(struct plugins *plugins, struct plugin *plugin, const char *spec, const char *options,
               struct plugins_words *words)
{
    int fd = take_found(plugins, spec), rc = 0;
    struct plugins_words why;

    if ( fd < 0 )
    {
        rc = plugins_find(plugins, spec, words);
        fd = rc ? -1 : take_found(plugins, spec);
        if ( rc )
            return rc;
    }
    why.text[0] = 0;
    plugin->fd = fd;
    rc = load(plugin, fd, &why);
    if ( !rc && options )
        rc = plugin_options_parse(plugin, options, &why);
    return rc ? refuse(words, rc, "plugin %s: %s", plugin->name, why.text) : 0;
}

static int add_new(struct plugins *plugins, const char *spec, bool with_options, struct plugins_words *words)
{
    char given[PLUGINS_SPEC_BYTES], path[PATH_MAX];
    const char *options = split(spec, given, sizeof(given), words);
    struct plugin *plugin;
    int rc;

    if ( options == (const char *)-1 )
        return -EINVAL;
    if ( plugins->count == PLUGINS_MAX )
        return refuse(words, -ENOSPC, "%.64s: more plugins than the %u there can be", spec, PLUGINS_MAX);
    plugin = calloc(1, sizeof(*plugin));
    if ( !plugin )
        return refuse(words, -ENOMEM, "no memory");
    plugin->fd = -1;
    plugin->all = plugins;
    plugin->index = plugins->count;
    make_host(plugin);

    rc = locate(plugins, given, path, plugin->name, words);
    for ( unsigned int i = 0; !rc && i < plugins->count; i++ )
        if ( !strcmp(plugins->plugins[i]->name, plugin->name) )
            rc = refuse(words, -EEXIST, "plugin %s stands there twice", plugin->name);
    if ( !rc )
        rc = add(plugins, plugin, spec, !with_options ? NULL : options ? options : "", words);
    if ( rc )
    {
        free_plugin(plugin);
        return rc;
    }
    plugins->plugins[plugins->count++] = plugin;
    return 0;
}

int plugins_add(struct plugins *plugins, const char *spec, struct plugins_words *words)
{
    return add_new(plugins, spec, true, words);
}

/* ---- life ---- */

int plugins_open(struct plugins **out, const char *directory, plugins_log *log, void *arg)
{
    struct plugins *plugins = calloc(1, sizeof(*plugins));

    *out = NULL;
    if ( !plugins )
        return -ENOMEM;
    for ( unsigned int i = 0; i < PLUGINS_MAX; i++ )
        plugins->found[i].fd = -1;
    plugins->log = log;
    plugins->arg = arg;
    plugins->directory = strdup(directory);
    if ( !plugins->directory )
    {
        plugins_close(plugins);
        return -ENOMEM;
    }
    *out = plugins;
    return 0;
}

void plugins_close(struct plugins *plugins)
{
    if ( !plugins )
        return;
    while ( plugins->count )
        free_plugin(plugins->plugins[--plugins->count]);
    for ( unsigned int i = 0; i < plugins->found_count; i++ )
    {
        if ( plugins->found[i].fd >= 0 )
            close(plugins->found[i].fd);
        free(plugins->found[i].spec);
    }
    free(plugins->directory);
    free(plugins);
}

int plugins_create(struct plugins *plugins, struct plugins_words *words)
{
    for ( unsigned int i = 0; i < plugins->count; i++ )
    {
        struct plugin *plugin = plugins->plugins[i];
        int rc = 0;

        plugins->refused.text[0] = 0;
        if ( !plugin->created && plugin->is.create )
            rc = plugin->is.create(&plugin->host, plugin->values, &plugin->instance);
        if ( rc < 0 )
        {
            refuse(words, rc, "plugin %s: %.1000s", plugin->name,
                   plugins->refused.text[0] ? plugins->refused.text : strerror(-rc));
            while ( i-- > 0 )
            {
                if ( plugins->plugins[i]->is.destroy )
                    plugins->plugins[i]->is.destroy(plugins->plugins[i]->instance);
                plugins->plugins[i]->created = false;
            }
            return rc;
        }
        plugin->created = true;
    }
    return 0;
}

int plugins_reload(struct plugins *plugins, struct plugins_words *words)
{
    for ( unsigned int i = 0; i < plugins->count; i++ )
    {
        struct plugin *plugin = plugins->plugins[i];
        int rc = 0;

        plugins->refused.text[0] = 0;
        if ( plugin->is.reload )
            rc = plugin->is.reload(plugin->instance);
        else if ( plugin->is.create )
        {
            if ( plugin->is.destroy )
                plugin->is.destroy(plugin->instance);
            plugin->instance = NULL;
            rc = plugin->is.create(&plugin->host, plugin->values, &plugin->instance);
            plugin->created = rc >= 0;
        }
        if ( rc < 0 )
            return refuse(words, rc, "plugin %s: %.1000s", plugin->name,
                          plugins->refused.text[0] ? plugins->refused.text : strerror(-rc));
    }
    return 0;
}

/* FNV-1a: it tells generations apart and guards nothing; rules are the admin's own. */
static uint64_t mix(uint64_t hash, const void *bytes, size_t length)
{
    for ( size_t i = 0; i < length; i++ )
        hash = (hash ^ ((const unsigned char *)bytes)[i]) * UINT64_C(0x100000001b3);
    return hash;
}

uint64_t plugins_generation(const struct plugins *plugins)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for ( unsigned int i = 0; i < plugins->count; i++ )
    {
        const struct plugin *plugin = plugins->plugins[i];
        uint8_t digest[32] = { 0 };

        if ( plugin->is.generation )
            plugin->is.generation(plugin->instance, digest);
        hash = mix(hash, plugin->name, strlen(plugin->name) + 1);
        hash = mix(hash, plugin->is.version, strlen(plugin->is.version) + 1);
        for ( unsigned int o = 0; o < plugin->is.options_count; o++ )
        {
            const struct av_value *value = &plugin->values[o];

            hash = mix(hash, &value->number, sizeof(value->number));
            hash = mix(hash, value->text ? value->text : "", value->text ? strlen(value->text) + 1 : 1);
        }
        hash = mix(hash, digest, sizeof(digest));
    }
    return hash ? hash : 1;
}

unsigned int plugins_count(const struct plugins *plugins)
{
    return plugins->count;
}

struct plugin *plugins_at(struct plugins *plugins, unsigned int index)
{
    return plugins->plugins[index];
}

uint32_t plugins_wanted(const struct plugins *plugins, bool decide)
{
    uint32_t wanted = 0;

    for ( unsigned int i = 0; i < plugins->count; i++ )
    {
        const struct av_plugin *is = &plugins->plugins[i]->is;

        wanted |= decide ? is->decide : is->notify & ~is->decide;
    }
    return wanted;
}

void plugins_window(const struct plugins *plugins, uint32_t *before, uint32_t *after)
{
    *before = *after = 0;
    for ( unsigned int i = 0; i < plugins->count; i++ )
    {
        const struct av_plugin *is = &plugins->plugins[i]->is;

        if ( is->scan && is->window_before > *before )
            *before = is->window_before;
        if ( is->scan && is->window_after > *after )
            *after = is->window_after;
    }
}

static char *describe(const struct plugin *plugin)
{
    static const char *const types[] = {
        [AV_OPTION_FLAG] = "yes|no", [AV_OPTION_NUMBER] = "NUMBER", [AV_OPTION_SIZE] = "SIZE",
        [AV_OPTION_TEXT] = "TEXT", [AV_OPTION_PATH] = "FILE",
    };
    char *out = NULL;
    size_t size;
    FILE *file = open_memstream(&out, &size);

    if ( !file )
        return NULL;
    fprintf(file, "%s %s: %s\n", plugin->name, plugin->is.version, plugin->is.summary);
    for ( unsigned int i = 0; i < plugin->is.options_count; i++ )
    {
        struct av_option option = plugin_options_at(&plugin->is, i);

        fprintf(file, "  %s=%s  %s%s%s%s\n", option.name, types[option.type], option.help,
                option.value ? " Default: " : option.flags & AV_OPTION_REQUIRED ? " Required" : "",
                option.value ? option.value : "", option.value || (option.flags & AV_OPTION_REQUIRED) ? "." : "");
    }
    return fclose(file) ? free(out), NULL : out;
}

char *plugins_help(struct plugins *plugins, const char *spec, struct plugins_words *words)
{
    char *out;

    if ( add_new(plugins, spec, false, words) )
        return NULL;
    out = describe(plugins->plugins[plugins->count - 1]);
    if ( !out )
        refuse(words, -ENOMEM, "no memory");
    return out;
}
