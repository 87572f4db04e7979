/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A host to decide for, without bytes: what a page holds is a number.  It merges as the hypervisor does, with the
 * moves of whole classes between two domains, hands out records of what left its page, and checks each merge: of one
 * group, the same contents, no two pages of a domain that does not share within.  And a daemon that scans and merges
 * by decide.h.
 */
#ifndef TESTS_XENSHARING_MODEL_HOST_H
#define TESTS_XENSHARING_MODEL_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include <memevent/memevent.h>

#include "daemons/xensharing/decide.h"

#define MODEL_DOMAINS 12U
/* What a page holds: 0 is all zeros, below MODEL_FILLS one word repeated. */
#define MODEL_FILLS   16U

struct model_frame;
struct model_page {
    uint64_t content;
    struct model_frame *frame;    /* NULL: private, or absent */
    bool is_absent, is_held;
};

struct model_domain {
    bool is_there, is_member;
    uint16_t group;
    bool within;
    uint64_t frames;
    struct model_page *pages;
};

struct model {
    struct decide *decide;
    struct model_domain domains[MODEL_DOMAINS];
    uint64_t random;
    uint64_t saved, shared_frames;
    uint64_t merges;
    uint64_t wrong_bytes, wrong_group, wrong_within, too_many;  /* sharers of merges that should not have been */
    uint32_t most_sharers;
    uint32_t sharers_max;         /* of one page; more are too many */
    bool skips_comparison;        /* on purpose */

    struct memevent_record *records;
    unsigned int ring, records_count; /* places; used */
    uint64_t lost, lost_told;
    bool is_deaf;                 /* nobody reads them */
    unsigned int no_memory;       /* of 1000 merges, those that fail with -ENOMEM */
    /* Called before each merge of a batch with its number: what guests do meanwhile. */
    void (*meanwhile)(struct model *m);
};

void model_open(struct model *m, uint64_t seed, enum decide_invalidates invalidates, unsigned int ring);
void model_close(struct model *m);

/* Its pages hold fresh contents that nobody else has. */
void model_create(struct model *m, uint16_t domid, uint16_t group, bool within, uint64_t frames);
void model_join(struct model *m, uint16_t domid);
/* The daemon lets it go: unshares all of it first. */
void model_leave(struct model *m, uint16_t domid);
/* It dies while it is a member or not. */
void model_kill(struct model *m, uint16_t domid);

void model_write(struct model *m, uint16_t domid, uint64_t gfn, uint64_t content);
uint64_t model_fresh(struct model *m);
void model_give_up(struct model *m, uint16_t domid, uint64_t gfn);

/* One pass over all members.  during, which may be NULL, is called between chunks. */
void model_pass(struct model *m, void (*during)(struct model *m));
/* Reads all records. */
void model_drain(struct model *m);

/* Frames that would be saved if all that may be merged were. */
uint64_t model_mergeable(const struct model *m);
/* saved / mergeable in tenths of a percent; 1000 if there is nothing. */
unsigned int model_effectiveness(const struct model *m);
/* Nothing was merged that should not have been. */
void model_judge(const struct model *m);
/*
 * And the daemon's books against the host's, where nothing is under way; exact: what it takes for shared is, but for a
 * very few.
 */
void model_check(const struct model *m, bool exact);

#endif
