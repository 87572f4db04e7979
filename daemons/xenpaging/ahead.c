/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pages that a sequential reader will want next: which ones those are is stream.c's, how a page is brought in
 * pagein.c's.  Here is when that is done, and the markers by which it is heard how far the reader is.
 *
 * Where the first touch of a nominated page is reported (a stock ring), a marker is one that was loaded and is
 * nominated.  Our channels do not report it, because that stops a vCPU for nothing; there a marker is a page of the
 * window that stays out, and whose bytes are held ready: its touch costs what the report of one would.
 */
#include "ahead.h"
#include "paged.h"

/* The load that is held for a page that is marked so, or NULL. */
static struct load *find_held(struct paged *d, uint64_t gfn)
{
    for ( unsigned int i = 0; i < LOADS_MAX; i++ )
    {
        struct load *load = &d->pager->loads[i];

        if ( load->paged == d && load->held && !load->dropped && load->gfn == gfn )
            return load;
    }
    return NULL;
}

void ahead_release(struct paged *d, uint64_t gfn, bool demanded)
{
    struct page *page = pages_find(d->pages, gfn);
    struct load *load = find_held(d, gfn);

    load->held = false;
    load->demanded = demanded;
    d->pager->held_count--;
    page->flags = (page->flags & ~PAGE_HELD) | PAGE_LOADING;
    if ( load->here )
    {
        load->here = false;
        load->next = d->ready;
        d->ready = load;
    }
}

/* The page stays out; it is like any other. */
static void drop_held(struct paged *d, struct load *load)
{
    struct page *page = pages_find(d->pages, load->gfn);

    if ( page )
        page->flags &= ~PAGE_HELD;
    if ( load->here )
        pagein_free_load(d->pager, load);
    else
        load->dropped = true;     /* it is freed when the read has ended */
}

void ahead_forget(struct paged *d, uint64_t gfn)
{
    struct load *load = find_held(d, gfn);

    if ( load )
        drop_held(d, load);
}

void ahead_abandon(struct paged *d)
{
    for ( unsigned int i = 0; i < LOADS_MAX; i++ )
        if ( d->pager->loads[i].paged == d && d->pager->loads[i].held && !d->pager->loads[i].dropped )
            drop_held(d, &d->pager->loads[i]);
}

void ahead_want(struct paged *d, struct stream_window window)
{
    if ( window.count && d->window_count < STREAM_COUNT && d->phase == PAGED_RUNNING )
        d->windows[d->window_count++] = window;
}

static bool is_awaited(const struct paged *d, uint64_t gfn)
{
    for ( unsigned int i = 0; i < d->waiting_count; i++ )
        if ( d->waiting[i].gfn == gfn )
            return true;
    return false;
}

/*
 * Where no touch of a nominated page is reported, the marker is a page that stays out, in the window's middle or the
 * first one behind that is out at all.  False: the window has none.
 */
static bool leave_marker(struct paged *d, struct stream_window *window)
{
    for ( unsigned int i = window->count / 2; window->has_marker && i < window->count; i++ )
    {
        uint64_t gfn = window->first + window->step * (int64_t)i;
        struct page *page = pages_find(d->pages, gfn);

        if ( !page || page->state != PAGE_OUT || (page->flags & (PAGE_LOADING | PAGE_HELD | PAGE_UNREADABLE)) ||
             is_awaited(d, gfn) )
            continue;
        streams_move_marker(&d->streams, window->marker, gfn);
        window->marker = gfn;
        page->flags |= PAGE_MARKER;
        return true;
    }
    return false;
}

/* One of those that are held makes room: a reader who is at work needs it more than one who may be gone. */
static void drop_any_held(struct pager *p)
{
    for ( unsigned int i = 0; i < LOADS_MAX; i++ )
        if ( p->loads[i].paged && p->loads[i].held && p->loads[i].here )
        {
            drop_held(p->loads[i].paged, &p->loads[i]);
            return;
        }
}

/* Reads the marker's bytes, so that who touches it waits for nothing but to be let go on. */
static void hold_marker(struct paged *d, uint64_t gfn)
{
    struct page *page = pages_find(d->pages, gfn);
    struct pager *p = d->pager;
    struct load *load;
    int rc;

    if ( p->held_count == LOADS_HELD_MAX )
        drop_any_held(p);
    load = p->free_loads;
    /* Without it is a marker as well, only a slower one. */
    if ( !page || page->state != PAGE_OUT || (page->flags & (PAGE_LOADING | PAGE_HELD)) ||
         !load || p->free_load_count <= LOADS_FOR_FAULTS || p->held_count == LOADS_HELD_MAX )
        return;
    rc = store_get(d->store, gfn, load->page, load);
    if ( rc < 0 )
        return;
    p->free_loads = load->next;
    p->free_load_count--;
    p->held_count++;
    load->next = NULL;
    load->paged = d;
    load->gfn = gfn;
    load->demanded = false;
    load->prefetched = true;
    load->held = true;
    load->here = rc == 0;
    page->flags |= PAGE_HELD;
}

/* Markers of readers that have gone elsewhere. */
static void drop_old_markers(struct paged *d)
{
    for ( unsigned int i = 0; d->pager->held_count && i < LOADS_MAX; i++ )
    {
        struct load *load = &d->pager->loads[i];

        if ( load->paged != d || !load->held || load->dropped || streams_knows_marker(&d->streams, load->gfn) )
            continue;
        pages_find(d->pages, load->gfn)->flags &= ~PAGE_MARKER;
        drop_held(d, load);
    }
}

void ahead_fetch(struct paged *d)
{
    uint64_t markers[STREAM_COUNT];
    unsigned int marker_count = 0;

    for ( unsigned int w = 0; w < d->window_count; w++ )
    {
        struct stream_window *window = &d->windows[w];
        bool is_left = !d->reports_touches && leave_marker(d, window);

        for ( unsigned int i = 0; i < window->count; i++ )
        {
            uint64_t gfn = window->first + window->step * (int64_t)i;
            const struct page *page = pages_find(d->pages, gfn);

            if ( page && page->state == PAGE_OUT && !(page->flags & (PAGE_LOADING | PAGE_UNREADABLE)) &&
                 !(is_left && gfn == window->marker) )
                pagein_start_load(d, gfn, false, true);
        }
        if ( d->reports_touches ? window->has_marker : is_left )
            markers[marker_count++] = window->marker;
    }
    d->window_count = 0;
    if ( d->ready )
        pagein_finish(d);
    if ( !d->reports_touches && marker_count )
        drop_old_markers(d);
    for ( unsigned int i = 0; i < marker_count; i++ )
    {
        if ( d->reports_touches )
            pageout_mark(d, markers[i]);
        else
            hold_marker(d, markers[i]);
    }
}
