/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which plugins there are, and their life without a domain. Finding and loading a file is plugin-file.c's, options are
 * plugin-options.c's, calls about a domain judge.c's.
 */
#include "plugins.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host-calls.h"
#include "plugin-file.h"
#include "plugin-options.h"

/* A file that plugins_find() opened. */
struct found {
    char *spec;
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

int plugins_refuse(struct plugins_words *words, int rc, const char *fmt, ...)
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

/* ---- loading ---- */

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

int plugins_find(struct plugins *plugins, const char *spec, struct plugins_words *words)
{
    struct found *found = &plugins->found[plugins->found_count];
    struct plugin_place place;
    int rc;

    words->text[0] = 0;
    if ( plugins->found_count == PLUGINS_MAX )
        return plugins_refuse(words, -ENOSPC, "%.64s: more plugins than the %u there can be", spec, PLUGINS_MAX);
    rc = plugin_file_place(plugins->directory, spec, &place, words);
    if ( !rc )
        rc = plugin_file_open(place.path, &found->fd, words);
    if ( rc )
        return rc;
    found->spec = strdup(spec);
    if ( !found->spec )
    {
        close(found->fd);
        return plugins_refuse(words, -ENOMEM, "no memory");
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
    rc = plugin_file_load(plugin, fd, &why);
    if ( !rc && options )
        rc = plugin_options_parse(plugin, options, &why);
    return rc ? plugins_refuse(words, rc, "plugin %s: %s", plugin->name, why.text) : 0;
}

static int add_new(struct plugins *plugins, const char *spec, bool with_options, struct plugins_words *words)
{
    struct plugin_place place;
    struct plugin *plugin;
    int rc = plugin_file_place(plugins->directory, spec, &place, words);

    if ( rc )
        return rc;
    if ( plugins->count == PLUGINS_MAX )
        return plugins_refuse(words, -ENOSPC, "%.64s: more plugins than the %u there can be", spec, PLUGINS_MAX);
    plugin = calloc(1, sizeof(*plugin));
    if ( !plugin )
        return plugins_refuse(words, -ENOMEM, "no memory");
    plugin->fd = -1;
    plugin->all = plugins;
    plugin->index = plugins->count;
    make_host(plugin);

    memcpy(plugin->name, place.name, sizeof(plugin->name));
    for ( unsigned int i = 0; !rc && i < plugins->count; i++ )
        if ( !strcmp(plugins->plugins[i]->name, plugin->name) )
            rc = plugins_refuse(words, -EEXIST, "plugin %s stands there twice", plugin->name);
    if ( !rc )
        rc = add(plugins, plugin, spec, !with_options ? NULL : place.options ? place.options : "", words);
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
            plugins_refuse(words, rc, "plugin %s: %.1000s", plugin->name,
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
            return plugins_refuse(words, rc, "plugin %s: %.1000s", plugin->name,
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
        plugins_refuse(words, -ENOMEM, "no memory");
    return out;
}
