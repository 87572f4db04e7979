/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The page store's calls, on top of index (store-index.c, store-record.c), contents (store-page.c), pool (store-ram.c,
 * store-age.c) and file (store-file.c, store-io.c, store-spill.c, which also has store_reap).  store-adopt.c takes over from an
 * earlier process, and says in which order things have to be written for that.
 */
#include "store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "store-spill.h"

/* The pool is about to move a cell of this record. */
static bool moved(void *arg, uint32_t record, uint32_t from, uint32_t to)
{
    struct store *s = arg;
    struct store_entry entry;

    if ( record >= s->index.count || store_entry_get(s, record, &entry) ||
         (entry.kind != STORE_LZ4 && entry.kind != STORE_RAW) || entry.place != from )
        return false;
    entry.place = to;
    store_record_relocate(&s->index.records[record], &s->index.header->secret, &entry);
    return true;
}

static bool options_are_sound(const struct store_options *o)
{
    if ( o->ram_bytes < STORE_RAM_MIN || o->ram_bytes > STORE_RAM_MAX )
        return false;
    if ( !o->spill_directory )
        return !o->spill_bytes;
    /* The upper bound is what a record has bits for. */
    return o->spill_bytes >= STORE_PAGE_SIZE && o->spill_bytes / STORE_PAGE_SIZE < UINT64_C(1) << 36;
}

static uint64_t inode_of(int fd, uint64_t *device)
{
    struct stat sb;

    *device = 0;
    if ( fd < 0 || fstat(fd, &sb) )
        return 0;
    *device = sb.st_dev;
    return sb.st_ino;
}

/* The files of an earlier process belong together, or are not used together. */
static bool state_is_one(const struct store *s, const struct store_state *state)
{
    const struct store_index_header *header = s->index.header;
    uint64_t device, ignored;

    if ( inode_of(state->pool, &ignored) != header->pool_inode )
        return false;
    return state->file < 0 ||
           (inode_of(state->file, &device) == header->spill_inode && device == header->spill_device);
}

static int open_files(struct store *s, const struct store_options *o, const struct store_state *state, bool adopt)
{
    uint64_t ignored, device, inode;
    int rc = store_index_open(&s->index, state->index);

    if ( !rc && adopt && !state_is_one(s, state) )
        rc = -EBADMSG;
    if ( !rc )
        rc = store_ram_open(&s->ram, state->pool, o->ram_bytes, moved, s);
    /* A file that went missing is not replaced: what is said to be in it is damaged then. */
    if ( !rc )
        rc = store_file_open(&s->file, adopt ? NULL : o->spill_directory, o->spill_bytes, state->file);
    if ( !rc )
        rc = store_io_open(&s->io, s->file.fd);
    if ( rc || adopt )
        return rc ? rc : store_take_in(s);
    inode = inode_of(s->file.fd, &device);
    store_index_finish(&s->index, inode_of(s->ram.memory.fd, &ignored), device, inode);
    return 0;
}

static int open_store(struct store **out, const struct store_options *options, const struct store_state *state, bool adopt)
{
    struct store *s;
    int rc;

    *out = NULL;
    if ( !options_are_sound(options) )
        return -EINVAL;
    s = calloc(1, sizeof(*s));
    if ( !s )
        return -ENOMEM;
    s->index.memory.fd = s->ram.memory.fd = s->file.fd = s->io.event = s->io.fd = -1;
    s->read.last = &s->read.first;

    rc = -ENOMEM;
    s->domain = calloc(STORE_DOMID_LIMIT, sizeof(*s->domain));
    s->scratch = malloc(store_page_scratch_size());
    s->buffer = malloc(STORE_PAGE_SIZE);
    if ( s->domain && s->scratch && s->buffer )
        rc = open_files(s, options, state, adopt);
    if ( rc )
        goto fail;
    *out = s;
    return 0;

 fail:
    store_close(s);
    return rc;
}

int store_open(struct store **out, const struct store_options *options)
{
    const struct store_state none = { -1, -1, -1 };

    return open_store(out, options, &none, false);
}

static bool is_empty(int fd)
{
    struct stat sb;

    return !fstat(fd, &sb) && !sb.st_size;
}

int store_create(struct store **out, const struct store_options *options, const struct store_state *state)
{
    *out = NULL;
    if ( !is_empty(state->index) || !is_empty(state->pool) || (state->file >= 0 && !is_empty(state->file)) )
        return -EINVAL;
    return open_store(out, options, state, false);
}

