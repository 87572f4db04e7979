/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sections of frames, and the members they belong to.  A section is one mapping, digests first and states behind;
 * memory that was never written to is the kernel's page of zeros, so what is reserved for a hole costs nothing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "pages.h"

#define SECTION_SIZE (PAGES_SECTION * (uint64_t)PAGES_OCTETS)

static void *reserve(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return memory == MAP_FAILED ? NULL : memory;
}

int pages_open(struct pages **out)
{
    struct pages *p = calloc(1, sizeof(*p));

    if ( !p )
        return -ENOMEM;
    p->sections = reserve(PAGES_SECTIONS_MAX * sizeof(*p->sections));
    p->by_domid = calloc(PAGES_DOMID_LIMIT, sizeof(*p->by_domid));
    if ( !p->sections || !p->by_domid )
        goto fail;
    *out = p;

    return 0;

 fail:
    pages_close(p);
    return -ENOMEM;
}

void pages_close(struct pages *p)
{
    if ( !p )
        return;
    while ( p->members )
        pages_leave(p, p->members->domid);
    if ( p->sections )
        munmap(p->sections, PAGES_SECTIONS_MAX * sizeof(*p->sections));
    free(p->by_domid);
    free(p);
}

static uint64_t sections_of(uint64_t frames)
{
    return (frames + PAGES_SECTION - 1) >> PAGES_SECTION_SHIFT;
}

uint64_t pages_need(uint64_t frames)
{
    return sections_of(frames) * (SECTION_SIZE + sizeof(struct pages_section) + sizeof(uint32_t)) +
           sizeof(struct member);
}

uint64_t pages_allocated(const struct pages *p)
{
    uint64_t octets = sizeof(*p) + PAGES_DOMID_LIMIT * sizeof(*p->by_domid) +
                      p->sections_end * sizeof(*p->sections) + p->sections_used * SECTION_SIZE;

    for ( const struct member *m = p->members; m; m = m->next )
        octets += sizeof(*m) + m->sections_count * sizeof(*m->sections);

    return octets;
}

struct member *pages_member(const struct pages *p, uint16_t domid)
{
    return domid < PAGES_DOMID_LIMIT ? p->by_domid[domid] : NULL;
}

/* The one that the fewest have. */
static uint8_t choose_slot(const struct pages *p)
{
    unsigned int taken[UINT8_MAX + 1] = { 0 };
    uint8_t best = 0;

    for ( const struct member *m = p->members; m; m = m->next )
        taken[m->slot]++;
    for ( unsigned int i = 0; i <= UINT8_MAX; i++ )
        if ( taken[i] < taken[best] )
            best = i;

    return best;
}

/* A member that is not in the list, or from there with the link to it, made anew for so many frames. */
static int remake(struct pages *p, struct member *m, uint64_t frames)
{
    uint32_t count = sections_of(frames), had = m ? m->sections_count : 0;
    struct member **link = &p->members, *made;

    while ( m && *link != m )
        link = &(*link)->next;
    made = realloc(m, sizeof(*m) + count * sizeof(m->sections[0]));
    if ( !made )
        return -ENOMEM;
    if ( !m )
    {
        memset(made, 0, sizeof(*made));
        made->next = p->members;
    }
    *link = made;
    for ( uint32_t i = had; i < count; i++ )
        made->sections[i] = PAGES_NONE;
    for ( uint32_t i = 0; i < count; i++ )
        if ( made->sections[i] != PAGES_NONE )
            p->sections[made->sections[i]].member = made;
    made->sections_count = count;
    made->frames = frames;

    return 0;
}

int pages_join(struct pages *p, uint16_t domid, uint16_t group, bool within, uint64_t frames)
{
    uint8_t slot;

    if ( domid >= PAGES_DOMID_LIMIT || frames > PAGES_FRAMES_MAX )
        return -EINVAL;
    if ( p->by_domid[domid] )
        return -EEXIST;
    slot = choose_slot(p);
    if ( remake(p, NULL, frames) )
        return -ENOMEM;
    p->members->domid = domid;
    p->members->group = group;
    p->members->within = within;
    p->members->slot = slot;
    p->members_count++;
    p->by_domid[domid] = p->members;

    return 0;
}

static void free_section(struct pages *p, uint32_t number)
{
    munmap(p->sections[number].digests, SECTION_SIZE);
    memset(&p->sections[number], 0, sizeof(p->sections[number]));
    p->sections_used--;
    if ( number < p->sections_hint )
        p->sections_hint = number;
}

int pages_resize(struct pages *p, uint16_t domid, uint64_t frames)
{
    struct member *m = pages_member(p, domid);

    if ( !m )
        return -ENOENT;
    if ( frames > PAGES_FRAMES_MAX )
        return -EINVAL;
    for ( uint64_t i = sections_of(frames); i < m->sections_count; i++ )
        if ( m->sections[i] != PAGES_NONE )
        {
            free_section(p, m->sections[i]);
            m->sections[i] = PAGES_NONE;
        }
    if ( remake(p, m, frames) )
        return -ENOMEM;
    for ( m = p->members; m->domid != domid; m = m->next )
        ;
    p->by_domid[domid] = m;

    return 0;
}

void pages_leave(struct pages *p, uint16_t domid)
{
    struct member *m = pages_member(p, domid), **link = &p->members;

    if ( !m )
        return;
    for ( uint32_t i = 0; i < m->sections_count; i++ )
        if ( m->sections[i] != PAGES_NONE )
            free_section(p, m->sections[i]);
    while ( *link != m )
        link = &(*link)->next;
    *link = m->next;
    p->by_domid[domid] = NULL;
    p->members_count--;
    free(m);
}

uint32_t pages_find(const struct pages *p, const struct member *m, uint64_t gfn)
{
    uint32_t section;

    (void)p;
    if ( gfn >= m->frames )
        return PAGES_NONE;
    section = m->sections[gfn >> PAGES_SECTION_SHIFT];
    if ( section == PAGES_NONE )
        return PAGES_NONE;

    return section << PAGES_SECTION_SHIFT | (gfn & (PAGES_SECTION - 1));
}

uint32_t pages_make(struct pages *p, struct member *m, uint64_t gfn)
{
    uint32_t found = pages_find(p, m, gfn), number = p->sections_hint;
    struct pages_section *section;

    if ( found != PAGES_NONE || gfn >= m->frames )
        return found;

    while ( number < p->sections_end && p->sections[number].member )
        number++;
    if ( number == PAGES_SECTIONS_MAX )
        return PAGES_NONE;
    section = &p->sections[number];
    section->digests = reserve(SECTION_SIZE);
    if ( !section->digests )
        return PAGES_NONE;
    section->states = (uint16_t *)(section->digests + PAGES_SECTION);
    section->member = m;
    section->first = gfn & ~(uint64_t)(PAGES_SECTION - 1);
    if ( number == p->sections_end )
        p->sections_end++;
    p->sections_hint = number + 1;
    p->sections_used++;
    m->sections[gfn >> PAGES_SECTION_SHIFT] = number;
    m->kinds[PAGE_UNKNOWN] += PAGES_SECTION;

    return pages_find(p, m, gfn);
}
