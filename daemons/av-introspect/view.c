/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Walks and reads. What a table says is masked before it is used, and a frame number only ever goes to memory's read(),
 * which knows what is there.
 */
#include "view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PRESENT       (1u << 0)
#define WRITABLE      (1u << 1)
#define USER          (1u << 2)
#define LARGE         (1u << 7)
#define NO_EXECUTE    (UINT64_C(1) << 63)

/* Bits 12 to 51: the most physical address bits that the architecture has. */
#define ADDRESS_MASK  UINT64_C(0x000ffffffffff000)
#define PAGE_MASK     ((uint64_t)AV_PAGE_SIZE - 1)

#define CR0_PG        (UINT64_C(1) << 31)
#define CR4_PAE       (UINT64_C(1) << 5)
#define CR4_LA57      (UINT64_C(1) << 12)
#define EFER_LMA      (UINT64_C(1) << 10)

#define NO_FRAME      UINT64_MAX

/* Frames of one read that are likely to be read in the next such call, too. */
#define SMALL_FRAMES  4u

struct frame {
    uint64_t gfn;
    int      status;
    bool     untouched;         /* read by view_repeat(), and by nobody else so far */
    unsigned char *bytes;
};

/* What the last call of a kind has read. */
struct learned {
    uint64_t gfns[MEMORY_EXPECTED], cr3;
    uint32_t count;
};

struct view {
    struct memory memory;
    struct frame frames[VIEW_FRAMES];
    unsigned char *bytes;
    enum view_paging paging;
    uint64_t deadline, reads;
    uint32_t next;              /* the place that is used anew */
    struct learned learned[VIEW_CALLS];
    struct learned *learns;     /* by this call; NULL: nothing */
    bool     is_bulk;           /* what is read now is no more likely to be read again than the rest */
};

/* How one kind of tables is read. */
struct format {
    unsigned int levels, entry, index_bits, top_bits;
    uint64_t root_mask;
    unsigned int address_bits;
};

static const struct format formats[] = {
    [VIEW_LEVELS_4] = { 4, 8, 9, 9, ADDRESS_MASK, 48 },
    [VIEW_LEVELS_5] = { 5, 8, 9, 9, ADDRESS_MASK, 57 },
    [VIEW_PAE]      = { 3, 8, 9, 2, UINT64_C(0xffffffe0), 32 },
    [VIEW_LEVELS_2] = { 2, 4, 10, 10, UINT64_C(0xfffff000), 32 },
};

uint64_t view_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + now.tv_nsec;
}

int view_open(struct view **out, const struct memory *memory)
{
    struct view *view = calloc(1, sizeof(*view));

    *out = NULL;
    if ( !view )
        return -ENOMEM;
    view->memory = *memory;
    view->bytes = malloc((size_t)VIEW_FRAMES * AV_PAGE_SIZE);
    if ( !view->bytes )
    {
        view_close(view);
        return -ENOMEM;
    }
    for ( unsigned int i = 0; i < VIEW_FRAMES; i++ )
        view->frames[i].bytes = view->bytes + (size_t)i * AV_PAGE_SIZE;
    view_begin(view, UINT64_MAX);
    *out = view;
    return 0;
}

void view_close(struct view *view)
{
    if ( !view )
        return;
    free(view->bytes);
    free(view);
}

void view_begin(struct view *view, uint64_t deadline)
{
    for ( unsigned int i = 0; i < VIEW_FRAMES; i++ )
        view->frames[i].gfn = NO_FRAME;
    view->next = 0;
    view->learns = NULL;
    view->deadline = deadline;
    view->paging = VIEW_LEVELS_4;
}

enum view_paging view_paging_of(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
    if ( !(cr0 & CR0_PG) )
        return VIEW_NO_PAGING;
    if ( efer & EFER_LMA )
        return cr4 & CR4_LA57 ? VIEW_LEVELS_5 : VIEW_LEVELS_4;
    return cr4 & CR4_PAE ? VIEW_PAE : VIEW_LEVELS_2;
}

void view_set_paging(struct view *view, enum view_paging paging)
{
    view->paging = paging;
}

