/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What each 64-bit word of the work area has to be: a function of the seed, the page's number, its
 * generation (how often it was rewritten) and the word's index. So a wrong bit, a page in another
 * page's place and an old copy of a page all show. Pure; also compiled natively for its test.
 */
#ifndef TESTS_GUEST_PATTERN_H
#define TESTS_GUEST_PATTERN_H

#include <stdint.h>

#define PATTERN_PAGE_BYTES  4096u
#define PATTERN_PAGE_WORDS  (PATTERN_PAGE_BYTES / 8)
#define PATTERN_PAGE_BITS   (PATTERN_PAGE_BYTES * 8)

/*
 * How a page looks to a pager's store. A page may change its kind with its generation. Two pages of
 * zeroes cannot be told apart, whoever looks; in the other kinds any two pages differ.
 */
enum pattern_kind {
    PATTERN_ZERO,                   /* all zero */
    PATTERN_SAME,                   /* one word, repeated */
    PATTERN_TEXT,                   /* words of a small dictionary and numbers: compresses well */
    PATTERN_RANDOM,                 /* does not compress */
    PATTERN_KINDS
};

struct pattern {
    uint64_t seed;
    uint64_t own;                   /* takes seed's place for own_percent of the pages: guests of one seed differ in these */
    uint8_t own_percent;
    uint8_t percent[PATTERN_KINDS]; /* of the pages; the sum is 100 */
};

struct page_pattern {
    enum pattern_kind kind;
    uint64_t base;
};

struct page_check {
    unsigned int bad;               /* words that differ; the next three speak of the first */
    unsigned int index;
    uint64_t expected;
    uint64_t found;
    uint64_t sum;                   /* of what was found, whether right or wrong */
};

/* No word is left out of pattern_check(). */
#define PATTERN_CHECK_ALL PATTERN_PAGE_WORDS

uint64_t pattern_mix(uint64_t x);
const char *pattern_kind_name(enum pattern_kind kind);
void pattern_describe_page(const struct pattern *pattern, uint64_t page, uint32_t generation,
                           struct page_pattern *out);
uint64_t pattern_word(const struct page_pattern *page, unsigned int index);
void pattern_fill(const struct page_pattern *page, uint64_t *words);

/* Compares every word but number @skip; each is read from memory exactly once. */
void pattern_check(const struct page_pattern *page, const uint64_t *words, unsigned int skip,
                   struct page_check *out);

#endif
