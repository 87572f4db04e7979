/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * options: a daemon's settings, described once in a table.
 *
 * From the table come the command line with --help and --version, the
 * configuration file, the man page's list, bash completion and the example
 * configuration.  What a setting means is the daemon's business, and so are
 * exit statuses: nothing here exits or writes to stderr.
 *
 * Command line over file over default.  The file is
 * OPTIONS_DIRECTORY/NAME.conf, which may be missing, or what --config names,
 * which may not; the build defines OPTIONS_DIRECTORY, as $(sysconfdir)'s
 * xen-memevent.  It holds `key = value` lines, blank lines and lines that
 * start with `#`; a key is a setting's long name; a value goes to the end of
 * the line and is not quoted.
 *
 *     struct settings { bool foreground; uint64_t memory; char *spill; };
 *
 *     static const struct options_setting table[] = {
 *         { .name = "memory-limit", .letter = 'm', .argument = "SIZE",
 *           .type = OPTIONS_SIZE, .where = OPTIONS_ANYWHERE,
 *           .minimum = MIB(1), .maximum = GIB(64), .value = "256M",
 *           .help = "Compressed pages take at most this much memory.",
 *           OPTIONS_PLACE(struct settings, memory) },
 *         ...
 *     };
 *     static const struct options_program program = {
 *         .name = "xenpaging", .summary = "Pages guests out.",
 *         .settings = table, .settings_count = ARRAY_SIZE(table),
 *     };
 *
 *     switch ( options_load(&options, &program, &settings, argc, argv,
 *                           stdout) )
 *     {
 *     case OPTIONS_RUN:         break;
 *     case OPTIONS_ANSWERED:    return EX_OK;
 *     case OPTIONS_WRONG_USAGE: log it (options_error()); return EX_USAGE;
 *     case OPTIONS_WRONG_FILE:  log it (options_error()); return EX_CONFIG;
 *     case OPTIONS_FAILED:      log it (options_error()); return EX_OSERR;
 *     }
 *
 * Threads: one struct options belongs to one thread at a time.
 */
#ifndef DAEMON_OPTIONS_H
#define DAEMON_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* A configuration file larger than this was never written by a person. */
#define OPTIONS_FILE_BYTES_MAX   (256u * 1024)
/* A line must hold a path (PATH_MAX, 4096) and its key. */
#define OPTIONS_LINE_BYTES_MAX   4608u
/* A value in bytes: a path that open() takes. */
#define OPTIONS_VALUE_BYTES_MAX  4095u
/* "name=ARGUMENT" on the command line; --help explains from column 29 on. */
#define OPTIONS_HELP_NAME_MAX    20u
/* Settings a program may have; a guard for the table check, not a budget. */
#define OPTIONS_SETTINGS_MAX     128u
/* Room for one error in full: a path, a key, a value (cut), what is allowed. */
#define OPTIONS_ERROR_BYTES      1024u

enum options_type {
    OPTIONS_FLAG,       /* bool; yes or no in the file; --NAME on the command
                           line, and --no-NAME where the file or the default
                           may have said yes */
    OPTIONS_NUMBER,     /* unsigned integer of any width */
    OPTIONS_SIZE,       /* bytes, with K, M or G (powers of 1024) behind;
                           unsigned integer of any width */
    OPTIONS_TEXT,       /* char *, owned by struct options, never empty */
    OPTIONS_PATH,       /* as TEXT, absolute */
    OPTIONS_WORD,       /* unsigned int, index into .words */
};

/* Where a setting may stand. */
#define OPTIONS_COMMAND_LINE  0x1u
#define OPTIONS_FILE          0x2u
#define OPTIONS_ANYWHERE      (OPTIONS_COMMAND_LINE | OPTIONS_FILE)

/*
 * One setting.  Everything is read only and must outlive struct options.
 * "config", "generate", "help", "usage", "version" and "no-..." are taken, and
 * so are -?, -c and -V.
 */
struct options_setting {
    const char *name;           /* lower case, digits, '-' */
    char letter;                /* 0: none */
    const char *argument;       /* as shown in help; NULL only for a flag */
    enum options_type type;
    unsigned int where;
    uint64_t minimum;           /* NUMBER and SIZE, both inclusive; */
    uint64_t maximum;           /* maximum 0 means what the field can hold */
    const char *unit;           /* NUMBER: "ms", "pages"; NULL: none */
    const char *const *words;   /* WORD: NULL-terminated */
    bool repeats;               /* TEXT: may stand there more than once; the
                                   field has all of them, a line each */
    bool (*is_sound)(const char *value, size_t length);
                                /* TEXT: the program's own check; NULL: none */
    const char *allowed;        /* with is_sound: what is, "NAME: PATTERN" */
    const char *value;          /* default, as a person would write it; NULL
                                   leaves the field as the caller set it */
    const char *help;           /* one or more sentences, plain text */
    size_t offset;              /* both by OPTIONS_PLACE() */
    size_t bytes;
};

#define OPTIONS_PLACE(type, field)                  \
    .offset = offsetof(type, field),                \
    .bytes = sizeof(((type *)NULL)->field)

