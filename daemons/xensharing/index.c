/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The index.  That an entry which finds its bucket full is counted there, and uncounted when it goes, is the idea of
 * Folly's F14 tables: no entry has to be moved when another goes, and nothing marks its place.
 *
 * Bucket of a key: its upper 32 bits as a fraction of the table.  So the order of buckets is that of keys, whatever
 * the table's size, and a larger table has each bucket's entries not before where the smaller one had them.  It grows
 * from the last bucket to the first, and shrinks from the first to the last: each goes to where the place has been
 * left.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#include "index.h"

/*
 * By how much it grows: each growth looks up all keys again, which is then four for each insertion; with all pages in
 * it the limit keeps it small.
 */
#define GROWTH_DIVISOR 4U
/* Buckets whose order changes with each insertion, at least: a growth is done long before the next one is due. */
#define STEP_OF_INSERT 2U
/* Below this part of its places the table shrinks, in tenths; it is 8 when it has. */
#define LOAD_LEAST_TENTHS 5U
#define OVERFLOW_STUCK UINT8_MAX

typedef uint8_t tags_vector __attribute__((vector_size(16)));
_Static_assert(offsetof(struct index_bucket, pages) == sizeof(tags_vector), "tags can be read as one");

static uint32_t home(uint64_t key, uint32_t count)
{
    return (key >> 32) * count >> 32;
}

static uint8_t tag_of(uint64_t key)
{
    uint8_t tag = key >> 8;

    return tag ? tag : UINT8_MAX;
}

/* Bit 8 * n + 7 for each slot n that has the tag: of slots 0 to 7, and from 8 on. */
static void match(const struct index_bucket *b, uint8_t tag, uint64_t *low, uint32_t *high)
{
    tags_vector tags;
    uint64_t words[2];

    memcpy(&tags, b, sizeof(tags));
    tags = (tags_vector)(tags == tag);
    memcpy(words, &tags, sizeof(words));
    *low = words[0] & UINT64_C(0x8080808080808080);
    *high = words[1] & UINT32_C(0x80808080);
}

static uint32_t wrap(uint32_t bucket, uint32_t count)
{
    return bucket < count ? bucket : bucket - count;
}

/* Where a key begins, and in a table of how many buckets. */
static uint32_t begin(const struct index *x, uint64_t key, uint32_t *count)
{
    uint32_t first;

    *count = x->count;
    if ( x->old )
    {
        first = home(key, x->old);
        if ( x->old < x->count ? first < x->next : first >= x->next )
        {
            *count = x->old;
            return first;
        }
    }

    return home(key, x->count);
}

static uint32_t buckets_of(uint64_t entries, unsigned int tenths)
{
    uint64_t places = entries * 10 / tenths + 1, count = (places + INDEX_SLOTS - 1) / INDEX_SLOTS;

    return count < INDEX_LEAST ? INDEX_LEAST : count;
}

int index_open(struct index *x, index_key *key, const void *opaque)
{
    *x = (struct index){ .key = key, .opaque = opaque, .count = INDEX_LEAST };

    return index_set_limit(x, 0);
}

void index_close(struct index *x)
{
    if ( x->buckets )
        munmap(x->buckets, (size_t)x->reserved * sizeof(*x->buckets));
    *x = (struct index){ 0 };
}

uint64_t index_need(uint64_t entries)
{
    return buckets_of(entries, INDEX_LOAD_TENTHS) * (uint64_t)sizeof(struct index_bucket);
}

uint64_t index_allocated(const struct index *x)
{
    return (x->count > x->old ? x->count : x->old) * (uint64_t)sizeof(*x->buckets);
}

