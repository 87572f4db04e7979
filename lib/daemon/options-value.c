/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One value: from text to the field of the settings, or a sentence that says
 * what was found, what is allowed and what to do.
 */
#include "options-private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "utf8.h"

/* How many words of a list are shown, joined. */
#define WORDS_BYTES   200u

static uint64_t highest(const struct options_setting *setting)
{
    if ( setting->maximum )
        return setting->maximum;

    return setting->bytes >= sizeof(uint64_t)
           ? UINT64_MAX : (1ull << setting->bytes * 8) - 1;
}

/* The largest unit that leaves no remainder: what a person would write. */
static const char *describe_size(uint64_t bytes, char *out, size_t room)
{
    static const struct { unsigned int shift; char suffix; } units[] = {
        { 30, 'G' }, { 20, 'M' }, { 10, 'K' },
    };
    size_t i;

    for ( i = 0; i < sizeof(units) / sizeof(units[0]); i++ )
        if ( bytes && !(bytes & ((1ull << units[i].shift) - 1)) )
        {
            snprintf(out, room, "%" PRIu64 "%c", bytes >> units[i].shift,
                     units[i].suffix);
            return out;
        }

    snprintf(out, room, "%" PRIu64, bytes);

    return out;
}

static const char *join_words(const char *const *words, char *out,
                              size_t room)
{
    size_t used = 0, i;

    out[0] = '\0';
    for ( i = 0; words[i] && used < room; i++ )
        used += snprintf(out + used, room - used, "%s%s",
                         i ? (words[i + 1] ? ", " : " or ") : "", words[i]);

    return out;
}

void options_describe_allowed(const struct options_setting *setting,
                              char *out, size_t room)
{
    char low[32], high[32], words[WORDS_BYTES];

    switch ( setting->type )
    {
    case OPTIONS_FLAG:
        snprintf(out, room, "yes or no");
        break;

    case OPTIONS_NUMBER:
        if ( highest(setting) == UINT64_MAX )
            snprintf(out, room, "a whole number%s%s, at least %" PRIu64,
                     setting->unit ? " of " : "",
                     setting->unit ? setting->unit : "", setting->minimum);
        else
            snprintf(out, room, "a whole number%s%s from %" PRIu64 " to %"
                     PRIu64, setting->unit ? " of " : "",
                     setting->unit ? setting->unit : "", setting->minimum,
                     highest(setting));
        break;

    case OPTIONS_SIZE:
        describe_size(setting->minimum, low, sizeof(low));
        if ( highest(setting) == UINT64_MAX )
            snprintf(out, room, "bytes, or a number with K, M or G, at least "
                     "%s", low);
        else
            snprintf(out, room, "bytes, or a number with K, M or G, from %s "
                     "to %s", low,
                     describe_size(highest(setting), high, sizeof(high)));
        break;

    case OPTIONS_TEXT:
        if ( setting->allowed )
            snprintf(out, room, "%s", setting->allowed);
        else
            snprintf(out, room, "a text of at most %u bytes",
                     OPTIONS_VALUE_BYTES_MAX);
        break;

    case OPTIONS_PATH:
        snprintf(out, room, "a path from the root ('/...') of at most %u "
                 "bytes", OPTIONS_VALUE_BYTES_MAX);
        break;

    case OPTIONS_WORD:
        snprintf(out, room, "%s",
                 join_words(setting->words, words, sizeof(words)));
        break;
    }
}

/* Digits up to the end or the first other byte; false when there are none or
 * they are too many. */
static bool read_digits(const char *value, size_t length, uint64_t *number,
                        size_t *digits)
{
    size_t i;

    *number = 0;
    for ( i = 0; i < length && value[i] >= '0' && value[i] <= '9'; i++ )
        if ( __builtin_mul_overflow(*number, 10, number) ||
             __builtin_add_overflow(*number, value[i] - '0', number) )
            return false;

    *digits = i;

    return i;
}

static bool read_number(const struct options_setting *setting,
                        const char *value, size_t length, uint64_t *number)
{
    unsigned int shift = 0;
    size_t digits;

    if ( !read_digits(value, length, number, &digits) )
        return false;

    if ( setting->type == OPTIONS_SIZE && digits + 1 == length )
    {
        switch ( value[digits] )
        {
        case 'k': case 'K': shift = 10; break;
        case 'm': case 'M': shift = 20; break;
        case 'g': case 'G': shift = 30; break;
        default: return false;
        }
        digits++;
    }

    return digits == length &&
           !__builtin_mul_overflow(*number, 1ull << shift, number) &&
           *number >= setting->minimum && *number <= highest(setting);
}

