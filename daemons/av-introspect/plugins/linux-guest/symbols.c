/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reading and looking up. All positions are checked once, when the tables are read, so that a lookup is a matter of
 * arrays.
 */
#include "symbols.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Tables are aligned so. */
#define ALIGNMENT    8u

/* A marker stands for so many symbols. */
#define MARKED       256u

#define TOKENS       256u

/* A string of a token, with its NUL: the longest that kallsyms makes are some ten. */
#define TOKEN_BYTES  64u

struct symbols {
    uint64_t base;
    uint32_t count, markers_count;
    int32_t  *offsets;
    uint32_t *markers;                  /* offset of each 256th name */
    uint8_t  *names;                    /* length and tokens of each */
    size_t   names_bytes;
    char     tokens[TOKENS][TOKEN_BYTES];
    uint8_t  tokens_length[TOKENS];
};

/* Octets that are being read. */
struct source {
    const uint8_t *bytes;
    size_t length;
};

static uint32_t u32(const uint8_t *bytes)
{
    uint32_t out;

    memcpy(&out, bytes, sizeof(out));
    return out;
}

static uint64_t u64(const uint8_t *bytes)
{
    uint64_t out;

    memcpy(&out, bytes, sizeof(out));
    return out;
}

static size_t align(size_t at)
{
    return (at + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

/* One name at `at`: how many octets it has with its length, and where its tokens are; 0 if it does not end within. */
static size_t name_bytes(const uint8_t *names, size_t length, size_t at, size_t *tokens, size_t *count)
{
    size_t n;

    if ( at >= length )
        return 0;
    n = names[at];
    *tokens = at + 1;
    /* Seven bits an octet; two are enough for the longest name there can be. */
    if ( n & 0x80 )
    {
        if ( at + 1 >= length )
            return 0;
        n = (n & 0x7f) | (size_t)names[at + 1] << 7;
        *tokens = at + 2;
    }
    if ( !n || n > length - *tokens )
        return 0;
    *count = n;
    return *tokens - at + n;
}

/* The end of `count` names, or 0. */
static size_t walk_names(const struct source *source, size_t at, uint32_t count)
{
    size_t tokens, n;

    for ( uint32_t i = 0; i < count; i++ )
    {
        size_t bytes = name_bytes(source->bytes, source->length, at, &tokens, &n);

        if ( !bytes )
            return 0;
        at += bytes;
    }
    return at;
}

/* Each has to say where its name begins. */
static bool check_markers(const struct source *source, size_t names, size_t markers, uint32_t count)
{
    size_t at = names, tokens, n;

    for ( uint32_t i = 0; i < count; i++ )
    {
        if ( i % MARKED == 0 && u32(source->bytes + markers + i / MARKED * 4) != at - names )
            return false;
        at += name_bytes(source->bytes, source->length, at, &tokens, &n);
    }
    return true;
}

/* Strings and their index; the index' end, or 0. */
static size_t read_tokens(struct symbols *s, const struct source *source, size_t at)
{
    size_t start = at, index;
    uint16_t starts[TOKENS];

    for ( unsigned int i = 0; i < TOKENS; i++ )
    {
        size_t left = source->length - at, length;

        if ( at >= source->length || at - start > UINT16_MAX )
            return 0;
        starts[i] = at - start;
        length = strnlen((const char *)source->bytes + at, left < TOKEN_BYTES ? left : TOKEN_BYTES);
        if ( length == TOKEN_BYTES || length == left )
            return 0;
        memcpy(s->tokens[i], source->bytes + at, length);
        s->tokens_length[i] = length;
        at += length + 1;
    }
    index = align(at);
    if ( index > source->length || source->length - index < sizeof(starts) ||
         memcmp(source->bytes + index, starts, sizeof(starts)) )
        return 0;
    return index + sizeof(starts);
}

static void *copy(const void *bytes, size_t length)
{
    void *out = malloc(length);

    return out ? memcpy(out, bytes, length) : NULL;
}

/*
 * `at` is where the base stands. 0, -ENOENT if something does not agree, -ENOMEM. In 6.2 and 6.3 a table of numbers,
 * 3 octets each, is between markers and tokens.
 */
static int read_at(struct symbols *s, const struct source *source, size_t at)
{
    size_t offsets_bytes, names = at + 16, end, markers, markers_bytes, tokens;

    if ( source->length - at < 16 )
        return -ENOENT;
    s->count = u32(source->bytes + at + 8);
    offsets_bytes = align((size_t)s->count * sizeof(*s->offsets));
    if ( s->count < MARKED || s->count > SYMBOLS_MAX || u32(source->bytes + at + 12) || offsets_bytes > at )
        return -ENOENT;
    end = walk_names(source, names, s->count);
    markers = align(end);
    s->markers_count = (s->count + MARKED - 1) / MARKED;
    markers_bytes = (size_t)s->markers_count * sizeof(*s->markers);
    if ( !end || markers > source->length || source->length - markers < markers_bytes ||
         !check_markers(source, names, markers, s->count) )
        return -ENOENT;
    tokens = align(markers + markers_bytes);
    if ( !read_tokens(s, source, tokens) && !read_tokens(s, source, align(tokens + 3 * (size_t)s->count)) )
        return -ENOENT;

    s->names_bytes = end - names;
    s->offsets = copy(source->bytes + at - offsets_bytes, s->count * sizeof(*s->offsets));
    s->markers = copy(source->bytes + markers, markers_bytes);
    s->names = copy(source->bytes + names, s->names_bytes);
    return s->offsets && s->markers && s->names ? 0 : -ENOMEM;
}

int symbols_read(struct symbols **out, const uint8_t *bytes, size_t length, uint64_t base)
{
    const struct source source = { bytes, length };
    unsigned int tries = 0;
    struct symbols *s = calloc(1, sizeof(*s));
    int rc = -ENOENT;

    *out = NULL;
    if ( !s )
        return -ENOMEM;
    s->base = base;
    for ( size_t at = 0; rc == -ENOENT && tries < SYMBOLS_TRIES_MAX && length - at >= sizeof(base) && at < length;
          at += ALIGNMENT )
    {
        if ( u64(bytes + at) != base )
            continue;
        tries++;
        rc = read_at(s, &source, at);
    }
    if ( rc )
    {
        symbols_free(s);
        return rc;
    }
    *out = s;
    return 0;
}

void symbols_free(struct symbols *symbols)
{
    if ( !symbols )
        return;
    free(symbols->offsets);
    free(symbols->markers);
    free(symbols->names);
    free(symbols);
}

uint32_t symbols_count(const struct symbols *symbols)
{
    return symbols->count;
}

/* ---- lookups ---- */

/* What is not negative is an address of its own, that of a variable each CPU has (CONFIG_KALLSYMS_ABSOLUTE_PERCPU). */
uint64_t symbols_address(const struct symbols *symbols, uint32_t index)
{
    int64_t offset = symbols->offsets[index];

    return offset >= 0 ? (uint64_t)offset : symbols->base - 1 - (uint64_t)offset;
}

/* The name at `at` in `names`; where the next one is. */
static size_t expand(const struct symbols *s, size_t at, struct symbol *out)
{
    size_t tokens, count = 0, used = 0, bytes = name_bytes(s->names, s->names_bytes, at, &tokens, &count);
    bool first = true;

    out->type = '?';
    for ( size_t i = 0; i < count; i++ )
    {
        uint8_t token = s->names[tokens + i];

        for ( unsigned int c = 0; c < s->tokens_length[token]; c++ )
        {
            unsigned char letter = s->tokens[token][c];

            if ( letter <= ' ' || letter > '~' || letter == '"' || letter == '\\' )
                letter = '?';
            if ( first )
                out->type = letter;
            else if ( used < sizeof(out->name) - 1 )
                out->name[used++] = letter;
            first = false;
        }
    }
    out->name[used] = 0;
    return at + bytes;
}

void symbols_get(const struct symbols *symbols, uint32_t index, struct symbol *out)
{
    size_t at = symbols->markers[index / MARKED], tokens, count;

    for ( uint32_t i = index / MARKED * MARKED; i < index; i++ )
        at += name_bytes(symbols->names, symbols->names_bytes, at, &tokens, &count);
    expand(symbols, at, out);
    out->address = symbols_address(symbols, index);
}

void symbols_each(const struct symbols *symbols, void (*each)(void *arg, const struct symbol *symbol), void *arg)
{
    struct symbol symbol;
    size_t at = 0;

    for ( uint32_t i = 0; i < symbols->count; i++ )
    {
        at = expand(symbols, at, &symbol);
        symbol.address = symbols_address(symbols, i);
        each(arg, &symbol);
    }
}

struct sought {
    const char *const *names;
    uint64_t *addresses;
    size_t count;
};

static void compare(void *arg, const struct symbol *symbol)
{
    const struct sought *sought = arg;

    for ( size_t n = 0; n < sought->count; n++ )
        if ( !sought->addresses[n] && sought->names[n][0] == symbol->name[0] && !strcmp(sought->names[n], symbol->name) )
            sought->addresses[n] = symbol->address;
}

void symbols_find(const struct symbols *symbols, const char *const *names, uint64_t *addresses, size_t count)
{
    struct sought sought = { names, addresses, count };

    memset(addresses, 0, count * sizeof(*addresses));
    symbols_each(symbols, compare, &sought);
}

int symbols_at(const struct symbols *symbols, uint64_t address, struct symbol *out, uint64_t *next)
{
    uint32_t low = 0, high = symbols->count;

    if ( next )
        *next = 0;
    while ( low < high )
    {
        uint32_t middle = low + (high - low) / 2;

        if ( symbols_address(symbols, middle) <= address )
            low = middle + 1;
        else
            high = middle;
    }
    if ( !low )
        return -ENOENT;
    if ( next && low < symbols->count )
        *next = symbols_address(symbols, low);
    symbols_get(symbols, low - 1, out);
    return 0;
}
