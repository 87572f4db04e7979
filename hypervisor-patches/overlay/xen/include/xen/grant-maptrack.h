/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a domain has mapped of other domains' grants: a table of mappings, found by handle.  A handle is an index and
 * a generation; which grant may be mapped, and what mapping it means, is grant_table.c's.
 *
 * Mappings lie in frames, and a frame belongs to a bucket, which has a lock and a list of free mappings.  The
 * granting domain and the reference say which bucket a new mapping is taken from, and the vCPU that maps which
 * these are, so that vCPUs seldom want one lock.  The handle says which bucket a mapping goes back to.  A bucket
 * that is empty while no frame can be had takes from the others, so that the limit is one of the domain.
 *
 * Lock order: a grant table's lock, an active entry's lock, a bucket's lock, the table's own lock.  Whoever holds
 * a bucket's lock takes no other bucket's, and calls nothing but what gives frames back.
 *
 * maptrack_lookup() takes no lock.  A mapping that is found stays readable until the end of the RCU read-side
 * section, and is stable while the lock of the active entry that it names is held and maptrack_flags() is not 0.
 */
#ifndef XEN_GRANT_MAPTRACK_H
#define XEN_GRANT_MAPTRACK_H

#include <xen/lib.h>
#include <xen/nospec.h>
#include <xen/rcupdate.h>
#include <xen/spinlock.h>
#include <xen/types.h>
#include <asm/atomic.h>
#include <asm/system.h>

/*
 * 4096 octets of 16 each.  The first is no mapping: it carries what frees the frame.
 */
#define MAPTRACK_PER_FRAME 256
#define MAPTRACK_HEADER    0
#define MAPTRACK_PER_LINE  4        /* of 64 octets */

/*
 * Eight vCPUs have buckets of their own; a bucket in use holds at least one frame, so that more of them would cost
 * memory.  What one vCPU maps, others may unmap: with eight buckets they seldom want the same at once.
 */
#define MAPTRACK_BUCKETS      64
#define MAPTRACK_VCPU_BUCKETS 8

#define MAPTRACK_NO_MAPPING (~0u)
#define MAPTRACK_GOLDEN     2654435761u     /* 2^32 by the golden ratio: an odd number without a pattern */

/* With more frames (4 GiB of them) the generation would have less than four bits. */
#define MAPTRACK_MAX_FRAMES (1u << 20)

struct grant_mapping {
    uint32_t ref;           /* the grant */
    uint16_t flags;         /* GNTMAP_*; 0 while there is no mapping */
    uint16_t domid;         /* who granted it */
    uint32_t handle;        /* what it is found by, or will be when it is taken next */
    uint32_t next;          /* the next free one of the bucket */
};

/* A place for a frame.  Its number is the upper part of an index. */
struct maptrack_frame {
    struct grant_mapping *mappings;     /* NULL: no frame here */
    uint32_t generation;                /* what all mappings of the frame began with */
    uint32_t next : 24;                 /* the next place of the bucket, or of those that are free */
    uint32_t bucket : 8;
};

struct maptrack_bucket {
    spinlock_t lock;
    uint32_t free;          /* the first free mapping */
    uint32_t taken;
    uint32_t frames;        /* how many, and the place of the first */
    uint32_t first;
} __attribute__((aligned(64)));     /* no two in one cache line */

struct maptrack {
    struct maptrack_bucket *buckets;
    struct maptrack_frame *frames;
    uint32_t max_frames;
    uint32_t nr_buckets;        /* a power of two, and no more than max_frames */
    uint32_t multiplier;        /* random, so that no guest can choose references that meet in one bucket */
    uint32_t index_bits;        /* of a handle; the rest is the generation */
    uint32_t index_mask;        /* these bits */
    uint32_t generations;       /* their number */
    uint32_t handles_end;       /* as large as the first generation that there is none of makes a handle */

    spinlock_t lock;            /* protects what follows */
    uint32_t nr_frames;         /* in use; read without the lock as a hint */
    uint32_t places;            /* those that ever were in use */
    uint32_t free_place;        /* of these, the first that is not in use now */
};

/*
 * A table for up to max_frames frames, 1 to MAPTRACK_MAX_FRAMES; seed is random.  -ENOMEM, -EINVAL;
 * maptrack_destroy() takes what an error leaves.
 */
int maptrack_init(struct maptrack *table, uint32_t max_frames, uint32_t seed);

/* Nobody may use the table any more; mappings are forgotten. */
void maptrack_destroy(struct maptrack *table);

/* What maptrack_get() and maptrack_put() do more seldom; the second has the bucket's lock. */
int maptrack_get_elsewhere(struct maptrack *table, uint32_t number, uint32_t *handle);
void maptrack_shrink(struct maptrack *table, struct maptrack_bucket *bucket);

uint32_t maptrack_nr_frames(const struct maptrack *table);

/*
 * For who clears up after a domain that cannot map or unmap any more.  The next mapping in the place of a frame
 * that still has flags, from *slot on, which moves behind it; NULL if there is none left.  Places are below
 * maptrack_places().  Taking its flags is enough; maptrack_drop_frame() frees the whole frame.
 */
struct grant_mapping *maptrack_walk(const struct maptrack *table, uint32_t place, uint32_t *slot);
uint32_t maptrack_places(const struct maptrack *table);
void maptrack_drop_frame(struct maptrack *table, uint32_t place);

/* What each map and unmap does is inline. */

static inline uint32_t maptrack_index_of(const struct maptrack *table, uint32_t handle)
{
    return handle & table->index_mask;
}