uint64_t view_reads(const struct view *view)
{
    return view->reads;
}

static struct frame *find(struct view *view, uint64_t gfn)
{
    for ( unsigned int i = 0; i < VIEW_FRAMES; i++ )
        if ( view->frames[i].gfn == gfn )
            return &view->frames[i];
    return NULL;
}

static struct frame *take_place(struct view *view, uint64_t gfn)
{
    struct frame *frame = &view->frames[view->next++ % VIEW_FRAMES];

    frame->gfn = gfn;
    frame->status = 0;
    frame->untouched = false;
    return frame;
}

void view_put(struct view *view, uint64_t gfn, const void *page)
{
    struct frame *frame = find(view, gfn);

    if ( !frame )
        frame = take_place(view, gfn);
    frame->status = 0;
    memcpy(frame->bytes, page, AV_PAGE_SIZE);
}

static void learn(struct view *view, uint64_t gfn)
{
    if ( view->learns && view->learns->count < MEMORY_EXPECTED )
        view->learns->gfns[view->learns->count++] = gfn;
}

static int get(struct view *view, uint64_t gfn, const unsigned char **out)
{
    struct frame *frame = find(view, gfn);
    int rc;

    if ( frame && frame->untouched )
    {
        frame->untouched = false;
        learn(view, gfn);
    }
    if ( !frame )
    {
        if ( gfn >= view->memory.frames )
            return -ENXIO;
        if ( view->deadline != UINT64_MAX && view_now() > view->deadline )
            return -ETIME;
        frame = take_place(view, gfn);
        view->reads++;
        rc = view->memory.read(view->memory.opaque, gfn, frame->bytes);
        /* What was too late is no property of the frame. */
        if ( rc == -ETIME )
        {
            frame->gfn = NO_FRAME;
            return rc;
        }
        frame->status = rc < 0 ? -ENXIO : 0;
        if ( !view->is_bulk )
            learn(view, gfn);
    }
    *out = frame->bytes;
    return frame->status;
}

/* What is not kept yet of what is read next. One frame alone is no more than its read. */
static void expect(struct view *view, const uint64_t *places, uint32_t count)
{
    uint64_t gfns[MEMORY_EXPECTED];
    uint32_t wanted = 0;

    if ( !view->memory.expect || (view->deadline != UINT64_MAX && view_now() > view->deadline) )
        return;
    for ( uint32_t i = 0; i < count; i++ )
    {
        uint64_t gfn = places[i] / AV_PAGE_SIZE;

        if ( gfn < view->memory.frames && !find(view, gfn) )
            gfns[wanted++] = gfn;
    }
    if ( wanted > 1 )
        view->memory.expect(view->memory.opaque, gfns, wanted);
    view->is_bulk = wanted > SMALL_FRAMES;
}

void view_repeat(struct view *view, enum view_call call, uint64_t cr3)
{
    struct learned *learned = &view->learned[call];
    uint32_t count = learned->cr3 == cr3 ? learned->count : 0;
    uint64_t gfns[MEMORY_EXPECTED];
    const unsigned char *bytes;

    if ( !view->memory.expect )
        return;
    memcpy(gfns, learned->gfns, count * sizeof(*gfns));
    if ( count > 1 )
        view->memory.expect(view->memory.opaque, gfns, count);
    for ( uint32_t i = 0; i < count && get(view, gfns[i], &bytes) != -ETIME; i++ )
        find(view, gfns[i])->untouched = true;
    *learned = (struct learned){ .cr3 = cr3 };
    view->learns = learned;
}

static int finish(void *buffer, uint64_t length, uint64_t at, uint64_t *done, int rc)
{
    if ( rc )
        memset((unsigned char *)buffer + at, 0, length - at);
    if ( done )
        *done = at;
    return rc;
}

/* Octets of the page that this address is in, from there on. */
static uint64_t part_of(uint64_t address, uint64_t left)
{
    uint64_t part = AV_PAGE_SIZE - (address & PAGE_MASK);

    return part < left ? part : left;
}

