/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Any bytes as the value of a target key, judged by a second reading of the rule in other words: what is a
 * number of KiB gives its pages, anything else an error and no value.
 *
 * With a fuzzer it is a libFuzzer target.  With -DFUZZ_REPLAY it is a program that does the same for every
 * file of $FUZZ_CORPUS, or of this target's corpus under $srcdir, and for all prefixes of each.
 */
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemons/xenpaging/target.h"

#define UNTOUCHED UINT64_C(0x0123456789abcdef)

/* 2^40 KiB; in digits, as the judge counts. */
#define MOST      "1099511627776"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Not assert(): it must hold in every build. */
#define REQUIRE(condition)                                              \
    do {                                                                \
        if ( !(condition) )                                             \
        {                                                               \
            fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__,      \
                    __LINE__, #condition);                              \
            abort();                                                    \
        }                                                               \
    } while ( 0 )

static bool is_blank(uint8_t octet)
{
    return octet == ' ' || octet == '\t' || octet == '\n';
}

/* By comparing digits, not by arithmetic. */
static bool is_beyond(const uint8_t *digits, size_t count)
{
    while ( count && *digits == '0' )
    {
        digits++;
        count--;
    }
    return count > strlen(MOST) || (count == strlen(MOST) && memcmp(digits, MOST, count) > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t pages = UNTOUCHED;
    int rc = target_parse((const char *)data, size, &pages);
    size_t from = 0, to, end = size;
    char text[32];

    while ( from < end && is_blank(data[from]) )
        from++;
    for ( to = from; to < end && data[to] >= '0' && data[to] <= '9'; )
        to++;
    while ( end > to && is_blank(data[end - 1]) )
        end--;

    if ( is_beyond(data + from, to - from) )
        /* Too large is said as soon as it is known, whatever follows. */
        REQUIRE(rc == -ERANGE && pages == UNTOUCHED);
    else if ( to == from || to != end )
        REQUIRE(rc == -EINVAL && pages == UNTOUCHED);
    else
    {
        unsigned long long kib;

        while ( to - from > 1 && data[from] == '0' )
            from++;
        REQUIRE(to - from < sizeof(text));
        memcpy(text, data + from, to - from);
        text[to - from] = '\0';
        kib = strtoull(text, NULL, 10);
        REQUIRE(rc == 0);
        REQUIRE(pages == (!kib ? UINT64_MAX : kib < 8 ? 1 : kib / 4));
    }

    return 0;
}

#ifdef FUZZ_REPLAY

#define REPLAY_BYTES_MAX 4096u

static void replay(const uint8_t *data, size_t size)
{
    for ( size_t part = 0; part <= size; part++ )
    {
        /* Of the exact size, so that reading on is noticed. */
        uint8_t *copy = malloc(part ? part : 1);

        REQUIRE(copy);
        memcpy(copy, data, part);
        LLVMFuzzerTestOneInput(copy, part);
        free(copy);
    }
}

int main(void)
{
    static uint8_t data[REPLAY_BYTES_MAX];
    const char *corpus = getenv("FUZZ_CORPUS"), *srcdir = getenv("srcdir");
    char path[4096];
    struct dirent *entry;
    unsigned int files = 0;
    DIR *directory;

    snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/target", srcdir ? srcdir : ".");
    if ( !corpus )
        corpus = path;

    directory = opendir(corpus);
    if ( !directory )
    {
        fprintf(stderr, "%s: %s\n", corpus, strerror(errno));
        return 1;
    }

    while ( (entry = readdir(directory)) )
    {
        char name[8192];
        size_t size;
        FILE *file;

        if ( entry->d_name[0] == '.' )
            continue;

        snprintf(name, sizeof(name), "%s/%s", corpus, entry->d_name);
        file = fopen(name, "rb");
        REQUIRE(file);
        size = fread(data, 1, sizeof(data), file);
        fclose(file);
        replay(data, size);
        files++;
    }
    closedir(directory);

    printf("%u files of %s replayed\n", files, corpus);

    /* An empty corpus would say nothing. */
    return !files;
}

#endif /* FUZZ_REPLAY */
