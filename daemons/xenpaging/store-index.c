/* SPDX-License-Identifier: GPL-2.0-only */
/* Records and directories as numbers.  What a record says is store-record.c's; what it means, store.c's. */
#include "store-index.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "store.h"

/* Most records: 1 TiB of pages out, 6 GiB of address space for the index. */
#define STORE_RECORDS_MAX (UINT32_C(1) << 28)
/* Records asked from the kernel at a time: 96 KiB, to make that rare without holding much for a small host. */
#define STORE_GROW_RECORDS 4096U

#define TOP_ENTRIES (STORE_GFN_LIMIT / STORE_STRETCH_GFNS)

int store_index_open(struct store_index *x)
{
    struct store_secret secret;
    int rc;

    *x = (struct store_index){ .memory.fd = -1, .free_head = STORE_NONE };
    if ( getrandom(secret.bytes, sizeof(secret.bytes), 0) != (ssize_t)sizeof(secret.bytes) )
        return -EIO;
    x->spare = calloc(STORE_RESERVE_MAX, sizeof(*x->spare));
    if ( !x->spare )
        return -ENOMEM;
    rc = store_memory_open(&x->memory, "xenpaging-index",
                           STORE_INDEX_RECORDS + (uint64_t)STORE_RECORDS_MAX * sizeof(struct store_record));
    if ( !rc )
        rc = store_memory_fill(&x->memory, 0, STORE_INDEX_RECORDS);
    if ( rc )
        return rc;

    x->header = (struct store_index_header *)x->memory.base;
    x->records = (struct store_record *)(x->memory.base + STORE_INDEX_RECORDS);
    *x->header = (struct store_index_header){
        .magic = STORE_INDEX_MAGIC,
        .version = STORE_INDEX_VERSION,
        .record_size = sizeof(struct store_record),
        .secret = secret,
    };
    return 0;
}

void store_index_close(struct store_index *x)
{
    while ( x->spare_count )
        free(x->spare[--x->spare_count]);
    free(x->spare);
    x->spare = NULL;
    store_memory_close(&x->memory);
}

static bool grow_records(struct store_index *x)
{
    uint32_t first = x->header->records;

    if ( first > STORE_RECORDS_MAX - STORE_GROW_RECORDS ||
         store_memory_fill(&x->memory, STORE_INDEX_RECORDS + (uint64_t)first * sizeof(struct store_record),
                           STORE_GROW_RECORDS * sizeof(struct store_record)) )
        return false;
    x->header->records = first + STORE_GROW_RECORDS;
    for ( uint32_t n = first + STORE_GROW_RECORDS; n-- > first; )
        store_index_give(x, n);
    return true;
}

static bool grow_spare(struct store_index *x)
{
    struct store_stretch *stretch;

    if ( x->spare_count == STORE_RESERVE_MAX )
        return false;
    stretch = aligned_alloc(sizeof(*stretch), sizeof(*stretch));
    if ( !stretch )
        return false;
    /* Written now, so that the memory is there when the promise is called in. */
    memset(stretch, 0, sizeof(*stretch));
    x->spare[x->spare_count++] = stretch;
    x->stretches++;
    return true;
}

uint32_t store_index_populate(struct store_index *x, uint32_t n)
{
    while ( x->free_count < n && grow_records(x) )
        ;
    while ( x->spare_count < n && grow_spare(x) )
        ;
    if ( n > x->free_count )
        n = x->free_count;
    if ( n > x->spare_count )
        n = x->spare_count;
    return n;
}

uint64_t store_index_allocated(const struct store_index *x)
{
    return x->memory.size + (uint64_t)x->stretches * sizeof(struct store_stretch);
}

/* The list of free records led astray: finds them one by one. */
static void free_rebuild(struct store_index *x)
{
    const struct store_bounds bounds = { .records = x->header->records };
    struct store_entry entry;

    x->damaged++;
    x->free_head = STORE_NONE;
    x->free_count = 0;
    for ( uint32_t n = x->header->records; n--; )
        if ( !store_record_decode(&x->records[n], &x->header->secret, &bounds, &entry) && entry.kind == STORE_FREE )
            store_index_give(x, n);
}

