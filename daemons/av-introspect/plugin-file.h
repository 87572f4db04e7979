/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A plugin's file, from its name to the loaded description. Used by plugins.c.
 */
#ifndef AV_PLUGIN_FILE_H
#define AV_PLUGIN_FILE_H

#include <limits.h>

#include "plugins.h"

struct plugin_place {
    char path[PATH_MAX];
    char name[AV_NAME_BYTES];           /* that its description must have, too */
    const char *options;                /* in the spec; NULL: it has no colon */
};

/*
 * Where "NAME[:options]" is: a NAME with a slash is the file's path, another one's file is in `directory`. Looks at no file.
 * 0, or -EINVAL or -ENAMETOOLONG with words.
 */
int plugin_file_place(const char *directory, const char *spec, struct plugin_place *place, struct plugins_words *words);

/* 0, or -EPERM and who could write it, or -errno with words. An O_PATH walk from the root; *fd is open for reading. */
int plugin_file_open(const char *path, int *fd, struct plugins_words *words);

/* Sets library and description of `plugin`, whose name is set. 0, or -ENOEXEC or -EPROTO with words. `fd` stays the caller's. */
int plugin_file_load(struct plugin *plugin, int fd, struct plugins_words *words);

#endif /* AV_PLUGIN_FILE_H */
