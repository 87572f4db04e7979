/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * See policy.h.
 */
#include "policy.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLANKS " \t\r"

enum { DOMAIN, PLUGIN, RULE, PATTERNS };

#define ANY_FINDING (POLICY_UNJUDGED + 1)

struct line {
    struct line *next;
    char *patterns[PATTERNS];
    unsigned int verdict;         /* or ANY_FINDING */
    unsigned int actions;
};

struct policy {
    struct line *first, **last;
};

static const char *const verdicts[] = {
    [SCAN_CLEAN] = "clean", [SCAN_UNKNOWN] = "unknown", [SCAN_SUSPICIOUS] = "suspicious", [SCAN_MALICIOUS] = "malicious",
    [POLICY_UNJUDGED] = "unjudged", [ANY_FINDING] = "*",
};
#define VERDICTS (sizeof(verdicts) / sizeof(verdicts[0]))

static const char *const actions[POLICY_ACTIONS] = { "log", "deny", "pause", "kill", "hook" };

const char *policy_verdict_name(unsigned int verdict)
{
    return verdict <= POLICY_UNJUDGED ? verdicts[verdict] : "?";
}

const char *policy_action_name(unsigned int bit)
{
    return bit < POLICY_ACTIONS ? actions[bit] : NULL;
}

static void free_line(struct line *line)
{
    for ( unsigned int i = 0; i < PATTERNS; i++ )
        free(line->patterns[i]);
    free(line);
}

void policy_close(struct policy *policy)
{
    if ( !policy )
        return;
    while ( policy->first )
    {
        struct line *line = policy->first;

        policy->first = line->next;
        free_line(line);
    }
    free(policy);
}

/* NULL: there is no further word. */
static char *next_word(char **at)
{
    char *word = *at + strspn(*at, BLANKS);

    *at = word + strcspn(word, BLANKS);
    if ( **at )
        *(*at)++ = '\0';
    return *word ? word : NULL;
}

static bool parse_verdict(const char *word, unsigned int *out)
{
    for ( *out = 0; *out < VERDICTS; ++*out )
        if ( !strcmp(word, verdicts[*out]) )
            return true;
    return false;
}

static bool parse_action(const char *word, unsigned int *set)
{
    for ( unsigned int i = 0; i < POLICY_ACTIONS; i++ )
        if ( !strcmp(word, actions[i]) )
        {
            *set |= 1U << i;
            return true;
        }
    return false;
}

/* What is wrong with the words behind the patterns; NULL: nothing. */
static const char *parse_rest(struct line *line, char *at, const char **word)
{
    bool none = false, some = false;

    *word = next_word(&at);
    if ( !*word || !parse_verdict(*word, &line->verdict) )
        return "the verdict is to be clean, unknown, suspicious, malicious, unjudged or *";
    while ( (*word = next_word(&at)) )
        if ( !strcmp(*word, "none") )
            none = true;
        else if ( parse_action(*word, &line->actions) )
            some = true;
        else
            return "an action is none, log, deny, pause, kill or hook";
    if ( none == some )
        return "behind the verdict come actions, or none";
    return NULL;
}

static int parse_line(struct policy *policy, char *text, unsigned int number, char *error)
{
    struct line *line = calloc(1, sizeof(*line));
    const char *wrong = NULL, *word = NULL;

    if ( !line )
        return -ENOMEM;
    for ( unsigned int i = 0; i < PATTERNS && !wrong; i++ )
    {
        word = next_word(&text);
        if ( !word )
            wrong = "a line is DOMAIN PLUGIN RULE VERDICT ACTION...";
        else if ( !(line->patterns[i] = strdup(word)) )
        {
            free_line(line);
            return -ENOMEM;
        }
    }
    if ( !wrong )
        wrong = parse_rest(line, text, &word);
    if ( wrong )
    {
        snprintf(error, POLICY_ERROR_BYTES, "line %u: %s%s%.40s%s", number, wrong, word ? ", not '" : "", word ? word : "",
                 word ? "'" : "");
        free_line(line);
        return -EINVAL;
    }
    *policy->last = line;
    policy->last = &line->next;
    return 0;
}

int policy_parse(struct policy **out, const char *text, size_t length, char error[POLICY_ERROR_BYTES])
{
    struct policy *policy = calloc(1, sizeof(*policy));
    char *copy = strndup(text, length), *at = copy;
    int rc = policy && copy ? 0 : -ENOMEM;

    *out = NULL;
    error[0] = '\0';
    if ( policy )
        policy->last = &policy->first;
    if ( !rc && strlen(copy) != length )
    {
        snprintf(error, POLICY_ERROR_BYTES, "there is a NUL in it");
        rc = -EINVAL;
    }
    for ( unsigned int number = 1; !rc && at && *at; number++ )
    {
        char *line = strsep(&at, "\n"), *begin = line + strspn(line, BLANKS);

        if ( *begin && *begin != '#' )
            rc = parse_line(policy, begin, number, error);
    }
    free(copy);
    if ( rc )
        policy_close(policy);
    else
        *out = policy;
    return rc;
}

static int read_whole(const char *path, char **text, size_t *length)
{
    struct stat status;
    ssize_t got = -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC), rc = 0;

    *text = NULL;
    if ( fd < 0 )
        return -errno;
    if ( fstat(fd, &status) )
        rc = -errno;
    else if ( !S_ISREG(status.st_mode) )
        rc = -EINVAL;
    else if ( status.st_size > (off_t)POLICY_FILE_BYTES_MAX )
        rc = -EFBIG;
    if ( !rc && !(*text = malloc(status.st_size + 1)) )
        rc = -ENOMEM;
    if ( !rc && (got = read(fd, *text, status.st_size)) < 0 )
        rc = -errno;
    *length = got < 0 ? 0 : got;
    close(fd);
    return rc;
}

int policy_open(struct policy **out, const char *path, char error[POLICY_ERROR_BYTES])
{
    char *text = NULL;
    size_t length = 0;
    int rc;

    error[0] = '\0';
    *out = NULL;
    if ( !path )
        return policy_parse(out, "", 0, error);
    rc = read_whole(path, &text, &length);
    if ( !rc )
        rc = policy_parse(out, text, length, error);
    free(text);
    return rc;
}

static bool fits(const struct line *line, const char *name, const char *uuid, const char *plugin, const char *rule,
                 unsigned int verdict)
{
    return (line->verdict == verdict || (line->verdict == ANY_FINDING && verdict != SCAN_CLEAN)) &&
           (!fnmatch(line->patterns[DOMAIN], name, 0) || !fnmatch(line->patterns[DOMAIN], uuid, FNM_CASEFOLD)) &&
           !fnmatch(line->patterns[PLUGIN], plugin, 0) && !fnmatch(line->patterns[RULE], rule, 0);
}

unsigned int policy_decide(const struct policy *policy, const char *name, const char *uuid, const char *plugin,
                           const char *rule, unsigned int verdict)
{
    for ( const struct line *line = policy->first; line; line = line->next )
        if ( fits(line, name, uuid, plugin, rule, verdict) )
            return line->actions;
    switch ( verdict )
    {
    case SCAN_MALICIOUS:
        return POLICY_LOG | POLICY_DENY;
    case SCAN_SUSPICIOUS:
    case POLICY_UNJUDGED:
        return POLICY_LOG;
    case SCAN_UNKNOWN:
        /* What a plugin says of it in words is for people, such as that a kernel cannot be read. */
        return *rule ? POLICY_LOG : 0;
    default:
        return 0;
    }
}