int store_adopt(struct store **out, const struct store_options *options, const struct store_state *state)
{
    *out = NULL;
    if ( state->index < 0 || is_empty(state->index) )
        return -ENODATA;
    return state->pool < 0 ? -EBADMSG : open_store(out, options, state, true);
}

void store_get_state(const struct store *s, struct store_state *out)
{
    *out = (struct store_state){ .index = s->index.memory.fd, .pool = s->ram.memory.fd, .file = s->file.fd };
}

void store_close(struct store *s)
{
    if ( !s )
        return;

    while ( s->read.first )
    {
        struct store_op *op = s->read.first;

        s->read.first = op->next;
        store_io_end(&s->io, op);
    }
    store_io_close(&s->io);
    for ( unsigned int i = 0; s->domain && i < STORE_DOMID_LIMIT; i++ )
        if ( s->domain[i] )
        {
            store_directory_close(&s->index, &s->domain[i]->directory);
            free(s->domain[i]);
        }
    store_file_close(&s->file);
    store_ram_close(&s->ram);
    store_index_close(&s->index);
    free(s->buffer);
    free(s->scratch);
    free(s->domain);
    free(s);
}

int store_domain_make(struct store *s, uint16_t domid, struct store_domain **out)
{
    struct store_domain *d = calloc(1, sizeof(*d));
    int rc;

    *out = NULL;
    if ( !d )
        return -ENOMEM;
    rc = store_directory_open(&d->directory);
    if ( rc )
    {
        free(d);
        return rc;
    }
    d->store = s;
    d->domid = domid;
    *out = s->domain[domid] = d;
    return 0;
}

int store_domain_open(struct store *s, uint16_t domid, const uint8_t identity[STORE_IDENTITY_SIZE],
                      struct store_domain **out)
{
    struct store_domain *d;
    int rc;

    *out = NULL;
    if ( domid >= STORE_DOMID_LIMIT )
        return -EINVAL;
    d = s->domain[domid];
    if ( d && !d->left )
        return -EEXIST;
    if ( d && !memcmp(d->identity, identity, sizeof(d->identity)) )
    {
        d->left = false;
        *out = d;
        return 1;
    }
    store_domain_close(d);
    rc = store_index_set_domain(&s->index, domid, identity);
    if ( !rc )
        rc = store_domain_make(s, domid, out);
    if ( rc )
        return rc;
    memcpy((*out)->identity, identity, sizeof((*out)->identity));
    return 0;
}

bool store_domain_left(const struct store *s, uint16_t *domid, uint8_t identity[STORE_IDENTITY_SIZE])
{
    for ( uint32_t i = *domid; i < STORE_DOMID_LIMIT; i++ )
        if ( s->domain[i] && s->domain[i]->left )
        {
            *domid = i;
            memcpy(identity, s->domain[i]->identity, STORE_IDENTITY_SIZE);
            return true;
        }
    return false;
}

void store_domain_drop(struct store *s, uint16_t domid)
{
    if ( domid < STORE_DOMID_LIMIT && s->domain[domid] && s->domain[domid]->left )
        store_domain_close(s->domain[domid]);
}

void store_domain_leave(struct store_domain *d)
{
    if ( d )
        d->left = true;
}

struct store_domain *store_domain_get(const struct store *s, uint16_t domid)
{
    return domid < STORE_DOMID_LIMIT ? s->domain[domid] : NULL;
}

void store_domain_set_note(struct store_domain *d, uint32_t note)
{
    d->note = note;
    store_index_set_note(&d->store->index, d->domid, note);
}

uint32_t store_domain_note(const struct store_domain *d)
{
    return d->note;
}

void store_domain_close(struct store_domain *d)
{
    uint64_t gfn = 0;

    if ( !d )
        return;
    while ( store_next(d, &gfn) )
        store_forget(d, gfn);
    /* The last, so that whoever finds a page finds whose it is. */
    store_index_clear_domain(&d->store->index, d->domid);
    d->store->domain[d->domid] = NULL;
    store_directory_close(&d->store->index, &d->directory);
    free(d);
}

/* Pages that could be reserved on top of those that are, from what is there now. */
static unsigned int available(const struct store *s)
{
    uint32_t capacity = store_ram_capacity(&s->ram);

    return capacity > s->reserved ? capacity - s->reserved : 0;
}

