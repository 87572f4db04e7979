/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * log-limit: which of many like messages are said.  Knows words, domains and
 * seconds, which the caller brings; says nothing itself, and takes no lock.
 */
#ifndef DAEMON_LOG_LIMIT_H
#define DAEMON_LOG_LIMIT_H

#include "log.h"

/* A word of one domain (or of none). */
struct log_limit_word {
    char word[LOG_WORD_BYTES];  /* "" : free */
    bool has_domain;
    uint32_t domid;
    uint64_t window_start;      /* seconds of a monotonic clock */
    uint64_t last;              /* last asked about */
    unsigned int passed;        /* in this window */
    uint64_t left_out;          /* and not yet spoken of */
};

struct log_limit {
    struct log_limit_word words[LOG_WORDS];
};

/*
 * May this message be said?  If so, *left_out is how many like it were not
 * since the last that was.  *forgotten is a word that had to make room while it
 * still had some to tell of (.left_out 0: none).  `fields` has a word.
 */
bool log_limit_pass(struct log_limit *limit, const struct log_fields *fields,
                    uint64_t now, uint64_t *left_out,
                    struct log_limit_word *forgotten);

/*
 * The next word at or behind *at whose window is over (`all`: any) and that has
 * messages to tell of, whose count is taken.  False when there is none left.
 * *at starts at 0.
 */
bool log_limit_flush(struct log_limit *limit, uint64_t now, bool all,
                     unsigned int *at, struct log_limit_word *word);

#endif /* DAEMON_LOG_LIMIT_H */
