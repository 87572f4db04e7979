/* SPDX-License-Identifier: GPL-2.0-only */
/* Records and directories as numbers.  What a record says is store-record.c's; what it means, store.c's. */
#include "store-index.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <xxhash.h>

#include "store-io.h"
#include "store-ram.h"

/* Most records: 1 TiB of pages out, 6 GiB of address space for the index. */
#define STORE_RECORDS_MAX (UINT32_C(1) << 28)
/* Records asked from the kernel at a time: 96 KiB, to make that rare without holding much for a small host. */
#define STORE_GROW_RECORDS 4096U

#define TOP_ENTRIES (STORE_GFN_LIMIT / STORE_STRETCH_GFNS)

static uint64_t header_check(const struct store_index_header *header)
{
    return XXH3_64bits_withSecret(header, offsetof(struct store_index_header, check), header->secret.bytes,
                                  sizeof(header->secret.bytes));
}

static int header_make(struct store_index *x)
{
    struct store_index_header header = {
        .version = STORE_INDEX_VERSION,
        .record_size = sizeof(struct store_record),
        .segment_size = STORE_SEGMENT_SIZE,
        .segment_cells = STORE_CELLS_MAX << 16 | STORE_CLASSES,
    };
    int rc;

    if ( getrandom(header.secret.bytes, sizeof(header.secret.bytes), 0) != (ssize_t)sizeof(header.secret.bytes) )
        return -EIO;
    rc = store_memory_fill(&x->memory, 0, STORE_INDEX_DOMAINS);
    if ( !rc )
        *x->header = header;
    return rc;
}

/* What another process left, copied once and judged. */
static int header_judge(struct store_index *x)
{
    struct store_index_header header;

    if ( x->memory.size < STORE_INDEX_DOMAINS )
        return -ENODATA;
    memcpy(&header, x->header, sizeof(header));
    if ( !header.magic )
        return -ENODATA;
    if ( header.magic != STORE_INDEX_MAGIC || header_check(&header) != header.check )
        return -EBADMSG;
    if ( header.version != STORE_INDEX_VERSION || header.record_size != sizeof(struct store_record) ||
         header.segment_size != STORE_SEGMENT_SIZE || header.segment_cells != (STORE_CELLS_MAX << 16 | STORE_CLASSES) )
        return -EPROTONOSUPPORT;
    return 0;
}

int store_index_open(struct store_index *x, int fd)
{
    int rc;

    *x = (struct store_index){ .memory.fd = -1, .free_head = STORE_NONE };
    x->spare = calloc(STORE_RESERVE_MAX, sizeof(*x->spare));
    if ( !x->spare )
        return -ENOMEM;
    rc = store_memory_open(&x->memory, "xenpaging-index", fd,
                           STORE_INDEX_RECORDS + (uint64_t)STORE_RECORDS_MAX * sizeof(struct store_record));
    if ( rc )
        return rc;

    x->header = (struct store_index_header *)x->memory.base;
    x->writes = (uint64_t *)(x->memory.base + STORE_INDEX_WRITES);
    x->domains = (struct store_index_domain *)(x->memory.base + STORE_INDEX_DOMAINS);
    x->records = (struct store_record *)(x->memory.base + STORE_INDEX_RECORDS);
    if ( !x->memory.size )
        return header_make(x);
    /* Memory that was grown and never written to is free records. */
    if ( x->memory.size > STORE_INDEX_RECORDS )
        x->count = (x->memory.size - STORE_INDEX_RECORDS) / sizeof(struct store_record);
    return header_judge(x);
}

