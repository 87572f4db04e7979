/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A pass: every frame of every member once, a chunk at a time, as fast as the pace allows; and the time between two.
 */
#include <string.h>
#include <time.h>

#include <daemon/log.h>

#include "guests.h"
#include "sharer.h"

#define SECOND        1000000000ULL
#define MILLISECOND   1000000ULL

/* Chunks without memory are looked at again after so many passes, or when a guest has more than was found. */
#define HOLE_PASSES   16U

/* Frames that a guest has and that nobody finds, such as those that were taken out of its reach. */
#define UNSOUGHT      16U

_Static_assert(HYPERVISOR_QUERY_MAX % SCAN_FRAMES == 0, "whole chunks");

/* Chunks with nothing due that are passed over before the clock is read again: most are holes, and cost nothing. */
#define GLANCES       4096U

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * SECOND + t.tv_nsec;
}

static void sleep_ns(struct sharer *s, uint64_t ns)
{
    struct timeval t = { .tv_sec = ns / SECOND, .tv_usec = ns % SECOND / 1000 + 1 };

    event_add(s->due, &t);
}

static struct guest *next_member(struct guest *g)
{
    while ( g && (g->phase != GUEST_MEMBER || g->dying || g->info.is_suspended) )
        g = g->next;
    return g;
}

/* What is known of a chunk. */
enum { CHUNK_UNKNOWN = 0, CHUNK_HOLE = 1, CHUNK_MEMORY = 2 };

static unsigned int chunk_get(const struct guest *g, uint64_t number)
{
    return g->chunks[number / 4] >> number % 4 * 2 & 3;
}

static void chunk_set(struct guest *g, uint64_t number, unsigned int what)
{
    g->chunks[number / 4] = (g->chunks[number / 4] & ~(3U << number % 4 * 2)) | what << number % 4 * 2;
}

/* A domain may have grown, or found memory where there was none. */
static void begin_guest(struct guest *g)
{
    struct sharer *s = g->sharer;
    uint64_t frames;

    if ( !s->hv->ops->get_domain(s->hv, g->domid, &g->info) )
        g->there = g->info.pages + g->info.pages_shared;
    if ( !s->hv->ops->get_frame_limit(s->hv, g->domid, &frames) && frames > g->frames )
        (void)guest_grow(g, frames);
    if ( s->pass % HOLE_PASSES == 0 || g->there > g->found + UNSOUGHT )
    {
        memset(g->chunks, 0, g->chunks_size);
        g->found = 0;
    }
    g->next_frame = 0;
    s->pass_pages += g->there;
}

/*
 * Has the chunk memory?  Address spaces are mostly holes: they are not to cost books, nor a thread's time, and once all
 * that there is was found nothing is asked at all.
 */
static bool has_memory(struct guest *g, uint64_t number, unsigned int *effort)
{
    uint8_t states[HYPERVISOR_QUERY_MAX];
    uint64_t first = number * SCAN_FRAMES;
    unsigned int count = g->frames - first < HYPERVISOR_QUERY_MAX ? g->frames - first : HYPERVISOR_QUERY_MAX;

    if ( chunk_get(g, number) != CHUNK_UNKNOWN )
        return chunk_get(g, number) == CHUNK_MEMORY;
    if ( g->found + UNSOUGHT >= g->there )
        return false;
    *effort += GLANCES / 4;
    if ( g->sharer->hv->ops->query_frames(g->sharer->hv, g->domid, first, count, states) )
        return false;
    for ( unsigned int at = 0; at < count; number++ )
    {
        unsigned int end = at + SCAN_FRAMES < count ? at + SCAN_FRAMES : count, there = 0;

        for ( ; at < end; at++ )
            there += states[at] == FRAME_RAM;
        if ( chunk_get(g, number) == CHUNK_UNKNOWN )
            g->found += there;
        chunk_set(g, number, there ? CHUNK_MEMORY : CHUNK_HOLE);
    }
    return chunk_get(g, first / SCAN_FRAMES) == CHUNK_MEMORY;
}

static void begin(struct sharer *s)
{
    s->scanning = true;
    s->pass++;
    s->started = now_ns();
    s->started_wall = time(NULL);
    s->pass_pages = s->pass_done = 0;
    s->at = next_member(s->guests);
    for ( struct guest *g = s->at; g; g = next_member(g->next) )
        begin_guest(g);
}

