/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Any bytes as a configuration file: every outcome must be a setting within
 * its limits or one clear line of error.
 *
 * With a fuzzer it is a libFuzzer target.  With -DFUZZ_REPLAY it is a program
 * that does the same for every file of $FUZZ_CORPUS, or of this target's corpus
 * under $srcdir, and for a few prefixes of each.
 */
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/options.h"
#include "daemon/utf8.h"

#define COUNT(array)   (sizeof(array) / sizeof((array)[0]))

#define SIZE_LOW       4096u
#define SIZE_HIGH      (64ull << 30)
#define INTERVAL_LOW   10u
#define INTERVAL_HIGH  60000u
#define FILE_NAME      "fuzz.conf"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct settings {
    bool verify;
    uint64_t memory;
    uint16_t interval;
    uint64_t any;
    char *spill;
    char *label;
    unsigned int mode;
    uint32_t domain;
};

static const char *const modes[] = { "slow", "fast", "adaptive", NULL };

static const struct options_setting table[] = {
    { .name = "verify", .type = OPTIONS_FLAG, .where = OPTIONS_ANYWHERE,
      .value = "no", .help = "A flag.",
      OPTIONS_PLACE(struct settings, verify) },
    { .name = "memory-limit", .argument = "SIZE", .type = OPTIONS_SIZE,
      .where = OPTIONS_ANYWHERE, .minimum = SIZE_LOW, .maximum = SIZE_HIGH,
      .value = "256M", .help = "A size.",
      OPTIONS_PLACE(struct settings, memory) },
    { .name = "interval", .argument = "MS", .type = OPTIONS_NUMBER,
      .where = OPTIONS_ANYWHERE, .minimum = INTERVAL_LOW,
      .maximum = INTERVAL_HIGH, .unit = "milliseconds", .value = "500",
      .help = "A number.", OPTIONS_PLACE(struct settings, interval) },
    { .name = "any", .argument = "N", .type = OPTIONS_NUMBER,
      .where = OPTIONS_FILE, .value = "0", .help = "A number without limits.",
      OPTIONS_PLACE(struct settings, any) },
    { .name = "spill-file", .argument = "FILE", .type = OPTIONS_PATH,
      .where = OPTIONS_ANYWHERE, .value = "/var/lib/spill",
      .help = "A path.", OPTIONS_PLACE(struct settings, spill) },
    { .name = "label", .argument = "TEXT", .type = OPTIONS_TEXT,
      .where = OPTIONS_FILE, .help = "A text.",
      OPTIONS_PLACE(struct settings, label) },
    { .name = "mode", .argument = "WORD", .type = OPTIONS_WORD,
      .where = OPTIONS_ANYWHERE, .words = modes, .value = "fast",
      .help = "A word.", OPTIONS_PLACE(struct settings, mode) },
    { .name = "domain", .argument = "DOMID", .type = OPTIONS_NUMBER,
      .where = OPTIONS_COMMAND_LINE, .help = "Not for the file.",
      OPTIONS_PLACE(struct settings, domain) },
};

static const struct options_program program = {
    .name = "fuzz", .summary = "Fuzzed.", .settings = table,
    .settings_count = COUNT(table),
};

/* Not assert(): it must hold in every build. */
#define REQUIRE(condition)                                              \
    do {                                                                \
        if ( !(condition) )                                             \
        {                                                               \
            fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__,      \
                    __LINE__, #condition);                              \
            abort();                                                    \
        }                                                               \
    } while ( 0 )

static void require_readable(const char *text)
{
    size_t length = strlen(text), at = 0;

    while ( at < length )
    {
        unsigned int point;
        size_t bytes = utf8_decode(text + at, length - at, &point);

        REQUIRE(bytes && !utf8_is_control(point));
        at += bytes;
    }
}

static void require_within_limits(const struct settings *settings)
{
    REQUIRE(settings->memory >= SIZE_LOW && settings->memory <= SIZE_HIGH);
    REQUIRE(settings->interval >= INTERVAL_LOW &&
            settings->interval <= INTERVAL_HIGH);
    REQUIRE(settings->mode < COUNT(modes) - 1);
    REQUIRE(settings->spill[0] == '/');
    require_readable(settings->spill);
    if ( settings->label )
    {
        REQUIRE(settings->label[0]);
        require_readable(settings->label);
    }
    REQUIRE(settings->domain == UINT32_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct settings settings = { .domain = UINT32_MAX };
    struct options *options;
    const char *error;
    int rc;

    REQUIRE(!options_open(&options, &program, &settings));
    rc = options_parse_text(options, FILE_NAME, (const char *)data, size);
    error = options_error(options);

    REQUIRE(rc == 0 || rc == -EINVAL);
    REQUIRE(!rc == !error[0]);
    if ( rc )
        REQUIRE(!strncmp(error, FILE_NAME ":", strlen(FILE_NAME ":")));
    require_readable(error);
    require_within_limits(&settings);

    options_close(options);
    REQUIRE(!settings.spill && !settings.label);

    return 0;
}

#ifdef FUZZ_REPLAY

/* Larger than the largest file that is not refused at once. */
#define REPLAY_BYTES_MAX   (OPTIONS_FILE_BYTES_MAX + 4096)
/* Each file is also cut at this many places. */
#define REPLAY_CUTS        16u

static void replay(const uint8_t *data, size_t size)
{
    size_t i;

    for ( i = 0; i <= REPLAY_CUTS; i++ )
    {
        size_t part = size * i / REPLAY_CUTS;
        /* Of the exact size, so that reading on is noticed. */
        uint8_t *copy = malloc(part ? part : 1);

        REQUIRE(copy);
        memcpy(copy, data, part);
        LLVMFuzzerTestOneInput(copy, part);
        free(copy);
    }
}

int main(void)
{
    static uint8_t data[REPLAY_BYTES_MAX];
    const char *corpus = getenv("FUZZ_CORPUS"), *srcdir = getenv("srcdir");
    char path[4096];
    struct dirent *entry;
    unsigned int files = 0;
    DIR *directory;

    snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/configuration",
             srcdir ? srcdir : ".");
    if ( !corpus )
        corpus = path;

    directory = opendir(corpus);
    if ( !directory )
    {
        fprintf(stderr, "%s: %s\n", corpus, strerror(errno));
        return 1;
    }

    while ( (entry = readdir(directory)) )
    {
        char name[8192];
        size_t size;
        FILE *file;

        if ( entry->d_name[0] == '.' )
            continue;

        snprintf(name, sizeof(name), "%s/%s", corpus, entry->d_name);
        file = fopen(name, "rb");
        REQUIRE(file);
        size = fread(data, 1, sizeof(data), file);
        fclose(file);
        replay(data, size);
        files++;
    }
    closedir(directory);

    printf("%u files of %s replayed\n", files, corpus);

    /* An empty corpus would say nothing. */
    return !files;
}

#endif /* FUZZ_REPLAY */
