/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pages out to the file and back.  A page being written stays in the pool, and its record says so, until the write is
 * complete; a slot is not used again while anything is in flight to or from it.
 */
#include "store-spill.h"

#include <errno.h>
#include <string.h>

/*
 * Writing out begins when the pool has room for fewer whole pages than the low mark besides those promised, and goes on
 * until there is room for the high mark: far enough apart for whole batches, and both a small part of a small pool.
 */
#define STORE_MARK_SHIFT   5     /* 1/32 of the pool ... */
#define STORE_MARK_MIN     16U   /* ... but at least a segment of whole pages */
#define STORE_MARK_MAX     2048U /* ... and at most 8 MiB */
#define STORE_MARK_HIGH    2U    /* high = this many times low */

int store_entry_get(struct store *s, uint32_t record, struct store_entry *entry)
{
    const struct store_bounds bounds = {
        .records = s->index.count,
        .places = s->ram.segments_used * STORE_CELLS_MAX,
        .slots = s->file.slots,
    };
    int rc = store_record_decode(&s->index.records[record], &s->index.header->secret, &bounds, entry);

    if ( rc )
        s->statistics.damaged++;
    return rc;
}

static void account(struct store_counts *c, enum store_kind kind, int delta, uint32_t size)
{
    switch ( kind )
    {
    case STORE_FREE: break;
    case STORE_SAME: c->same_filled += delta; break;
    case STORE_LZ4:  c->lz4 += delta; break;
    case STORE_RAW:  c->raw += delta; break;
    case STORE_FILE: c->in_file += delta; break;
    }
    c->pool_bytes += delta * (int64_t)size;
}

void store_account(struct store *s, uint16_t domid, enum store_kind kind, int delta, uint32_t size)
{
    account(&s->statistics.now, kind, delta, size);
    if ( s->domain[domid] )
        account(&s->domain[domid]->counts, kind, delta, size);
}

/*
 * The cell whose page was written, wherever it is by now; NULL if the page was forgotten meanwhile.  Its record may then
 * be another page's, but a cell with this transfer's number in it cannot be, as long as the transfer is not ended.
 */
static struct store_cell *written_cell(struct store *s, const struct store_op *op, struct store_entry *entry)
{
    struct store_cell *cell;

    if ( store_entry_get(s, op->record, entry) || (entry->kind != STORE_LZ4 && entry->kind != STORE_RAW) )
        return NULL;
    cell = store_ram_cell(&s->ram, entry->place, entry->length);
    return cell && cell->flight == op->number ? cell : NULL;
}

/* A page that could not be written stays where it is, and is the first to be tried again. */
static void write_failed(struct store *s, struct store_op *op)
{
    struct store_entry entry;

    s->statistics.write_errors++;
    store_file_retire(&s->file, op->slot);
    if ( written_cell(s, op, &entry) )
        store_ram_list_oldest(&s->ram, entry.place);
}

/* What is being written to, for a process that comes after this one and must not use it for anything else yet. */
static void note_write(struct store *s, const struct store_op *op, uint64_t slot_plus_1)
{
    __atomic_store_n(&s->index.writes[op->number - 1], slot_plus_1, __ATOMIC_RELEASE);
}

static void write_finished(struct store *s, struct store_op *op)
{
    struct store_entry entry, moved;
    uint32_t size;

    note_write(s, op, 0);
    if ( op->result )
    {
        write_failed(s, op);
        return;
    }
    s->statistics.writes++;
    if ( !written_cell(s, op, &entry) )
    {
        store_file_give(&s->file, op->slot);
        return;
    }

    moved = entry;
    moved.kind = STORE_FILE;
    moved.slot = op->slot;
    store_record_relocate(&s->index.records[op->record], &s->index.header->secret, &moved);
    size = store_ram_cell_size(&s->ram, entry.place);
    /* Not before the record names the slot: until then these were the only bytes to be found. */
    store_ram_free(&s->ram, entry.place);
    store_account(s, entry.domid, entry.kind, -1, size);
    store_account(s, entry.domid, STORE_FILE, 1, 0);
}

static struct store_op *reading(struct store *s, uint64_t slot)
{
    if ( s->io.in_flight[STORE_OP_READ] )
        for ( unsigned int i = STORE_WRITES_MAX; i < STORE_WRITES_MAX + STORE_READS_MAX; i++ )
            if ( s->io.op[i].busy && s->io.op[i].slot == slot )
                return &s->io.op[i];
    return NULL;
}

/* Whatever holds on to the slot last frees it. */
void store_spill_forget(struct store *s, uint64_t slot)
{
    struct store_op *op = reading(s, slot);

    if ( op )
        op->dropped = true;
    else
        store_file_give(&s->file, slot);
}

/* Decides what became of a read; false: it is being tried again. */
static bool read_finished(struct store *s, struct store_op *op)
{
    uint64_t slot = op->slot;

    if ( op->result )
    {
        s->statistics.read_errors++;
        if ( !op->retried )
        {
            op->retried = true;
            store_io_queue(&s->io, op);
            return false;
        }
        op->result = -EIO;
        memset(op->page, 0, STORE_PAGE_SIZE);
    }
    else
    {
        s->statistics.reads++;
        op->result = store_page_verify(&s->index.header->secret, op->domid, op->gfn, op->sum, op->page);
        if ( op->result )
            s->statistics.checksum_errors++;
    }
    /* Not reading any more; a slot that was waiting for it goes to another that is, or is free. */
    op->slot = STORE_NO_SLOT;
    if ( op->dropped )
        store_spill_forget(s, slot);
    return true;
}

