/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The pool's cells and segments.  What the bytes mean is for store-page.c, which page they belong to for the index;
 * growing the memfd for store-memory.c.  The links by age are store-age.c's.
 */
#include "store-ram.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "store.h"

/* Idle segments kept with their memory; beyond, it goes back to the host, which has guests waiting for it (4 MiB). */
#define STORE_IDLE_MAX 64U
/* Segments that are asked from the kernel at a time (1 MiB), to make that rare. */
#define STORE_GROW_SEGMENTS 16U
/* Segments looked at for the emptiest one when a class is squeezed: more would cost more than the copying saved. */
#define STORE_SQUEEZE_LOOK 32U

#define CELL_BITS 9
#define RAW 0U

_Static_assert(1U << CELL_BITS == STORE_CELLS_MAX, "a place's low bits");
_Static_assert(STORE_RAM_MAX / STORE_SEGMENT_SIZE * STORE_CELLS_MAX < STORE_NONE, "a place fits in 32 bits");

/* Cells a segment, by class, from a whole page down.  Neighbours differ by 5 to 12 % where lz4 pages crowd. */
static const uint16_t cells_per[STORE_CLASSES] = {
    STORE_CELLS_RAW, 17, 18, 19, 20, 21, 22, 24, 26, 28, 30, 32, 36, 40, 44, 48, 56, 64, 80, 96, 128, 160, 224, 320,
    STORE_CELLS_MAX,
};

/* What we know of a segment without trusting the memfd. */
struct store_segment {
    uint64_t used_cells[STORE_CELLS_MAX / 64];
    uint32_t prev, next;         /* in the list that it is in, if it is */
    uint16_t used;
    uint8_t class;
    bool assigned;               /* has a class; otherwise idle or bare */
    bool listed;                 /* in its class's partial list */
};

struct segment_header {
    uint32_t magic;
    uint32_t class;
    uint64_t zero;
};

static uint32_t cell_size(unsigned int class)
{
    return (STORE_SEGMENT_SIZE - sizeof(struct segment_header)) / cells_per[class] & ~15U;
}

static unsigned char *segment_base(const struct store_ram *r, uint32_t n)
{
    return r->memory.base + (uint64_t)n * STORE_SEGMENT_SIZE;
}

static struct store_cell *cell_at(const struct store_ram *r, uint32_t n, uint32_t cell)
{
    return (struct store_cell *)(segment_base(r, n) + sizeof(struct segment_header) +
                                 (size_t)cell * cell_size(r->segment[n].class));
}

static void list_push(struct store_ram *r, uint32_t *head, uint32_t n)
{
    r->segment[n].prev = STORE_NONE;
    r->segment[n].next = *head;
    if ( *head != STORE_NONE )
        r->segment[*head].prev = n;
    *head = n;
}

static void list_remove(struct store_ram *r, uint32_t *head, uint32_t n)
{
    struct store_segment *seg = &r->segment[n];

    if ( seg->prev != STORE_NONE )
        r->segment[seg->prev].next = seg->next;
    else
        *head = seg->next;
    if ( seg->next != STORE_NONE )
        r->segment[seg->next].prev = seg->prev;
}

/* All changes of a class's free cells go through here, so that squeezable is always right. */
static void class_adjust(struct store_ram *r, unsigned int class, int32_t free)
{
    uint32_t before = r->class[class].free / cells_per[class];

    r->class[class].free += free;
    if ( class != RAW )
        r->squeezable += r->class[class].free / cells_per[class] - before;
}

static void class_unlist(struct store_ram *r, uint32_t n)
{
    struct store_segment *seg = &r->segment[n];

    if ( seg->listed )
        list_remove(r, &r->class[seg->class].partial, n);
    seg->listed = false;
}

uint32_t store_ram_capacity(const struct store_ram *r)
{
    return (r->idle_count + r->squeezable) * STORE_CELLS_RAW + r->class[RAW].free;
}

uint64_t store_ram_room(const struct store_ram *r)
{
    uint64_t more = r->starved ? 0 : r->segments_max - r->segments_used + r->bare_count;

    return store_ram_capacity(r) + more * STORE_CELLS_RAW;
}

uint64_t store_ram_allocated(const struct store_ram *r)
{
    return (uint64_t)(r->segments_used - r->bare_count) * STORE_SEGMENT_SIZE;
}

