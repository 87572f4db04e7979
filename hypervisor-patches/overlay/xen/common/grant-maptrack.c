/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The table of grant mappings of a domain.  What it holds, its locks and who may call what is in the header; how
 * mappings get into a bucket's list, and out of it with their frame, is here.
 *
 * A handle becomes valid when flags are written, last of all, and stops to be when the last flag goes.  Its
 * generation moves on each time, and goes on where it was when a frame is given back and its place used again: a
 * stale handle is refused until its place has been used as often as there are generations.
 */
#include <xen/errno.h>
#include <xen/grant-maptrack.h>
#include <xen/mm.h>
#include <xen/vmap.h>
#include <xen/xmalloc.h>

#define NONE ((1u << 24) - 1)    /* no place, no mapping; the places are fewer, see MAPTRACK_MAX_FRAMES */

int maptrack_init(struct maptrack *table, uint32_t max_frames, uint32_t seed)
{
    uint32_t bits = 0, i;

    if ( !max_frames || max_frames > MAPTRACK_MAX_FRAMES )
        return -EINVAL;

    table->max_frames = max_frames;
    table->multiplier = (seed * MAPTRACK_GOLDEN) | 1;
    table->free_place = NONE;
    spin_lock_init(&table->lock);

    while ( 1u << bits < max_frames )
        bits++;
    table->index_bits = bits + 8;
    table->index_mask = (1u << table->index_bits) - 1;
    BUILD_BUG_ON(1u << 8 != MAPTRACK_PER_FRAME);
    BUILD_BUG_ON(sizeof(struct grant_mapping) * MAPTRACK_PER_FRAME != PAGE_SIZE);
    BUILD_BUG_ON(sizeof(struct rcu_head) > sizeof(struct grant_mapping));
    /* One less than there could be: a handle of ones means none to guests.  Kept in 16 bits where more would fit. */
    table->generations = (1u << (32 - table->index_bits < 16 ? 32 - table->index_bits : 16)) - 1;
    table->handles_end = table->generations << table->index_bits;

    table->nr_buckets = MAPTRACK_BUCKETS;
    while ( table->nr_buckets > max_frames )
        table->nr_buckets /= 2;
    table->buckets = xzalloc_array(struct maptrack_bucket, table->nr_buckets);
    table->frames = vzalloc(max_frames * sizeof(*table->frames));
    if ( !table->buckets || !table->frames )
        return -ENOMEM;

    for ( i = 0; i < table->nr_buckets; i++ )
    {
        spin_lock_init(&table->buckets[i].lock);
        table->buckets[i].free = MAPTRACK_NO_MAPPING;
        table->buckets[i].first = NONE;
    }

    return 0;
}

void maptrack_destroy(struct maptrack *table)
{
    uint32_t place;

    for ( place = 0; table->frames && place < table->places; place++ )
        maptrack_drop_frame(table, place);
    vfree(table->frames);
    xfree(table->buckets);
    table->frames = NULL;
    table->buckets = NULL;
    table->places = 0;
}

/* A place for one more frame; NONE if there are as many as may be. */
static uint32_t place_get(struct maptrack *table)
{
    uint32_t place = NONE;

    spin_lock(&table->lock);
    if ( table->nr_frames < table->max_frames )
    {
        place = table->free_place;
        if ( place != NONE )
            table->free_place = table->frames[place].next;
        else
        {
            place = table->places;
            write_atomic(&table->places, place + 1);
        }
        write_atomic(&table->nr_frames, table->nr_frames + 1);
    }
    spin_unlock(&table->lock);

    return place;
}

/*
 * Links all of a frame, one after the other and before what is @after, and returns the first.  Frames begin at
 * different lines of their pages: the first ones of all buckets would share one set of the processor's nearest cache.
 */
static uint32_t frame_link(struct grant_mapping *mappings, uint32_t place, uint32_t after)
{
    uint32_t first = place * MAPTRACK_PER_LINE % (MAPTRACK_PER_FRAME - 1), i;

    for ( i = MAPTRACK_PER_FRAME - 1; i--; )
    {
        uint32_t slot = MAPTRACK_HEADER + 1 + (first + i) % (MAPTRACK_PER_FRAME - 1);

        mappings[slot].next = after;
        after = place * MAPTRACK_PER_FRAME + slot;
    }

    return after;
}

static void cf_check free_frame(struct rcu_head *header)
{
    /* The header is the frame's first place. */
    free_xenheap_page(header);
}