uint32_t store_index_take(struct store_index *x)
{
    const struct store_bounds bounds = { .records = x->header->records };
    struct store_entry entry;
    uint32_t n;

    for ( unsigned int attempt = 0; attempt < 2; attempt++ )
    {
        n = x->free_head;
        if ( n == STORE_NONE )
            return n;
        if ( !store_record_decode(&x->records[n], &x->header->secret, &bounds, &entry) && entry.kind == STORE_FREE &&
             (entry.next == STORE_NONE) == (x->free_count == 1) )
        {
            x->free_head = entry.next;
            x->free_count--;
            return n;
        }
        free_rebuild(x);
    }
    return STORE_NONE;
}

void store_index_give(struct store_index *x, uint32_t record)
{
    const struct store_entry entry = { .kind = STORE_FREE, .next = x->free_head };

    store_record_encode(&x->records[record], &x->header->secret, &entry);
    x->free_head = record;
    x->free_count++;
}

int store_directory_open(struct store_directory *d)
{
    *d = (struct store_directory){ 0 };
    /* 4 MiB of address space, of which only what is used becomes memory. */
    d->top = calloc(TOP_ENTRIES, sizeof(*d->top));
    return d->top ? 0 : -ENOMEM;
}

/* A stretch without entries is all zeros. */
static void stretch_give(struct store_index *x, struct store_stretch *stretch)
{
    if ( x->spare_count < STORE_RESERVE_MAX )
        x->spare[x->spare_count++] = stretch;
    else
    {
        free(stretch);
        x->stretches--;
    }
}

void store_directory_close(struct store_index *x, struct store_directory *d)
{
    for ( uint32_t i = 0; i < d->end; i++ )
        if ( d->top[i].stretch )
        {
            free(d->top[i].stretch);
            x->stretches--;
        }
    free(d->top);
    *d = (struct store_directory){ 0 };
}

uint32_t store_directory_find(const struct store_directory *d, uint64_t gfn)
{
    const struct store_stretch *stretch = d->top[gfn / STORE_STRETCH_GFNS].stretch;

    /* 0 - 1 is STORE_NONE. */
    return stretch ? stretch->record[gfn % STORE_STRETCH_GFNS] - 1 : STORE_NONE;
}

bool store_directory_set(struct store_index *x, struct store_directory *d, uint64_t gfn, uint32_t record)
{
    uint32_t i = gfn / STORE_STRETCH_GFNS;

    if ( !d->top[i].stretch )
    {
        if ( !x->spare_count )
            return false;
        d->top[i].stretch = x->spare[--x->spare_count];
        if ( i >= d->end )
            d->end = i + 1;
    }
    d->top[i].stretch->record[gfn % STORE_STRETCH_GFNS] = record + 1;
    d->top[i].used++;
    d->count++;
    return true;
}

void store_directory_clear(struct store_index *x, struct store_directory *d, uint64_t gfn)
{
    uint32_t i = gfn / STORE_STRETCH_GFNS;

    d->top[i].stretch->record[gfn % STORE_STRETCH_GFNS] = 0;
    d->count--;
    if ( --d->top[i].used )
        return;
    stretch_give(x, d->top[i].stretch);
    d->top[i].stretch = NULL;
    while ( d->end && !d->top[d->end - 1].stretch )
        d->end--;
}

bool store_directory_next(const struct store_directory *d, uint64_t *gfn)
{
    uint64_t g = *gfn;

    while ( g < (uint64_t)d->end * STORE_STRETCH_GFNS )
    {
        const struct store_stretch *stretch = d->top[g / STORE_STRETCH_GFNS].stretch;

        if ( !stretch )
        {
            g = (g / STORE_STRETCH_GFNS + 1) * STORE_STRETCH_GFNS;
            continue;
        }
        if ( stretch->record[g % STORE_STRETCH_GFNS] )
        {
            *gfn = g;
            return true;
        }
        g++;
    }
    return false;
}
