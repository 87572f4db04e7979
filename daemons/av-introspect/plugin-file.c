/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One plugin's file: where it is, whether it can be trusted, loading it, and whether its description is one of ours. Which there
 * are, and their lives, are plugins.c's.
 */
#include "plugin-file.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugin-options.h"

#define SUFFIX ".so"

/* The first version's description; one that says less is none. */
#define PLUGIN_BYTES_LEAST offsetof(struct av_plugin, destroy)

int plugin_file_place(const char *directory, const char *spec, struct plugin_place *place, struct plugins_words *words)
{
    const char *file = strrchr(spec, '/'), *colon = strchr(spec, ':'), *base;
    size_t length;
    int given, n;

    /* A slash behind the colon is one of a value. */
    if ( file && (!colon || file < colon) )
        colon = strchr(file, ':');
    if ( colon == spec || !*spec || strlen(spec) >= PLUGINS_SPEC_BYTES )
        return plugins_refuse(words, -EINVAL, "%.64s: no name of a plugin", spec);
    given = colon ? colon - spec : (int)strlen(spec);
    place->options = colon ? colon + 1 : NULL;

    n = memchr(spec, '/', given) ? snprintf(place->path, PATH_MAX, "%.*s", given, spec)
                                 : snprintf(place->path, PATH_MAX, "%s/%.*s" SUFFIX, directory, given, spec);
    if ( n < 0 || n >= PATH_MAX )
        return plugins_refuse(words, -ENAMETOOLONG, "%.64s...: the path is too long", spec);

    base = strrchr(place->path, '/') + 1;
    length = strlen(base);
    if ( length < strlen(SUFFIX) || strcmp(base + length - strlen(SUFFIX), SUFFIX) )
        return plugins_refuse(words, -EINVAL, "%.*s: a plugin's file is NAME" SUFFIX, given, spec);
    length -= strlen(SUFFIX);
    if ( !length || length >= AV_NAME_BYTES || strspn(base, "abcdefghijklmnopqrstuvwxyz0123456789-") < length )
        return plugins_refuse(words, -EINVAL, "%.*s: a plugin's name is of lower case letters, digits and '-'", given, spec);
    memcpy(place->name, base, length);
    place->name[length] = 0;
    return 0;
}

static int check_owner(int fd, const char *path, bool is_file, struct plugins_words *words)
{
    struct stat st;

    if ( fstat(fd, &st) )
        return plugins_refuse(words, -errno, "%s: %s", path, strerror(errno));
    if ( is_file && !S_ISREG(st.st_mode) )
        return plugins_refuse(words, -EPERM, "%s is no regular file", path);
    if ( st.st_uid && st.st_uid != geteuid() )
        return plugins_refuse(words, -EPERM, "%s belongs to user %u, who could change it; it must belong to root", path,
                      (unsigned int)st.st_uid);
    /* In a directory with the sticky bit, such as /tmp, nobody can replace what is not his. */
    if ( (st.st_mode & (S_IWGRP | S_IWOTH)) && (is_file || !(st.st_mode & S_ISVTX)) )
        return plugins_refuse(words, -EPERM, "%s can be written by others than its owner; chmod go-w would do", path);
    return 0;
}

int plugin_file_open(const char *path, int *fd, struct plugins_words *words)
{
    char whole[PATH_MAX], *name = whole + 1;
    int at, rc;

    *fd = -1;
    /* Where links lead is decided now; below none is followed. */
    if ( !realpath(path, whole) )
        return plugins_refuse(words, -errno, "%s: %s", path, strerror(errno));
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
            rc = plugins_refuse(words, -errno, "%s: %s", path, strerror(errno));
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

static int check_functions(const struct av_plugin *is, struct plugins_words *words)
{
    uint32_t wanted = is->decide | is->notify;
    uint32_t known = AV_EVENT_SCAN | AV_EVENT_REGISTER | AV_EVENT_MSR | AV_EVENT_INTERRUPT | AV_EVENT_REQUEST |
                     AV_EVENT_OVERFLOW;

    if ( wanted & ~known || (is->decide & AV_EVENT_OVERFLOW) )
        return plugins_refuse(words, -EPROTO, "it asks for events that are not known (%#x, %#x)", is->decide, is->notify);
    if ( (wanted & AV_EVENT_SCAN) && !is->scan )
        return plugins_refuse(words, -EPROTO, "it asks for scans and has no scan()");
    if ( (wanted & ~AV_EVENT_SCAN) && !is->event )
        return plugins_refuse(words, -EPROTO, "it asks for events and has no event()");
    if ( is->tick_ms && !is->tick )
        return plugins_refuse(words, -EPROTO, "it asks to be ticked and has no tick()");
    if ( is->window_before > AV_WINDOW_MAX || is->window_after > AV_WINDOW_MAX )
        return plugins_refuse(words, -EPROTO, "its window is larger than %u", AV_WINDOW_MAX);
    return 0;
}

/* Nothing but the first three fields is looked at before they say that the rest is there. */
static int check(const struct av_plugin *theirs, struct plugin *plugin, struct plugins_words *words)
{
    int rc;

    if ( theirs->abi_major != AV_ABI_MAJOR || theirs->abi_minor > AV_ABI_MINOR )
        return plugins_refuse(words, -EPROTO,
                      "it was built for version %u.%u of the plugin interface, and this av-introspect has %u.%u: %s",
                      theirs->abi_major, theirs->abi_minor, AV_ABI_MAJOR, AV_ABI_MINOR,
                      theirs->abi_major < AV_ABI_MAJOR ? "build it anew" : "a newer av-introspect would take it");
    if ( theirs->size < PLUGIN_BYTES_LEAST )
        return plugins_refuse(words, -EPROTO, "its description has %u octets; %zu are the least", theirs->size, PLUGIN_BYTES_LEAST);
    memcpy(&plugin->is, theirs, theirs->size < sizeof(plugin->is) ? theirs->size : sizeof(plugin->is));

    if ( !plugin->is.name || strcmp(plugin->is.name, plugin->name) )
        return plugins_refuse(words, -EPROTO, "its name is %.32s, and its file's is %s" SUFFIX,
                      plugin->is.name ? plugin->is.name : "missing", plugin->name);
    if ( !plugin->is.version || !plugin->is.summary )
        return plugins_refuse(words, -EPROTO, "its version or its summary is missing");
    rc = check_functions(&plugin->is, words);
    return rc ? rc : plugin_options_check(&plugin->is, words);
}

/* By its descriptor: what was checked is what is loaded, and its directory need not be open to us any more. */
int plugin_file_load(struct plugin *plugin, int fd, struct plugins_words *words)
{
    const struct av_plugin *theirs;
    char path[32];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    plugin->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if ( !plugin->library )
        return plugins_refuse(words, -ENOEXEC, "it cannot be loaded: %s", dlerror());
    theirs = dlsym(plugin->library, AV_PLUGIN_SYMBOL);
    if ( !theirs )
        return plugins_refuse(words, -ENOEXEC, "it has no symbol '" AV_PLUGIN_SYMBOL "', and so is no plugin");
    return check(theirs, plugin, words);
}