unsigned int store_reserve(struct store *s, unsigned int n)
{
    unsigned int want;

    if ( n > STORE_RESERVE_MAX - s->reserved )
        n = STORE_RESERVE_MAX - s->reserved;
    if ( !n )
        return 0;
    want = n;

    n = store_index_populate(&s->index, s->reserved + n);
    n = n > s->reserved ? n - s->reserved : 0;
    /* In this order: that the kernel has no more memory is a reason to write out. */
    store_ram_populate(&s->ram, s->reserved + n);
    store_spill_pump(s);
    if ( n && !available(s) )
    {
        s->statistics.waits++;
        while ( !available(s) && store_spill_wait(s) )
            store_ram_populate(&s->ram, s->reserved + n);
    }
    if ( n > available(s) )
        n = available(s);
    if ( n < want )
        s->statistics.full++;
    s->reserved += n;
    s->ram.promised = s->reserved;
    return n;
}

void store_unreserve(struct store *s, unsigned int n)
{
    s->reserved -= n < s->reserved ? n : s->reserved;
    s->ram.promised = s->reserved;
}

/* The bytes into the pool; fills in where they are. */
static int put_bytes(struct store *s, uint32_t record, const void *page, struct store_entry *entry)
{
    struct store_cell *cell;
    unsigned int length;

    entry->sum = store_page_sum(&s->index.header->secret, entry->domid, entry->gfn, page);
    length = store_page_compress(s->scratch, page, s->buffer);
    entry->kind = length ? STORE_LZ4 : STORE_RAW;
    entry->length = length ? length : STORE_PAGE_SIZE;

    s->ram.promised = s->reserved - 1;
    entry->place = store_ram_alloc(&s->ram, entry->length, record);
    if ( entry->place == STORE_NONE )
    {
        s->ram.promised = s->reserved;
        return -EBADMSG;
    }
    cell = store_ram_cell(&s->ram, entry->place, entry->length);
    memcpy(cell->bytes, length ? s->buffer : page, entry->length);
    store_ram_list_newest(&s->ram, entry->place);
    return 0;
}

int store_put(struct store_domain *d, uint64_t gfn, const void *page)
{
    struct store *s = d->store;
    struct store_entry entry = { .kind = STORE_SAME, .domid = d->domid, .gfn = gfn };
    uint32_t record;
    int rc;

    if ( gfn >= STORE_GFN_LIMIT )
        return -EINVAL;
    if ( !s->reserved )
        return -ENOBUFS;
    if ( store_directory_find(&d->directory, gfn) != STORE_NONE )
        return -EEXIST;

    record = store_index_take(&s->index);
    if ( record == STORE_NONE )
        return -EBADMSG;
    if ( !store_page_is_same(page, &entry.sum) && (rc = put_bytes(s, record, page, &entry)) )
    {
        store_index_give(&s->index, record);
        return rc;
    }
    store_record_encode(&s->index.records[record], &s->index.header->secret, &entry);
    /* Cannot fail: a reservation holds a stretch ready. */
    store_directory_set(&s->index, &d->directory, gfn, record);

    s->reserved--;
    s->ram.promised = s->reserved;
    s->statistics.puts++;
    s->statistics.now.pages++;
    store_account(s, d->domid, entry.kind, 1,
                  entry.kind == STORE_SAME ? 0 : store_ram_cell_size(&s->ram, entry.place));
    return 0;
}

bool store_has(const struct store_domain *d, uint64_t gfn)
{
    return gfn < STORE_GFN_LIMIT && store_directory_find(&d->directory, gfn) != STORE_NONE;
}

static int get_bytes(struct store *s, const struct store_entry *entry, void *page)
{
    const struct store_cell *cell = NULL;
    int rc;

    if ( entry->kind != STORE_SAME )
    {
        cell = store_ram_cell(&s->ram, entry->place, entry->length);
        if ( !cell )
        {
            s->statistics.damaged++;
            memset(page, 0, STORE_PAGE_SIZE);
            return -EBADMSG;
        }
    }
    rc = store_page_expand(&s->index.header->secret, entry, cell ? cell->bytes : NULL, page);
    if ( rc )
        s->statistics.checksum_errors++;
    return rc;
}