static void end(struct sharer *s)
{
    s->scanning = false;
    merge_all(s);
    decide_pass_ended(s->decide);
    s->ended = now_ns();
    s->pass_ns = s->ended - s->started;
    log_message(LOG_DEBUG, LOG_HOST("pass"), "pass %llu took %llu ms", (unsigned long long)s->pass,
                (unsigned long long)(s->pass_ns / MILLISECOND));
}

static uint64_t due_at(const struct sharer *s)
{
    return s->started + s->settings->period * MILLISECOND;
}

uint64_t pass_next(const struct sharer *s)
{
    uint64_t now = now_ns(), due = due_at(s);

    if ( s->scanning || !s->ended || !next_member(s->guests) )
        return UINT64_MAX;
    return due > now ? (due - now) / MILLISECOND : 0;
}

/* The next chunk with something to look at: 1, and it is asked; 0: a while was spent on those without; -1: no more. */
static int hand_out(struct sharer *s)
{
    for ( unsigned int glances = 0; s->at && glances < GLANCES; glances++ )
    {
        struct guest *g = s->at;
        uint64_t number = g->next_frame / SCAN_FRAMES;
        struct scan_chunk *chunk;

        if ( g->next_frame >= g->frames || g->phase != GUEST_MEMBER || g->dying )
        {
            s->at = next_member(g->next);
            continue;
        }
        if ( !has_memory(g, number, &glances) )
        {
            g->next_frame += SCAN_FRAMES;
            continue;
        }
        chunk = scan_new(s->scan);
        if ( !chunk )
            return 0;
        chunk->ticket = g->ticket;
        chunk->domid = g->domid;
        chunk->first = g->next_frame;
        chunk->count = g->frames - g->next_frame < SCAN_FRAMES ? g->frames - g->next_frame : SCAN_FRAMES;
        chunk->wanted = decide_visit(s->decide, g->domid, chunk->first, chunk->count, chunk->gfns);
        g->next_frame += chunk->count;
        if ( !chunk->wanted )
        {
            s->pass_done += chunk->count;
            scan_put(s->scan, chunk);
            continue;
        }
        scan_ask(s->scan, chunk);
        return 1;
    }
    return s->at ? 0 : -1;
}

void pass_advance(struct sharer *s)
{
    if ( s->stopping || !s->scan )
        return;
    if ( !s->scanning )
    {
        uint64_t now = now_ns(), due = due_at(s);

        if ( !next_member(s->guests) )
            return;
        if ( s->ended && now < due )
        {
            sleep_ns(s, due - now);
            return;
        }
        begin(s);
    }
    /* One chunk for each thread: what is mapped ahead cannot be merged meanwhile. */
    while ( scan_outstanding(s->scan) < s->settings->threads )
    {
        uint64_t wait = pace_wait(&s->pace);

        if ( wait )
        {
            sleep_ns(s, wait);
            return;
        }
        if ( hand_out(s) < 0 )
            break;
    }
    if ( s->scanning && !s->at && !scan_outstanding(s->scan) )
    {
        end(s);
        sleep_ns(s, 0);
    }
}

static void take(struct sharer *s, struct guest *g, const struct scan_chunk *chunk)
{
    if ( chunk->rc )
        return;                   /* it is dying, or memory was short: what is known stays */
    g->scanned += chunk->populated;
    s->pass_done += chunk->populated;
    for ( unsigned int i = 0; i < chunk->wanted; i++ )
    {
        if ( chunk->digests[i] == DIGEST_NEVER )
            decide_absent(s->decide, chunk->domid, chunk->gfns[i]);
        else
            decide_scanned(s->decide, chunk->domid, chunk->gfns[i], chunk->digests[i]);
    }
}

void pass_take_found(struct sharer *s)
{
    struct scan_chunk *chunk;

    while ( (chunk = scan_take(s->scan)) )
    {
        struct guest *g = guests_find(s, chunk->domid, chunk->ticket);

        if ( g && g->phase == GUEST_MEMBER )
            take(s, g, chunk);
        scan_put(s->scan, chunk);
        merge_all(s);
    }
    pass_advance(s);
}

void pass_forget(struct sharer *s, const struct guest *g)
{
    if ( s->at == g )
        s->at = next_member(g->next);
}
