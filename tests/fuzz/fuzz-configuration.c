/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Any bytes as a configuration file: every outcome must be a setting within
 * its limits or one clear line of error.
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FUZZ_TARGET "configuration"
#include "fuzz.h"

#include "daemon/options.h"
#include "daemon/utf8.h"

#define COUNT(array)   (sizeof(array) / sizeof((array)[0]))

#define SIZE_LOW       4096u
#define SIZE_HIGH      (64ull << 30)
#define INTERVAL_LOW   10u
#define INTERVAL_HIGH  60000u
#define FILE_NAME      "fuzz.conf"

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