static void finished(struct store *s, struct store_op *op)
{
    if ( op->kind == STORE_OP_WRITE )
    {
        write_finished(s, op);
        store_io_end(&s->io, op);
    }
    else if ( read_finished(s, op) )
    {
        op->next = NULL;
        *s->read.last = op;
        s->read.last = &op->next;
    }
}

/* Puts the oldest page in the pool on its way; false: there is none, or nowhere to put it. */
static bool write_oldest(struct store *s, uint32_t *size)
{
    struct store_op *op;
    struct store_entry entry;
    struct store_cell *cell;
    uint32_t place;
    uint64_t slot;

    *size = 0;
    place = store_ram_oldest(&s->ram);
    cell = store_ram_cell(&s->ram, place, 0);
    if ( !cell )
        return false;
    slot = store_file_take(&s->file);
    if ( slot == STORE_NO_SLOT )
        return false;
    op = store_io_begin(&s->io, STORE_OP_WRITE);
    if ( !op )
    {
        store_file_give(&s->file, slot);
        return false;
    }

    /* What is not sound is not written over with a fresh checksum in mind: it stays, out of the way, for store_get to refuse. */
    if ( cell->record >= s->index.count || store_entry_get(s, cell->record, &entry) ||
         (entry.kind != STORE_LZ4 && entry.kind != STORE_RAW) || entry.place != place ||
         !store_ram_cell(&s->ram, place, entry.length) ||
         store_page_expand(&s->index.header->secret, &entry, cell->bytes, op->page) )
    {
        s->statistics.checksum_errors++;
        store_ram_unlist(&s->ram, place, STORE_FLIGHT_UNLISTED);
        store_file_give(&s->file, slot);
        store_io_end(&s->io, op);
        return true;
    }
    op->slot = slot;
    op->record = cell->record;
    op->size = *size = store_ram_cell_size(&s->ram, place);
    store_ram_unlist(&s->ram, place, op->number);
    note_write(s, op, slot + 1);
    store_io_queue(&s->io, op);
    return true;
}

static uint32_t low_mark(const struct store *s)
{
    uint64_t mark = ((uint64_t)s->ram.segments_max * STORE_CELLS_RAW) >> STORE_MARK_SHIFT;

    return mark < STORE_MARK_MIN ? STORE_MARK_MIN : mark > STORE_MARK_MAX ? STORE_MARK_MAX : mark;
}

/* Octets that the writes in flight will give back to the pool. */
static uint64_t pending(const struct store *s)
{
    uint64_t bytes = 0;

    if ( s->io.in_flight[STORE_OP_WRITE] )
        for ( unsigned int i = 0; i < STORE_WRITES_MAX; i++ )
            if ( s->io.op[i].busy )
                bytes += s->io.op[i].size;
    return bytes;
}

static void write_out(struct store *s)
{
    const uint64_t cell = STORE_SEGMENT_SIZE / STORE_CELLS_RAW;
    uint64_t room = store_ram_room(&s->ram), low = s->reserved + low_mark(s), high = s->reserved + STORE_MARK_HIGH * low_mark(s);
    uint64_t bytes;
    uint32_t size;

    if ( room < low )
        s->spilling = true;
    if ( room >= high )
        s->spilling = false;
    if ( !s->spilling )
        return;
    for ( bytes = room * cell + pending(s); bytes < high * cell; bytes += size )
        if ( !write_oldest(s, &size) )
            break;
    store_io_submit(&s->io);
}

void store_spill_pump(struct store *s)
{
    struct store_op *op;

    if ( s->io.fd < 0 )
        return;
    while ( (op = store_io_next(&s->io, false)) )
        finished(s, op);
    write_out(s);
    /* Without io_uring they have finished already, and no event will say so. */
    if ( !s->io.uring )
        while ( (op = store_io_next(&s->io, false)) )
            finished(s, op);
    store_io_submit(&s->io);
}

bool store_spill_wait(struct store *s)
{
    struct store_op *op;

    if ( !s->io.in_flight[STORE_OP_WRITE] )
        return false;
    op = store_io_next(&s->io, true);
    if ( !op )
        return false;
    finished(s, op);
    store_spill_pump(s);
    return true;
}

int store_spill_read(struct store *s, const struct store_entry *entry, void *page, void *cookie)
{
    struct store_op *op;
    int rc;

    if ( (uintptr_t)page % STORE_PAGE_SIZE )
        return -EINVAL;
    op = store_io_begin(&s->io, STORE_OP_READ);
    if ( !op )
        return -EAGAIN;
    op->page = page;
    op->slot = entry->slot;
    op->domid = entry->domid;
    op->gfn = entry->gfn;
    op->sum = entry->sum;
    op->cookie = cookie;
    store_io_queue(&s->io, op);
    if ( s->io.uring )
    {
        store_io_submit(&s->io);
        return 1;
    }
    /* It is done already, as are all before it: this is the only one there is. */
    while ( !read_finished(s, store_io_next(&s->io, false)) )
        ;
    rc = op->result;
    store_io_end(&s->io, op);
    return rc;
}

int store_reap(struct store *s, store_done_fn *done, void *arg)
{
    struct store_op *op;
    int n = 0;

    store_io_unkick(&s->io);
    store_spill_pump(s);
    while ( (op = s->read.first) )
    {
        void *cookie = op->cookie;
        int result = op->result;

        s->read.first = op->next;
        if ( !op->next )
            s->read.last = &s->read.first;
        /* Ended first, so that done() may begin another. */
        store_io_end(&s->io, op);
        n++;
        done(arg, cookie, result);
    }
    return n;
}
