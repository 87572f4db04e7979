/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * See verdicts.h. Sets of a few places, chosen by the digest's first octets; in a full set the one that was asked for
 * longest ago makes room. Nobody can choose digests, so that sets fill evenly.
 */
#include "verdicts.h"

#include <errno.h>
#include <gcrypt.h>
#include <stdlib.h>
#include <string.h>

/* Places of a set: what makes a loss of a page that is in use rare, and a look short. */
#define WAYS 8U

struct verdict {
    uint8_t digest[SCAN_DIGEST_BYTES];
    uint64_t generation;          /* 0: nobody's place */
    uint32_t used;                /* by the set's clock */
    uint8_t verdict;
    struct scan_result *finding;  /* NULL: clean, of which there is nothing more to say */
};

struct verdicts {
    struct verdict *places;
    uint32_t sets;                /* a power of two */
    uint32_t clock;
    struct verdicts_statistics statistics;
};

int verdicts_open(struct verdicts **out, uint32_t pages)
{
    struct verdicts *verdicts = calloc(1, sizeof(*verdicts));

    *out = verdicts;
    if ( !verdicts )
        return -ENOMEM;
    /* Only digests of what is not secret: no locked memory. */
    if ( !gcry_control(GCRYCTL_INITIALIZATION_FINISHED_P) )
    {
        gcry_check_version(NULL);
        gcry_control(GCRYCTL_DISABLE_SECMEM, 0);
        gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
    }
    for ( verdicts->sets = 1; verdicts->sets * WAYS < pages; )
        verdicts->sets *= 2;
    verdicts->places = calloc((size_t)verdicts->sets * WAYS, sizeof(struct verdict));
    verdicts->statistics.limit = (uint64_t)verdicts->sets * WAYS;
    if ( verdicts->places && !gcry_md_test_algo(GCRY_MD_SHA256) )
        return 0;
    *out = NULL;
    verdicts_close(verdicts);
    return gcry_md_test_algo(GCRY_MD_SHA256) ? -ENOSYS : -ENOMEM;
}

void verdicts_close(struct verdicts *verdicts)
{
    if ( !verdicts )
        return;
    for ( uint64_t i = 0; verdicts->places && i < verdicts->statistics.limit; i++ )
        free(verdicts->places[i].finding);
    free(verdicts->places);
    free(verdicts);
}

void verdicts_digest(const void *page, uint8_t digest[SCAN_DIGEST_BYTES])
{
    gcry_md_hash_buffer(GCRY_MD_SHA256, digest, page, SCAN_PAGE_BYTES);
}

static struct verdict *set_of(struct verdicts *verdicts, const uint8_t *digest)
{
    uint32_t number;

    memcpy(&number, digest, sizeof(number));
    return verdicts->places + (size_t)(number & (verdicts->sets - 1)) * WAYS;
}

static struct verdict *find(struct verdicts *verdicts, const uint8_t *digest)
{
    struct verdict *set = set_of(verdicts, digest);

    for ( unsigned int i = 0; i < WAYS; i++ )
        if ( set[i].generation && !memcmp(set[i].digest, digest, SCAN_DIGEST_BYTES) )
            return &set[i];
    return NULL;
}

bool verdicts_find(struct verdicts *verdicts, const uint8_t digest[SCAN_DIGEST_BYTES], uint64_t generation,
                   struct scan_result *out)
{
    struct verdict *found = find(verdicts, digest);

    if ( !found || !generation || found->generation != generation )
    {
        verdicts->statistics.misses++;
        return false;
    }
    verdicts->statistics.hits++;
    found->used = ++verdicts->clock;
    if ( found->finding )
        *out = *found->finding;
    else
    {
        memset(out, 0, sizeof(*out));
        out->outcome = SCAN_DONE;
        out->verdict = found->verdict;
        out->generation = generation;
    }
    out->id = out->nanoseconds = 0;
    out->rescan = false;
    /* Whose page it was then is not whose it is now. */
    out->has_process = false;
    out->pid = 0;
    out->comm[0] = out->path[0] = '\0';
    return true;
}

static void forget(struct verdicts *verdicts, struct verdict *place)
{
    free(place->finding);
    place->finding = NULL;
    verdicts->statistics.entries -= place->generation != 0;
    place->generation = 0;
}

void verdicts_clear(struct verdicts *verdicts)
{
    for ( uint64_t i = 0; i < verdicts->statistics.limit; i++ )
        forget(verdicts, &verdicts->places[i]);
}

/* The digest's own place, a free one, or that of what was asked for longest ago. */
static struct verdict *make_place(struct verdicts *verdicts, const uint8_t *digest)
{
    struct verdict *set = set_of(verdicts, digest), *place = find(verdicts, digest);

    if ( place )
        return place;
    place = set;
    for ( unsigned int i = 0; i < WAYS; i++ )
        if ( !set[i].generation )
            return &set[i];
        else if ( verdicts->clock - set[i].used > verdicts->clock - place->used )
            place = &set[i];
    verdicts->statistics.forgotten++;
    return place;
}

void verdicts_keep(struct verdicts *verdicts, const uint8_t digest[SCAN_DIGEST_BYTES], const struct scan_result *result)
{
    struct scan_result *finding = NULL;
    struct verdict *place;

    if ( result->outcome != SCAN_DONE || result->is_unjudged || !result->generation || result->has_context )
        return;
    if ( result->verdict != SCAN_CLEAN )
    {
        finding = malloc(sizeof(*finding));
        if ( !finding )
            return;
        *finding = *result;
        /* Those are the scanner's; and of an equal page the heaviest is enough. */
        finding->others = NULL;
        finding->others_count = finding->others_lost = 0;
    }
    place = make_place(verdicts, digest);
    forget(verdicts, place);
    memcpy(place->digest, digest, SCAN_DIGEST_BYTES);
    place->generation = result->generation;
    place->verdict = result->verdict;
    place->used = ++verdicts->clock;
    place->finding = finding;
    verdicts->statistics.kept++;
    verdicts->statistics.entries++;
}

void verdicts_get_statistics(const struct verdicts *verdicts, struct verdicts_statistics *out)
{
    *out = verdicts->statistics;
}