int view_read_physical(struct view *view, uint64_t address, void *buffer, uint64_t length, uint64_t *done)
{
    const unsigned char *bytes;
    uint64_t at = 0;
    int rc = 0;

    while ( at < length )
    {
        uint64_t here = address + at, part = part_of(here, length - at);

        if ( here < address )
        {
            rc = -ENXIO;
            break;
        }
        rc = get(view, here / AV_PAGE_SIZE, &bytes);
        if ( rc )
            break;
        memcpy((unsigned char *)buffer + at, bytes + (here & PAGE_MASK), part);
        at += part;
    }
    return finish(buffer, length, at, done, rc);
}

/* All walks before all reads: tables and pages would drive each other out of what the reader has at hand. */
static int read_pages(struct view *view, uint64_t cr3, uint64_t address, void *buffer, uint64_t length, uint64_t *at)
{
    uint64_t places[MEMORY_EXPECTED], end = *at;
    uint32_t count = 0;
    int rc = 0, read = 0;

    while ( count < MEMORY_EXPECTED && end < length )
    {
        uint64_t here = address + end;
        struct av_mapping mapping;

        /* It may not go round from the last address to the first. */
        rc = here < address ? -EFAULT : view_translate(view, cr3, here, &mapping);
        if ( rc )
            break;
        places[count++] = mapping.physical;
        end += part_of(here, length - end);
    }
    expect(view, places, count);
    view->is_bulk |= view->learns == &view->learned[VIEW_PAGE];
    for ( uint32_t i = 0; i < count && !read; i++ )
    {
        uint64_t part = part_of(address + *at, length - *at);

        read = view_read_physical(view, places[i], (unsigned char *)buffer + *at, part, NULL);
        if ( !read )
            *at += part;
    }
    view->is_bulk = false;
    return read ? read : rc;
}

int view_read_virtual(struct view *view, uint64_t cr3, uint64_t address, void *buffer, uint64_t length, uint64_t *done)
{
    uint64_t at = 0;
    int rc = 0;

    while ( !rc && at < length )
        rc = read_pages(view, cr3, address, buffer, length, &at);
    return finish(buffer, length, at, done, rc);
}

/* Bits of the address below the table of this level; 0 is the last. */
static unsigned int shift_of(const struct format *f, unsigned int level)
{
    return 12 + level * f->index_bits;
}

static int read_entry(struct view *view, const struct format *f, uint64_t table, unsigned int index, uint64_t *out)
{
    uint64_t entry = 0;
    int rc = view_read_physical(view, table + (uint64_t)index * f->entry, &entry, f->entry, NULL);

    *out = entry;
    return rc;
}

/*
 * What an entry at this level says: 1, it maps a page, and *at is its frame's address; 0, *at is the next table; -EFAULT.
 * Rights in `flags` only ever shrink.
 */
static int take_entry(enum view_paging paging, unsigned int level, uint64_t entry, uint32_t *flags, uint64_t *at)
{
    const struct format *f = &formats[paging];
    uint64_t mask = f->entry == 4 ? UINT64_C(0xfffff000) : ADDRESS_MASK;
    bool rights = !(paging == VIEW_PAE && level == 2);     /* those of PAE's four have none */
    bool may_be_large = level == 1 || (level == 2 && paging <= VIEW_LEVELS_5);

    if ( !(entry & PRESENT) )
        return -EFAULT;
    if ( rights )
    {
        if ( !(entry & WRITABLE) )
            *flags &= ~AV_MAPPING_WRITABLE;
        if ( !(entry & USER) )
            *flags &= ~AV_MAPPING_USER;
        if ( f->entry == 8 && (entry & NO_EXECUTE) )
            *flags &= ~AV_MAPPING_EXECUTABLE;
    }
    if ( level && !(may_be_large && (entry & LARGE)) )
    {
        *at = entry & mask;
        return 0;
    }
    if ( level )
        mask &= ~((UINT64_C(1) << shift_of(f, level)) - 1);
    *at = entry & mask;
    /* PSE-36: bits 13 to 20 are address bits 32 to 39. */
    if ( level && f->entry == 4 )
        *at |= (entry >> 13 & 0xff) << 32;
    return 1;
}

