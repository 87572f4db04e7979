/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where evicted pages lie until they are in the store: the hypervisor copies a page's bytes here and frees the page, so
 * for a moment they are nowhere else.  That moment outlives the process, as the store does.
 *
 *     store_stage_begin   which frames are going to be evicted to which page of the stage;
 *     (the hypervisor)    evicts them, or some of them;
 *     (the owner)         puts those that went into the store, or gives them back to the guest;
 *     store_stage_end     nothing here is needed any more.
 *
 * A process that finds a stage between begin and end asks the hypervisor which of its frames are out.  For each that
 * is, the bytes here are the right ones: it was in the guest's memory at begin, nobody else evicts pages, and none that
 * went out is brought in before end, but by its owner from here.  So they go before whatever the store has of that
 * frame, which is the same, or left over from a page that was given up.  A frame that is not out needs no bytes.
 *
 * No instant is left out: before begin nothing is out; in the hypervisor's hands a page is out if and only if it was
 * copied, because a hypercall that was begun ends even if the process is dead; until end the bytes stay; and taking over
 * ends in the same way, so it may itself be cut short at any instant and begun again.
 *
 * The memory: page 0 has the header and, at octet 64, an intent for each page; page 1 + i is the bytes of intent i.
 */
#ifndef XENPAGING_STORE_STAGE_H
#define XENPAGING_STORE_STAGE_H

#include <stdint.h>

/* Pages evicted at a time, at most. */
#define STORE_STAGE_PAGES 128U

struct store_stage;

/*
 * fd -1: a new one; an empty file is made one; otherwise what an earlier process left: -EBADMSG: that is no stage, or
 * damaged.  The descriptor stays the caller's.
 */
int store_stage_open(struct store_stage **out, int fd);
void store_stage_close(struct store_stage *t);

/* The stage's own, to be left with somebody. */
int store_stage_fd(const struct store_stage *t);

/* All STORE_STAGE_PAGES pages, one after the other. */
void *store_stage_pages(const struct store_stage *t);

/* Page i is for gfns[i]; the one before must have ended. */
void store_stage_begin(struct store_stage *t, uint16_t domid, const uint64_t *gfns, unsigned int count);
void store_stage_end(struct store_stage *t);

/* Of a stage that did not end: 1: its intent i; 0: it has none; -EBADMSG: damaged. */
int store_stage_get(const struct store_stage *t, unsigned int i, uint16_t *domid, uint64_t *gfn);

#endif
