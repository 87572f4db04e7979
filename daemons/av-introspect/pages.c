/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * See pages.h. A frame takes four octets, in pieces that are made when one of theirs is spoken of: an address space is
 * mostly holes.
 */
#include "pages.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* XENMEM_access_*, Xen's ABI for access rights. */
#define ACCESS_R        1U
#define ACCESS_RW       3U
#define ACCESS_RWX      7U
#define ACCESS_RX2RW    8U

/* A piece is what one question to the hypervisor covers. */
#define PIECE_FRAMES    HYPERVISOR_QUERY_MAX

/* Frames beyond which a domain's own idea of its address space is not believed: 16 TiB. */
#define FRAMES_MOST     (UINT64_C(1) << 32)

struct page {
    uint8_t  state;
    uint8_t  second;              /* the low octet of the second that flips counts in */
    uint16_t flips;
};

struct pages {
    struct hypervisor *hv;
    uint16_t domid;
    struct page **pieces;
    uint64_t pieces_count;
    uint64_t next;                /* frame that the sweep looks at next */
    uint64_t limit;               /* of the round */
    struct hypervisor_operation waiting[HYPERVISOR_BATCH_MAX];
    unsigned int waiting_count;
    int error;                    /* first one since the last commit */
    struct pages_statistics statistics;
};

static uint32_t access_of(enum page_state state)
{
    switch ( state )
    {
    case PAGE_UNSCANNED:
        return ACCESS_RW;
    case PAGE_SCANNING:
        return ACCESS_R;
    case PAGE_SCANNED:
        return ACCESS_RX2RW;
    case PAGE_FREE:
    case PAGE_VOLATILE:
        break;
    }
    return ACCESS_RWX;
}

static int grow(struct pages *pages, uint64_t frames)
{
    uint64_t count = (frames + PIECE_FRAMES - 1) / PIECE_FRAMES;
    struct page **pieces;

    if ( frames > FRAMES_MOST )
        return -EFBIG;
    if ( count <= pages->pieces_count )
        return 0;
    pieces = reallocarray(pages->pieces, count, sizeof(*pieces));
    if ( !pieces )
        return -ENOMEM;
    memset(pieces + pages->pieces_count, 0, (count - pages->pieces_count) * sizeof(*pieces));
    pages->pieces = pieces;
    pages->pieces_count = count;
    return 0;
}

static int begin_round(struct pages *pages)
{
    uint64_t limit;
    int rc = pages->hv->ops->get_frame_limit(pages->hv, pages->domid, &limit);

    if ( !rc )
        rc = grow(pages, limit);
    if ( rc )
        return rc;
    pages->limit = pages->statistics.frames = limit;
    pages->next = 0;
    return 0;
}

int pages_open(struct pages **out, struct hypervisor *hv, uint16_t domid)
{
    struct pages *pages = calloc(1, sizeof(*pages));
    int rc;

    *out = NULL;
    if ( !pages )
        return -ENOMEM;
    pages->hv = hv;
    pages->domid = domid;
    rc = begin_round(pages);
    if ( rc )
    {
        pages_close(pages);
        return rc;
    }
    *out = pages;
    return 0;
}

void pages_close(struct pages *pages)
{
    if ( !pages )
        return;
    for ( uint64_t i = 0; i < pages->pieces_count; i++ )
        free(pages->pieces[i]);
    free(pages->pieces);
    free(pages);
}

/* NULL: nothing was ever said of it. */
static struct page *find(const struct pages *pages, uint64_t gfn)
{
    uint64_t piece = gfn / PIECE_FRAMES;

    return piece < pages->pieces_count && pages->pieces[piece] ? &pages->pieces[piece][gfn % PIECE_FRAMES] : NULL;
}

static struct page *make(struct pages *pages, uint64_t gfn)
{
    uint64_t piece = gfn / PIECE_FRAMES;

    if ( gfn >= FRAMES_MOST || grow(pages, gfn + 1) )
        return NULL;
    if ( !pages->pieces[piece] )
        pages->pieces[piece] = calloc(PIECE_FRAMES, sizeof(struct page));
    return find(pages, gfn);
}

enum page_state pages_get(const struct pages *pages, uint64_t gfn)
{
    const struct page *page = find(pages, gfn);

    return page ? page->state : PAGE_FREE;
}

static void note(struct pages *pages, struct page *page, enum page_state state)
{
    struct pages_statistics *s = &pages->statistics;

    s->restricted += (state != PAGE_FREE) - (page->state != PAGE_FREE);
    s->scanned += (state == PAGE_SCANNED) - (page->state == PAGE_SCANNED);
    s->is_volatile += (state == PAGE_VOLATILE) - (page->state == PAGE_VOLATILE);
    page->state = state;
}

/* Neighbours with the same wish are one operation. */
static void queue(struct pages *pages, uint64_t gfn, uint32_t access)
{
    struct hypervisor_operation *last = pages->waiting + pages->waiting_count - 1;

    if ( pages->waiting_count && last->access.access == access && last->gfn + last->access.count == gfn )
    {
        last->access.count++;
        return;
    }
    if ( pages->waiting_count == HYPERVISOR_BATCH_MAX )
    {
        int rc = pages_commit(pages);

        pages->error = pages->error ? pages->error : rc;
    }
    pages->waiting[pages->waiting_count++] = (struct hypervisor_operation){
        .call = ACCESS_SET, .domid = pages->domid, .gfn = gfn, .access = { .count = 1, .access = access },
    };
}

