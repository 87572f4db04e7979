/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is known of each frame of the member domains: a digest (8 octets) and a state (2 octets).  Frames have 32-bit
 * page numbers, by which the index names them.  Memory comes a section of frames at a time, when something is known
 * of one of them.  What the state means, and when it changes, is decide.c's.  For one thread.
 */
#ifndef XENSHARING_PAGES_H
#define XENSHARING_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Frames in a section: 128 MiB of guest memory, 320 KiB of ours. Small guests and holes cost little. */
#define PAGES_SECTION_SHIFT 15U
#define PAGES_SECTION       (1U << PAGES_SECTION_SHIFT)
/* All sections there can be: 32-bit page numbers, the last of which is PAGES_NONE. */
#define PAGES_SECTIONS_MAX  ((1U << (32 - PAGES_SECTION_SHIFT)) - 1)
#define PAGES_NONE          UINT32_MAX
/* One more than the highest number of a domain; Xen's DOMID_FIRST_RESERVED. */
#define PAGES_DOMID_LIMIT   0x7ff0U
/* Frame numbers of one domain: 4 TiB. */
#define PAGES_FRAMES_MAX    (UINT64_C(1) << 30)

/* Octets of a frame; the index has its own (index.h), and both together are at most 16. */
#define PAGES_OCTETS        10U

enum page_kind {
    PAGE_UNKNOWN  = 0,            /* nothing is known, or it cools down */
    PAGE_SEEN     = 1,            /* has a digest of one pass */
    PAGE_UNIQUE   = 2,            /* did not change, is private, and in the index: others may become it */
    PAGE_PENDING  = 3,            /* on its way to be merged */
    PAGE_SHARED   = 4,            /* is another's page */
    PAGE_MASTER   = 5,            /* is shared, and in the index */
    PAGE_DOUBTFUL = 6,            /* was SHARED; whether it still is has to be asked */
    PAGE_ABSENT   = 7,            /* no memory there: given up, or paged out */
};
#define PAGE_KINDS 8U

/* A domain whose pages may be shared. */
struct member {
    uint16_t domid;
    uint16_t group;               /* only pages of one group are ever merged */
    bool     within;              /* pages of this one domain may be merged with each other */
    bool     leaves;              /* decide_leave() has begun */
    uint8_t  slot;                /* small number, of its own as long as there are few members */
    uint64_t frames;              /* one more than the highest frame number */
    uint64_t left;                /* frames that decide_leave() has not done yet: those below */
    uint64_t kinds[PAGE_KINDS];   /* frames of each kind; of UNKNOWN only those in sections */
    uint64_t merged, unshared;    /* since it joined: merges as a client; frames that left a shared page */
    uint64_t changed, pass_changed; /* frames that changed: in the pass that goes on, and in the last that ended */
    struct member *next;
    uint32_t sections_count;      /* entries of: */
    uint32_t sections[];          /* by frame number >> PAGES_SECTION_SHIFT; PAGES_NONE: not made yet */
};

struct pages_section {
    struct member *member;        /* NULL: this number is free */
    uint64_t first;               /* frame number of its first */
    uint64_t *digests;            /* PAGES_SECTION of them; states behind */
    uint16_t *states;
};

struct pages {
    struct pages_section *sections; /* PAGES_SECTIONS_MAX, of which memory has what was used */
    uint32_t sections_end;        /* all from here on were never used */
    uint32_t sections_used;
    uint32_t sections_hint;       /* no free one below */
    struct member *members;
    struct member **by_domid;     /* PAGES_DOMID_LIMIT */
    unsigned int members_count;
};

int  pages_open(struct pages **out);
void pages_close(struct pages *p);      /* NULL is accepted */

/* Octets that so many frames take at most, if all of them are there. */
uint64_t pages_need(uint64_t frames);
/* Octets in use now. */
uint64_t pages_allocated(const struct pages *p);

/* -EEXIST; -EINVAL: too many frames, or no such number can be; -ENOMEM. */
int  pages_join(struct pages *p, uint16_t domid, uint16_t group, bool within, uint64_t frames);
/* The domain has more frames now, or fewer.  Of fewer all must be forgotten by then.  -ENOENT, -EINVAL, -ENOMEM. */
int  pages_resize(struct pages *p, uint16_t domid, uint64_t frames);
/* Nothing may refer to its pages any more. */
void pages_leave(struct pages *p, uint16_t domid);

/* NULL: is no member. */
struct member *pages_member(const struct pages *p, uint16_t domid);

/* Page number of a frame; PAGES_NONE: there is none, or it has no section. */
uint32_t pages_find(const struct pages *p, const struct member *m, uint64_t gfn);
/* The same, and makes the section.  PAGES_NONE: no memory for it. */
uint32_t pages_make(struct pages *p, struct member *m, uint64_t gfn);

static inline struct pages_section *pages_section(const struct pages *p, uint32_t page)
{
    return &p->sections[page >> PAGES_SECTION_SHIFT];
}

static inline struct member *pages_owner(const struct pages *p, uint32_t page)
{
    return pages_section(p, page)->member;
}

static inline uint64_t pages_gfn(const struct pages *p, uint32_t page)
{
    return pages_section(p, page)->first + (page & (PAGES_SECTION - 1));
}

static inline uint64_t *pages_digest(const struct pages *p, uint32_t page)
{
    return &pages_section(p, page)->digests[page & (PAGES_SECTION - 1)];
}

static inline uint16_t *pages_state(const struct pages *p, uint32_t page)
{
    return &pages_section(p, page)->states[page & (PAGES_SECTION - 1)];
}

#endif