int store_ram_open(struct store_ram *r, int fd, uint64_t bytes, store_ram_moved_fn *moved, void *arg)
{
    struct stat sb = { .st_size = 0 };
    int rc;

    *r = (struct store_ram){
        .memory.fd = -1,
        .idle = STORE_NONE,
        .bare = STORE_NONE,
        .oldest = STORE_NONE,
        .newest = STORE_NONE,
        .moved = moved,
        .arg = arg,
    };
    for ( unsigned int c = 0; c < STORE_CLASSES; c++ )
        r->class[c].partial = STORE_NONE;

    if ( fd >= 0 && fstat(fd, &sb) )
        return -errno;
    if ( (uint64_t)sb.st_size > STORE_RAM_MAX )
        return -EBADMSG;
    r->segments_used = sb.st_size / STORE_SEGMENT_SIZE;
    r->segments_max = bytes / STORE_SEGMENT_SIZE > r->segments_used ? bytes / STORE_SEGMENT_SIZE : r->segments_used;
    rc = store_memory_open(&r->memory, "xenpaging-pool", fd, (uint64_t)(r->segments_max + 1) * STORE_SEGMENT_SIZE);
    if ( rc )
        return rc;
    r->segment = calloc(r->segments_max, sizeof(*r->segment));
    return r->segment ? 0 : -ENOMEM;
}

void store_ram_close(struct store_ram *r)
{
    free(r->segment);
    r->segment = NULL;
    store_memory_close(&r->memory);
}

/* Its memory is there: a later process can tell. */
static void segment_mark(struct store_ram *r, uint32_t n, uint32_t class)
{
    const struct segment_header header = { .magic = STORE_SEGMENT_MAGIC, .class = class };

    memcpy(segment_base(r, n), &header, sizeof(header));
}

static bool grow_bare(struct store_ram *r)
{
    uint32_t n = r->bare;

    if ( store_memory_fill(&r->memory, (uint64_t)n * STORE_SEGMENT_SIZE, STORE_SEGMENT_SIZE) )
        return false;
    segment_mark(r, n, STORE_CLASSES);
    list_remove(r, &r->bare, n);
    r->bare_count--;
    list_push(r, &r->idle, n);
    r->idle_count++;
    return true;
}

static bool grow_end(struct store_ram *r)
{
    uint32_t n = r->segments_max - r->segments_used;

    if ( n > STORE_GROW_SEGMENTS )
        n = STORE_GROW_SEGMENTS;
    while ( n && store_memory_fill(&r->memory, (uint64_t)r->segments_used * STORE_SEGMENT_SIZE,
                                   (uint64_t)n * STORE_SEGMENT_SIZE) )
        n /= 2;
    if ( !n )
        return false;
    r->idle_count += n;
    for ( r->segments_used += n; n; n-- )
    {
        segment_mark(r, r->segments_used - n, STORE_CLASSES);
        list_push(r, &r->idle, r->segments_used - n);
    }
    return true;
}

void store_ram_populate(struct store_ram *r, uint32_t pages)
{
    while ( store_ram_capacity(r) < pages && (r->bare_count || r->segments_used < r->segments_max) )
    {
        r->starved = !(r->bare_count ? grow_bare(r) : grow_end(r));
        if ( r->starved )
            return;
    }
}

/* A segment that holds nothing any more. */
static void segment_release(struct store_ram *r, uint32_t n)
{
    r->segment[n].assigned = false;
    if ( r->idle_count >= STORE_IDLE_MAX && store_ram_capacity(r) >= r->promised )
    {
        store_memory_drop(&r->memory, (uint64_t)n * STORE_SEGMENT_SIZE, STORE_SEGMENT_SIZE);
        list_push(r, &r->bare, n);
        r->bare_count++;
        return;
    }
    list_push(r, &r->idle, n);
    r->idle_count++;
}

/* Takes an idle segment for a class; its cells are then free. */
static uint32_t segment_assign(struct store_ram *r, unsigned int class)
{
    uint32_t n = r->idle;

    list_remove(r, &r->idle, n);
    r->idle_count--;
    r->segment[n] = (struct store_segment){ .class = class, .assigned = true, .listed = true };
    segment_mark(r, n, class);
    list_push(r, &r->class[class].partial, n);
    class_adjust(r, class, cells_per[class]);
    return n;
}

/* Any free cell of the class, which must have one. */
static uint32_t cell_take(struct store_ram *r, unsigned int class)
{
    uint32_t n = r->class[class].partial;
    struct store_segment *seg = &r->segment[n];
    unsigned int word = 0, bit;

    while ( !~seg->used_cells[word] )
        word++;
    bit = __builtin_ctzll(~seg->used_cells[word]);
    seg->used_cells[word] |= UINT64_C(1) << bit;
    seg->used++;
    if ( seg->used == cells_per[class] )
        class_unlist(r, n);
    class_adjust(r, class, -1);
    r->bytes += cell_size(class);
    return n << CELL_BITS | (word * 64 + bit);
}

