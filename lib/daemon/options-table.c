/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whether a table of settings is one.  Mistakes here are a programmer's, and
 * this way the first test run shows them instead of the first user.
 */
#include "options-private.h"

#include <errno.h>
#include <string.h>

static const char *const taken_names[] = {
    "config", "generate", "help", "usage", "version",
};
static const char taken_letters[] = "?cV";

static bool name_is_sound(const char *name)
{
    size_t i;

    if ( !name || name[0] < 'a' || name[0] > 'z' ||
         !strncmp(name, "no-", strlen("no-")) )
        return false;

    if ( name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-")] )
        return false;

    for ( i = 0; i < sizeof(taken_names) / sizeof(taken_names[0]); i++ )
        if ( !strcmp(name, taken_names[i]) )
            return false;

    return true;
}

static bool letter_is_sound(char letter)
{
    bool alphanumeric = (letter >= 'a' && letter <= 'z') ||
                        (letter >= 'A' && letter <= 'Z') ||
                        (letter >= '0' && letter <= '9');

    return !letter || (alphanumeric && !strchr(taken_letters, letter));
}

static bool width_is_sound(const struct options_setting *setting)
{
    switch ( setting->type )
    {
    case OPTIONS_FLAG:
        return setting->bytes == sizeof(bool);

    case OPTIONS_NUMBER:
    case OPTIONS_SIZE:
        switch ( setting->bytes )
        {
        case 1: case 2: case 4: case 8:
            return true;
        }
        return false;

    case OPTIONS_TEXT:
    case OPTIONS_PATH:
        return setting->bytes == sizeof(char *);

    case OPTIONS_WORD:
        return setting->bytes == sizeof(unsigned int);
    }

    return false;
}

static bool range_is_sound(const struct options_setting *setting)
{
    uint64_t holds = setting->bytes >= sizeof(uint64_t)
                     ? UINT64_MAX : (1ull << setting->bytes * 8) - 1;

    if ( setting->type != OPTIONS_NUMBER && setting->type != OPTIONS_SIZE )
        return !setting->minimum && !setting->maximum;

    return setting->maximum <= holds && setting->minimum <= holds &&
           (!setting->maximum || setting->minimum <= setting->maximum);
}

/* argp breaks the line of a longer one before its name instead of after it. */
static bool fits_into_help(const struct options_setting *setting)
{
    return !(setting->where & OPTIONS_COMMAND_LINE) || !setting->argument ||
           strlen(setting->name) + strlen("=") + strlen(setting->argument) <=
           OPTIONS_HELP_NAME_MAX;
}

static const char *find_fault(const struct options_setting *setting)
{
    if ( !letter_is_sound(setting->letter) )
        return "its letter is none, or taken";
    if ( !setting->help || !setting->help[0] )
        return "it has no help";
    if ( !(setting->where & OPTIONS_ANYWHERE) ||
         (setting->where & ~OPTIONS_ANYWHERE) )
        return "it can stand nowhere";
    if ( (setting->type == OPTIONS_FLAG) != !setting->argument )
        return "a flag has no argument, and everything else has one";
    if ( (setting->type == OPTIONS_WORD) != !!setting->words ||
         (setting->words && !setting->words[0]) )
        return "words belong to a word, and there must be some";
    if ( !width_is_sound(setting) )
        return "its field is not as wide as its type";
    if ( !range_is_sound(setting) )
        return "its range is empty or more than the field holds";
    if ( !fits_into_help(setting) )
        return "its name and argument are too long for --help";
    if ( (setting->repeats || setting->is_sound) &&
         setting->type != OPTIONS_TEXT )
        return "only a text is checked by the program, or repeats";
    if ( !setting->is_sound != !setting->allowed )
        return "what is allowed belongs to a check";
    if ( setting->letter && !(setting->where & OPTIONS_COMMAND_LINE) )
        return "it has a letter but no place on the command line";

    return NULL;
}

int options_check_table(struct options *options)
{
    static const struct options_source table = { "table of settings", 0 };
    const struct options_program *program = options->program;
    size_t i, j;

    if ( program->settings_count > OPTIONS_SETTINGS_MAX )
        return options_fail(options, &table, "%zu settings, at most %u are "
                            "allowed", program->settings_count,
                            OPTIONS_SETTINGS_MAX);

    for ( i = 0; i < program->settings_count; i++ )
    {
        const struct options_setting *setting = &program->settings[i];
        const char *fault = NULL;

        if ( !name_is_sound(setting->name) )
            return options_fail(options, &table, "setting %zu has no name, a "
                                "taken one, or one of other than lower-case "
                                "letters, digits and '-'", i);

        fault = find_fault(setting);
        for ( j = 0; !fault && j < i; j++ )
        {
            const struct options_setting *other = &program->settings[j];

            if ( !strcmp(other->name, setting->name) )
                fault = "its name is used twice";
            else if ( setting->letter && other->letter == setting->letter )
                fault = "its letter is used twice";
            else if ( setting->offset < other->offset + other->bytes &&
                      other->offset < setting->offset + setting->bytes )
                fault = "its field is used twice";
        }

        if ( fault )
            return options_fail(options, &table, "%s: %s", setting->name,
                                fault);
    }

    return 0;
}
