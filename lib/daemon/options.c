/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The life of struct options: defaults, command line, file, and the error that
 * the caller may show.  Reading and writing are left to the other files that
 * options-private.h names.
 */
#include "config.h"

#include "options-private.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "utf8.h"

int options_fail(struct options *options, const struct options_source *source,
                 const char *fmt, ...)
{
    char raw[2 * OPTIONS_ERROR_BYTES];
    size_t used = 0;
    va_list args;

    if ( source->file && source->line )
        used = snprintf(raw, sizeof(raw), "%s:%u: ", source->file,
                        source->line);
    else if ( source->file )
        used = snprintf(raw, sizeof(raw), "%s: ", source->file);

    /* A file's name alone may fill it (PATH_MAX); the end is what gives. */
    if ( used < sizeof(raw) )
    {
        va_start(args, fmt);
        vsnprintf(raw + used, sizeof(raw) - used, fmt, args);
        va_end(args);
    }

    utf8_escape(options->error, sizeof(options->error), raw, strlen(raw));

    return -EINVAL;
}

const char *options_dashes(const struct options_source *source)
{
    return source->file ? "" : "--";
}

const struct options_setting *options_find(const struct options *options,
                                           const char *name, size_t length)
{
    const struct options_program *program = options->program;
    size_t i;

    for ( i = 0; i < program->settings_count; i++ )
    {
        const struct options_setting *setting = &program->settings[i];

        if ( strlen(setting->name) == length &&
             !memcmp(setting->name, name, length) )
            return setting;
    }

    return NULL;
}

int options_open(struct options **out, const struct options_program *program,
                 void *settings)
{
    static const struct options_source nowhere = { "default", 0 };
    struct options *options = calloc(1, sizeof(*options));
    size_t i;
    int rc;

    *out = options;
    if ( !options )
        return -ENOMEM;

    options->program = program;
    options->settings = settings;

    /* Defaults are judged as values are, so that none can be out of range. */
    rc = options_check_table(options);
    if ( rc )
        return rc;

    options->states = calloc(program->settings_count + 1,
                             sizeof(*options->states));
    if ( !options->states )
    {
        options_fail(options, &nowhere, "no memory for the settings");
        return -ENOMEM;
    }

    for ( i = 0; i < program->settings_count; i++ )
    {
        const struct options_setting *setting = &program->settings[i];

        if ( !setting->value )
            continue;

        rc = options_take(options, setting, &nowhere, OPTIONS_FROM_DEFAULT,
                          setting->value, strlen(setting->value));
        if ( rc )
            return rc;
    }

    return 0;
}

enum options_outcome options_load(struct options **out,
                                  const struct options_program *program,
                                  void *settings, int argc, char **argv,
                                  FILE *answers)
{
    struct options_request request = { NULL, false };
    char *standard = NULL;
    enum options_outcome outcome = OPTIONS_FAILED;
    int rc;

    if ( options_open(out, program, settings) )
        return OPTIONS_FAILED;

    rc = options_parse_arguments(*out, argc, argv, answers, &request);
    if ( rc )
        return rc == -EINVAL ? OPTIONS_WRONG_USAGE : OPTIONS_FAILED;
    if ( request.answered )
        return OPTIONS_ANSWERED;

    if ( !request.config &&
         asprintf(&standard, "%s/%s.conf", OPTIONS_DIRECTORY,
                  program->name) < 0 )
    {
        static const struct options_source nowhere = { NULL, 0 };

        options_fail(*out, &nowhere, "no memory for the file's name");
        return OPTIONS_FAILED;
    }

    rc = options_read_file(*out, standard ? standard : request.config,
                           !standard);
    if ( !rc )
        outcome = OPTIONS_RUN;
    else if ( rc != -ENOMEM )
        outcome = OPTIONS_WRONG_FILE;

    free(standard);

    return outcome;
}

const char *options_error(const struct options *options)
{
    return options ? options->error : "no memory for the settings";
}

enum options_origin options_origin(const struct options *options,
                                   size_t offset)
{
    size_t i;

    for ( i = 0; i < options->program->settings_count; i++ )
        if ( options->program->settings[i].offset == offset )
            return options->states[i].origin;

    return OPTIONS_FROM_DEFAULT;
}

const char *options_file(const struct options *options)
{
    return options->file;
}

void options_close(struct options *options)
{
    size_t i;

    if ( !options )
        return;

    for ( i = 0; options->states && i < options->program->settings_count; i++ )
    {
        const struct options_setting *setting = &options->program->settings[i];

        if ( !options->states[i].text )
            continue;

        *(char **)(void *)(options->settings + setting->offset) = NULL;
        free(options->states[i].text);
    }

    free(options->states);
    free(options->file);
    free(options);
}
