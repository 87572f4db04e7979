/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * plugins: which there are, in which version, with which options, and their life up to where domains come in (judge.h).
 * A plugin is code; nothing here can protect the process from one. So it is loaded only from where nobody but root (or the
 * user who runs us, who harms nobody else) can write, and in the worker's processes only.
 */
#ifndef AV_PLUGINS_H
#define AV_PLUGINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <av-introspect/plugin.h>

/* More than anybody runs; a result has a bit for each. */
#define PLUGINS_MAX        16u

/* NAME:option=value,... of one, a path among them. */
#define PLUGINS_SPEC_BYTES 4096u

/* Words for people: a path and a sentence. */
struct plugins_words {
    char text[PLUGINS_SPEC_BYTES + AV_TEXT_BYTES];
};

struct plugins;

struct plugin {
    struct av_host host;                /* first: what the plugin was given leads back here */
    struct av_plugin is;                /* its description, as large as ours; what it did not know is zero */
    char name[AV_NAME_BYTES];
    struct plugins *all;
    unsigned int index;
    void *library;
    int fd;                             /* open as long as the library: the linker knows libraries by path, this one's number */
    struct av_value *values;
    char *texts;                        /* of values */
    void *instance;
    bool created;
};

/* Where a plugin's words go; `plugin` is its name. The text is escaped. */
typedef void plugins_log(void *arg, int level, const char *plugin, const char *text);

/* 0 or -ENOMEM. directory: for names without a slash; copied. */
int  plugins_open(struct plugins **out, const char *directory, plugins_log *log, void *arg);
/* Destroys instances and unloads. */
void plugins_close(struct plugins *plugins);

/*
 * Loads one: NAME[:option=value,...], a backslash before what is to be taken as it is. NAME with a slash in it is the
 * file's path. 0, or -errno with words that say what to do: -ENOENT, -EPERM (somebody else could write it), -ENOEXEC (it is no
 * plugin), -EPROTO (built for another version), -EINVAL (options), -EEXIST, -ENOSPC.
 */
int plugins_add(struct plugins *plugins, const char *spec, struct plugins_words *words);

/*
 * For a process that gives up its user in between: opens the file of a spec, as plugins_add() does later, which then takes the
 * descriptor from here. 0 or as plugins_add().
 */
int plugins_find(struct plugins *plugins, const char *spec, struct plugins_words *words);

/* All create(), in the order of adding; on an error those before are destroyed. */
int plugins_create(struct plugins *plugins, struct plugins_words *words);

/*
 * All reload(), or destroy() and create() of those that have none. On an error words say whose; one that has reload() is as it
 * was then, one that has not is gone, and so is the process to be.
 */
int plugins_reload(struct plugins *plugins, struct plugins_words *words);

/* Of the rules of all: the same for the same, never 0. */
uint64_t plugins_generation(const struct plugins *plugins);

unsigned int plugins_count(const struct plugins *plugins);
struct plugin *plugins_at(struct plugins *plugins, unsigned int index);

/* All kinds of events that any of them decides, or is told of and does not decide; and the largest window of all that scan. */
uint32_t plugins_wanted(const struct plugins *plugins, bool decide);
void plugins_window(const struct plugins *plugins, uint32_t *before, uint32_t *after);

/* What a plugin is, and a line for each of its options, whatever is required. Malloc'd; NULL with words. */
char *plugins_help(struct plugins *plugins, const char *spec, struct plugins_words *words);

/* Sets the words; returns rc. */
int plugins_refuse(struct plugins_words *words, int rc, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif /* AV_PLUGINS_H */
