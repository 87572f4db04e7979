/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of `options` share and nobody else sees.
 *
 * options.c owns the object, options-table.c judges the table,
 * options-value.c reads one value, options-file.c the configuration file,
 * options-arguments.c the command line, and options-generate.c writes what is
 * made from the table.
 */
#ifndef DAEMON_OPTIONS_PRIVATE_H
#define DAEMON_OPTIONS_PRIVATE_H

#include <string.h>

#include "options.h"

/* What is allowed, in words; long lists of words are cut. */
#define OPTIONS_ALLOWED_BYTES   320u
/* How much of a wrong value is shown. */
#define OPTIONS_FOUND_BYTES     96u

struct options_state {
    enum options_origin origin;
    unsigned int line;          /* of the file being read; 0: not seen */
    char *text;                 /* owned; what the field points to */
};

struct options {
    const struct options_program *program;
    char *settings;
    struct options_state *states;
    char *file;                 /* owned; the one that was read */
    char error[OPTIONS_ERROR_BYTES];
};

/* Where a value was found. file NULL: the command line, line 0: no line. */
struct options_source {
    const char *file;
    unsigned int line;
};

static inline bool options_takes_text(const struct options_setting *setting)
{
    return setting->type == OPTIONS_TEXT || setting->type == OPTIONS_PATH;
}

/* A flag that something weaker than the command line may have said yes to. */
static inline bool options_has_opposite(const struct options_setting *setting)
{
    return setting->type == OPTIONS_FLAG &&
           ((setting->where & OPTIONS_FILE) ||
            (setting->value && !strcmp(setting->value, "yes")));
}

/* Says what is wrong: "FILE:LINE: " or nothing, then the words.  Returns
 * -EINVAL. */
int options_fail(struct options *options, const struct options_source *source,
                 const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* By name of a given length; NULL if there is none. */
const struct options_setting *options_find(const struct options *options,
                                           const char *name, size_t length);

/* "--name" or "name", as it is written at that source. */
const char *options_dashes(const struct options_source *source);

/* 0 or -EINVAL with options_error() set. */
int options_check_table(struct options *options);

/* In words, for help and errors: "a size from 1M to 64G". */
void options_describe_allowed(const struct options_setting *setting,
                              char *out, size_t room);

/*
 * Checks a value and, unless something stronger has spoken, stores it.
 * 0, -ENOMEM or -EINVAL, both with options_error() set.
 */
int options_take(struct options *options,
                 const struct options_setting *setting,
                 const struct options_source *source,
                 enum options_origin origin, const char *value,
                 size_t length);

/* What the command line asked for besides settings. */
struct options_request {
    const char *config;         /* --config, in argv; NULL: none */
    bool answered;              /* --help, ... was printed */
};

/* 0; -EINVAL for a wrong command line; -ENOMEM, -EIO; error set. */
int options_parse_arguments(struct options *options, int argc, char **argv,
                            FILE *answers, struct options_request *request);

#endif /* DAEMON_OPTIONS_PRIVATE_H */