static bool cell_used(const struct store_segment *seg, uint32_t cell)
{
    return seg->used_cells[cell / 64] & UINT64_C(1) << cell % 64;
}

static void cell_clear(struct store_ram *r, uint32_t n, uint32_t cell)
{
    struct store_segment *seg = &r->segment[n];

    seg->used_cells[cell / 64] &= ~(UINT64_C(1) << cell % 64);
    seg->used--;
    r->bytes -= cell_size(seg->class);
}

/* Moves one cell to another of its class and tells its record and its neighbours by age. */
static bool cell_move(struct store_ram *r, uint32_t n, uint32_t cell, uint32_t to)
{
    uint32_t from = n << CELL_BITS | cell;
    struct store_cell *old = cell_at(r, n, cell), *new = cell_at(r, to >> CELL_BITS, to & (STORE_CELLS_MAX - 1));
    struct store_cell *neighbour;

    memcpy(new, old, cell_size(r->segment[n].class));
    if ( !r->moved(r->arg, old->record, from, to) )
        return false;
    if ( new->flight != STORE_FLIGHT_NONE )
        return true;

    /* A neighbour that does not point back is damage, which store-age.c finds and mends when it gets there. */
    if ( r->oldest == from )
        r->oldest = to;
    else if ( (neighbour = store_ram_cell(r, new->older, 0)) && neighbour->newer == from )
        neighbour->newer = to;
    if ( r->newest == from )
        r->newest = to;
    else if ( (neighbour = store_ram_cell(r, new->newer, 0)) && neighbour->older == from )
        neighbour->older = to;
    return true;
}

/* Empties one segment of the class into the free cells of its others, which are enough. */
static void class_squeeze(struct store_ram *r, unsigned int class)
{
    uint32_t victim = r->class[class].partial, look = STORE_SQUEEZE_LOOK;
    struct store_segment *seg;

    for ( uint32_t n = victim; n != STORE_NONE && look; n = r->segment[n].next, look-- )
        if ( r->segment[n].used < r->segment[victim].used )
            victim = n;

    seg = &r->segment[victim];
    class_unlist(r, victim);
    class_adjust(r, class, (int32_t)seg->used - cells_per[class]);
    for ( uint32_t cell = 0; cell < cells_per[class] && seg->used; cell++ )
    {
        uint32_t to;

        if ( !cell_used(seg, cell) )
            continue;
        to = cell_take(r, class);
        if ( !cell_move(r, victim, cell, to) )
        {
            /*
             * A damaged cell: whose bytes these are cannot be known, so they stay where their page, if it still has
             * a sound record, will find them.  The segment stays out of use until it is empty.
             */
            store_ram_free(r, to);
            r->damaged++;
            return;
        }
        cell_clear(r, victim, cell);
    }
    segment_release(r, victim);
}

/* Sees to it that a segment is idle, by squeezing if it must. */
static bool segment_find(struct store_ram *r)
{
    for ( unsigned int class = 0; !r->idle_count && class < STORE_CLASSES; class++ )
        while ( !r->idle_count && r->class[class].free >= cells_per[class] )
            class_squeeze(r, class);
    return r->idle_count;
}

/* Whether one free cell fewer in the class leaves what is promised. */
static bool cell_affordable(const struct store_ram *r, unsigned int class)
{
    uint32_t capacity = store_ram_capacity(r);

    if ( class == RAW )
        return capacity > r->promised;
    return capacity - (r->class[class].free % cells_per[class] ? 0 : STORE_CELLS_RAW) >= r->promised;
}

uint32_t store_ram_alloc(struct store_ram *r, uint32_t length, uint32_t record)
{
    unsigned int class = STORE_CLASSES - 1;
    uint32_t place = STORE_NONE;
    struct store_cell *cell;

    while ( class != RAW && cell_size(class) < length + sizeof(struct store_cell) )
        class--;

    /* A cell of its size, if need be from a new segment; else the next larger size that has one; at last a whole page's. */
    if ( class != RAW && !r->class[class].free )
    {
        store_ram_populate(r, r->promised + STORE_CELLS_RAW);
        if ( store_ram_capacity(r) >= r->promised + STORE_CELLS_RAW && segment_find(r) )
            segment_assign(r, class);
    }
    for ( ; class != RAW; class-- )
        if ( r->class[class].free && cell_affordable(r, class) )
        {
            place = cell_take(r, class);
            break;
        }
    if ( place == STORE_NONE )
    {
        if ( !r->class[RAW].free && !r->idle_count )
            store_ram_populate(r, r->promised + 1);
        if ( !r->class[RAW].free && !segment_find(r) )
            return STORE_NONE;
        if ( !r->class[RAW].free )
            segment_assign(r, RAW);
        place = cell_take(r, RAW);
    }

    cell = cell_at(r, place >> CELL_BITS, place & (STORE_CELLS_MAX - 1));
    *cell = (struct store_cell){
        .record = record, .older = STORE_NONE, .newer = STORE_NONE, .flight = STORE_FLIGHT_UNLISTED,
    };
    return place;
}