static inline uint32_t maptrack_handle_of(const struct maptrack *table, uint32_t index, uint32_t generation)
{
    return generation << table->index_bits | index;
}

/* Where a mapping lies that is known to be in use, or to be the bucket's whose lock is held. */
static inline struct grant_mapping *maptrack_mapping_at(const struct maptrack *table, uint32_t index)
{
    return table->frames[index / MAPTRACK_PER_FRAME].mappings + index % MAPTRACK_PER_FRAME;
}

/* The handle of a free mapping of the bucket, which is taken with it; false: there is none. */
static inline bool maptrack_pop(const struct maptrack *table, struct maptrack_bucket *bucket, uint32_t *handle)
{
    const struct grant_mapping *mapping;
    uint32_t index = bucket->free;

    ASSERT(spin_is_locked(&bucket->lock));
    if ( index == MAPTRACK_NO_MAPPING )
        return false;

    mapping = maptrack_mapping_at(table, index);
    bucket->free = mapping->next;
    bucket->taken++;
    *handle = mapping->handle;

    return true;
}

/*
 * Takes a mapping for a grant, on a vCPU of that number.  It is found only after maptrack_publish(); until then,
 * maptrack_put() gives it back.  -ENOSPC: as many as may be are in use; -ENOMEM: no memory for more.
 */
static inline int maptrack_get(struct maptrack *table, unsigned int vcpu, uint16_t domid, uint32_t ref,
                               uint32_t *handle)
{
    /* Multiply and shift; the references of two domains go different ways. */
    uint32_t hash = (ref + domid * MAPTRACK_GOLDEN) * table->multiplier;
    uint32_t number = vcpu * MAPTRACK_VCPU_BUCKETS + (hash >> 16) % MAPTRACK_VCPU_BUCKETS;
    struct maptrack_bucket *bucket = &table->buckets[number & (table->nr_buckets - 1)];
    bool got;

    spin_lock(&bucket->lock);
    got = maptrack_pop(table, bucket, handle);
    spin_unlock(&bucket->lock);

    return got ? 0 : maptrack_get_elsewhere(table, bucket - table->buckets, handle);
}

/* Gives a mapping without flags back.  The handle is refused from now on. */
static inline void maptrack_put(struct maptrack *table, uint32_t handle)
{
    uint32_t index = maptrack_index_of(table, handle), next = handle + table->index_mask + 1;
    struct grant_mapping *mapping = maptrack_mapping_at(table, index);
    struct maptrack_bucket *bucket = &table->buckets[table->frames[index / MAPTRACK_PER_FRAME].bucket];

    ASSERT(!read_atomic(&mapping->flags) && mapping->handle == handle);
    /* Without a division, which would cost more than all the rest. */
    if ( next >= table->handles_end )
        next = index;
    spin_lock(&bucket->lock);
    ASSERT(bucket->taken);
    write_atomic(&mapping->handle, next);
    mapping->next = bucket->free;
    bucket->free = index;
    if ( !--bucket->taken && bucket->frames > 1 )
        maptrack_shrink(table, bucket);
    spin_unlock(&bucket->lock);
}

/* flags must not be 0. */
static inline void maptrack_publish(struct maptrack *table, uint32_t handle, uint16_t domid, uint32_t ref,
                                    uint16_t flags)
{
    struct grant_mapping *mapping = maptrack_mapping_at(table, maptrack_index_of(table, handle));

    ASSERT(flags && !read_atomic(&mapping->flags));
    write_atomic(&mapping->domid, domid);
    write_atomic(&mapping->ref, ref);
    /* All else /before/ the flags; pairs with maptrack_lookup() and maptrack_flags(). */
    smp_wmb();
    write_atomic(&mapping->flags, flags);
}

/* The mapping of a handle; NULL if it has none, or none any more. */
static inline struct grant_mapping *maptrack_lookup(const struct maptrack *table, uint32_t handle)
{
    uint32_t index = maptrack_index_of(table, handle), place = index / MAPTRACK_PER_FRAME;
    struct grant_mapping *mapping;

    if ( place >= read_atomic(&table->places) || index % MAPTRACK_PER_FRAME == MAPTRACK_HEADER )
        return NULL;

    mapping = rcu_dereference(table->frames[array_index_nospec(place, table->max_frames)].mappings);
    if ( !mapping )
        return NULL;

    mapping += index % MAPTRACK_PER_FRAME;
    if ( !read_atomic(&mapping->flags) )
        return NULL;

    /* The flags /before/ all else; pairs with maptrack_publish(). */
    smp_rmb();

    return read_atomic(&mapping->handle) == handle ? mapping : NULL;
}

/*
 * The flags of a mapping that maptrack_lookup() gave, or 0 if it has become another one meanwhile.  The caller
 * holds the lock of the active entry of this domid and ref.
 */
static inline uint16_t maptrack_flags(const struct grant_mapping *mapping, uint32_t handle, uint16_t domid,
                                      uint32_t ref)
{
    uint16_t flags = read_atomic(&mapping->flags);

    /* As in maptrack_lookup(): a mapping that is used anew has its new handle before its flags. */
    smp_rmb();
    if ( read_atomic(&mapping->handle) != handle || read_atomic(&mapping->domid) != domid ||
         read_atomic(&mapping->ref) != ref )
        return 0;

    return flags;
}

/* Takes flags away; true if none are left, and the caller has to maptrack_put(). The lock as above. */
static inline bool maptrack_clear(struct grant_mapping *mapping, uint16_t flags)
{
    uint16_t left = read_atomic(&mapping->flags) & ~flags;

    write_atomic(&mapping->flags, left);

    return !left;
}

#endif /* XEN_GRANT_MAPTRACK_H */
