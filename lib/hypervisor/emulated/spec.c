/* SPDX-License-Identifier: LGPL-2.1-only */
/* See spec.h. */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hypervisor/hypervisor.h"
#include "spec.h"

/* Longest word, a path of PATH_MAX among them. */
#define WORD_BYTES 4200

/* Limits keep a mistyped number from taking all memory of whoever tries something. */
#define DOMAINS_MAX 64u
#define VCPUS_MAX   64u
#define MEMORY_MIN  (1ull << 20)
#define MEMORY_MAX  (16ull << 30)
#define RATE_MAX    1000000u

enum kind { NUMBER, SIZE, LOAD, RUN };

static const char *const loads[] = { "storm", "random", "sequential", "idle" };

static const struct key {
    const char *name;
    enum kind kind;
    size_t offset;
    uint64_t minimum, maximum;
    bool is_wide;               /* uint64_t */
} keys[] = {
    { "domains", NUMBER, offsetof(struct emulated_spec, domains), 1, DOMAINS_MAX, false },
    { "memory", SIZE, offsetof(struct emulated_spec, memory), MEMORY_MIN, MEMORY_MAX, true },
    { "vcpus", NUMBER, offsetof(struct emulated_spec, vcpus), 1, VCPUS_MAX, false },
    { "load", LOAD, offsetof(struct emulated_spec, load), 0, 0, false },
    { "target", SIZE, offsetof(struct emulated_spec, target), MEMORY_MIN, MEMORY_MAX, true },
    { "rate", NUMBER, offsetof(struct emulated_spec, rate), 1, RATE_MAX, false },
    { "working", NUMBER, offsetof(struct emulated_spec, working), 1, 100, false },
    { "common", NUMBER, offsetof(struct emulated_spec, common), 0, 100, false },
    { "host", SIZE, offsetof(struct emulated_spec, host), MEMORY_MIN, DOMAINS_MAX * MEMORY_MAX, true },
    { "seed", NUMBER, offsetof(struct emulated_spec, seed), 0, UINT64_MAX, true },
    { "run", RUN, offsetof(struct emulated_spec, run), 0, 0, false },
};

#define KEYS (sizeof(keys) / sizeof(keys[0]))

static bool parse_number(const struct key *key, const char *text, uint64_t *out)
{
    unsigned long long value;
    unsigned int shift = 0;
    char *end;

    if ( text[0] < '0' || text[0] > '9' )
        return false;
    errno = 0;
    value = strtoull(text, &end, 10);
    if ( errno )
        return false;
    if ( key->kind == SIZE && *end )
    {
        shift = *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;
        end += shift ? 1 : 0;
    }
    if ( *end || (shift && value >> (64 - shift)) )
        return false;
    value <<= shift;
    if ( value < key->minimum || value > key->maximum )
        return false;
    *out = key->kind == SIZE ? value / HYPERVISOR_PAGE_SIZE : value;

    return true;
}

static bool set(const struct key *key, const char *text, struct emulated_spec *out)
{
    char *at = (char *)out + key->offset;
    uint64_t value;

    switch ( key->kind )
    {
    case NUMBER:
    case SIZE:
        if ( !parse_number(key, text, &value) )
            return false;
        if ( key->is_wide )
            memcpy(at, &value, sizeof(value));
        else
            memcpy(at, &(uint32_t){ value }, sizeof(uint32_t));
        return true;

    case LOAD:
        for ( size_t i = 0; i < sizeof(loads) / sizeof(loads[0]); i++ )
            if ( !strcmp(text, loads[i]) )
            {
                out->load = i;
                return true;
            }
        return false;

    case RUN:
        return text[0] == '/' && (size_t)snprintf(out->run, sizeof(out->run), "%s", text) < sizeof(out->run);
    }

    return false;
}

static void say_allowed(const struct key *key, const char *word, char *wrong, size_t size)
{
    switch ( key->kind )
    {
    case NUMBER:
        snprintf(wrong, size, "'%s': %s is a number from %llu to %llu", word, key->name,
                 (unsigned long long)key->minimum, (unsigned long long)key->maximum);
        break;
    case SIZE:
        snprintf(wrong, size, "'%s': %s is a size from %lluM to %lluG, such as 64M", word, key->name,
                 (unsigned long long)key->minimum >> 20, (unsigned long long)key->maximum >> 30);
        break;
    case LOAD:
        snprintf(wrong, size, "'%s': load is storm, random, sequential or idle", word);
        break;
    case RUN:
        snprintf(wrong, size, "'%s': run is a directory's absolute path", word);
        break;
    }
}

static int parse_word(const char *word, struct emulated_spec *out, char *wrong, size_t size)
{
    size_t length = strcspn(word, "=");

    for ( size_t i = 0; i < KEYS; i++ )
    {
        if ( !word[length] || strlen(keys[i].name) != length || strncmp(word, keys[i].name, length) )
            continue;
        if ( set(&keys[i], word + length + 1, out) )
            return 0;
        say_allowed(&keys[i], word, wrong, size);
        return -EINVAL;
    }
    snprintf(wrong, size, "'%s' is not known: there are domains=, memory=, vcpus=, load=, target=, rate=, working=, common=, "
             "host=, seed= and run=", word);

    return -EINVAL;
}

int emulated_spec_parse(const char *text, struct emulated_spec *out, char *wrong, size_t size)
{
    char word[WORD_BYTES];

    *out = (struct emulated_spec){
        .domains = 2, .memory = (64ull << 20) / HYPERVISOR_PAGE_SIZE, .vcpus = 2, .load = EMULATED_LOAD_STORM,
        .rate = 2000, .working = 25, .common = 50, .seed = 1,
    };
    while ( *text )
    {
        size_t length = strcspn(text, ",");

        if ( length >= sizeof(word) )
        {
            snprintf(wrong, size, "a word is too long");
            return -EINVAL;
        }
        memcpy(word, text, length);
        word[length] = '\0';
        if ( length && parse_word(word, out, wrong, size) )
            return -EINVAL;
        text += length + (text[length] == ',');
    }
    if ( !out->host )
        out->host = out->domains * out->memory * 5 / 4;

    return 0;
}