void store_index_finish(struct store_index *x, uint64_t pool_inode, uint64_t spill_device, uint64_t spill_inode)
{
    struct store_index_header *header = x->header;

    header->pool_inode = pool_inode;
    header->spill_device = spill_device;
    header->spill_inode = spill_inode;
    /* The check is over the magic as well. */
    {
        struct store_index_header whole = *header;

        whole.magic = STORE_INDEX_MAGIC;
        header->check = header_check(&whole);
    }
    /* All of it /before/ the magic; pairs with header_judge() in a process that takes over. */
    __atomic_store_n(&header->magic, STORE_INDEX_MAGIC, __ATOMIC_RELEASE);
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
    uint32_t first = x->count;

    if ( first > STORE_RECORDS_MAX - STORE_GROW_RECORDS ||
         store_memory_fill(&x->memory, STORE_INDEX_RECORDS + (uint64_t)first * sizeof(struct store_record),
                           STORE_GROW_RECORDS * sizeof(struct store_record)) )
        return false;
    x->count = first + STORE_GROW_RECORDS;
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

bool store_index_spare(struct store_index *x)
{
    return x->spare_count || grow_spare(x);
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
    return STORE_INDEX_DOMAINS + (uint64_t)x->count * sizeof(struct store_record) +
           (uint64_t)x->stretches * sizeof(struct store_stretch);
}

/* The list of free records led astray: finds them one by one. */
static void free_rebuild(struct store_index *x)
{
    const struct store_bounds bounds = { .records = x->count };
    struct store_entry entry;

    x->damaged++;
    x->free_head = STORE_NONE;
    x->free_count = 0;
    for ( uint32_t n = x->count; n--; )
        if ( !store_record_decode(&x->records[n], &x->header->secret, &bounds, &entry) && entry.kind == STORE_FREE )
            store_index_give(x, n);
}

uint32_t store_index_take(struct store_index *x)
{
    const struct store_bounds bounds = { .records = x->count };
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

static uint64_t domain_check(const struct store_index *x, uint16_t domid, const uint8_t *identity)
{
    uint64_t words[1 + STORE_IDENTITY_SIZE / sizeof(uint64_t)] = { domid };

    memcpy(words + 1, identity, STORE_IDENTITY_SIZE);
    return XXH3_64bits_withSecret(words, sizeof(words), x->header->secret.bytes, sizeof(x->header->secret.bytes)) | 1;
}

static uint64_t note_word(const struct store_index *x, uint16_t domid, uint32_t note)
{
    const uint64_t words[2] = { domid, note };

    if ( !note )
        return 0;
    return XXH3_64bits_withSecret(words, sizeof(words), x->header->secret.bytes, sizeof(x->header->secret.bytes)) << 32 |
           note;
}

int store_index_set_domain(struct store_index *x, uint16_t domid, const uint8_t *identity)
{
    struct store_index_domain *domain = &x->domains[domid];
    uint64_t page = STORE_INDEX_DOMAINS + (uint64_t)domid * sizeof(*domain) / STORE_PAGE_SIZE * STORE_PAGE_SIZE;
    int rc = store_memory_fill(&x->memory, page, STORE_PAGE_SIZE);

    if ( rc )
        return rc;
    __atomic_store_n(&domain->check, 0, __ATOMIC_RELEASE);
    memcpy(domain->identity, identity, STORE_IDENTITY_SIZE);
    domain->note = 0;
    /* Identity and note /before/ check; pairs with store_index_get_domain() in a process that takes over. */
    __atomic_store_n(&domain->check, domain_check(x, domid, identity), __ATOMIC_RELEASE);
    return 0;
}

void store_index_clear_domain(struct store_index *x, uint16_t domid)
{
    __atomic_store_n(&x->domains[domid].check, 0, __ATOMIC_RELEASE);
}

void store_index_set_note(struct store_index *x, uint16_t domid, uint32_t note)
{
    __atomic_store_n(&x->domains[domid].note, note_word(x, domid, note), __ATOMIC_RELEASE);
}

int store_index_get_domain(const struct store_index *x, uint16_t domid, uint8_t *identity, uint32_t *note)
{
    struct store_index_domain domain;

    /* The memfd may end before it: such a domain never was opened. */
    if ( STORE_INDEX_DOMAINS + (domid + 1) * sizeof(domain) > x->memory.size )
        return 0;
    memcpy(&domain, &x->domains[domid], sizeof(domain));
    if ( !domain.check )
        return 0;
    if ( domain.check != domain_check(x, domid, domain.identity) )
        return -EBADMSG;
    memcpy(identity, domain.identity, STORE_IDENTITY_SIZE);
    *note = domain.note == note_word(x, domid, domain.note) ? domain.note : 0;
    return 1;
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