static uint64_t canonical(const struct format *f, uint64_t address)
{
    uint64_t sign = UINT64_C(1) << (f->address_bits - 1);

    address &= (sign << 1) - 1;
    return f->address_bits > 32 && (address & sign) ? address | ~((sign << 1) - 1) : address;
}

int view_translate(struct view *view, uint64_t cr3, uint64_t address, struct av_mapping *out)
{
    const struct format *f = &formats[view->paging == VIEW_NO_PAGING ? VIEW_LEVELS_4 : view->paging];
    uint64_t at = cr3 & f->root_mask, entry;
    uint32_t flags = AV_MAPPING_WRITABLE | AV_MAPPING_EXECUTABLE | AV_MAPPING_USER;

    memset(out, 0, sizeof(*out));
    out->size = sizeof(*out);
    if ( view->paging == VIEW_NO_PAGING )
    {
        out->flags = flags;
        out->physical = address;
        out->virtual_start = address & ~PAGE_MASK;
        out->bytes = AV_PAGE_SIZE;
        return 0;
    }
    if ( address != canonical(f, address) )
        return -EFAULT;

    for ( unsigned int level = f->levels; level-- > 0; )
    {
        unsigned int bits = level == f->levels - 1 ? f->top_bits : f->index_bits;
        unsigned int index = address >> shift_of(f, level) & ((1u << bits) - 1);
        uint64_t size = UINT64_C(1) << shift_of(f, level);
        int rc = read_entry(view, f, at, index, &entry);

        if ( !rc )
            rc = take_entry(view->paging, level, entry, &flags, &at);
        if ( rc < 0 )
            return rc;
        if ( rc )
        {
            out->flags = flags;
            out->physical = at | (address & (size - 1));
            out->virtual_start = address & ~(size - 1);
            out->bytes = size;
            return 0;
        }
    }
    return -EFAULT;     /* not reached: the last level maps or faults */
}

struct list {
    struct view *view;
    int (*each)(void *arg, const struct av_mapping *mapping);
    void *arg;
    uint32_t tables;
};

/* One table and what is below it; as deep as there are levels. */
static int list_table(struct list *list, unsigned int level, uint64_t table, uint64_t base, uint32_t flags)
{
    const struct format *f = &formats[list->view->paging];
    unsigned int entries = 1u << (level == f->levels - 1 ? f->top_bits : f->index_bits);
    unsigned char bytes[AV_PAGE_SIZE];
    int rc;

    if ( ++list->tables > VIEW_TABLES_MAX )
        return -E2BIG;
    /* PAE's first table is 32 bytes anywhere in a page; the others are pages. */
    rc = view_read_physical(list->view, table, bytes, entries * f->entry, NULL);
    if ( rc )
        return rc == -ETIME || level == f->levels - 1 ? rc : 0;

    for ( unsigned int i = 0; i < entries; i++ )
    {
        uint64_t entry = 0, at = 0, address = canonical(f, base | (uint64_t)i << shift_of(f, level));
        uint32_t mine = flags;

        memcpy(&entry, bytes + i * f->entry, f->entry);
        rc = take_entry(list->view->paging, level, entry, &mine, &at);
        if ( rc < 0 )
            continue;
        if ( rc )
        {
            struct av_mapping mapping = {
                .size = sizeof(mapping), .flags = mine, .physical = at, .virtual_start = address,
                .bytes = UINT64_C(1) << shift_of(f, level),
            };

            rc = list->each(list->arg, &mapping);
        }
        else
            rc = list_table(list, level - 1, at, address, mine);
        if ( rc )
            return rc;
    }
    return 0;
}

int view_list(struct view *view, uint64_t cr3, int (*each)(void *arg, const struct av_mapping *mapping), void *arg)
{
    struct list list = { .view = view, .each = each, .arg = arg };

    if ( view->paging == VIEW_NO_PAGING )
        return -EINVAL;
    return list_table(&list, formats[view->paging].levels - 1, cr3 & formats[view->paging].root_mask, 0,
                      AV_MAPPING_WRITABLE | AV_MAPPING_EXECUTABLE | AV_MAPPING_USER);
}