int index_set_limit(struct index *x, uint64_t entries)
{
    uint32_t reserved = buckets_of(entries, INDEX_LOAD_TENTHS);
    void *memory;

    if ( reserved < x->count )
        reserved = x->count;
    if ( reserved < x->old )
        reserved = x->old;
    if ( reserved != x->reserved )
    {
        memory = x->buckets ?
                 mremap(x->buckets, (size_t)x->reserved * sizeof(*x->buckets),
                        (size_t)reserved * sizeof(*x->buckets), MREMAP_MAYMOVE) :
                 mmap(NULL, (size_t)reserved * sizeof(*x->buckets), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if ( memory == MAP_FAILED )
            return -ENOMEM;
        x->buckets = memory;
        x->reserved = reserved;
    }
    x->limit = entries;

    return 0;
}

/* ---- entries ---- */

static int place(struct index *x, uint64_t key, uint32_t page)
{
    uint32_t count, first = begin(x, key, &count), probes = count < INDEX_PROBES_MAX ? count : INDEX_PROBES_MAX;

    for ( uint32_t probe = 0; probe < probes; probe++ )
    {
        struct index_bucket *b = &x->buckets[wrap(first + probe, count)];

        for ( unsigned int slot = 0; slot < INDEX_SLOTS; slot++ )
        {
            if ( b->tags[slot] )
                continue;
            b->tags[slot] = tag_of(key);
            b->pages[slot] = page;
            /* Only now: who found no place at all leaves no trace. */
            while ( probe-- )
            {
                b = &x->buckets[wrap(first + probe, count)];
                b->overflow += b->overflow != OVERFLOW_STUCK;
            }
            return 0;
        }
    }

    return -ENOSPC;
}

/* From a bucket that is so many from its first. */
static void displace(struct index *x, uint32_t first, uint32_t count, uint32_t probe, unsigned int slot)
{
    x->buckets[wrap(first + probe, count)].tags[slot] = 0;
    while ( probe-- )
    {
        struct index_bucket *b = &x->buckets[wrap(first + probe, count)];

        b->overflow -= b->overflow != OVERFLOW_STUCK;
    }
}

/* One bucket of the old order, whole: all entries that begin in it, wherever they are. */
static void reorder(struct index *x, uint32_t first)
{
    struct {
        uint64_t key;
        uint32_t page;
    } moving[INDEX_PROBES_MAX * INDEX_SLOTS];
    unsigned int count = 0;
    bool goes_on = true;

    for ( uint32_t probe = 0; goes_on && probe < INDEX_PROBES_MAX && probe < x->old; probe++ )
    {
        const struct index_bucket *b = &x->buckets[wrap(first + probe, x->old)];

        goes_on = b->overflow;
        for ( unsigned int slot = 0; slot < INDEX_SLOTS; slot++ )
        {
            uint64_t key;

            if ( !b->tags[slot] )
                continue;
            key = x->key(x->opaque, b->pages[slot]);
            /* Of the new order there is none here that would have begun in this one. */
            if ( home(key, x->old) != first )
                continue;
            moving[count].key = key;
            moving[count++].page = b->pages[slot];
            displace(x, first, x->old, probe, slot);
        }
    }
    x->next = x->old < x->count ? first : first + 1;
    for ( unsigned int i = 0; i < count; i++ )
        if ( place(x, moving[i].key, moving[i].page) )
        {
            x->used--;
            x->full++;
        }
}

/* Nobody reads buckets from one to another any more: gives their memory back, whole pages of it. */
static void release(struct index *x, uint32_t from, uint32_t to)
{
    from = (from + INDEX_LEAST - 1) / INDEX_LEAST * INDEX_LEAST;
    if ( from < to )
        madvise(&x->buckets[from], (size_t)(to - from) * sizeof(*x->buckets), MADV_DONTNEED);
}

static void reorder_some(struct index *x, uint32_t buckets)
{
    for ( ; x->old && buckets; buckets-- )
    {
        bool grows = x->old < x->count;

        reorder(x, grows ? x->next - 1 : x->next);
        if ( grows ? x->next > 0 : x->next < x->old )
            continue;
        if ( !grows )
            release(x, x->count, x->old);
        x->old = 0;
    }
}

static void change_size(struct index *x, uint32_t count)
{
    if ( count > x->reserved )
        count = x->reserved;
    if ( count == x->count || x->old )
        return;
    x->old = x->count;
    x->count = count;
    x->next = x->old < count ? x->old : 0;
}

static bool is_loaded(const struct index *x, unsigned int tenths)
{
    return x->used * 10 >= (uint64_t)x->count * INDEX_SLOTS * tenths;
}

/*
 * Growth waits until the table has shrunk, which may be far from done when it fills again: it is done before the smaller
 * one is full.
 */
static uint32_t steps_of_insert(const struct index *x)
{
    uint64_t most = (uint64_t)x->count * INDEX_SLOTS * INDEX_LOAD_TENTHS / 10;
    uint32_t left = x->old - x->next;

    if ( x->old <= x->count )
        return STEP_OF_INSERT;
    return x->used < most ? left / (most - x->used) + STEP_OF_INSERT : left;
}

int index_insert(struct index *x, uint64_t key, uint32_t page)
{
    int rc;

    reorder_some(x, steps_of_insert(x));
    if ( is_loaded(x, INDEX_LOAD_TENTHS) )
        change_size(x, x->count + x->count / GROWTH_DIVISOR);
    rc = place(x, key, page);
    if ( rc )
        x->full++;
    else
        x->used++;

    return rc;
}

bool index_remove(struct index *x, uint64_t key, uint32_t page)
{
    uint32_t count, first = begin(x, key, &count), probes = count < INDEX_PROBES_MAX ? count : INDEX_PROBES_MAX;

    for ( uint32_t probe = 0; probe < probes; probe++ )
    {
        const struct index_bucket *b = &x->buckets[wrap(first + probe, count)];

        for ( unsigned int slot = 0; slot < INDEX_SLOTS; slot++ )
            if ( b->pages[slot] == page && b->tags[slot] )
            {
                displace(x, first, count, probe, slot);
                x->used--;
                return true;
            }
        if ( !b->overflow )
            break;
    }

    return false;
}

/* ---- look-ups ---- */

void index_begin(const struct index *x, struct index_cursor *c, uint64_t key)
{
    c->key = key;
    c->first = begin(x, key, &c->count);
    c->probe = c->slot = 0;
}

uint32_t index_next(const struct index *x, struct index_cursor *c)
{
    uint8_t tag = tag_of(c->key);

    for ( ; c->probe < INDEX_PROBES_MAX && c->probe < c->count; c->probe++, c->slot = 0 )
    {
        const struct index_bucket *b = &x->buckets[wrap(c->first + c->probe, c->count)];
        uint64_t low;
        uint32_t high;

        match(b, tag, &low, &high);
        while ( low || high )
        {
            uint32_t slot = low ? __builtin_ctzll(low) / 8 : 8 + __builtin_ctz(high) / 8;

            if ( low )
                low &= low - 1;
            else
                high &= high - 1;
            if ( slot < c->slot || x->key(x->opaque, b->pages[slot]) != c->key )
                continue;
            c->slot = slot + 1;
            return b->pages[slot];
        }
        if ( !b->overflow )
            break;
    }
    c->probe = INDEX_PROBES_MAX;

    return INDEX_NONE;
}

void index_step(struct index *x)
{
    reorder_some(x, INDEX_STEP);
    if ( !x->old && x->count > INDEX_LEAST && !is_loaded(x, LOAD_LEAST_TENTHS) )
        change_size(x, buckets_of(x->used, 8));
}
