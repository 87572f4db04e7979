/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an earlier process left, taken in.  The process may have been killed between any two of its instructions, and
 * what it left may have been damaged since; the first loses nothing, the second is noticed.
 *
 * The first rests on an order that the rest of the store keeps to.  Of all that is shared, a record's word `where`
 * decides, written in one piece: a page is stored from the instant at which it says so, to that at which it says FREE.
 *   put      the cell's bytes, sum and who  /before/  where.
 *   forget   where = FREE  /before/  the cell or slot can be another page's, or the cell's memory given back.
 *   squeeze  the copy in the new cell  /before/  where names it  /before/  the old cell is free.
 *   spill    the slot in the table of writes  /before/  the write; its end  /before/  where names the slot  /before/
 *            the cell is free.  A write that was begun goes on without the process: while it may, its slot is nobody
 *            else's.
 *   domain   its entry  /before/  its first record, and as long as there is one.
 *   growth   memory  /before/  what needs it; records that were never written to are free ones.
 * All else (directories, free lists, the pool's classes and ages, counts) is private and made anew from the records.
 *
 * Nothing that is found is believed: a record counts if its keyed check is right, its numbers are in bounds, and cell,
 * slot and gfn are nobody else's; a page's bytes are verified when they are wanted, like any.
 */
#include <errno.h>

#include "store-spill.h"

static int take_in_domains(struct store *s)
{
    uint8_t identity[STORE_IDENTITY_SIZE];
    struct store_domain *d;
    uint32_t note;
    int rc;

    for ( uint32_t domid = 0; domid < STORE_DOMID_LIMIT; domid++ )
    {
        rc = store_index_get_domain(&s->index, domid, identity, &note);
        s->statistics.damaged += rc < 0;
        if ( rc <= 0 )
            continue;
        rc = store_domain_make(s, domid, &d);
        if ( rc )
            return rc;
        for ( unsigned int i = 0; i < sizeof(identity); i++ )
            d->identity[i] = identity[i];
        d->note = note;
        d->left = true;
    }
    return 0;
}

/* Whether the bytes that a sound record names can be its own; if so they are. */
static int take_in_bytes(struct store *s, uint32_t record, const struct store_entry *entry)
{
    switch ( entry->kind )
    {
    case STORE_LZ4:
    case STORE_RAW:
        return store_ram_adopt(&s->ram, entry->place, entry->length, record);
    case STORE_FILE:
        return store_file_adopt(&s->file, entry->slot);
    default:
        return 0;
    }
}

static int take_in_record(struct store *s, uint32_t record)
{
    struct store_entry entry;
    struct store_domain *d;

    /* What is damaged in itself stays so, and out of use. */
    if ( store_entry_get(s, record, &entry) )
        return 0;
    if ( entry.kind == STORE_FREE )
    {
        store_index_give(&s->index, record);
        return 0;
    }
    d = s->domain[entry.domid];
    if ( !d || store_directory_find(&d->directory, entry.gfn) != STORE_NONE || take_in_bytes(s, record, &entry) )
    {
        /* Freed, or it might be sound for the next one, and stand in the way of what was put there since. */
        s->statistics.damaged++;
        store_index_give(&s->index, record);
        return 0;
    }
    if ( !store_index_spare(&s->index) )
        return -ENOMEM;
    store_directory_set(&s->index, &d->directory, entry.gfn, record);
    s->statistics.now.pages++;
    store_account(s, entry.domid, entry.kind, 1,
                  entry.kind == STORE_LZ4 || entry.kind == STORE_RAW ? store_ram_cell_size(&s->ram, entry.place) : 0);
    return 0;
}

int store_take_in(struct store *s)
{
    int rc = take_in_domains(s);

    for ( uint32_t record = s->index.count; !rc && record-- > 0; )
        rc = take_in_record(s, record);
    if ( rc )
        return rc;
    store_ram_settle(&s->ram);
    for ( unsigned int i = 0; i < STORE_WRITES_MAX; i++ )
    {
        uint64_t slot = __atomic_load_n(&s->index.writes[i], __ATOMIC_RELAXED);

        if ( slot && s->file.fd >= 0 )
            store_file_quiesce(&s->file, slot - 1);
        __atomic_store_n(&s->index.writes[i], 0, __ATOMIC_RELAXED);
    }
    return 0;
}
