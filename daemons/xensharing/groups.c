/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * See groups.h.  A line is kept as it is, and looked through again for each domain that comes: that happens a few
 * times an hour.
 */
#include "groups.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#define BLANKS " \t"

struct group {
    char name[GROUPS_NAME_MAX + 1];
    bool configured;
    bool within;
};

struct groups {
    char *lines;                  /* each ends in NUL; an empty one behind the last */
    struct group *groups;
    uint16_t count;
};

bool groups_name_is_sound(const char *name, size_t length)
{
    for ( size_t i = 0; i < length; i++ )
    {
        char c = name[i];

        if ( !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_') )
            return false;
    }
    return length && length <= GROUPS_NAME_MAX;
}

bool groups_line_is_sound(const char *value, size_t length)
{
    const char *colon = memchr(value, ':', length);
    const char *end = value + length, *name_end = colon;

    if ( !colon )
        return false;
    while ( name_end > value && strchr(BLANKS, name_end[-1]) )
        name_end--;
    if ( !groups_name_is_sound(value, name_end - value) )
        return false;
    for ( colon++; colon < end && strchr(BLANKS, *colon); )
        colon++;
    return colon < end;
}

int groups_open(struct groups **out, const char *lines, const char *within)
{
    struct groups *groups = calloc(1, sizeof(*groups));
    size_t length = lines ? strlen(lines) : 0;

    *out = groups;
    if ( !groups )
        return -ENOMEM;
    groups->lines = calloc(1, length + 2);
    if ( !groups->lines )
    {
        groups_close(groups);
        *out = NULL;
        return -ENOMEM;
    }
    memcpy(groups->lines, lines ? lines : "", length);
    for ( char *line = groups->lines; *line; line += strlen(line) + 1 )
    {
        uint16_t number;

        line[strcspn(line, "\n")] = '\0';
        number = groups_number(groups, line, strcspn(line, ":" BLANKS));
        if ( number != GROUPS_NONE )
            groups->groups[number].configured = true;
    }
    for ( const char *name = within; name && *name; name += strcspn(name, "\n"), name += *name == '\n' )
    {
        uint16_t number = groups_number(groups, name, strcspn(name, "\n"));

        if ( number != GROUPS_NONE )
            groups->groups[number].configured = groups->groups[number].within = true;
    }
    return 0;
}

void groups_close(struct groups *groups)
{
    if ( !groups )
        return;
    free(groups->groups);
    free(groups->lines);
    free(groups);
}

static bool fits(const char *patterns, const char *name, const char *uuid)
{
    char pattern[4096];           /* OPTIONS_VALUE_BYTES_MAX and its end */

    for ( patterns += strspn(patterns, BLANKS); *patterns; patterns += strspn(patterns, BLANKS) )
    {
        size_t length = strcspn(patterns, BLANKS);

        if ( length >= sizeof(pattern) )
            return false;
        memcpy(pattern, patterns, length);
        pattern[length] = '\0';
        if ( !fnmatch(pattern, name, 0) || !fnmatch(pattern, uuid, FNM_CASEFOLD) )
            return true;
        patterns += length;
    }
    return false;
}

uint16_t groups_find(struct groups *groups, const char *name, const char *uuid)
{
    for ( const char *line = groups->lines; *line; line += strlen(line) + 1 )
        if ( fits(strchr(line, ':') + 1, name, uuid) )
            return groups_number(groups, line, strcspn(line, ":" BLANKS));
    return GROUPS_NONE;
}

uint16_t groups_number(struct groups *groups, const char *name, size_t length)
{
    struct group *grown;

    if ( !groups_name_is_sound(name, length) )
        return GROUPS_NONE;
    for ( uint16_t i = 0; i < groups->count; i++ )
        if ( !strncmp(groups->groups[i].name, name, length) && !groups->groups[i].name[length] )
            return i;
    if ( groups->count == GROUPS_MAX )
        return GROUPS_NONE;
    grown = reallocarray(groups->groups, groups->count + 1U, sizeof(*grown));
    if ( !grown )
        return GROUPS_NONE;
    groups->groups = grown;
    grown[groups->count] = (struct group){ .configured = false };
    memcpy(grown[groups->count].name, name, length);
    return groups->count++;
}

uint16_t groups_count(const struct groups *groups)
{
    return groups->count;
}

const char *groups_name(const struct groups *groups, uint16_t number)
{
    return groups->groups[number].name;
}

bool groups_is_configured(const struct groups *groups, uint16_t number)
{
    return groups->groups[number].configured;
}

bool groups_is_within(const struct groups *groups, uint16_t number)
{
    return groups->groups[number].within;
}