static bool is_word(const char *word, const char *value, size_t length)
{
    return strlen(word) == length && !memcmp(word, value, length);
}

static bool read_flag(const char *value, size_t length, bool *flag)
{
    *flag = is_word("yes", value, length);

    return *flag || is_word("no", value, length);
}

static bool read_word(const struct options_setting *setting,
                      const char *value, size_t length, unsigned int *index)
{
    for ( *index = 0; setting->words[*index]; ++*index )
        if ( is_word(setting->words[*index], value, length) )
            return true;

    return false;
}

/* Readable from end to end: no NUL, no control characters, well-formed. */
static bool text_is_sound(const struct options_setting *setting,
                          const char *value, size_t length)
{
    size_t at = 0;

    if ( !length || length > OPTIONS_VALUE_BYTES_MAX ||
         (setting->type == OPTIONS_PATH && value[0] != '/') )
        return false;

    while ( at < length )
    {
        unsigned int point;
        size_t bytes = utf8_decode(value + at, length - at, &point);

        if ( !bytes || utf8_is_control(point) )
            return false;
        at += bytes;
    }

    return !setting->is_sound || setting->is_sound(value, length);
}

/* The value alone, or a line behind what the same source said before. */
static char *make_text(const struct options_setting *setting,
                       const struct options_state *state,
                       enum options_origin origin, const char *value,
                       size_t length)
{
    size_t before = 0;
    char *text;

    if ( setting->repeats && state->text && state->origin == origin )
        before = strlen(state->text) + 1;
    text = malloc(before + length + 1);
    if ( !text )
        return NULL;
    if ( before )
    {
        memcpy(text, state->text, before);
        text[before - 1] = '\n';
    }
    memcpy(text + before, value, length);
    text[before + length] = '\0';

    return text;
}

static void store_number(void *field, size_t bytes, uint64_t number)
{
    switch ( bytes )
    {
    case 1: *(uint8_t *)field = number; break;
    case 2: *(uint16_t *)field = number; break;
    case 4: *(uint32_t *)field = number; break;
    case 8: *(uint64_t *)field = number; break;
    }
}

static int refuse(struct options *options,
                  const struct options_setting *setting,
                  const struct options_source *source, const char *value,
                  size_t length)
{
    char found[OPTIONS_FOUND_BYTES], allowed[OPTIONS_ALLOWED_BYTES];

    utf8_escape(found, sizeof(found), value, length);
    options_describe_allowed(setting, allowed, sizeof(allowed));

    return options_fail(options, source, "%s%s: found '%s', allowed is %s; "
                        "correct it or leave it out for the default%s%s",
                        options_dashes(source), setting->name, found, allowed,
                        setting->value ? ", " : "",
                        setting->value ? setting->value : "");
}

int options_take(struct options *options,
                 const struct options_setting *setting,
                 const struct options_source *source,
                 enum options_origin origin, const char *value,
                 size_t length)
{
    struct options_state *state =
        &options->states[setting - options->program->settings];
    void *field = options->settings + setting->offset;
    bool sound = false, flag = false;
    unsigned int index = 0;
    uint64_t number = 0;
    char *text = NULL;

    switch ( setting->type )
    {
    case OPTIONS_FLAG:
        sound = read_flag(value, length, &flag);
        break;

    case OPTIONS_NUMBER:
    case OPTIONS_SIZE:
        sound = read_number(setting, value, length, &number);
        break;

    case OPTIONS_TEXT:
    case OPTIONS_PATH:
        sound = text_is_sound(setting, value, length);
        break;

    case OPTIONS_WORD:
        sound = read_word(setting, value, length, &index);
        break;
    }

    if ( !sound )
        return refuse(options, setting, source, value, length);

    /* A weaker voice is checked all the same: a typo in the file must not wait
     * for the day the command line is silent. */
    if ( origin < state->origin )
        return 0;

    switch ( setting->type )
    {
    case OPTIONS_FLAG:
        *(bool *)field = flag;
        break;

    case OPTIONS_NUMBER:
    case OPTIONS_SIZE:
        store_number(field, setting->bytes, number);
        break;

    case OPTIONS_TEXT:
    case OPTIONS_PATH:
        text = make_text(setting, state, origin, value, length);
        if ( !text )
        {
            options_fail(options, source, "%s%s: no memory for the value",
                         options_dashes(source), setting->name);
            return -ENOMEM;
        }
        free(state->text);
        state->text = text;
        *(char **)field = text;
        break;

    case OPTIONS_WORD:
        *(unsigned int *)field = index;
        break;
    }

    state->origin = origin;

    return 0;
}
