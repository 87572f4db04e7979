/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the fuzz targets share: REQUIRE(), and the main() that each has when it is no libFuzzer program.  Included by a
 * target's one file, which defines FUZZ_TARGET, the name of its corpus, before that.
 *
 * With -DFUZZ_REPLAY the target is a program that runs the files given as arguments, or all those of $FUZZ_CORPUS, or
 * of tests/fuzz/corpus/FUZZ_TARGET under $srcdir; each of them whole, and cut off at some places.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Not assert(): it must hold in every build. */
#define REQUIRE(condition)                                                                                   \
    do {                                                                                                     \
        if ( !(condition) )                                                                                  \
        {                                                                                                    \
            fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition);                    \
            abort();                                                                                         \
        }                                                                                                    \
    } while ( 0 )

#ifdef FUZZ_REPLAY
#include <dirent.h>
#include <limits.h>
#include <string.h>

/* Larger than anything that a decoder here does not refuse at once. */
#define REPLAY_BYTES_MAX (1U << 20)

/* Places at which each input is cut as well: all that there are, in a short one. */
#define REPLAY_CUTS      32U

static int replay_file(const char *path)
{
    static uint8_t data[REPLAY_BYTES_MAX];
    FILE *file = fopen(path, "rb");
    size_t size;
    int bad;

    if ( !file )
    {
        perror(path);
        return 1;
    }
    size = fread(data, 1, sizeof(data), file);
    bad = ferror(file) || size == sizeof(data);
    fclose(file);
    if ( bad )
    {
        fprintf(stderr, "%s: cannot be read, or has %u octets or more\n", path, REPLAY_BYTES_MAX);
        return 1;
    }

    for ( size_t cut = 0, last = SIZE_MAX; cut <= REPLAY_CUTS; cut++ )
    {
        size_t part = size * cut / REPLAY_CUTS;
        uint8_t *copy;

        if ( part == last )
            continue;
        last = part;
        /* Of the exact size, so that reading on is noticed. */
        copy = malloc(part ? part : 1);
        REQUIRE(copy);
        memcpy(copy, data, part);
        LLVMFuzzerTestOneInput(copy, part);
        free(copy);
    }
    return 0;
}

static int replay_directory(const char *directory)
{
    DIR *dir = opendir(directory);
    struct dirent *entry;
    unsigned int count = 0;
    int failed = 0;

    if ( !dir )
    {
        perror(directory);
        return 1;
    }
    while ( !failed && (entry = readdir(dir)) )
    {
        char path[PATH_MAX + 256];

        if ( entry->d_name[0] == '.' )
            continue;
        snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
        failed = replay_file(path);
        count++;
    }
    closedir(dir);
    printf("%u inputs of %s\n", count, directory);
    /* An empty corpus tests nothing. */
    return failed || !count;
}

int main(int argc, char *argv[])
{
    const char *corpus = getenv("FUZZ_CORPUS"), *top = getenv("srcdir");
    char path[PATH_MAX];

    for ( int i = 1; i < argc; i++ )
        if ( replay_file(argv[i]) )
            return 1;
    if ( argc > 1 )
        return 0;
    snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/%s", top ? top : ".", FUZZ_TARGET);
    return replay_directory(corpus ? corpus : path);
}
#endif /* FUZZ_REPLAY */

#endif
