/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The configuration file.  Its text may be anything: every byte is checked
 * before it means something, and the parser sees a buffer with a length only,
 * so that it can be fuzzed.
 */
#include "options-private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "utf8.h"

/* All keys fit for any of our daemons; more are cut. */
#define KEYS_BYTES   600u

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static void trim(const char **text, size_t *length)
{
    while ( *length && is_blank(**text) )
    {
        ++*text;
        --*length;
    }

    while ( *length && is_blank((*text)[*length - 1]) )
        --*length;
}

static int check_bytes(struct options *options,
                       const struct options_source *source, const char *line,
                       size_t length)
{
    size_t at = 0;

    if ( length > OPTIONS_LINE_BYTES_MAX )
        return options_fail(options, source, "found a line of %zu bytes, "
                            "allowed are %u; shorten it", length,
                            OPTIONS_LINE_BYTES_MAX);

    while ( at < length )
    {
        unsigned int point;
        size_t bytes = utf8_decode(line + at, length - at, &point);

        if ( !bytes )
            return options_fail(options, source, "found the byte 0x%02x at "
                                "column %zu, allowed is text in UTF-8; "
                                "save the file as UTF-8",
                                (unsigned char)line[at], at + 1);

        /* Windows' line ends are harmless, a \r elsewhere is not. */
        if ( utf8_is_control(point) && point != '\t' &&
             !(point == '\r' && at + 1 == length) )
            return options_fail(options, source, "found the control character "
                                "U+%04X at column %zu, allowed is plain text; "
                                "remove it", point, at + 1);
        at += bytes;
    }

    return 0;
}

static int refuse_key(struct options *options,
                      const struct options_source *source, const char *key,
                      size_t length)
{
    const struct options_program *program = options->program;
    char found[OPTIONS_FOUND_BYTES], keys[KEYS_BYTES] = "";
    size_t used = 0, i;

    utf8_escape(found, sizeof(found), key, length);

    for ( i = 0; i < program->settings_count && used < sizeof(keys); i++ )
        if ( program->settings[i].where & OPTIONS_FILE )
            used += snprintf(keys + used, sizeof(keys) - used, "%s%s",
                             used ? ", " : "", program->settings[i].name);

    return options_fail(options, source, "%s: there is no such key, allowed "
                        "are: %s; correct or remove the line", found, keys);
}

static int parse_line(struct options *options,
                      const struct options_source *source, const char *line,
                      size_t length)
{
    const struct options_setting *setting;
    struct options_state *state;
    const char *equals, *value;
    size_t key_length, value_length;
    int rc = check_bytes(options, source, line, length);

    if ( rc )
        return rc;

    trim(&line, &length);
    if ( !length || line[0] == '#' )
        return 0;

    equals = memchr(line, '=', length);
    if ( !equals || equals == line )
    {
        char found[OPTIONS_FOUND_BYTES];

        utf8_escape(found, sizeof(found), line, length);
        return options_fail(options, source, "found '%s', allowed is 'key = "
                            "value' or a comment that starts with '#'; "
                            "correct or remove the line", found);
    }

    value = equals + 1;
    value_length = line + length - value;
    key_length = equals - line;
    trim(&line, &key_length);
    trim(&value, &value_length);

    setting = options_find(options, line, key_length);
    if ( !setting )
        return refuse_key(options, source, line, key_length);

    if ( !(setting->where & OPTIONS_FILE) )
        return options_fail(options, source, "%s: found in the file, allowed "
                            "is it on the command line only; remove the line "
                            "and give --%s to %s", setting->name,
                            setting->name, options->program->name);

    state = &options->states[setting - options->program->settings];
    if ( state->line && !setting->repeats )
        return options_fail(options, source, "%s: found a second time, "
                            "allowed is once; line %u has it too, remove one "
                            "of them", setting->name, state->line);
    state->line = source->line;

    return options_take(options, setting, source, OPTIONS_FROM_FILE, value,
                        value_length);
}

int options_parse_text(struct options *options, const char *file,
                       const char *text, size_t length)
{
    struct options_source source = { file, 0 };
    const char *end = text + length;
    size_t i;
    int rc = 0;

    options->error[0] = '\0';
    for ( i = 0; i < options->program->settings_count; i++ )
    {
        options->states[i].line = 0;
        /* What repeats begins anew with each file. */
        if ( options->program->settings[i].repeats &&
             options->states[i].origin == OPTIONS_FROM_FILE )
            options->states[i].origin = OPTIONS_FROM_DEFAULT;
    }

    if ( length > OPTIONS_FILE_BYTES_MAX )
        return options_fail(options, &source, "found more than %u bytes, "
                            "which no configuration has; is it the right "
                            "file?", OPTIONS_FILE_BYTES_MAX);

    while ( !rc && text != end )
    {
        const char *newline = memchr(text, '\n', end - text);
        size_t line_length = (newline ? newline : end) - text;

        source.line++;
        rc = parse_line(options, &source, text, line_length);
        text += line_length + !!newline;
    }

    return rc;
}

/* Reads up to one byte more than allowed, so that too much is noticed. */
static ssize_t read_whole(int fd, char *buffer, size_t room)
{
    size_t used = 0;

    while ( used < room )
    {
        ssize_t got = read(fd, buffer + used, room - used);

        if ( got < 0 && errno == EINTR )
            continue;
        if ( got < 0 )
            return -errno;
        if ( !got )
            break;
        used += got;
    }

    return used;
}

int options_read_file(struct options *options, const char *path,
                      bool required)
{
    const struct options_source source = { path, 0 };
    char *text = NULL;
    struct stat status;
    ssize_t length;
    int fd, rc;

    options->error[0] = '\0';

    /* O_NONBLOCK: a fifo must be refused, not waited for. */
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if ( fd < 0 )
    {
        rc = -errno;
        if ( rc == -ENOENT && !required )
            return 0;
        options_fail(options, &source, "cannot be opened: %s; name a file "
                     "that exists and may be read%s", strerror(-rc),
                     required ? ", or leave out --config" : "");
        return rc;
    }

    rc = fstat(fd, &status) ? -errno : 0;
    if ( !rc && !S_ISREG(status.st_mode) )
    {
        rc = S_ISDIR(status.st_mode) ? -EISDIR : -EINVAL;
        options_fail(options, &source, "found %s, allowed is a regular file; "
                     "name one", rc == -EISDIR ? "a directory" :
                     "something else");
        goto out;
    }

    text = malloc(OPTIONS_FILE_BYTES_MAX + 1);
    if ( !text )
    {
        options_fail(options, &source, "no memory to read it");
        rc = -ENOMEM;
        goto out;
    }

    length = rc ? rc : read_whole(fd, text, OPTIONS_FILE_BYTES_MAX + 1);
    if ( length < 0 )
    {
        rc = length;
        options_fail(options, &source, "cannot be read: %s; see to the file "
                     "system", strerror(-rc));
        goto out;
    }

    free(options->file);
    options->file = strdup(path);

    rc = options_parse_text(options, path, text, length);
    if ( (size_t)length > OPTIONS_FILE_BYTES_MAX )
        rc = -EFBIG;

 out:
    free(text);
    close(fd);

    return rc;
}