/*
 * Settings that each daemon has, of the same name in its structure: bool foreground and verbose, const char
 * *run_directory.
 */
#define OPTIONS_FOREGROUND(structure)                                           \
    {                                                                           \
        .name = "foreground", .letter = 'f',                                    \
        .type = OPTIONS_FLAG, .where = OPTIONS_COMMAND_LINE, .value = "no",     \
        .help = "Write messages to the terminal, not to the journal.",          \
        OPTIONS_PLACE(structure, foreground),                                   \
    }
#define OPTIONS_VERBOSE(structure)                                              \
    {                                                                           \
        .name = "verbose", .letter = 'v',                                       \
        .type = OPTIONS_FLAG, .where = OPTIONS_ANYWHERE, .value = "no",         \
        .help = "Say more of what is done and why.",                            \
        OPTIONS_PLACE(structure, verbose),                                      \
    }
#define OPTIONS_RUN_DIRECTORY(structure)                                        \
    {                                                                           \
        .name = "run-directory", .argument = "DIR",                             \
        .type = OPTIONS_PATH, .where = OPTIONS_ANYWHERE,                        \
        .value = "/run/xen-memevent",                                           \
        .help = "The lock and the status file are here.",                       \
        OPTIONS_PLACE(structure, run_directory),                                \
    }
#define OPTIONS_METRICS(structure)                                              \
    {                                                                           \
        .name = "metrics", .argument = "FILE",                                  \
        .type = OPTIONS_PATH, .where = OPTIONS_ANYWHERE,                        \
        .help = "Figures for Prometheus are written to this file, whose name "  \
                "ends in .prom, in a directory of node_exporter's textfile "    \
                "collector; unset: they are not.",                              \
        OPTIONS_PLACE(structure, metrics),                                      \
    },                                                                          \
    {                                                                           \
        .name = "metrics-socket", .argument = "PATH",                           \
        .type = OPTIONS_PATH, .where = OPTIONS_ANYWHERE,                        \
        .help = "The same figures are what a unix socket of this name answers " \
                "in HTTP, for root and a proxy; unset: there is none.",         \
        OPTIONS_PLACE(structure, metrics_socket),                               \
    }

struct options_program {
    const char *name;           /* "xenpaging" */
    const char *summary;        /* one sentence */
    const struct options_setting *settings;
    size_t settings_count;
};

enum options_outcome {
    OPTIONS_RUN,                /* settings are filled in; go on */
    OPTIONS_ANSWERED,           /* --help, --version, --generate: done */
    OPTIONS_WRONG_USAGE,        /* command line; EX_USAGE */
    OPTIONS_WRONG_FILE,         /* configuration file; EX_CONFIG */
    OPTIONS_FAILED,             /* no memory, or a faulty table */
};

enum options_origin {
    OPTIONS_FROM_DEFAULT,
    OPTIONS_FROM_FILE,
    OPTIONS_FROM_COMMAND_LINE,
};

struct options;

/*
 * Everything at once: defaults, command line, file.  *out is set whatever the
 * outcome (NULL only when there was no memory for it) so that
 * options_error() can be asked; the caller closes it, after the last use of a
 * text in `settings`.  Answers to --help and the like go to `answers`.
 * argv may be permuted.  To re-read on SIGHUP load a second struct with the
 * same argv and compare.
 */
enum options_outcome options_load(struct options **out,
                                  const struct options_program *program,
                                  void *settings, int argc, char **argv,
                                  FILE *answers);

/* What was wrong, in one line without newline; "" when nothing was; a fixed
 * sentence for NULL.  Valid until the next call or close. */
const char *options_error(const struct options *options);

/* Where the value of the setting that sits at `offset` of the settings came
 * from: tells a domain id that was given from one that was not. */
enum options_origin options_origin(const struct options *options,
                                   size_t offset);

/* The file that was read, or NULL if there was none. */
const char *options_file(const struct options *options);

/* Frees the texts in the settings as well and sets those fields to NULL. */
void options_close(struct options *options);

/*
 * The steps of options_load(), for tests and the fuzzer.
 *
 * options_open() sets defaults: 0, -ENOMEM, or -EINVAL for a table that
 * contradicts itself (options_error() says where).  *out as above.
 */
int options_open(struct options **out, const struct options_program *program,
                 void *settings);

/* 0 or -EINVAL: options_error() names file, line and key.  `text` need not
 * end in NUL or newline; `file` is only a name for messages.  Values before
 * the error were taken.  What the command line set is checked, not taken. */
int options_parse_text(struct options *options, const char *file,
                       const char *text, size_t length);

/* As options_parse_text(); a file that is missing is 0 unless `required`,
 * then -ENOENT; -EFBIG, -EISDIR and what open() and read() say. */
int options_read_file(struct options *options, const char *path,
                      bool required);

/* What --generate prints: "mdoc" (man page list), "bash" (completion) or
 * "conf" (commented example).  -EINVAL for another word, -EIO. */
int options_generate(const struct options *options, const char *what,
                     FILE *out);

#endif /* DAEMON_OPTIONS_H */
