/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Settings as the text of a configuration file, in a memfd.  What each of them is comes from the table, as everywhere.
 */
#include "settings-kept.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <daemon/readiness.h>

#define NAME "settings"

static uint64_t number_of(const void *field, size_t bytes)
{
    uint64_t number = 0;

    /* Little-endian, as every machine that Xen's memory paging runs on. */
    memcpy(&number, field, bytes);
    return number;
}

/* What may stand there more than once has its values a line each; none of the others has a newline. */
static void write_text(FILE *out, const char *name, const char *text)
{
    while ( text && *text )
    {
        size_t length = strcspn(text, "\n");

        fprintf(out, "%s = %.*s\n", name, (int)length, text);
        text += length + (text[length] == '\n');
    }
}

static void write_setting(FILE *out, const struct options_setting *setting, const struct settings *settings)
{
    const void *field = (const char *)settings + setting->offset;

    switch ( setting->type )
    {
    case OPTIONS_FLAG:
        fprintf(out, "%s = %s\n", setting->name, *(const bool *)field ? "yes" : "no");
        break;
    case OPTIONS_NUMBER:
    case OPTIONS_SIZE:
        fprintf(out, "%s = %" PRIu64 "\n", setting->name, number_of(field, setting->bytes));
        break;
    case OPTIONS_TEXT:
    case OPTIONS_PATH:
        write_text(out, setting->name, *(char *const *)field);
        break;
    case OPTIONS_WORD:
        fprintf(out, "%s = %s\n", setting->name, setting->words[*(const unsigned int *)field]);
        break;
    }
}

static int write_all(int fd, const struct settings *settings)
{
    const struct options_program *program = &settings_program;
    FILE *out = fdopen(dup(fd), "w");
    int rc = 0;

    if ( !out )
        return -errno;
    for ( size_t i = 0; i < program->settings_count; i++ )
        if ( program->settings[i].where & OPTIONS_FILE )
            write_setting(out, &program->settings[i], settings);
    if ( ferror(out) )
        rc = -EIO;
    return fclose(out) ? -errno : rc;
}

int settings_keep(const struct settings *settings)
{
    int fd = memfd_create("xenpaging-settings", MFD_CLOEXEC);
    int rc;

    if ( fd < 0 )
        return -errno;
    rc = write_all(fd, settings);
    if ( !rc )
    {
        /* Two of one name would come back in unknown order.  Between the two there are none, and defaults do. */
        settings_forget();
        rc = readiness_store_fd(INHERITED_PREFIX NAME, fd);
    }
    close(fd);
    return rc < 0 ? rc : 0;
}

void settings_forget(void)
{
    readiness_forget_fd(INHERITED_PREFIX NAME);
}

static bool parse_kept(struct options *options, int fd)
{
    char *text = malloc(OPTIONS_FILE_BYTES_MAX);
    ssize_t length = text && fd >= 0 ? pread(fd, text, OPTIONS_FILE_BYTES_MAX, 0) : -1;
    bool done = length > 0 && !options_parse_text(options, "the settings that were kept", text, length);

    free(text);
    return done;
}

int settings_recall(const struct inherited *left, struct options **options, struct settings *settings, bool *are_kept)
{
    *settings = (struct settings){ 0 };
    if ( options_open(options, &settings_program, settings) )
        return -ENOMEM;
    *are_kept = parse_kept(*options, inherited_fd(left, NAME));
    if ( *are_kept )
        return 0;
    /* Values before an error were taken. */
    options_close(*options);
    *settings = (struct settings){ 0 };
    return options_open(options, &settings_program, settings) ? -ENOMEM : 0;
}