void store_ram_free(struct store_ram *r, uint32_t place)
{
    uint32_t n = place >> CELL_BITS;
    struct store_segment *seg = &r->segment[n];
    bool in_class = seg->listed || seg->used == cells_per[seg->class];

    cell_clear(r, n, place & (STORE_CELLS_MAX - 1));
    if ( in_class )
        class_adjust(r, seg->class, 1);
    if ( !seg->used )
    {
        if ( in_class )
        {
            class_unlist(r, n);
            class_adjust(r, seg->class, -(int32_t)cells_per[seg->class]);
        }
        segment_release(r, n);
    }
    else if ( in_class && !seg->listed )
    {
        list_push(r, &r->class[seg->class].partial, n);
        seg->listed = true;
    }
}

struct store_cell *store_ram_cell(const struct store_ram *r, uint32_t place, uint32_t length)
{
    uint32_t n = place >> CELL_BITS, cell = place & (STORE_CELLS_MAX - 1);
    const struct store_segment *seg;

    if ( n >= r->segments_used )
        return NULL;
    seg = &r->segment[n];
    if ( !seg->assigned || cell >= cells_per[seg->class] || !cell_used(seg, cell) ||
         length + sizeof(struct store_cell) > cell_size(seg->class) )
        return NULL;
    return cell_at(r, n, cell);
}

uint32_t store_ram_cell_size(const struct store_ram *r, uint32_t place)
{
    return cell_size(r->segment[place >> CELL_BITS].class);
}

int store_ram_adopt(struct store_ram *r, uint32_t place, uint32_t length, uint32_t record)
{
    uint32_t n = place >> CELL_BITS, index = place & (STORE_CELLS_MAX - 1);
    struct store_segment *seg;
    struct store_cell *cell;

    if ( n >= r->segments_used )
        return -EBADMSG;
    seg = &r->segment[n];
    if ( !seg->assigned )
    {
        struct segment_header header;

        memcpy(&header, segment_base(r, n), sizeof(header));
        if ( header.magic != STORE_SEGMENT_MAGIC || header.class >= STORE_CLASSES )
            return -EBADMSG;
        *seg = (struct store_segment){ .class = header.class, .assigned = true };
    }
    if ( index >= cells_per[seg->class] || cell_used(seg, index) ||
         length + sizeof(*cell) > cell_size(seg->class) )
        return -EBADMSG;
    cell = cell_at(r, n, index);
    if ( cell->record != record )
        return -EBADMSG;
    /* A transfer that wrote it out ended with the process that began it. */
    cell->flight = STORE_FLIGHT_NONE;
    seg->used_cells[index / 64] |= UINT64_C(1) << index % 64;
    seg->used++;
    r->bytes += cell_size(seg->class);
    return 0;
}

void store_ram_settle(struct store_ram *r)
{
    for ( uint32_t n = r->segments_used; n--; )
    {
        struct store_segment *seg = &r->segment[n];
        struct segment_header header;

        if ( seg->used && seg->used < cells_per[seg->class] )
        {
            list_push(r, &r->class[seg->class].partial, n);
            seg->listed = true;
            class_adjust(r, seg->class, cells_per[seg->class] - seg->used);
        }
        if ( seg->used )
            continue;
        seg->assigned = false;
        memcpy(&header, segment_base(r, n), sizeof(header));
        /*
         * Memory that is there stays there: pages that the process before had room promised for, and did not get to
         * put, are put next.  For them this asks the kernel for nothing that it has not given already.
         */
        if ( header.magic == STORE_SEGMENT_MAGIC &&
             !store_memory_fill(&r->memory, (uint64_t)n * STORE_SEGMENT_SIZE, STORE_SEGMENT_SIZE) )
        {
            list_push(r, &r->idle, n);
            r->idle_count++;
            continue;
        }
        store_memory_drop(&r->memory, (uint64_t)n * STORE_SEGMENT_SIZE, STORE_SEGMENT_SIZE);
        list_push(r, &r->bare, n);
        r->bare_count++;
    }
    store_ram_relist(r);
}