int store_get(struct store_domain *d, uint64_t gfn, void *page, void *cookie)
{
    struct store *s = d->store;
    struct store_entry entry;
    uint32_t record;
    int rc;

    if ( gfn >= STORE_GFN_LIMIT )
        return -ENOENT;
    record = store_directory_find(&d->directory, gfn);
    if ( record == STORE_NONE )
        return -ENOENT;
    if ( store_entry_get(s, record, &entry) )
    {
        memset(page, 0, STORE_PAGE_SIZE);
        return -EBADMSG;
    }
    if ( entry.kind == STORE_FREE || entry.domid != d->domid || entry.gfn != gfn )
    {
        s->statistics.damaged++;
        memset(page, 0, STORE_PAGE_SIZE);
        return -EBADMSG;
    }

    rc = entry.kind == STORE_FILE ? store_spill_read(s, &entry, page, cookie) : get_bytes(s, &entry, page);
    s->statistics.gets += rc >= 0;
    return rc;
}

/* Frees what a sound record holds; what a damaged one held is not known, and stays taken. */
static void forget_bytes(struct store *s, uint32_t record, const struct store_entry *entry)
{
    struct store_cell *cell;
    uint32_t size = 0;

    switch ( entry->kind )
    {
    case STORE_FREE:
    case STORE_SAME:
        break;
    case STORE_LZ4:
    case STORE_RAW:
        cell = store_ram_cell(&s->ram, entry->place, entry->length);
        if ( !cell || cell->record != record )
        {
            s->statistics.damaged++;
            break;
        }
        size = store_ram_cell_size(&s->ram, entry->place);
        store_ram_unlist(&s->ram, entry->place, STORE_FLIGHT_UNLISTED);
        store_ram_free(&s->ram, entry->place);
        break;
    case STORE_FILE:
        store_spill_forget(s, entry->slot);
        break;
    }
    store_account(s, entry->domid, entry->kind, -1, size);
}

int store_forget(struct store_domain *d, uint64_t gfn)
{
    struct store *s = d->store;
    struct store_entry entry;
    uint32_t record;
    int rc;

    if ( !store_has(d, gfn) )
        return -ENOENT;
    record = store_directory_find(&d->directory, gfn);
    rc = store_entry_get(s, record, &entry);
    store_directory_clear(&s->index, &d->directory, gfn);
    /* One that says it is free although it was not may have been taken for free by now. */
    if ( rc || entry.kind != STORE_FREE )
        store_index_give(&s->index, record);
    /* Only now: at no instant may a record name what can be another page's, or memory that is given back. */
    if ( !rc && entry.kind != STORE_FREE && entry.domid == d->domid && entry.gfn == gfn )
        forget_bytes(s, record, &entry);
    s->statistics.now.pages--;
    return 0;
}

uint64_t store_count(const struct store_domain *d)
{
    return d->directory.count;
}

bool store_next(const struct store_domain *d, uint64_t *gfn)
{
    return store_directory_next(&d->directory, gfn);
}

int store_fd(const struct store *s)
{
    return s->io.event;
}

bool store_is_busy(const struct store *s)
{
    return s->io.in_flight[STORE_OP_READ] || s->io.in_flight[STORE_OP_WRITE];
}

void store_get_statistics(const struct store *s, struct store_statistics *out)
{
    *out = s->statistics;
    out->reserved = s->reserved;
    out->ram_limit = (uint64_t)s->ram.segments_max * STORE_SEGMENT_SIZE;
    out->ram_allocated = store_ram_allocated(&s->ram);
    out->index_bytes = store_index_allocated(&s->index);
    out->file_limit = s->file.limit * STORE_PAGE_SIZE;
    out->file_allocated = s->file.slots * STORE_PAGE_SIZE;
    out->file_used = (s->file.slots - s->file.free - s->file.lost) * STORE_PAGE_SIZE;
    out->file_retired_bytes = s->file.lost * STORE_PAGE_SIZE;
    out->submits = s->io.submits;
    out->damaged += s->ram.damaged + s->index.damaged;
    out->has_file = s->file.fd >= 0;
    out->direct = s->file.direct;
    out->uring = s->io.uring;
    out->file_retired = s->file.retired;
    out->file_full = s->file.full;
    out->ram_starved = s->ram.starved;
}

void store_domain_get_counts(const struct store_domain *d, struct store_counts *out)
{
    *out = d->counts;
    out->pages = d->directory.count;
}
