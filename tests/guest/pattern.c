/* SPDX-License-Identifier: GPL-2.0-only */
/* See pattern.h. Which page has which generation is the caller's to know. */
#include "pattern.h"

#include <stdbool.h>

#define GOLDEN      0x9e3779b97f4a7c15ull       /* 2^64 / golden ratio: spreads small numbers */
#define ODD         0xd6e8feb86659fd93ull       /* any odd number keeps multiplication one-to-one */

/* A number among the text every so many words; the first word of a page is one. */
#define TEXT_NUMBER_EVERY   16

static const char text_words[32][8] = {
    "the     ", "memory  ", "of a    ", "guest   ", "is on   ", "a page  ", "which   ", "was     ",
    "written ", "before, ", "and it  ", "has been", "evicted ", "by the  ", "pager   ", "into a  ",
    "store.  ", "Then    ", "someone ", "touches ", "it and  ", "waits   ", "until   ", "it comes",
    "back in ", "with all", "of its  ", "bytes.  ", "If not, ", "this is ", "noticed.", "\n       ",
};

/* A bijection in which each bit of the input moves about half of the output's. */
uint64_t pattern_mix(uint64_t x)
{
    x ^= x >> 32;
    x *= ODD;
    x ^= x >> 32;
    x *= ODD;
    x ^= x >> 32;

    return x;
}

const char *pattern_kind_name(enum pattern_kind kind)
{
    static const char *const names[PATTERN_KINDS] = { "zero", "same", "text", "random" };

    return names[kind];
}

void pattern_describe_page(const struct pattern *pattern, uint64_t page, uint32_t generation,
                           struct page_pattern *out)
{
    /* Which pages are a guest's own depends on nothing but their number: guests agree on the others. */
    bool own = (pattern_mix(page + ODD) >> 32) % 100 < pattern->own_percent;
    uint64_t h = pattern_mix((own ? pattern_mix(pattern->own + ODD) : pattern->seed) + GOLDEN);
    unsigned int draw, kind;

    h = pattern_mix(h ^ (page + GOLDEN));
    h = pattern_mix(h ^ (generation + ODD));
    out->base = h;

    draw = (pattern_mix(h + GOLDEN) >> 32) % 100;
    for ( kind = 0; kind < PATTERN_KINDS - 1 && draw >= pattern->percent[kind]; kind++ )
        draw -= pattern->percent[kind];
    out->kind = kind;
}

static uint64_t text_word(uint64_t base, unsigned int index)
{
    uint64_t h = pattern_mix(base + index / 8 * GOLDEN), word = 0;
    unsigned int i;

    if ( index % TEXT_NUMBER_EVERY == 0 )
    {
        for ( i = 0; i < 8; i++, h >>= 4 )
            word |= (uint64_t)"0123456789abcdef"[h & 15] << (i * 8);

        return word;
    }

    /* Eight words in a row share one draw: an octet of it each. */
    __builtin_memcpy(&word, text_words[(h >> (index % 8 * 8)) & 31], sizeof(word));

    return word;
}

/* Inlined with a constant kind, so that no loop over a page asks again what kind it is. */
static inline __attribute__((always_inline))
uint64_t word_of_kind(enum pattern_kind kind, uint64_t base, unsigned int index)
{
    uint64_t x;

    switch ( kind )
    {
    case PATTERN_ZERO:
        return 0;

    case PATTERN_SAME:
        return base;

    case PATTERN_TEXT:
        return text_word(base, index);

    default:
        x = (base + index * GOLDEN) * ODD;
        x ^= x >> 32;
        x *= ODD;
        return x ^ (x >> 29);
    }
}

static inline __attribute__((always_inline))
void fill_kind(enum pattern_kind kind, uint64_t base, uint64_t *words)
{
    unsigned int i;

    for ( i = 0; i < PATTERN_PAGE_WORDS; i++ )
        ((volatile uint64_t *)words)[i] = word_of_kind(kind, base, i);
}

static inline __attribute__((always_inline))
void check_kind(enum pattern_kind kind, uint64_t base, const uint64_t *words, unsigned int skip,
                struct page_check *out)
{
    uint64_t sum = base;
    unsigned int i;

    for ( i = 0; i < PATTERN_PAGE_WORDS; i++ )
    {
        uint64_t expected = word_of_kind(kind, base, i);
        uint64_t found = ((const volatile uint64_t *)words)[i];

        if ( i == skip )
            continue;

        /* One-to-one in `found`: no single wrong word can leave the sum as it was. */
        sum = (sum ^ found) * ODD;
        sum ^= sum >> 29;

        if ( found == expected )
            continue;

        if ( !out->bad++ )
        {
            out->index = i;
            out->expected = expected;
            out->found = found;
        }
    }

    out->sum = sum;
}

uint64_t pattern_word(const struct page_pattern *page, unsigned int index)
{
    return word_of_kind(page->kind, page->base, index);
}

void pattern_fill(const struct page_pattern *page, uint64_t *words)
{
    switch ( page->kind )
    {
    case PATTERN_ZERO: fill_kind(PATTERN_ZERO, page->base, words); break;
    case PATTERN_SAME: fill_kind(PATTERN_SAME, page->base, words); break;
    case PATTERN_TEXT: fill_kind(PATTERN_TEXT, page->base, words); break;
    default: fill_kind(PATTERN_RANDOM, page->base, words); break;
    }
}

void pattern_check(const struct page_pattern *page, const uint64_t *words, unsigned int skip,
                   struct page_check *out)
{
    *out = (struct page_check){ 0 };

    switch ( page->kind )
    {
    case PATTERN_ZERO: check_kind(PATTERN_ZERO, page->base, words, skip, out); break;
    case PATTERN_SAME: check_kind(PATTERN_SAME, page->base, words, skip, out); break;
    case PATTERN_TEXT: check_kind(PATTERN_TEXT, page->base, words, skip, out); break;
    default: check_kind(PATTERN_RANDOM, page->base, words, skip, out); break;
    }
}
