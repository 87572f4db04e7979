/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A plugin's table is its author's work and checked as such, in words; values are a user's.
 */
#include "plugin-options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The first version's; a smaller one was never in use. */
#define OPTION_BYTES_LEAST sizeof(struct av_option)

struct av_option plugin_options_at(const struct av_plugin *is, unsigned int index)
{
    size_t each = is->options->size;
    struct av_option out = { 0 };

    memcpy(&out, (const char *)is->options + index * each, each < sizeof(out) ? each : sizeof(out));
    return out;
}

static bool name_is_sound(const char *name)
{
    return name && name[0] && strlen(name) < AV_NAME_BYTES &&
           !name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-")];
}

/* The whole text is a number of this type, within its range. */
static int parse_number(const struct av_option *option, const char *text, uint64_t *out)
{
    unsigned long long number;
    unsigned int shift = 0;
    char *end;

    /* strtoull() takes signs and blanks. */
    if ( text[0] < '0' || text[0] > '9' )
        return -EINVAL;
    errno = 0;
    number = strtoull(text, &end, strncmp(text, "0x", 2) ? 10 : 16);
    if ( errno )
        return -EINVAL;
    if ( option->type == AV_OPTION_SIZE )
        shift = *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;
    if ( end[shift ? 1 : 0] || (shift && number >> (64 - shift)) )
        return -EINVAL;
    *out = (uint64_t)number << shift;
    return *out < option->minimum || (option->maximum && *out > option->maximum) ? -ERANGE : 0;
}

static int parse_value(const struct av_option *option, const char *text, struct av_value *value)
{
    switch ( option->type )
    {
    case AV_OPTION_FLAG:
        value->number = !strcmp(text, "yes");
        return value->number || !strcmp(text, "no") ? 0 : -EINVAL;
    case AV_OPTION_NUMBER:
    case AV_OPTION_SIZE:
        return parse_number(option, text, &value->number);
    case AV_OPTION_PATH:
        if ( text[0] != '/' )
            return -EINVAL;
        /* fall through */
    case AV_OPTION_TEXT:
        value->text = text;
        return text[0] ? 0 : -EINVAL;
    }
    return -EPROTO;
}

int plugin_options_check(const struct av_plugin *is, struct plugins_words *words)
{
    if ( is->options_count > AV_OPTIONS_MAX || (is->options_count && !is->options) )
        return plugins_refuse(words, -EPROTO, "it has %u options, and %s", is->options_count,
                      is->options ? "more than a plugin can have" : "no table of them");
    if ( is->options_count && is->options->size < OPTION_BYTES_LEAST )
        return plugins_refuse(words, -EPROTO, "its options say a size of %u", is->options->size);
    for ( unsigned int i = 0; i < is->options_count; i++ )
    {
        struct av_option option = plugin_options_at(is, i);
        struct av_value value = { 0 };

        if ( option.size != is->options->size )
            return plugins_refuse(words, -EPROTO, "its options differ in size");
        if ( !name_is_sound(option.name) || !option.help )
            return plugins_refuse(words, -EPROTO, "its option %u has no name, or no help", i);
        if ( option.type < AV_OPTION_FLAG || option.type > AV_OPTION_PATH || (option.flags & ~AV_OPTION_REQUIRED) )
            return plugins_refuse(words, -EPROTO, "its option %s is of a type that is not known", option.name);
        if ( option.value && parse_value(&option, option.value, &value) )
            return plugins_refuse(words, -EPROTO, "the default of its option %s is none", option.name);
    }
    return 0;
}

static const char *const allowed[] = {
    [AV_OPTION_FLAG] = "yes or no", [AV_OPTION_NUMBER] = "a number", [AV_OPTION_SIZE] = "a size, such as 64K",
    [AV_OPTION_TEXT] = "a text", [AV_OPTION_PATH] = "an absolute path",
};

static int refuse_value(const struct av_option *option, int rc, const char *text, struct plugins_words *words)
{
    if ( rc == -ERANGE )
        return plugins_refuse(words, -EINVAL, "%s=%s: it must be from %llu to %llu", option->name, text,
                      (unsigned long long)option->minimum,
                      (unsigned long long)(option->maximum ? option->maximum : UINT64_MAX));
    return plugins_refuse(words, -EINVAL, "%s=%s: it must be %s", option->name, text, allowed[option->type]);
}

/* Ends the word at *text in place, without its backslashes, and goes behind the comma; NULL at the end. */
static char *cut_word(char **text)
{
    char *word = *text, *from = word, *to = word;

    if ( !word )
        return NULL;
    while ( *from && *from != ',' )
    {
        if ( *from == '\\' && from[1] )
            from++;
        *to++ = *from++;
    }
    *text = *from ? from + 1 : NULL;
    *to = 0;
    return word;
}

static int take_word(struct plugin *plugin, char *word, struct plugins_words *words)
{
    char *value = strchr(word, '=');

    if ( value )
        *value++ = 0;
    for ( unsigned int i = 0; i < plugin->is.options_count; i++ )
    {
        struct av_option option = plugin_options_at(&plugin->is, i);
        int rc;

        if ( strcmp(option.name, word) )
            continue;
        if ( plugin->values[i].given )
            return plugins_refuse(words, -EINVAL, "%s stands there twice", word);
        if ( !value && option.type == AV_OPTION_FLAG )
            value = (char *)"yes";
        if ( !value )
            return plugins_refuse(words, -EINVAL, "%s wants %s", word, allowed[option.type]);
        rc = parse_value(&option, value, &plugin->values[i]);
        if ( rc )
            return refuse_value(&option, rc, value, words);
        plugin->values[i].given = 1;
        return 0;
    }
    return plugins_refuse(words, -EINVAL, "it has no option %s; %s:help lists what it has", word, plugin->name);
}

int plugin_options_parse(struct plugin *plugin, const char *text, struct plugins_words *words)
{
    char *rest, *word;
    int rc = 0;

    plugin->values = calloc(plugin->is.options_count + 1, sizeof(*plugin->values));
    plugin->texts = strdup(text ? text : "");
    if ( !plugin->values || !plugin->texts )
        return plugins_refuse(words, -ENOMEM, "no memory");

    for ( rest = text && text[0] ? plugin->texts : NULL; !rc && (word = cut_word(&rest)); )
        rc = take_word(plugin, word, words);

    for ( unsigned int i = 0; !rc && i < plugin->is.options_count; i++ )
    {
        struct av_option option = plugin_options_at(&plugin->is, i);

        plugin->values[i].size = sizeof(plugin->values[i]);
        if ( plugin->values[i].given )
            continue;
        if ( option.flags & AV_OPTION_REQUIRED )
            rc = plugins_refuse(words, -EINVAL, "it needs %s=...: %s", option.name, option.help);
        else if ( option.value )
            parse_value(&option, option.value, &plugin->values[i]);
    }
    return rc;
}
