/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The rate limit; log-limit.h has the contract.
 */
#include "log-limit.h"

#include <stdio.h>
#include <string.h>

static struct log_limit_word *find_word(struct log_limit *limit,
                                        const struct log_fields *fields)
{
    char word[LOG_WORD_BYTES];
    unsigned int i;

    snprintf(word, sizeof(word), "%s", fields->event);

    for ( i = 0; i < LOG_WORDS; i++ )
    {
        struct log_limit_word *known = &limit->words[i];

        if ( !strcmp(known->word, word) &&
             known->has_domain == fields->has_domain &&
             (!fields->has_domain || known->domid == fields->domid) )
            return known;
    }

    return NULL;
}

/* A free place, or that of the word that was quiet longest. */
static struct log_limit_word *find_room(struct log_limit *limit)
{
    struct log_limit_word *quiet = &limit->words[0];
    unsigned int i;

    for ( i = 0; i < LOG_WORDS; i++ )
    {
        if ( !limit->words[i].word[0] )
            return &limit->words[i];
        if ( limit->words[i].last < quiet->last )
            quiet = &limit->words[i];
    }

    return quiet;
}

bool log_limit_pass(struct log_limit *limit, const struct log_fields *fields,
                    uint64_t now, uint64_t *left_out,
                    struct log_limit_word *forgotten)
{
    struct log_limit_word *known = find_word(limit, fields);

    *left_out = 0;
    forgotten->left_out = 0;

    if ( !known )
    {
        known = find_room(limit);
        *forgotten = *known;
        *known = (struct log_limit_word){
            .has_domain = fields->has_domain, .domid = fields->domid,
            .window_start = now,
        };
        snprintf(known->word, sizeof(known->word), "%s", fields->event);
    }

    known->last = now;
    if ( now - known->window_start >= LOG_WINDOW_SECONDS )
    {
        known->window_start = now;
        known->passed = 0;
    }

    if ( known->passed == LOG_BURST )
    {
        known->left_out++;
        return false;
    }

    known->passed++;
    *left_out = known->left_out;
    known->left_out = 0;

    return true;
}

bool log_limit_flush(struct log_limit *limit, uint64_t now, bool all,
                     unsigned int *at, struct log_limit_word *word)
{
    for ( ; *at < LOG_WORDS; ++*at )
    {
        struct log_limit_word *known = &limit->words[*at];

        if ( !known->left_out ||
             (!all && now - known->window_start < LOG_WINDOW_SECONDS) )
            continue;

        *word = *known;
        known->left_out = 0;
        ++*at;
        return true;
    }

    return false;
}