int pages_set(struct pages *pages, uint64_t gfn, enum page_state state)
{
    struct page *page = make(pages, gfn);

    if ( !page )
        return -ENOMEM;
    note(pages, page, state);
    queue(pages, gfn, access_of(state));
    return 0;
}

/* One frame of a stretch was refused: those behind it get their turn. */
static int go_on_behind(struct pages *pages, struct hypervisor_operation operation)
{
    int first = operation.status;

    while ( operation.status && operation.access.done + 1 < operation.access.count )
    {
        uint32_t done = operation.access.done + 1;

        operation.gfn += done;
        operation.access.count -= done;
        operation.access.done = 0;
        operation.status = 0;
        if ( pages->hv->ops->submit(pages->hv, &operation, 1) )
            break;
        if ( operation.status == -ESRCH || operation.status == -ENODEV || operation.status == -ENOMEM )
            break;
    }
    return first;
}

int pages_commit(struct pages *pages)
{
    int rc = pages->error;

    pages->error = 0;
    if ( pages->waiting_count )
    {
        int status = pages->hv->ops->submit(pages->hv, pages->waiting, pages->waiting_count);

        pages->statistics.operations += pages->waiting_count;
        rc = rc ? rc : status;
        for ( unsigned int i = 0; i < pages->waiting_count && !status; i++ )
            if ( pages->waiting[i].status )
            {
                int one = go_on_behind(pages, pages->waiting[i]);

                rc = rc ? rc : one;
            }
    }
    pages->waiting_count = 0;
    return rc;
}

/* Alone, as an access for itself: neighbours are no business of it. */
static int set_new(struct pages *pages, uint32_t access)
{
    struct hypervisor_operation operation = {
        .call = ACCESS_SET, .domid = pages->domid, .gfn = MEMEVENT_NO_GFN, .access = { .count = 1, .access = access },
    };
    int rc = pages->hv->ops->submit(pages->hv, &operation, 1);

    pages->statistics.operations++;
    return rc ? rc : operation.status;
}

int pages_restrict_new(struct pages *pages)
{
    return set_new(pages, ACCESS_RW);
}

/*
 * What is gone is nobody's: if it comes back it is restricted again, whatever it was given. So is a page that was paged out,
 * which has kept its own.
 */
static int look(struct pages *pages, uint64_t gfn, uint8_t state)
{
    struct page *page = find(pages, gfn);

    if ( state == FRAME_RAM && (!page || page->state == PAGE_FREE) )
        return pages_set(pages, gfn, PAGE_UNSCANNED);
    if ( state != FRAME_RAM && page && (page->state == PAGE_SCANNED || page->state == PAGE_UNSCANNED) )
        note(pages, page, PAGE_FREE);
    return 0;
}

int pages_sweep(struct pages *pages, uint64_t frames)
{
    uint8_t states[PIECE_FRAMES];
    int rc = 0;

    while ( frames && pages->next < pages->limit )
    {
        uint64_t left = pages->limit - pages->next;
        unsigned int count = left < PIECE_FRAMES ? left : PIECE_FRAMES;

        rc = pages->hv->ops->query_frames(pages->hv, pages->domid, pages->next, count, states);
        for ( unsigned int i = 0; i < count && !rc; i++ )
            rc = look(pages, pages->next + i, states[i]);
        if ( rc )
            return rc;
        pages->next += count;
        frames -= frames < count ? frames : count;
    }
    rc = pages_commit(pages);
    if ( rc || pages->next < pages->limit )
        return rc;
    rc = begin_round(pages);
    return rc ? rc : 1;
}

unsigned int pages_progress(const struct pages *pages)
{
    return pages->limit ? pages->next * 1000 / pages->limit : 1000;
}

int pages_unscan(struct pages *pages)
{
    for ( uint64_t piece = 0; piece < pages->pieces_count; piece++ )
        for ( unsigned int i = 0; pages->pieces[piece] && i < PIECE_FRAMES; i++ )
            if ( pages->pieces[piece][i].state == PAGE_SCANNED )
                (void)pages_set(pages, piece * PIECE_FRAMES + i, PAGE_UNSCANNED);
    return pages_commit(pages);
}

int pages_release(struct pages *pages)
{
    uint8_t states[PIECE_FRAMES];
    int rc = begin_round(pages), last = rc;

    /* First, or what comes meanwhile would be forgotten. Where there is no such thing there is nothing to be taken back. */
    (void)set_new(pages, ACCESS_RWX);
    for ( uint64_t first = 0; first < pages->limit && rc != -ESRCH; first += PIECE_FRAMES )
    {
        unsigned int count = pages->limit - first < PIECE_FRAMES ? pages->limit - first : PIECE_FRAMES;

        rc = pages->hv->ops->query_frames(pages->hv, pages->domid, first, count, states);
        for ( unsigned int i = 0; i < count; i++ )
        {
            struct page *page = find(pages, first + i);

            if ( (!rc && states[i] == FRAME_RAM) || (page && page->state != PAGE_FREE) )
                queue(pages, first + i, ACCESS_RWX);
            if ( page )
                note(pages, page, PAGE_FREE);
        }
        last = rc ? rc : last;
    }
    rc = pages_commit(pages);
    return rc ? rc : last;
}

unsigned int pages_flip(struct pages *pages, uint64_t gfn, uint64_t second)
{
    struct page *page = make(pages, gfn);

    if ( !page )
        return 0;
    if ( page->second != (uint8_t)second )
    {
        page->second = second;
        page->flips = 0;
    }
    if ( page->flips < UINT16_MAX )
        page->flips++;
    return page->flips;
}

void pages_get_statistics(const struct pages *pages, struct pages_statistics *out)
{
    *out = pages->statistics;
}