/* The generation of the frame's mapping that came furthest: from here on all are as new as that one. */
static uint32_t furthest(const struct maptrack *table, const struct maptrack_frame *frame)
{
    uint32_t most = 0, slot;

    for ( slot = MAPTRACK_HEADER + 1; slot < MAPTRACK_PER_FRAME; slot++ )
    {
        uint32_t generation = frame->mappings[slot].handle >> table->index_bits;
        uint32_t distance = generation - frame->generation;

        if ( generation < frame->generation )
            distance += table->generations;
        if ( distance > most )
            most = distance;
    }

    return (frame->generation + most) % table->generations;
}

/*
 * A bucket of which nothing is taken keeps one frame, so that a mapping that comes and goes does not move
 * memory.  The others go when the last reader has left them; their places can be used at once.
 */
void maptrack_shrink(struct maptrack *table, struct maptrack_bucket *bucket)
{
    struct maptrack_frame *frame = &table->frames[bucket->first];
    uint32_t place = frame->next;
    struct rcu_head *header;

    ASSERT(spin_is_locked(&bucket->lock) && !bucket->taken);
    spin_lock(&table->lock);
    while ( place != NONE )
    {
        struct maptrack_frame *gone = &table->frames[place];
        uint32_t next = gone->next;

        gone->generation = furthest(table, gone);
        header = (struct rcu_head *)gone->mappings;
        rcu_assign_pointer(gone->mappings, NULL);
        gone->next = table->free_place;
        table->free_place = place;
        write_atomic(&table->nr_frames, table->nr_frames - 1);
        call_rcu(header, free_frame);
        place = next;
    }
    spin_unlock(&table->lock);

    frame->next = NONE;
    bucket->frames = 1;
    bucket->free = frame_link(frame->mappings, bucket->first, MAPTRACK_NO_MAPPING);
}

/* Gives the bucket a frame, and takes the first mapping of it. */
static int bucket_grow(struct maptrack *table, struct maptrack_bucket *bucket, uint32_t *handle)
{
    struct grant_mapping *mappings;
    struct maptrack_frame *frame;
    uint32_t place, slot;

    if ( read_atomic(&table->nr_frames) >= table->max_frames )
        return -ENOSPC;

    mappings = alloc_xenheap_page();
    if ( !mappings )
        return -ENOMEM;

    place = place_get(table);
    if ( place == NONE )
    {
        free_xenheap_page(mappings);
        return -ENOSPC;
    }

    clear_page(mappings);
    frame = &table->frames[place];
    frame->bucket = bucket - table->buckets;
    for ( slot = MAPTRACK_HEADER + 1; slot < MAPTRACK_PER_FRAME; slot++ )
        mappings[slot].handle = maptrack_handle_of(table, place * MAPTRACK_PER_FRAME + slot, frame->generation);

    spin_lock(&bucket->lock);
    bucket->free = frame_link(mappings, place, bucket->free);
    frame->next = bucket->first;
    bucket->first = place;
    bucket->frames++;
    /* What is in the frame /before/ the frame; pairs with rcu_dereference() in maptrack_lookup(). */
    rcu_assign_pointer(frame->mappings, mappings);
    maptrack_pop(table, bucket, handle);
    spin_unlock(&bucket->lock);

    return 0;
}

int maptrack_get_elsewhere(struct maptrack *table, uint32_t number, uint32_t *handle)
{
    struct maptrack_bucket *bucket = &table->buckets[number];
    int rc = bucket_grow(table, bucket, handle);

    for ( uint32_t i = 1; rc && i < table->nr_buckets; i++ )
    {
        bucket = &table->buckets[(number + i) & (table->nr_buckets - 1)];
        spin_lock(&bucket->lock);
        if ( maptrack_pop(table, bucket, handle) )
            rc = 0;
        spin_unlock(&bucket->lock);
    }

    return rc;
}

uint32_t maptrack_nr_frames(const struct maptrack *table)
{
    return read_atomic(&table->nr_frames);
}

uint32_t maptrack_places(const struct maptrack *table)
{
    return read_atomic(&table->places);
}

struct grant_mapping *maptrack_walk(const struct maptrack *table, uint32_t place, uint32_t *slot)
{
    struct grant_mapping *mappings = table->frames[place].mappings;

    if ( *slot == MAPTRACK_HEADER )
        ++*slot;
    while ( mappings && *slot < MAPTRACK_PER_FRAME )
    {
        struct grant_mapping *mapping = &mappings[(*slot)++];

        if ( mapping->flags )
            return mapping;
    }

    return NULL;
}

void maptrack_drop_frame(struct maptrack *table, uint32_t place)
{
    struct maptrack_frame *frame = &table->frames[place];

    if ( !frame->mappings )
        return;

    free_xenheap_page(frame->mappings);
    frame->mappings = NULL;
    write_atomic(&table->nr_frames, table->nr_frames - 1);
}
